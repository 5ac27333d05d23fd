//! What of the material is worth quoting.

use crate::llm::rehearsal::verdict::{Verdict, judges};

const MAX_POINT_WORDS: usize = 12;
const MAX_POINTS: usize = 24;

/// What can be quoted of one part of the material.
#[derive(Default)]
struct Part {
    bullets: Vec<String>,
    sentences: Vec<String>,
}

/// Bullets of the material, or sentences where it has none, in turn from each of its parts, so that an
/// answer to several texts quotes them all. Sentences that only name the topic are passed over.
pub fn of(material: &str, topic: &str, verdict: Option<&Verdict>) -> Vec<String> {
    let mut parts: Vec<Part> = vec![Part::default()];
    let names_alone = topic.split_whitespace().count() >= 3;
    let mut in_code = false;
    for line in material.lines() {
        if line.trim_start().starts_with("```") {
            in_code = !in_code;
            continue;
        }
        if in_code || line.starts_with('#') || line.trim_start().starts_with('|') {
            if line.starts_with("# ") {
                parts.push(Part::default());
            }
            continue;
        }
        let Some(part) = parts.last_mut() else {
            continue;
        };
        let bullet = line.trim_start();
        let is_bullet = bullet.starts_with(['-', '*']) && !bullet.starts_with("**")
            || bullet
                .split_once(". ")
                .is_some_and(|(number, _)| number.parse::<u32>().is_ok());
        let list = if is_bullet {
            &mut part.bullets
        } else {
            &mut part.sentences
        };
        let body = if is_bullet {
            bullet.trim_start_matches(|c: char| c.is_numeric() || "-*. ".contains(c))
        } else {
            line
        };
        // Of a bullet the first sentence; of what quotes something, the quote.
        let (quote, most) = match body
            .split_once('“')
            .and_then(|(_, rest)| rest.split_once('”'))
        {
            Some((quote, _)) if quote.split_whitespace().count() >= 3 => (quote, 1),
            Some(_) | None => (body, if is_bullet { 1 } else { usize::MAX }),
        };
        let found = quote
            .split_inclusive(['.', '!', '?'])
            .filter_map(|raw| point(raw, verdict));
        for text in found.take(most) {
            let only_names = names_alone && text.contains(topic);
            if list.len() < MAX_POINTS && !list.contains(&text) && !only_names {
                list.push(text);
            }
        }
    }
    let parts: Vec<Vec<String>> = parts
        .into_iter()
        .map(|part| {
            if part.bullets.len() < 2 {
                [part.bullets, part.sentences].concat()
            } else {
                part.bullets
            }
        })
        .collect();
    let longest = parts.iter().map(Vec::len).max().unwrap_or(0);
    let mut points: Vec<String> = Vec::new();
    for place in 0..longest {
        for text in parts.iter().filter_map(|part| part.get(place)) {
            if points.len() < MAX_POINTS && !points.contains(text) {
                points.push(text.clone());
            }
        }
    }
    points
}

/// What stands before the point of a sentence in texts of this kind.
const LEADS: [&str; 9] = [
    "The starting point is ",
    "The heart of the matter is ",
    "Begin with ",
    "Give ",
    "How much weight ",
    "The place about ",
    "Then decide about ",
    "Write down in one sentence ",
    "First, ",
];

fn point(raw: &str, verdict: Option<&Verdict>) -> Option<String> {
    let raw = raw.trim();
    let raw = LEADS
        .iter()
        .find_map(|lead| raw.strip_prefix(lead))
        .unwrap_or(raw);
    let text = raw.replace(['*', '`', '“', '”', '"'], "");
    let text = text
        .trim_matches(|c: char| c.is_whitespace() || c.is_numeric() || "-–•>.:;,!?()_".contains(c));
    let words: Vec<&str> = text.split_whitespace().collect();
    let is_choice = |word: &str| {
        let word = word.trim_matches(|c: char| !c.is_alphanumeric());
        let shouted = word.len() >= 2 && word.chars().all(|c| c.is_uppercase() || c == '_');
        let asked_for = verdict.is_some_and(|verdict| {
            verdict
                .choices()
                .any(|choice| choice.eq_ignore_ascii_case(word))
        });
        asked_for || (shouted && (judges(word).is_some() || word == "VERDICT"))
    };
    if words.len() < 3 || words.iter().any(|word| is_choice(word)) {
        return None;
    }
    let mut text = words
        .iter()
        .take(MAX_POINT_WORDS)
        .map(|word| short(word))
        .collect::<Vec<_>>()
        .join(" ");
    if words.len() > MAX_POINT_WORDS {
        text.push('…');
    }
    Some(text)
}

fn short(word: &str) -> String {
    word.chars().take(40).collect()
}
