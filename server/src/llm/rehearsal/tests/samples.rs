//! The samples that a newcomer finds must come alive without any key: nodes are answered in the order of
//! the file, with the answers of those before them filled in.

use std::collections::BTreeMap;

use super::*;

async fn play(file: &str) -> BTreeMap<String, String> {
    let file: Value = serde_json::from_str(file).expect("a workflow file");
    let text = |value: &Value, key: &str| value[key].as_str().unwrap_or_default().to_owned();
    let mut known: Vec<(String, String)> = file["inputs"]
        .as_array()
        .expect("inputs")
        .iter()
        .map(|input| {
            (
                format!("input.{}", text(input, "name")),
                text(input, "default"),
            )
        })
        .collect();
    let mut said = BTreeMap::new();
    for node in file["nodes"].as_array().expect("nodes") {
        if node["kind"] != "agent" {
            continue;
        }
        let mut prompt = text(node, "prompt");
        for (name, value) in &known {
            prompt = prompt.replace(&format!("{{{{ {name} }}}}"), value);
        }
        assert!(!prompt.contains("{{"), "{prompt}");
        let request = with_instructions(&text(node, "instructions"), &prompt);
        let answer = call(&Rehearsal::new(0), request)
            .await
            .expect("an answer")
            .text;
        known.push((format!("nodes.{}.output", text(node, "id")), answer.clone()));
        said.insert(text(node, "id"), answer);
    }
    said
}

fn first_lines(said: &BTreeMap<String, String>) -> String {
    let line = |(node, text): (&String, &String)| {
        format!(
            "{node}: {} … {}",
            text.lines().next().unwrap_or_default(),
            text.lines().last().unwrap_or_default()
        )
    };
    said.iter().map(line).collect::<Vec<_>>().join("\n")
}

#[tokio::test]
async fn research_write_review() {
    let said = play(include_str!("../../../samples/research-write-review.json")).await;
    let all = first_lines(&said);
    assert!(
        said["research"].starts_with("# Findings: why the night sky is dark\n"),
        "{all}"
    );
    assert!(
        said["write"].starts_with("# Draft: why the night sky is dark\n"),
        "{all}"
    );
    assert!(
        said["review"].starts_with("# Review: why the night sky is dark\n"),
        "{all}"
    );
    assert!(
        said["review"].ends_with("\nREVISE") && !said["review"].contains("APPROVED"),
        "{all}"
    );
    assert!(
        said["fix"].starts_with("# Revised: why the night sky is dark\n"),
        "{all}"
    );
    assert!(
        !said["fix"].contains("APPROVED") && !said["fix"].contains("REVISE"),
        "{all}"
    );
}

#[tokio::test]
async fn three_experts() {
    let said = play(include_str!("../../../samples/three-experts.json")).await;
    let all = first_lines(&said);
    for (node, role) in [
        ("money", "economist"),
        ("people", "psychologist"),
        ("law", "lawyer"),
    ] {
        let heading = format!(
            "# View of the {role}: Should a small company let its team work from anywhere\n"
        );
        assert!(said[node].starts_with(&heading), "{all}");
    }
    assert!(
        said["answer"]
            .starts_with("# Summary: Should a small company let its team work from anywhere\n"),
        "{all}"
    );
    assert_ne!(said["money"], said["law"]);
}

#[tokio::test]
async fn code_change() {
    let said = play(include_str!("../../../samples/code-change.json")).await;
    let all = first_lines(&said);
    assert!(
        said["plan"].starts_with("# Plan: Add a rate limit of 10 requests"),
        "{all}"
    );
    assert!(
        said["build"].starts_with("# Code: Add a rate limit")
            && said["build"].contains("```rust\n"),
        "{all}"
    );
    assert!(
        said["check"].starts_with("# Review: Add a rate limit"),
        "{all}"
    );
    assert!(said["check"].ends_with("\nREVISE"), "{all}");
    assert!(
        said["repair"].starts_with("# Revised: Add a rate limit")
            && said["repair"].contains("```rust\n"),
        "{all}"
    );
}
