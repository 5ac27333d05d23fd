//! What a request asks for and what it brings along: the order, the topic, the material, the choice to
//! make. Reads only the messages; knows nothing of workflows.

mod points;
mod topic;

use super::{
    dice::Dice,
    intent::{self, Intent},
    verdict::Verdict,
};
use crate::llm::{ChatMessage, ChatRequest};

/// A request, understood.
#[derive(Debug, Clone)]
pub struct Scene {
    /// What kind of text is wanted.
    pub intent: Intent,
    /// What it is about; never empty.
    pub topic: String,
    /// Words of the topic that carry it.
    pub keywords: Vec<String>,
    /// Sentences of the material, taken in turn from each of its parts.
    pub points: Vec<String>,
    /// A program in the material.
    pub code: Option<String>,
    /// The programming language that is spoken of.
    pub language: Option<&'static str>,
    /// Whom the instructions want the model to be.
    pub role: Option<String>,
    /// The choice that is asked for.
    pub verdict: Option<Verdict>,
    /// Whether the material may pass.
    pub favourable: bool,
    /// Whether tests are what is listed.
    pub wants_tests: bool,
    /// Whether prompt or instructions speak of notes.
    pub speaks_of_notes: bool,
    /// What falls the same way for the same messages.
    pub dice: Dice,
}

/// More than this of a prompt is not looked at: a rehearsal must stay quick.
const MAX_READ_CHARS: usize = 60_000;

/// Words of a text that went through a round of work already.
const REVISED: [&str; 8] = [
    "revised",
    "reworked",
    "second version",
    "new version",
    "version 2",
    "round 2",
    "corrected",
    "after the review",
];

const LANGUAGES: [(&str, &str); 8] = [
    ("rust", "rust"),
    ("python", "python"),
    ("typescript", "typescript"),
    ("javascript", "javascript"),
    ("node.js", "javascript"),
    ("react", "javascript"),
    ("cargo", "rust"),
    ("pytest", "python"),
];

impl Scene {
    /// Reads a request.
    pub fn of(request: &ChatRequest) -> Self {
        let mut instructions = String::new();
        let mut prompt = "";
        for message in &request.messages {
            match message {
                ChatMessage::System(text) => {
                    instructions.push_str(text);
                    instructions.push('\n');
                }
                // The first question is the task; later ones only remind of it.
                ChatMessage::User(text) if prompt.is_empty() => prompt = text,
                ChatMessage::User(_)
                | ChatMessage::Assistant { .. }
                | ChatMessage::ToolResult { .. } => {}
            }
        }
        let prompt: String = prompt.chars().take(MAX_READ_CHARS).collect();
        let texts = [instructions.as_str(), prompt.as_str()];
        let dice = Dice::of(texts);
        let (asked, material) = split(&prompt);
        let orders = without_labels(&asked);
        let orders = if orders.trim().is_empty() {
            &asked
        } else {
            &orders
        };
        let intent = intent::of(orders, &instructions);
        let verdict = Verdict::asked_for(&asked).or_else(|| Verdict::asked_for(&instructions));
        let topic = topic::of(&asked, &material);
        let lower = texts.join("\n").to_lowercase();
        let speaks_of = |words: &[&str]| words.iter().any(|word| lower.contains(word));
        Self {
            intent,
            points: points::of(&material, &topic, verdict.as_ref()),
            keywords: topic::keywords(&topic),
            topic,
            code: code_in(&material),
            language: LANGUAGES
                .iter()
                .find(|(word, _)| lower.contains(word))
                .map(|(_, name)| *name),
            role: role(&asked).or_else(|| role(&instructions)),
            favourable: is_favourable(intent, &asked, &material, verdict.as_ref()),
            verdict,
            wants_tests: asked.to_lowercase().contains("test"),
            speaks_of_notes: speaks_of(&["notes", "note down", "a note", "scratchpad", "jot"]),
            dice,
        }
    }

    /// The point at `place`, or nothing where the material is short.
    pub fn point(&self, place: usize) -> Option<&str> {
        self.points.get(place).map(String::as_str)
    }
}

