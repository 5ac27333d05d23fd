//! What a request is about, from where people put it: behind "Topic:", behind the first colon, behind
//! "about", or in the heading of the material.

use crate::llm::rehearsal::verdict::Verdict;

const MAX_TOPIC_CHARS: usize = 64;

/// The topic; "the task" where none is to be found.
pub fn of(asked: &str, material: &str) -> String {
    let labelled = asked.lines().find_map(|line| {
        let (label, rest) = line.split_once(':')?;
        let label = label.trim().to_lowercase();
        let names_it = [
            "topic", "subject", "question", "theme", "goal", "title", "brief",
        ]
        .iter()
        .any(|word| label.ends_with(word));
        names_it.then(|| tidy(rest)).flatten()
    });
    let heading = || {
        material.lines().find_map(|line| {
            let title = line.strip_prefix("# ")?;
            let (label, rest) = title.split_once(": ").unwrap_or(("", title));
            tidy(if label.split_whitespace().count() <= 3 {
                rest
            } else {
                title
            })
        })
    };
    let after_colon = || {
        let (label, rest) = asked.trim().lines().next()?.split_once(": ")?;
        let is_label = label.split_whitespace().count() <= 20 && !label.contains(['.', '?']);
        let verdict = Verdict::asked_for(asked);
        let is_choice = verdict.is_some_and(|verdict| {
            verdict
                .choices()
                .any(|choice| rest.contains(choice.as_str()))
        });
        if is_label && !is_choice {
            tidy(rest)
        } else {
            None
        }
    };
    let about = || {
        let at = [
            " about ",
            " on the topic of ",
            " regarding ",
            " view on ",
            " opinion on ",
        ]
        .iter()
        .find_map(|word| asked.find(word).map(|at| at + word.len()))?;
        let rest = asked.get(at..)?;
        let end = rest
            .find(['\n', '.', '?', '!', ';', ','])
            .unwrap_or(rest.len());
        tidy(rest.get(..end)?).filter(|topic| !points_away(topic))
    };
    let order = || {
        let sentence = asked.trim().split(['\n', '.', '?', '!']).next()?;
        let (_, rest) = sentence.trim().split_once(' ')?;
        let rest = rest
            .trim_start_matches("me ")
            .trim_start_matches("the following ");
        tidy(rest).filter(|topic| !points_away(topic))
    };
    let first_line = || {
        let line = material
            .lines()
            .find(|line| line.split_whitespace().count() >= 2)?;
        tidy(line)
    };
    let only_line = || tidy(asked);
    labelled
        .or_else(after_colon)
        .or_else(heading)
        .or_else(about)
        .or_else(order)
        .or_else(first_line)
        .or_else(only_line)
        .unwrap_or_else(|| "the task".to_owned())
}

/// Words that stand in many topics and carry none.
const SMALL_WORDS: [&str; 30] = [
    "about", "above", "after", "again", "against", "also", "because", "before", "below", "between",
    "could", "does", "every", "from", "have", "into", "just", "more", "most", "only", "other",
    "over", "should", "some", "that", "their", "this", "what", "which", "with",
];

/// The words of a topic that carry it, in order.
pub fn keywords(topic: &str) -> Vec<String> {
    let bare = |word: &str| word.trim_matches(|c: char| !c.is_alphanumeric()).to_owned();
    let carries = |word: &String| {
        word.chars().count() >= 4 && !SMALL_WORDS.contains(&word.to_lowercase().as_str())
    };
    topic
        .split_whitespace()
        .map(bare)
        .filter(carries)
        .take(4)
        .collect()
}

/// Whether a topic only points at something else: "the draft below", "this".
fn points_away(topic: &str) -> bool {
    let lower = topic.to_lowercase();
    let mut words = lower.split_whitespace();
    match words.next().unwrap_or_default() {
        "this" | "that" | "it" | "these" | "them" | "following" => true,
        "the" | "your" | "all" | "both" => words.any(|word| {
            [
                "below", "above", "article", "code", "draft", "findings", "plan", "results",
                "review", "summary", "text", "texts",
            ]
            .contains(&word)
        }),
        _ => lower.contains(" below") || lower.contains(" above"),
    }
}

/// `text` as a topic: one line, without marks around it, not too long; `None` when nothing is left.
pub fn tidy(text: &str) -> Option<String> {
    let line = text.trim().lines().next()?;
    let line = line.replace(['*', '`', '#', '_'], "");
    let line = line.trim_matches(|c: char| c.is_whitespace() || "\"'“”.:;,!?-[]{}()".contains(c));
    let mut topic = String::new();
    for word in line.split_whitespace() {
        if topic.chars().count() + word.chars().count() >= MAX_TOPIC_CHARS {
            if topic.is_empty() {
                topic = word.chars().take(MAX_TOPIC_CHARS).collect();
            }
            break;
        }
        if !topic.is_empty() {
            topic.push(' ');
        }
        topic.push_str(word);
    }
    (!topic.is_empty()).then_some(topic)
}
