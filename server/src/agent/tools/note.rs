//! `note`: keeps a line on the agent's own scratchpad, a file in its directory: one for each run, or a
//! single one where the agent remembers other runs. Refuses to grow without end and to follow a link.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read, Write},
    path::{Path, PathBuf},
};

use futures::{FutureExt, future::BoxFuture};
use serde_json::{Map, Value, json};

use super::{Bench, Tool, ToolError};
use crate::llm::ToolSpec;

/// The tool's name.
pub const NAME: &str = "note";
/// The scratchpad of an agent that remembers.
const FILE: &str = "notes.md";
const MAX_LINE_CHARS: usize = 500;
const MAX_FILE_BYTES: u64 = 64 * 1024;
/// How much of the notes is told after each new one.
const MAX_TOLD_CHARS: usize = 4_000;

/// The tool.
#[derive(Debug, Clone, Copy, Default)]
pub struct Note;

impl Tool for Note {
    fn spec(&self) -> ToolSpec {
        ToolSpec {
            name: NAME.to_owned(),
            description: "Keeps one line on your own scratchpad and tells you all of your notes. \
                          Use it for what you must not forget. Nobody else reads it."
                .to_owned(),
            parameters: json!({
                "type": "object",
                "properties": {
                    "line": {"type": "string", "minLength": 1, "description": "What to keep, in one line."}
                },
                "required": ["line"],
                "additionalProperties": false
            }),
        }
    }

    fn run<'a>(
        &'a self,
        arguments: Map<String, Value>,
        bench: &'a Bench<'a>,
    ) -> BoxFuture<'a, Result<String, ToolError>> {
        let line = arguments
            .get("line")
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned();
        let path = bench.workspace.join(match bench.memory {
            true => FILE.to_owned(),
            false => format!("notes-{}.md", bench.key.run),
        });
        async move {
            let kept = tokio::task::spawn_blocking(move || keep(&path, &line)).await;
            kept.map_err(|error| {
                ToolError::Failed(format!("The note could not be kept: {error}."))
            })?
        }
        .boxed()
    }
}

/// Adds the line, unless it is the last one already: after a crash a call may come twice.
fn keep(path: &PathBuf, line: &str) -> Result<String, ToolError> {
    let words: Vec<&str> = line.split_whitespace().collect();
    let line: String = words.join(" ").chars().take(MAX_LINE_CHARS).collect();
    if line.is_empty() {
        return Err(ToolError::Arguments("the line is empty".to_owned()));
    }
    let failed =
        |error: io::Error| ToolError::Failed(format!("The note could not be kept: {error}."));
    let mut notes = read(path).map_err(failed)?;
    let entry = format!("- {line}\n");
    if !notes.ends_with(&entry) {
        if notes.len() as u64 + entry.len() as u64 > MAX_FILE_BYTES {
            return Err(ToolError::Failed(
                "The scratchpad is full. Go on without a new note.".to_owned(),
            ));
        }
        let mut file = OpenOptions::new()
            .append(true)
            .create(true)
            .open(path)
            .map_err(failed)?;
        file.write_all(entry.as_bytes()).map_err(failed)?;
        notes.push_str(&entry);
    }
    let from = notes
        .char_indices()
        .rev()
        .nth(MAX_TOLD_CHARS)
        .map_or(0, |(at, _)| at);
    Ok(format!(
        "Kept. Your notes:\n{}",
        notes.get(from..).unwrap_or_default()
    ))
}

