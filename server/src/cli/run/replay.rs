//! Recorded answers at the command line: read from a file, written to one, and the question to whoever
//! sits there what becomes of a prompt that changed.

use std::{
    collections::HashSet,
    fs::File,
    io::{BufRead, IsTerminal, Read, Write},
    path::Path,
};

use anyhow::{Context, bail};
use domain::{
    graph::ValidGraph,
    id::{PortName, RunId, TaskName},
    run::{
        OnChange, Replay, Run, TaskState, Waiting,
        input::{Command, GivenAnswer, Input},
        recording::{MAX_BYTES, Recording},
    },
};
use serde_json::Value;
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use crate::{
    engine::{
        kernel::{Handle, Refusal},
        recordings::recording,
    },
    store::Store,
};

/// The recording in a file, and how it is played.
pub fn read(
    file: &Path,
    graph: &ValidGraph,
    on_change: Option<OnChange>,
) -> anyhow::Result<(Recording, Replay)> {
    let name = file.display();
    let mut text = String::new();
    // One byte more than may be, so that what is too large is seen to be.
    File::open(file)
        .and_then(|opened| opened.take(MAX_BYTES as u64 + 1).read_to_string(&mut text))
        .with_context(|| format!("{name} cannot be read"))?;
    let recording = Recording::parse(&text).with_context(|| name.to_string())?;
    let strangers = recording
        .strangers(graph)
        .with_context(|| name.to_string())?;
    if !strangers.is_empty() {
        eprintln!(
            "troupe: {name} has answers for steps that the workflow does not have: {}. They are left out.",
            strangers.join(", ")
        );
    }
    let somebody = std::io::stdin().is_terminal() && std::io::stderr().is_terminal();
    let on_change = match on_change {
        Some(OnChange::Ask) if !somebody => {
            bail!("--on-change ask needs a terminal: choose replay, live or fail")
        }
        Some(chosen) => chosen,
        None if somebody => OnChange::Ask,
        None => OnChange::Fail,
    };
    let replay = Replay {
        run: recording.run,
        within: Vec::new(),
        on_change,
    };
    Ok((recording, replay))
}

/// Saves what models answered in a run.
pub async fn write(file: &Path, store: &dyn Store, run: RunId) -> anyhow::Result<()> {
    let recording = recording(store, run)
        .await?
        .context("the run left no trace")?;
    let text = serde_json::to_string_pretty(&recording)?;
    std::fs::write(file, text + "\n")
        .with_context(|| format!("the recording cannot be written to {}", file.display()))?;
    eprintln!(
        "Answers recorded in {}: {}.",
        file.display(),
        recording.calls.len()
    );
    Ok(())
}

/// Asks about changed prompts, each task once.
pub struct Questions<'a> {
    kernel: &'a Handle,
    run: RunId,
    stop: &'a CancellationToken,
    asked: HashSet<TaskName>,
}

impl<'a> Questions<'a> {
    /// Of a run.
    pub fn new(kernel: &'a Handle, run: RunId, stop: &'a CancellationToken) -> Self {
        Self {
            kernel,
            run,
            stop,
            asked: HashSet::new(),
        }
    }

    /// Asks about all tasks that wait for an answer.
    pub async fn ask_all(&mut self, run: &Run) -> anyhow::Result<()> {
        for (name, task) in &run.tasks {
            let waits = matches!(
                task.state,
                TaskState::Waiting {
                    reason: Waiting::Replay,
                    ..
                }
            );
            if waits && task.answer.is_none() {
                let question = task.question.clone().unwrap_or_default();
                self.ask(name, &question).await?;
            }
        }
        Ok(())
    }

    /// Asks about one task, and lets it go on as it is said.
    pub async fn ask(&mut self, task: &TaskName, question: &str) -> anyhow::Result<()> {
        if !self.asked.insert(task.clone()) {
            return Ok(());
        }
        let port = tokio::select! {
            port = choose(question.to_owned()) => port,
            () = self.stop.cancelled() => return Ok(()),
        };
        let answer = GivenAnswer {
            run: self.run,
            task: task.clone(),
            port: PortName::parse(port)?,
            comment: String::new(),
            data: Value::Null,
        };
        let command = Command::Answer(Box::new(answer));
        let by = "cli".to_owned();
        match self.kernel.submit(Input::Command { by, command }).await {
            // What was decided otherwise meanwhile needs no answer any more.
            Ok(_) | Err(Refusal::Rejected(_)) => Ok(()),
            Err(refusal) => Err(refusal.into()),
        }
    }
}

/// What whoever sits at the terminal says. A thread of its own reads: at a signal nobody waits for it.
async fn choose(question: String) -> &'static str {
    let (tell, told) = oneshot::channel();
    std::thread::spawn(move || {
        let port = choice(
            &question,
            &mut std::io::stdin().lock(),
            &mut std::io::stderr(),
        );
        // Nobody listens any more after a signal.
        let _late = tell.send(port);
    });
    told.await.unwrap_or("fail")
}

/// Asks until the answer is one; whoever goes away lets it fail.
fn choice(question: &str, from: &mut dyn BufRead, to: &mut dyn Write) -> &'static str {
    loop {
        let asked = write!(
            to,
            "troupe: {question}\n  r: use the recorded answer   l: call the model   f: let it fail\n> "
        );
        let mut line = String::new();
        let read = asked
            .and_then(|()| to.flush())
            .and_then(|()| from.read_line(&mut line));
        match (read, line.trim()) {
            (Ok(0) | Err(_), _) => return "fail",
            (_, "r" | "replay") => return "replay",
            (_, "l" | "live") => return "live",
            (_, "f" | "fail") => return "fail",
            (Ok(_), _) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(typed: &str) -> (&'static str, usize) {
        let mut shown = Vec::new();
        let port = choice("It changed.", &mut typed.as_bytes(), &mut shown);
        let shown = String::from_utf8(shown).expect("text");
        (port, shown.matches("It changed.").count())
    }

    #[test]
    fn a_question_is_asked_until_it_is_answered() {
        assert_eq!(chosen("r\n"), ("replay", 1));
        assert_eq!(chosen("what?\n\n live \n"), ("live", 3));
        assert_eq!(chosen("f\n"), ("fail", 1));
        assert_eq!(chosen(""), ("fail", 1));
        assert_eq!(chosen("perhaps"), ("fail", 2));
    }
}
