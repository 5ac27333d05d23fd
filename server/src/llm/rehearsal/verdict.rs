//! Answers from which a workflow branches: "answer with APPROVED or REVISE", "VERDICT: PASS/FAIL", "yes or
//! no". Found in what is asked, never in the material, which may hold the verdict of an earlier round.

/// A choice that the request asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// The word that lets the text through, as it was written.
    pub favourable: String,
    /// The word that does not.
    pub unfavourable: String,
    /// Words beyond these two, for choices that are no judgement.
    pub others: Vec<String>,
    /// The word before the colon in "VERDICT: APPROVED".
    pub label: Option<String>,
    /// Nothing but the word is wanted.
    pub bare: bool,
    /// The word is wanted in the first line.
    pub first: bool,
}

const FAVOURABLE: [&str; 26] = [
    "accept",
    "accepted",
    "approve",
    "approved",
    "clean",
    "complete",
    "correct",
    "done",
    "good",
    "go",
    "keep",
    "lgtm",
    "merge",
    "ok",
    "okay",
    "pass",
    "passed",
    "publish",
    "ready",
    "ship",
    "solid",
    "sufficient",
    "true",
    "valid",
    "yes",
    "finished",
];

const UNFAVOURABLE: [&str; 24] = [
    "bad",
    "changes",
    "changes_requested",
    "decline",
    "fail",
    "failed",
    "false",
    "fix",
    "incomplete",
    "incorrect",
    "insufficient",
    "invalid",
    "needs_work",
    "no",
    "no-go",
    "no_go",
    "redo",
    "reject",
    "rejected",
    "retry",
    "revise",
    "rework",
    "rewrite",
    "wrong",
];

/// Words in capitals that are no choice.
const SHOUTED: [&str; 24] = [
    "AI",
    "ALWAYS",
    "AND",
    "API",
    "CSV",
    "DO",
    "HTML",
    "HTTP",
    "IMPORTANT",
    "JSON",
    "LLM",
    "MUST",
    "NEVER",
    "NOT",
    "NOTE",
    "ONLY",
    "OR",
    "PDF",
    "SQL",
    "THE",
    "URL",
    "XML",
    "YAML",
    "YOU",
];

const ASKING: [&str; 22] = [
    "answer", "begin", "choose", "conclude", "decide", "either", "end", "finish", "give", "line",
    "output", "rate", "reply", "respond", "return", "say", "start", "state", "verdict", "with",
    "word", "write",
];

/// Whether `word` lets something through (`Some(true)`), does not (`Some(false)`), or is no judgement.
pub fn judges(word: &str) -> Option<bool> {
    let word = word.to_lowercase();
    if FAVOURABLE.contains(&word.as_str()) {
        return Some(true);
    }
    UNFAVOURABLE.contains(&word.as_str()).then_some(false)
}

#[derive(Debug)]
struct Token {
    text: String,
    has_colon: bool,
}

impl Verdict {
    /// The choice asked for in `asked`, where there is one.
    pub fn asked_for(asked: &str) -> Option<Self> {
        let tokens = tokens(asked);
        let choices = shouted(&tokens).or_else(|| named(&tokens))?;
        let by_sense = |sense| choices.iter().find(|word| judges(word) == Some(sense));
        let favourable = by_sense(true).or_else(|| {
            // The first word is the one hoped for, unless it is the one feared.
            choices.iter().find(|word| judges(word) != Some(false))
        })?;
        let unfavourable =
            by_sense(false).or_else(|| choices.iter().find(|word| *word != favourable))?;
        let others = choices
            .iter()
            .filter(|word| *word != favourable && *word != unfavourable)
            .cloned();
        let lower = asked.to_lowercase();
        let says = |words: &[&str]| words.iter().any(|word| lower.contains(word));
        Some(Self {
            favourable: favourable.clone(),
            unfavourable: unfavourable.clone(),
            others: others.collect(),
            label: label(&tokens),
            bare: says(&[
                "only with",
                "with only",
                "just one word",
                "one word",
                "single word",
                "nothing else",
                "nothing but",
                "exactly one of",
                "only the word",
            ]),
            first: says(&[
                "first line",
                "start with",
                "begin with",
                "starting with",
                "beginning with",
            ]),
        })
    }

    /// All words that may be chosen.
    pub fn choices(&self) -> impl Iterator<Item = &String> {
        [&self.favourable, &self.unfavourable]
            .into_iter()
            .chain(&self.others)
    }

    /// The line that gives the verdict.
    pub fn line(&self, word: &str) -> String {
        match &self.label {
            Some(label) => format!("{label}: {word}"),
            None => word.to_owned(),
        }
    }
}

