//! What kind of text a request wants, found by its words. A verb at the beginning of a clause is an order
//! ("Plan the work"); the same word elsewhere may be a thing ("use the plan") and counts less.

/// A kind of text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Intent {
    /// Steps towards a goal.
    Plan,
    /// Findings.
    Research,
    /// A first version of a text.
    Draft,
    /// A judgement of a text.
    Review,
    /// A better version of a text.
    Revise,
    /// The same in short.
    Summarise,
    /// A program or its tests.
    Code,
    /// A decision with reasons.
    Decide,
    /// The same in another language.
    Translate,
    /// Many short things.
    List,
    /// A view from one side.
    Opinion,
    /// None of these.
    Answer,
}

/// How a word speaks of an intent.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Force {
    /// Is one as an order, and hints at one as a thing.
    Strong,
    /// Says only that something is to be made; what, stands in the words behind it.
    Maker,
    /// A thing or a role; never an order.
    Thing,
}

use Force::{Maker, Strong, Thing};

/// Beginnings of words; one of `ENDINGS` must follow, so that nobody plans a plant. The first that fits
/// counts, so longer ones stand before shorter ones.
const WORDS: &[(&str, Intent, Force)] = &[
    ("planner", Intent::Plan, Thing),
    ("plan", Intent::Plan, Strong),
    ("outlin", Intent::Plan, Strong),
    ("break", Intent::Plan, Strong),
    ("roadmap", Intent::Plan, Thing),
    ("organi", Intent::Plan, Strong),
    ("decompos", Intent::Plan, Strong),
    ("researcher", Intent::Research, Thing),
    ("research", Intent::Research, Strong),
    ("investigat", Intent::Research, Strong),
    ("explor", Intent::Research, Strong),
    ("analy", Intent::Research, Strong),
    ("gather", Intent::Research, Strong),
    ("find", Intent::Research, Strong),
    ("study", Intent::Research, Strong),
    ("facts", Intent::Research, Thing),
    ("reviewer", Intent::Review, Thing),
    ("review", Intent::Review, Strong),
    ("critic", Intent::Review, Thing),
    ("critiqu", Intent::Review, Strong),
    ("check", Intent::Review, Strong),
    ("proofread", Intent::Review, Strong),
    ("evaluat", Intent::Review, Strong),
    ("assess", Intent::Review, Strong),
    ("inspect", Intent::Review, Strong),
    ("verif", Intent::Review, Strong),
    ("verdict", Intent::Decide, Thing),
    ("revis", Intent::Revise, Strong),
    ("fix", Intent::Revise, Strong),
    ("improv", Intent::Revise, Strong),
    ("rewrit", Intent::Revise, Strong),
    ("rework", Intent::Revise, Strong),
    ("correct", Intent::Revise, Strong),
    ("polish", Intent::Revise, Strong),
    ("edit", Intent::Revise, Strong),
    ("address", Intent::Revise, Strong),
    ("incorporat", Intent::Revise, Strong),
    ("refin", Intent::Revise, Strong),
    ("summar", Intent::Summarise, Strong),
    ("synthesi", Intent::Summarise, Strong),
    ("condens", Intent::Summarise, Strong),
    ("combin", Intent::Summarise, Strong),
    ("merg", Intent::Summarise, Strong),
    ("consolidat", Intent::Summarise, Strong),
    ("shorten", Intent::Summarise, Strong),
    ("distil", Intent::Summarise, Strong),
    ("implement", Intent::Code, Strong),
    ("code", Intent::Code, Strong),
    ("program", Intent::Code, Strong),
    ("function", Intent::Code, Thing),
    ("script", Intent::Code, Thing),
    ("developer", Intent::Code, Thing),
    ("engineer", Intent::Code, Thing),
    ("refactor", Intent::Code, Strong),
    ("tests", Intent::Code, Thing),
    ("test", Intent::Code, Strong),
    ("decid", Intent::Decide, Strong),
    ("decision", Intent::Decide, Thing),
    ("judge", Intent::Decide, Strong),
    ("choos", Intent::Decide, Strong),
    ("classif", Intent::Decide, Strong),
    ("select", Intent::Decide, Strong),
    ("vote", Intent::Decide, Strong),
    ("translat", Intent::Translate, Strong),
    ("list", Intent::List, Strong),
    ("brainstorm", Intent::List, Strong),
    ("ideas", Intent::List, Thing),
    ("suggest", Intent::List, Strong),
    ("enumerat", Intent::List, Strong),
    ("opinion", Intent::Opinion, Thing),
    ("view", Intent::Opinion, Thing),
    ("perspective", Intent::Opinion, Thing),
    ("viewpoint", Intent::Opinion, Thing),
    ("stance", Intent::Opinion, Thing),
    ("argue", Intent::Opinion, Strong),
    ("advis", Intent::Opinion, Strong),
    ("comment", Intent::Opinion, Strong),
    ("expert", Intent::Opinion, Thing),
    ("writer", Intent::Draft, Thing),
    ("author", Intent::Draft, Thing),
    ("article", Intent::Draft, Thing),
    ("story", Intent::Draft, Thing),
    ("essay", Intent::Draft, Thing),
    ("draft", Intent::Draft, Strong),
    ("writ", Intent::Draft, Maker),
    ("compos", Intent::Draft, Maker),
    ("creat", Intent::Draft, Maker),
    ("produc", Intent::Draft, Maker),
    ("prepar", Intent::Draft, Maker),
    ("mak", Intent::Draft, Maker),
    ("giv", Intent::Draft, Maker),
    ("generat", Intent::Draft, Maker),
    ("develop", Intent::Draft, Maker),
    ("build", Intent::Code, Maker),
];

