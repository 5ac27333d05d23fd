use super::*;
use crate::llm::{ChatMessage, ChatRequest};

fn answer(prompt: &str) -> String {
    let messages = vec![ChatMessage::User(prompt.to_owned())];
    text(&mut Scene::of(&ChatRequest {
        messages,
        ..ChatRequest::default()
    }))
}

#[test]
fn the_verdict_that_was_not_given_appears_nowhere() {
    for order in [
        "Review",
        "Decide about",
        "Look at",
        "Summarise",
        "Check the claims in",
    ] {
        for choices in [
            "PASS or FAIL",
            "GOOD or BAD",
            "yes or no",
            "APPROVED or REVISE",
            "ACCEPT or REJECT",
        ] {
            for material in [
                "Text one two three.",
                "A revised text with words.",
                "It was a PASS and no FAIL. yes or no.",
            ] {
                let text = answer(&format!(
                    "{order} the draft. Answer {choices}.\n\n# Draft: tea\n\n{material}"
                ));
                let said: Vec<&str> = choices
                    .split(" or ")
                    .filter(|word| {
                        text.split(|c: char| !c.is_alphanumeric())
                            .any(|said| said == *word)
                    })
                    .collect();
                assert_eq!(said.len(), 1, "{order} / {choices} / {material}:\n{text}");
            }
        }
    }
}

#[test]
fn a_verdict_may_be_wanted_first() {
    let text = answer(
        "Review the draft. The first line must be APPROVED or REVISE.\n\n# Draft: tea\n\nTea is a drink.",
    );
    assert!(text.starts_with("REVISE\n\n# Review: tea\n"), "{text}");
}

#[test]
fn an_order_may_stand_behind_the_material() {
    let text = answer(
        "# Draft: tea\n\nTea is a drink.\n\nReview the draft above. Answer APPROVED or REVISE.",
    );
    assert!(
        text.starts_with("# Review: tea\n") && text.ends_with("\n\nREVISE"),
        "{text}"
    );
}

#[test]
fn topics_are_found_where_people_put_them() {
    for (prompt, heading) in [
        ("Plan: a haiku", "# Plan: a haiku"),
        (
            "Topic: \"steam engines\"\n\nWrite a short article.",
            "# Draft: steam engines",
        ),
        (
            "Write a short article about steam engines, in two paragraphs.",
            "# Draft: steam engines",
        ),
        (
            "Write a plan for the release of version 2",
            "# Plan: a plan for the release of version 2",
        ),
        ("Do: # Plan: bees\n\n1. One", "# Answer: bees"),
        (
            "Summarise the findings.\n\n## A\n# Findings: bees\n\nBees fly far.\n\n## B\n# Findings: bees\n\nBees dance well.",
            "# Summary: bees",
        ),
        ("", "# Answer: the task"),
        ("🎭", "# Answer: 🎭"),
    ] {
        let text = answer(prompt);
        assert_eq!(text.lines().next(), Some(heading), "{prompt}\n{text}");
    }
}

#[test]
fn all_parts_are_quoted_in_turn() {
    let text = answer(
        "Summarise.\n\n# Findings: x\n\nBees fly far out. Bees dance quite well.\n\n# Findings: y\n\nAnts walk in line.",
    );
    let (bees, ants) = (
        text.find("Bees fly far out"),
        text.find("Ants walk in line"),
    );
    assert!(
        bees.is_some() && bees < ants && ants < text.find("Bees dance quite well"),
        "{text}"
    );
}

#[test]
fn strange_prompts_do_no_harm() {
    for prompt in [
        "```",
        "```\n",
        ":",
        "# ",
        "## \n:\n\n",
        "a: # b: # c",
        "or",
        "VERDICT:",
        "A/B|C",
        "\u{0}\u{feff}",
        "İ as a Ş",
        "“” or “”",
        "x\n\n\n\ny or z\n\n",
    ] {
        assert!(!answer(prompt).is_empty(), "{prompt:?}");
    }
    let long = "word ".repeat(100_000);
    assert!(answer(&format!("Review: {long}")).len() < 5_000);
}

proptest::proptest! {
    #[test]
    fn any_prompt_gets_an_answer(
        parts in proptest::collection::vec(proptest::sample::select(vec![
            "Plan", "Review", "Fix", "Write code", "Summarise", "Translate", "List tests", "as a ", "You are an ", ":",
            ": # ", "# ", "## A: b", "\n", "\n\n", "- x y z.", "1. ", "“", "”", "```", "VERDICT: ", "APPROVED or REVISE",
            "yes/no", " about ", "é", "🎭", "İ", "word ", ". ", "**", "Topic: ", "only one word", "first line",
        ]), 0..30),
    ) {
        proptest::prop_assert!(!answer(&parts.concat()).is_empty());
    }
}
