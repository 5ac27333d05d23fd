//! The program as people and scripts call it.
#![expect(
    clippy::disallowed_methods,
    reason = "these tests start the program itself, as a shell does"
)]

use std::{
    io::{BufRead, BufReader, Write},
    path::PathBuf,
    process::{Command, Output, Stdio},
};

use serde_json::{Value, json};
use tempfile::TempDir;

struct Shell {
    directory: TempDir,
}

impl Shell {
    fn new() -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        // What a build puts there does not matter here.
        std::fs::create_dir_all(directory.path().join("site/pkg")).expect("a directory");
        Self { directory }
    }

    fn file(&self, name: &str, content: &str) -> PathBuf {
        let path = self.directory.path().join(name);
        std::fs::write(&path, content).expect("a file");
        path
    }

    fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_troupe"));
        command
            .env_clear()
            .env("HOME", self.directory.path())
            .env("TROUPE_DATA", self.directory.path().join("data"))
            .env("TROUPE_REHEARSAL_TPS", "0")
            .env("TROUPE_LOG", "warn")
            .env("TROUPE_SITE", self.directory.path().join("site"))
            .current_dir(self.directory.path());
        command
    }

    fn troupe(&self, arguments: &[&str]) -> Output {
        self.command().args(arguments).output().expect("it runs")
    }
}

fn flow(nodes: Value, edges: Value) -> String {
    json!({ "troupe": 1, "name": "From a shell", "nodes": nodes, "edges": edges }).to_string()
}

fn said(output: &Output) -> (Option<i32>, String, String) {
    (
        output.status.code(),
        String::from_utf8_lossy(&output.stdout).into_owned(),
        String::from_utf8_lossy(&output.stderr).into_owned(),
    )
}

#[test]
fn run_prints_the_output_alone() {
    let shell = Shell::new();
    let file = shell.file(
        "hello.json",
        r#"{"troupe":1,"name":"x","inputs":[{"name":"who","type":"string","default":"you"}],
            "nodes":[{"id":"out","kind":"output","value":"Hello, {{ input.who }}"}],"edges":[]}"#,
    );
    let file = file.to_str().expect("a path");
    let (code, out, error) = said(&shell.troupe(&["run", file]));
    assert_eq!((code, out.as_str()), (Some(0), "Hello, you\n"), "{error}");
    shell.file("input.json", r#"{"who":"all"}"#);
    let (code, out, error) = said(&shell.troupe(&["run", file, "--input", "@input.json"]));
    assert_eq!((code, out.as_str()), (Some(0), "Hello, all\n"), "{error}");
}

#[test]
fn run_says_how_it_ended() {
    let shell = Shell::new();
    let failing = flow(
        json!([{ "id": "a", "kind": "transform", "template": "{{ 1 // 0 }}" }]),
        json!([]),
    );
    let file = shell.file("failing.json", &failing);
    let (code, out, error) =
        said(&shell.troupe(&["run", file.to_str().expect("a path"), "--json"]));
    assert_eq!(code, Some(1), "{error}");
    let report: Value = serde_json::from_str(&out).expect("one JSON object");
    assert_eq!(
        (&report["status"], &report["error"]["task"]),
        (&json!("failed"), &json!("a"))
    );

    for bad in [
        "{",
        "[]",
        &flow(json!([{ "id": "a", "kind": "sing" }]), json!([])),
    ] {
        let file = shell.file("bad.json", bad);
        for verb in ["run", "check"] {
            let (code, out, error) = said(&shell.troupe(&[verb, file.to_str().expect("a path")]));
            assert_eq!(code, Some(2), "{verb} {bad}: {out}{error}");
            assert!(
                !out.is_empty() || !error.is_empty(),
                "{verb} {bad} says why"
            );
        }
    }
    assert_eq!(
        shell.troupe(&["run", "not-there.json"]).status.code(),
        Some(2)
    );
}

#[test]
fn run_follows_more_than_fits_a_queue() {
    let shell = Shell::new();
    let agents: Vec<Value> = (0..400)
        .map(|n| json!({ "id": format!("a{n}"), "kind": "agent", "prompt": "Hi", "capabilities": [] }))
        .collect();
    let file = shell.file("wide.json", &flow(json!(agents), json!([])));
    let (code, out, error) =
        said(&shell.troupe(&["run", file.to_str().expect("a path"), "--json"]));
    assert_eq!(code, Some(0), "{error}");
    let report: Value = serde_json::from_str(&out).expect("one JSON object");
    assert_eq!(report["tasks"].as_array().map(Vec::len), Some(400));
    assert_eq!(
        (&report["status"], &report["simulated"]),
        (&json!("succeeded"), &json!(true))
    );
}