/// The notes so far. Anything but a plain file of the right size is no scratchpad.
fn read(path: &Path) -> io::Result<String> {
    match fs::symlink_metadata(path) {
        Ok(found) if found.is_file() && found.len() <= MAX_FILE_BYTES => {
            let mut bytes = Vec::new();
            File::open(path)?
                .take(MAX_FILE_BYTES)
                .read_to_end(&mut bytes)?;
            Ok(String::from_utf8_lossy(&bytes).into_owned())
        }
        Ok(_) => Err(io::Error::other(
            "the scratchpad is not a file of its own any more",
        )),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(String::new()),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use domain::{
        id::{RunId, TaskName},
        run::AttemptKey,
    };
    use uuid::Uuid;

    use super::*;
    use crate::agent::tests::Notebook;

    async fn note(workspace: &Path, line: &str) -> Result<String, ToolError> {
        note_in(workspace, line, true).await
    }

    async fn note_in(workspace: &Path, line: &str, memory: bool) -> Result<String, ToolError> {
        let arguments = json!({ "line": line })
            .as_object()
            .cloned()
            .unwrap_or_default();
        let key = AttemptKey {
            run: RunId(Uuid::nil()),
            task: TaskName::parse("a").expect("a name"),
            attempt: 1,
        };
        let bench = Bench {
            workspace,
            key: &key,
            desk: &Notebook::default(),
            memory,
        };
        Note.run(arguments, &bench).await
    }

    #[tokio::test]
    async fn who_remembers_nothing_has_a_scratchpad_for_each_run() {
        let workspace = tempfile::tempdir().expect("a directory");
        note(workspace.path(), "of all runs").await.expect("kept");
        let told = note_in(workspace.path(), "of this run", false).await;
        assert_eq!(told, Ok("Kept. Your notes:\n- of this run\n".to_owned()));
    }

    #[tokio::test]
    async fn lines_are_kept_and_told() {
        let workspace = tempfile::tempdir().expect("a directory");
        assert_eq!(
            note(workspace.path(), "one").await,
            Ok("Kept. Your notes:\n- one\n".to_owned())
        );
        let told = note(workspace.path(), " two\n lines ").await;
        assert_eq!(
            told,
            Ok("Kept. Your notes:\n- one\n- two lines\n".to_owned())
        );
        let file = fs::read_to_string(workspace.path().join(FILE)).expect("the file");
        assert_eq!(file, "- one\n- two lines\n");
    }

    #[tokio::test]
    async fn a_repeat_is_kept_once() {
        let workspace = tempfile::tempdir().expect("a directory");
        note(workspace.path(), "one").await.expect("kept");
        assert_eq!(
            note(workspace.path(), "one").await,
            Ok("Kept. Your notes:\n- one\n".to_owned())
        );
    }

    #[tokio::test]
    async fn the_scratchpad_is_bounded() {
        let workspace = tempfile::tempdir().expect("a directory");
        let mut full = None;
        for number in 0..200 {
            let told = note(workspace.path(), &format!("{number} {}", "ü".repeat(1_000))).await;
            match told {
                Ok(told) => assert!(told.chars().count() <= MAX_TOLD_CHARS + 20),
                Err(error) => full = Some(error),
            }
        }
        assert_eq!(
            full,
            Some(ToolError::Failed(
                "The scratchpad is full. Go on without a new note.".to_owned()
            ))
        );
        let size = fs::metadata(workspace.path().join(FILE))
            .expect("the file")
            .len();
        assert!(size <= MAX_FILE_BYTES);
    }

    #[tokio::test]
    async fn links_are_not_followed() {
        let workspace = tempfile::tempdir().expect("a directory");
        let outside = tempfile::NamedTempFile::new().expect("a file");
        std::os::unix::fs::symlink(outside.path(), workspace.path().join(FILE)).expect("a link");
        note(workspace.path(), "one").await.expect_err("a link");
        assert_eq!(fs::metadata(outside.path()).expect("the file").len(), 0);
    }

    #[tokio::test]
    async fn a_missing_directory_is_told_to_the_model() {
        let error = note(Path::new("/nowhere/at/all"), "one")
            .await
            .expect_err("no directory");
        assert!(
            error
                .to_string()
                .starts_with("The note could not be kept: "),
            "{error}"
        );
    }
}