/// What is asked, and the material to work on.
fn split(prompt: &str) -> (String, String) {
    let is_start = |line: &str| {
        ["# ", "## ", "```"]
            .iter()
            .any(|mark| line.starts_with(mark))
    };
    let (mut asked, mut material) = (String::new(), String::new());
    let mut lines = prompt.lines();
    for line in lines.by_ref() {
        if let Some(at) = line.find(": # ").or_else(|| line.find(": ## ")) {
            asked.push_str(&line[..=at]);
            material.push_str(&line[at + 2..]);
        } else if is_start(line) {
            material.push_str(line);
        } else {
            asked.push_str(line);
            asked.push('\n');
            if !line.trim_end().ends_with(':') {
                continue;
            }
        }
        break;
    }
    for line in lines {
        material.push('\n');
        material.push_str(line);
    }
    if material.trim().is_empty() {
        return split_plain(&asked);
    }
    // An order may also stand behind the material.
    if let Some((before, last)) = material.trim_end().rsplit_once("\n\n") {
        let is_short = last.split_whitespace().count() <= 80;
        let is_asked = Verdict::asked_for(last).is_some()
            || (!intent::is_order(&without_labels(&asked)) && intent::is_order(last));
        if is_short && is_asked && !is_start(last) {
            asked.push('\n');
            asked.push_str(last);
            material = before.to_owned();
        }
    }
    (asked, material)
}

/// A prompt without headings and labels: long paragraphs behind the first are material, and so is a long
/// text behind the first colon.
fn split_plain(prompt: &str) -> (String, String) {
    let is_material =
        |text: &str| text.split_whitespace().count() > 40 && Verdict::asked_for(text).is_none();
    let paragraphs: Vec<&str> = prompt.split("\n\n").collect();
    let keep = |material: bool| {
        let kept = paragraphs
            .iter()
            .enumerate()
            .filter(|(at, text)| material == (*at > 0 && is_material(text)));
        kept.map(|(_, text)| *text).collect::<Vec<_>>().join("\n\n")
    };
    let (asked, material) = (keep(false), keep(true));
    match asked.trim().split_once(": ") {
        Some((order, rest)) if material.is_empty() && is_material(rest) => {
            (order.to_owned(), rest.to_owned())
        }
        Some(_) | None => (asked, material),
    }
}

/// `asked` without lines like "Plan:", which name what follows and order nothing.
fn without_labels(asked: &str) -> String {
    let is_label =
        |line: &str| line.trim_end().ends_with(':') && line.split_whitespace().count() <= 3;
    asked
        .lines()
        .filter(|line| !is_label(line))
        .collect::<Vec<_>>()
        .join("\n")
}

/// The first program in the material.
fn code_in(material: &str) -> Option<String> {
    let (_, rest) = material.split_once("```")?;
    let (_, rest) = rest.split_once('\n')?;
    let (code, _) = rest.split_once("```")?;
    let code: Vec<&str> = code.lines().take(24).collect();
    (!code.is_empty()).then(|| code.join("\n"))
}

/// "You are a careful reviewer", "as a lawyer": the words behind.
fn role(text: &str) -> Option<String> {
    let text = format!(" {text}");
    let lower = text.to_lowercase();
    let at = [
        " as an ",
        " as a ",
        "perspective of an ",
        "perspective of a ",
        "view of an ",
        "view of a ",
        "you are an ",
        "you are a ",
        "you are the ",
    ]
    .iter()
    .find_map(|words| lower.find(words).map(|at| at + words.len()))?;
    // Lower case may have moved the bytes of some alphabets; then there is no role to be had.
    let rest = text.get(at..)?;
    let end = rest.find(['.', ',', '\n', ':', ';']).unwrap_or(rest.len());
    let words: Vec<&str> = rest
        .get(..end)?
        .split_whitespace()
        .take_while(|word| {
            !matches!(
                *word,
                "who" | "that" | "and" | "with" | "whose" | "on" | "for"
            )
        })
        .take(5)
        .collect();
    topic::tidy(&words.join(" "))
}

/// The first review of a text finds fault; a text that went through a revision passes. A decision
/// follows the reviews it is given.
fn is_favourable(intent: Intent, asked: &str, material: &str, verdict: Option<&Verdict>) -> bool {
    let mut asked = asked.to_owned();
    for choice in verdict.into_iter().flat_map(Verdict::choices) {
        asked = asked.replace(choice.as_str(), "");
    }
    let (asked, text) = (asked.to_lowercase(), material.to_lowercase());
    let was_revised = REVISED
        .iter()
        .any(|word| text.contains(word) || asked.contains(word));
    match intent {
        Intent::Review => was_revised || text.trim().is_empty(),
        Intent::Decide => was_revised || !text.contains("what is missing"),
        Intent::Plan
        | Intent::Research
        | Intent::Draft
        | Intent::Revise
        | Intent::Summarise
        | Intent::Code
        | Intent::Translate
        | Intent::List
        | Intent::Opinion
        | Intent::Answer => was_revised || verdict.is_none() || text.trim().is_empty(),
    }
}