#[test]
fn check_lists_everything_that_is_wrong() {
    let shell = Shell::new();
    let broken = flow(
        json!([
            { "id": "a", "kind": "transform", "template": "{{ nodes.nobody.output }}" },
            { "id": "b", "kind": "transform" }
        ]),
        json!([{ "from": "a", "to": "b" }, { "from": "b", "to": "a" }]),
    );
    let mut check = shell
        .command()
        .args(["check", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("it runs");
    check
        .stdin
        .take()
        .expect("a pipe")
        .write_all(broken.as_bytes())
        .expect("written");
    let (code, out, _) = said(&check.wait_with_output().expect("it ends"));
    assert_eq!(code, Some(2));
    for word in ["cycle", "nobody", "template"] {
        assert!(out.contains(word), "{word} is named: {out}");
    }
}

#[test]
fn doctor_looks_at_what_is_there() {
    let shell = Shell::new();
    let (code, out, error) = said(&shell.troupe(&["doctor"]));
    assert_eq!(code, Some(0), "{out}{error}");
    assert!(out.contains("sqlite") && out.contains("rehearsal"), "{out}");
}

#[cfg(unix)]
#[test]
fn serve_ends_cleanly_at_a_signal() {
    let shell = Shell::new();
    let mut serve = shell
        .command()
        .args(["serve", "--addr", "127.0.0.1:0"])
        .stdout(Stdio::piped())
        .spawn()
        .expect("it starts");
    let mut lines = BufReader::new(serve.stdout.take().expect("a pipe")).lines();
    let first = lines.next().expect("a line").expect("text");
    assert!(first.contains("http://127.0.0.1:"), "{first}");
    let killed = Command::new("kill")
        .args(["-TERM", &serve.id().to_string()])
        .status()
        .expect("kill runs");
    assert!(killed.success());
    assert_eq!(serve.wait().expect("it ends").code(), Some(0));

    // Beyond this machine it serves nobody.
    let refused = shell.troupe(&["serve", "--addr", "0.0.0.0:0"]);
    let (code, _, error) = said(&refused);
    assert_ne!(code, Some(0));
    assert!(error.contains("127.0.0.1"), "{error}");
}

#[test]
fn a_backup_is_a_whole_database_and_overwrites_nothing() {
    let shell = Shell::new();
    let (code, _, error) = said(&shell.troupe(&["backup", "copy.db"]));
    assert_eq!(code, Some(1), "{error}");
    assert!(error.contains("there is no database"), "{error}");
    std::fs::create_dir_all(shell.directory.path().join("data")).expect("a directory");
    let (_, _, error) = said(&shell.troupe(&["doctor"]));
    let database = shell.directory.path().join("data/troupe.db");
    assert!(database.is_file(), "{error}");
    let (code, out, error) = said(&shell.troupe(&["backup", "copy.db"]));
    assert_eq!(code, Some(0), "{out} {error}");
    let copy = shell.directory.path().join("copy.db");
    // Restored as the README says: the copy takes the place of the database.
    let restored = shell.directory.path().join("restored");
    std::fs::create_dir_all(&restored).expect("a directory");
    std::fs::copy(&copy, restored.join("troupe.db")).expect("copied");
    let restored = restored.to_str().expect("a path");
    let (_, out, error) = said(&shell.troupe(&["doctor", "--data", restored]));
    assert!(out.contains("the file is sound"), "{out} {error}");
    assert!(
        out.contains("in use") && out.contains("finished runs stay 30 days"),
        "{out}"
    );
    let before = std::fs::read(&copy).expect("readable");
    let (code, _, error) = said(&shell.troupe(&["backup", "copy.db"]));
    assert_eq!(code, Some(1));
    assert!(error.contains("nothing is overwritten"), "{error}");
    assert_eq!(std::fs::read(&copy).expect("readable"), before);
    // A file that was damaged is found out.
    let mut bytes = before;
    let later_half = bytes.len() / 2..;
    bytes[later_half].fill(0xff);
    let damaged = shell.directory.path().join("damaged");
    std::fs::create_dir_all(&damaged).expect("a directory");
    std::fs::write(damaged.join("troupe.db"), bytes).expect("written");
    let damaged = damaged.to_str().expect("a path");
    let (code, out, _) = said(&shell.troupe(&["doctor", "--data", damaged]));
    assert_eq!(code, Some(1), "{out}");
    assert!(out.contains("BAD   data"), "{out}");
}

/// A workflow of two agents, the second of which reads the first, recorded.
fn recorded(shell: &Shell) -> (PathBuf, PathBuf, Value) {
    let file = shell.file("two.json", &two_agents("Plan a day."));
    let tape = shell.directory.path().join("tape.json");
    let arguments = ["run", path(&file), "--json", "--record", path(&tape)];
    let (code, out, error) = said(&shell.troupe(&arguments));
    assert_eq!(code, Some(0), "{error}");
    assert!(error.contains("Answers recorded in"), "{error}");
    (
        file,
        tape,
        serde_json::from_str(&out).expect("one JSON object"),
    )
}

fn two_agents(prompt: &str) -> String {
    flow(
        json!([
            { "id": "plan", "kind": "agent", "prompt": prompt, "model": "openrouter:acme/m", "models": ["rehearsal:default"] },
            { "id": "build", "kind": "agent", "prompt": "Build {{ nodes.plan.output }}" },
            { "id": "out", "kind": "output", "value": "{{ nodes.build.output }}" }
        ]),
        json!([{ "from": "plan", "to": "build" }, { "from": "build", "to": "out" }]),
    )
}

fn path(file: &std::path::Path) -> &str {
    file.to_str().expect("a path")
}

#[test]
fn run_plays_a_recording_back_without_a_call() {
    let shell = Shell::new();
    let (file, tape, first) = recorded(&shell);
    let mut recording: Value =
        serde_json::from_str(&std::fs::read_to_string(&tape).expect("a file")).expect("JSON");
    assert_eq!(recording["calls"].as_array().map(Vec::len), Some(2));
    // Two runs of the same ask the same.
    let again = shell.directory.path().join("again.json");
    let (code, _, error) = said(&shell.troupe(&["run", path(&file), "--record", path(&again)]));
    assert_eq!(code, Some(0), "{error}");
    let twin: Value =
        serde_json::from_str(&std::fs::read_to_string(&again).expect("a file")).expect("JSON");
    for at in [0, 1] {
        assert_eq!(
            recording["calls"][at]["prompt"],
            twin["calls"][at]["prompt"]
        );
    }
    let play = ["run", path(&file), "--json", "--replay", path(&tape)];
    let (code, out, error) = said(&shell.troupe(&play));
    assert_eq!(code, Some(0), "{error}");
    let report: Value = serde_json::from_str(&out).expect("one JSON object");
    assert_eq!(report["output"], first["output"]);
    assert_eq!(
        (&report["calls"], &report["replayed"]),
        (&json!(0), &json!(2))
    );
    assert_eq!(report["cost_usd"], json!(null));

    // What is said comes from the file.
    let build = if recording["calls"][0]["task"] == "build" {
        0
    } else {
        1
    };
    recording["calls"][build]["answer"]["text"] = json!("Built by hand.");
    let edited = shell.file("edited.json", &recording.to_string());
    let (code, out, error) = said(&shell.troupe(&["run", path(&file), "--replay", path(&edited)]));
    assert_eq!(
        (code, out.as_str()),
        (Some(0), "Built by hand.\n"),
        "{error}"
    );
    assert!(
        error.contains("Answers played back: 2. Model calls made: 0."),
        "{error}"
    );
}

#[test]
fn run_says_which_prompt_changed_and_does_what_was_chosen() {
    let shell = Shell::new();
    let (_, tape, first) = recorded(&shell);
    let file = shell.file("changed.json", &two_agents("Plan a night."));
    let play = |chosen: &[&str]| {
        let arguments = ["run", path(&file), "--json", "--replay", path(&tape)];
        let (code, out, error) = said(&shell.troupe(&[&arguments, chosen].concat()));
        let report: Value = serde_json::from_str(&out).unwrap_or_default();
        (code, report, error)
    };
    // Nobody sits here, so it is not asked.
    for chosen in [[].as_slice(), &["--on-change", "fail"]] {
        let (code, report, error) = play(chosen);
        assert_eq!(code, Some(1), "{error}");
        assert_eq!(report["error"]["code"], "prompt_changed");
        assert_eq!(report["error"]["task"], "plan");
        let message = report["error"]["message"].as_str().unwrap_or_default();
        assert!(message.contains("The prompt of `plan`"), "{message}");
        assert_eq!(
            (&report["calls"], &report["replayed"]),
            (&json!(0), &json!(0))
        );
    }
    let (code, report, error) = play(&["--on-change", "replay"]);
    assert_eq!(code, Some(0), "{error}");
    assert_eq!(report["output"], first["output"]);
    assert_eq!(
        (&report["calls"], &report["replayed"]),
        (&json!(0), &json!(2))
    );
    let (code, report, error) = play(&["--on-change", "live"]);
    assert_eq!(code, Some(0), "{error}");
    assert!(report["calls"].as_u64() >= Some(1), "{report}");
    let (code, _, error) = play(&["--on-change", "ask"]);
    assert_eq!(code, Some(2));
    assert!(error.contains("needs a terminal"), "{error}");
}

#[test]
fn run_refuses_what_is_no_recording_of_its_workflow() {
    let shell = Shell::new();
    let (file, tape, _) = recorded(&shell);
    let other = shell.file(
        "other.json",
        &flow(
            json!([{ "id": "x", "kind": "agent", "prompt": "Hi" }]),
            json!([]),
        ),
    );
    let newer = shell.file("newer.json", r#"{"troupe_recording":9}"#);
    let missing = shell.directory.path().join("missing.json");
    for (flow, recording, says) in [
        (&other, &tape, "of another workflow"),
        (&file, &newer, "version 9"),
        (&file, &file, "no recording of a run"),
        (&file, &missing, "cannot be read"),
    ] {
        let (code, _, error) =
            said(&shell.troupe(&["run", path(flow), "--replay", path(recording)]));
        assert_eq!(code, Some(2), "{error}");
        assert!(error.contains(says), "{error}");
    }
}