/// Words in capitals with an "or" (or an "otherwise") between the first and the last of them.
fn shouted(tokens: &[Token]) -> Option<Vec<String>> {
    let is_choice = |token: &Token| {
        let text = &token.text;
        let legal = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_' || c == '-';
        text.len() >= 2
            && text.starts_with(|c: char| c.is_ascii_uppercase())
            && text.chars().all(legal)
            && !token.has_colon
            && !SHOUTED.contains(&text.as_str())
    };
    let first = tokens.iter().position(is_choice)?;
    let last = tokens.iter().rposition(is_choice)?;
    let between = &tokens[first..=last];
    let connected = between.iter().any(|token| {
        matches!(
            token.text.to_lowercase().as_str(),
            "or" | "otherwise" | "else" | "if"
        )
    });
    let is_asked = tokens
        .iter()
        .any(|token| ASKING.contains(&token.text.to_lowercase().as_str()));
    let mut choices: Vec<String> = Vec::new();
    for token in between.iter().filter(|token| is_choice(token)) {
        if !choices.contains(&token.text) {
            choices.push(token.text.clone());
        }
    }
    (connected && is_asked && choices.len() >= 2).then_some(choices)
}

/// "yes or no", "approved/rejected": judgements side by side, however they are written.
fn named(tokens: &[Token]) -> Option<Vec<String>> {
    let is_asked = tokens
        .iter()
        .any(|token| ASKING.contains(&token.text.to_lowercase().as_str()));
    tokens.windows(3).find_map(|three| {
        let [left, or, right] = three else {
            return None;
        };
        let opposed = judges(&left.text)? != judges(&right.text)?;
        (is_asked && opposed && or.text.eq_ignore_ascii_case("or"))
            .then(|| vec![left.text.clone(), right.text.clone()])
    })
}

/// A word in capitals before a colon: "VERDICT: …".
fn label(tokens: &[Token]) -> Option<String> {
    let is_label = |token: &&Token| {
        let legal = |c: char| c.is_ascii_uppercase() || c == '_';
        token.has_colon
            && token.text.len() >= 3
            && token.text.chars().all(legal)
            && !SHOUTED.contains(&token.text.as_str())
    };
    tokens
        .iter()
        .find(is_label)
        .map(|token| token.text.clone())
        .or_else(|| {
            let says =
                |token: &&Token| token.has_colon && token.text.eq_ignore_ascii_case("verdict");
            tokens.iter().find(says).map(|token| token.text.clone())
        })
}

fn tokens(text: &str) -> Vec<Token> {
    let spaced = text.replace(['/', '|'], " or ");
    let bare = |raw: &str| {
        raw.trim_matches(|c: char| !(c.is_alphanumeric() || c == '_'))
            .to_owned()
    };
    spaced
        .split_whitespace()
        .map(|raw| Token {
            text: bare(raw),
            has_colon: raw.trim_end_matches(['`', '"', '*', '\'']).ends_with(':'),
        })
        .filter(|token| !token.text.is_empty())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(asked: &str, found: &str) {
        let shown = match Verdict::asked_for(asked) {
            None => "none".to_owned(),
            Some(verdict) => {
                let mut shown = format!("{} / {}", verdict.favourable, verdict.unfavourable);
                for other in &verdict.others {
                    shown = format!("{shown} / {other}");
                }
                if let Some(label) = &verdict.label {
                    shown = format!("{label}: {shown}");
                }
                if verdict.bare {
                    shown.push_str(" (bare)");
                }
                if verdict.first {
                    shown.push_str(" (first)");
                }
                shown
            }
        };
        assert_eq!(shown, found, "{asked}");
    }

    #[test]
    fn words_in_capitals_are_choices() {
        check("Answer with APPROVED or REVISE.", "APPROVED / REVISE");
        check("Reply PASS/FAIL.", "PASS / FAIL");
        check(
            "End with `VERDICT: APPROVED` or `VERDICT: REVISE`.",
            "VERDICT: APPROVED / REVISE",
        );
        check(
            "Say REVISE if it is weak, otherwise say APPROVED",
            "APPROVED / REVISE",
        );
        check(
            "Finish with VERDICT: OK or VERDICT: NEEDS_WORK",
            "VERDICT: OK / NEEDS_WORK",
        );
        check(
            "Answer with only one word: GO or NO_GO.",
            "GO / NO_GO (bare)",
        );
        check(
            "Begin with ACCEPT or REJECT in the first line",
            "ACCEPT / REJECT (first)",
        );
        check(
            "Decide: BUG, FEATURE or QUESTION",
            "BUG / FEATURE / QUESTION",
        );
    }

    #[test]
    fn judgements_side_by_side_are_choices() {
        check("Is it blue? Answer yes or no.", "yes / no");
        check(
            "Answer \"approved\" or \"rejected\".",
            "approved / rejected",
        );
    }

    #[test]
    fn shouting_is_no_choice() {
        check("You MUST NOT write JSON or XML.", "none");
        check("Write about AI or LLM design.", "none");
        check("Review the draft.", "none");
        check("", "none");
    }
}
