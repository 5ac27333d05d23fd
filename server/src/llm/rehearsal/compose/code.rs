//! Programs: a small function named after the topic, with a test, in the language that is spoken of.

use super::{Scene, quoted};

/// A program for the topic.
pub fn write(scene: &mut Scene) -> String {
    let (fence, code) = program(scene, false);
    let approach = scene.dice.pick(&[
        "The function does one thing, has no hidden state and says what it refuses.",
        "I kept the interface as small as possible: values in, a value out, and errors that name their cause.",
    ]);
    format!(
        "# Code: {topic}\n\n{approach} It covers {first}; {second}.\n\n\
         ```{fence}\n{code}\n```\n\n\
         ## Notes\n\n\
         - Empty input is an answer and not an accident, so it has a test of its own.\n\
         - The work is done in one pass; the memory needed grows with the result only.\n\
         - Nothing is read from the environment, which keeps the tests quick and repeatable.\n\n\
         **To try it:** put the file next to the others and run the tests; both cases should be green within a second. \
         The next useful step is a case taken from real data.",
        topic = scene.topic,
        first = scene.point(0).map_or(
            "the ordinary case and the empty one".to_owned(),
            |point| format!("“{point}”")
        ),
        second = scene.point(1).map_or(
            "reading from files is left to the caller".to_owned(),
            |point| format!("“{point}” is left to the caller"),
        ),
    )
}

/// A list of tests.
pub fn tests(scene: &mut Scene) -> String {
    let first = scene.dice.pick(&["the second", "the fourth", "the sixth"]);
    format!(
        "# Tests: {topic}\n\nEight cases, from the plain one to the one that nobody thinks of. Each says what is put in and what must come out.\n\n\
         1. **The plain case.** One ordinary input; the result is what the description promises.\n\
         2. **Nothing at all.** Empty input is answered, not refused.\n\
         3. **Exactly at the limit.** The last value that is allowed still passes, the next one does not.\n\
         4. **Twice at the same moment.** Two callers at once get two whole answers.\n\
         5. **Nonsense.** Input of the wrong form is refused with an error that names it.\n\
         6. **In the middle.** Stopped half way and started again, it ends as if nothing had happened.\n\
         7. **What was there before.** Everything that worked without the change works with it; mind {old}.\n\
         8. **A lot.** A thousand times the usual load; slower is fine, wrong is not.\n\n\
         I would write {first} one first: it finds most.",
        topic = scene.topic,
        old = quoted(scene, 0),
    )
}

/// A better version of the program in the material.
pub fn revise(scene: &mut Scene) -> String {
    let (fence, code) = program(scene, true);
    format!(
        "# Revised: {topic}\n\n\
         The program now does what the review asked for. The interface stayed the same, so nothing else has to change.\n\n\
         ```{fence}\n{code}\n```\n\n\
         ## What changed\n\n\
         1. Input that makes no sense is refused with an error that names it, where the first version went on silently.\n\
         2. The refusal comes before any work is done, so nothing is left half done.\n\n\
         The remark about {first} was taken into account as well: the name of the function says what it returns, and the comment says why. \
         All tests run without network or files and finish in well under a second.",
        topic = scene.topic,
        first = quoted(scene, 0),
    )
}

/// Language and text of the program.
fn program(scene: &Scene, strict: bool) -> (&'static str, String) {
    let name = name(&scene.topic);
    match scene
        .language
        .or_else(|| scene.code.as_deref().and_then(spoken))
        .unwrap_or("python")
    {
        "rust" => ("rust", rust(&name, strict)),
        language @ ("typescript" | "javascript") => (language, script(&name, language, strict)),
        _ => ("python", python(&name, strict)),
    }
}

/// The language that a program is written in.
fn spoken(code: &str) -> Option<&'static str> {
    [
        ("fn ", "rust"),
        ("def ", "python"),
        ("function ", "javascript"),
        ("const ", "javascript"),
    ]
    .iter()
    .find(|(word, _)| code.contains(word))
    .map(|(_, language)| *language)
}

/// Words that name no function.
const NO_NAMES: [&str; 14] = [
    "a", "an", "the", "that", "which", "of", "in", "to", "for", "and", "function", "program",
    "script", "code",
];

/// A name for a function out of the first words of the topic.
fn name(topic: &str) -> String {
    let lower = topic.to_lowercase();
    let words = lower
        .split(|c: char| !c.is_ascii_alphanumeric())
        .filter(|word| !word.is_empty() && !NO_NAMES.contains(word));
    let name = words.take(3).collect::<Vec<_>>().join("_");
    match name.chars().next() {
        Some(first) if first.is_ascii_alphabetic() => name,
        Some(_) => format!("do_{name}"),
        None => "solve".to_owned(),
    }
}

fn python(name: &str, strict: bool) -> String {
    let check = if strict {
        "    if any(not isinstance(item, str) for item in items):\n        raise TypeError(\"items must be texts\")\n"
    } else {
        ""
    };
    format!(
        "def {name}(items: list[str]) -> list[str]:\n    \"\"\"Tidy the items: no blanks, no doubles, same order.\"\"\"\n{check}    \
         seen: set[str] = set()\n    result = []\n    for item in items:\n        item = item.strip()\n        if item and item not in seen:\n            \
         seen.add(item)\n            result.append(item)\n    return result\n\n\n\
         def test_{name}():\n    assert {name}([]) == []\n    assert {name}([\" a\", \"b\", \"a\"]) == [\"a\", \"b\"]"
    )
}

fn rust(name: &str, strict: bool) -> String {
    let (result, wrap, check) = if strict {
        (
            "Result<Vec<String>, String>",
            "Ok(result)",
            "    if items.len() > 10_000 {\n        return Err(format!(\"{} items are too many\", items.len()));\n    }\n",
        )
    } else {
        ("Vec<String>", "result", "")
    };
    format!(
        "/// Tidies the items: no blanks, no doubles, same order.\npub fn {name}(items: &[&str]) -> {result} {{\n{check}    \
         let mut result: Vec<String> = Vec::new();\n    for item in items.iter().map(|item| item.trim()) {{\n        \
         if !item.is_empty() && !result.iter().any(|known| known == item) {{\n            result.push(item.to_owned());\n        }}\n    }}\n    \
         {wrap}\n}}\n\n#[test]\nfn blanks_and_doubles_go() {{\n    assert!(format!(\"{{:?}}\", {name}(&[\" a\", \"b\", \"a\"])).contains(r#\"[\"a\", \"b\"]\"#));\n}}"
    )
}

fn script(name: &str, language: &str, strict: bool) -> String {
    let (takes, gives) = if language == "typescript" {
        (": string[]", ": string[]")
    } else {
        ("", "")
    };
    let check = if strict {
        "  if (!items.every((item) => typeof item === \"string\")) {\n    throw new TypeError(\"items must be texts\");\n  }\n"
    } else {
        ""
    };
    format!(
        "// Tidies the items: no blanks, no doubles, same order.\nexport function {name}(items{takes}){gives} {{\n{check}  \
         const tidy = items.map((item) => item.trim()).filter((item) => item !== \"\");\n  return [...new Set(tidy)];\n}}\n\n\
         test(\"blanks and doubles go\", () => {{\n  expect({name}([])).toEqual([]);\n  expect({name}([\" a\", \"b\", \"a\"])).toEqual([\"a\", \"b\"]);\n}});"
    )
}