const ENDINGS: [&str; 34] = [
    "", "ation", "d", "e", "ed", "er", "es", "ies", "ied", "ing", "ion", "ions", "is", "ise",
    "ised", "ising", "ize", "ized", "izing", "ned", "ning", "s", "se", "sed", "sing", "sis", "ten",
    "ting", "y", "ying", "ze", "zed", "zing", "ses",
];

/// Words before an order that do not take it away from the beginning of its clause.
const POLITE: [&str; 12] = [
    "please",
    "then",
    "and",
    "now",
    "first",
    "next",
    "finally",
    "to",
    "you",
    "should",
    "carefully",
    "must",
];

/// How far behind a maker its product is looked for.
const REACH: usize = 5;

#[derive(Clone)]
struct Word {
    text: String,
    starts_clause: bool,
}

/// The kind of text that `asked` wants, or, where it does not say, the role in `role`.
pub fn of(asked: &str, role: &str) -> Intent {
    let wanted = strongest(&words(asked));
    let fallback = || strongest(&words(role)).map(|(intent, _)| intent);
    match wanted {
        Some((intent, score)) if score >= 3 => intent,
        weak => fallback()
            .or(weak.map(|(intent, _)| intent))
            .unwrap_or(Intent::Answer),
    }
}

/// Whether `text` begins with an order.
pub fn is_order(text: &str) -> bool {
    let first: Vec<Word> = words(text).into_iter().take(6).collect();
    strongest(&first).is_some_and(|(_, score)| score >= 8)
}

fn strongest(words: &[Word]) -> Option<(Intent, u8)> {
    let mut best: Option<(Intent, u8)> = None;
    for (at, word) in words.iter().enumerate() {
        let Some((intent, force)) = lookup(&word.text) else {
            continue;
        };
        let (intent, score) = match (force, word.starts_clause) {
            (Strong, true) => (intent, 10),
            (Strong | Thing, _) => (intent, 2),
            (Maker, true) => (product(words, at).unwrap_or(intent), 8),
            (Maker, false) => (intent, 1),
        };
        if best.is_none_or(|(_, known)| score > known) {
            best = Some((intent, score));
        }
    }
    best
}

/// What a maker makes: "write **a plan**", "give me **your opinion**".
fn product(words: &[Word], maker: usize) -> Option<Intent> {
    words
        .iter()
        .skip(maker + 1)
        .take(REACH)
        .take_while(|word| !word.starts_clause)
        .find_map(|word| match lookup(&word.text) {
            Some((intent, Strong | Thing)) => Some(intent),
            Some((_, Maker)) | None => None,
        })
}

fn lookup(word: &str) -> Option<(Intent, Force)> {
    let found = WORDS.iter().find(|(beginning, _, _)| {
        word.strip_prefix(beginning)
            .is_some_and(|ending| ENDINGS.contains(&ending))
    });
    found.map(|(_, intent, force)| (*intent, *force))
}

fn words(text: &str) -> Vec<Word> {
    let mut starts_clause = true;
    let mut words = Vec::new();
    for raw in text.split_whitespace() {
        let word: String = raw
            .chars()
            .filter(|c| c.is_alphanumeric())
            .collect::<String>()
            .to_lowercase();
        let ends_clause = raw.ends_with(['.', ',', ':', ';', '!', '?', ')', '-', '–', '—']);
        if !word.is_empty() {
            let is_polite = POLITE.contains(&word.as_str());
            words.push(Word {
                text: word,
                starts_clause,
            });
            starts_clause = starts_clause && is_polite;
        }
        starts_clause |= ends_clause || matches!(raw, "and" | "then" | "to");
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(asked: &str, intent: Intent) {
        assert_eq!(of(asked, ""), intent, "{asked}");
    }

    #[test]
    fn an_order_at_the_beginning_decides() {
        check("Plan: a haiku", Intent::Plan);
        check(
            "Please research the second step of the plan.",
            Intent::Research,
        );
        check("Review the draft below.", Intent::Review);
        check("Revise the draft according to the review.", Intent::Revise);
        check("Summarise the findings for a plan", Intent::Summarise);
        check(
            "You are given a draft. Check it for errors.",
            Intent::Review,
        );
        check("List ten ideas", Intent::List);
        check("Translate the text into German", Intent::Translate);
        check("Decide whether it may be published.", Intent::Decide);
        check("Fix the points that the review names.", Intent::Revise);
    }

    #[test]
    fn a_maker_makes_what_stands_behind_it() {
        check("Write a plan for the release", Intent::Plan);
        check("Write a short article about tea", Intent::Draft);
        check("Write about tea", Intent::Draft);
        check("Based on the plan, write the code.", Intent::Code);
        check("Give your opinion on the plan.", Intent::Opinion);
        check("Build it", Intent::Code);
    }

    #[test]
    fn words_that_only_begin_alike_mean_nothing() {
        check("Write about plants and planets", Intent::Draft);
        check("Listen", Intent::Answer);
    }

    #[test]
    fn things_are_no_orders() {
        check("Using the research, draft an article.", Intent::Draft);
        check("The plan is above; implement it.", Intent::Code);
    }

    #[test]
    fn the_role_speaks_where_the_prompt_is_silent() {
        assert_eq!(
            of("Do: the thing", "You are a careful reviewer."),
            Intent::Review
        );
        assert_eq!(of("Do: the thing", "You are a developer."), Intent::Code);
        assert_eq!(of("Do: the plan", "You are a developer."), Intent::Code);
        assert_eq!(of("Hello", ""), Intent::Answer);
        assert_eq!(of("", ""), Intent::Answer);
    }
}
