//! Answers that models gave, kept so that a run can be played back: what was recorded, which answer a
//! call gets, and what becomes of a call whose prompt is another one than that which was recorded.
//!
//! A recording is made from the log alone, so every run is one already. Refused here: reading logs,
//! and saying what a prompt is (the agent's side knows that; here it is a fingerprint).

use std::collections::{BTreeMap, HashMap, HashSet};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{FinishReason, RunEvent, TaskError, TaskEvent, ToolCall};
use crate::{
    event::{Event, Fact},
    graph::ValidGraph,
    id::{PortName, RunId, TaskName},
};

/// The version of the file that is written and read here.
pub const FORMAT: u64 = 1;

/// Largest file that is read, in bytes.
pub const MAX_BYTES: usize = 64 * 1024 * 1024;

/// What a task fails with whose call is not made, as it would be another one than was recorded.
pub const PROMPT_CHANGED: &str = "prompt_changed";

/// How a run is played back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Replay {
    /// The run whose answers are given again.
    pub run: RunId,
    /// For a child run: the tasks above it that led to it, outermost first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub within: Vec<TaskName>,
    /// What becomes of a call whose prompt is another one than that which was recorded.
    #[serde(default)]
    pub on_change: OnChange,
}

/// What becomes of a call whose prompt is another one than that which was recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnChange {
    /// Its task waits for a person, who chooses one of the others.
    #[default]
    Ask,
    /// The recorded answer is given all the same.
    Replay,
    /// The model is called, from there to the end of the task.
    Live,
    /// The task fails.
    Fail,
}

impl OnChange {
    /// What a person can choose for a task that asks, as ports of the answer.
    pub const PORTS: [&'static str; 3] = ["replay", "live", "fail"];

    /// Its name in events, files and the API.
    pub fn name(self) -> &'static str {
        match self {
            OnChange::Ask => "ask",
            OnChange::Replay => "replay",
            OnChange::Live => "live",
            OnChange::Fail => "fail",
        }
    }

    /// What a person chose for the calls of one task from there on. One who let it fail is asked again
    /// where the task is taken up again.
    pub fn chosen(port: &PortName) -> Option<Self> {
        match port.as_str() {
            "replay" => Some(OnChange::Replay),
            "live" => Some(OnChange::Live),
            _ => None,
        }
    }
}

impl std::str::FromStr for OnChange {
    type Err = String;

    fn from_str(raw: &str) -> Result<Self, String> {
        [
            OnChange::Ask,
            OnChange::Replay,
            OnChange::Live,
            OnChange::Fail,
        ]
        .into_iter()
        .find(|known| known.name() == raw)
        .ok_or_else(|| "write one of ask, replay, live, fail".to_owned())
    }
}

/// The file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Recording {
    /// Its version.
    pub troupe_recording: u64,
    /// The workflow's name at the time.
    pub workflow: String,
    /// The run that was recorded.
    pub run: RunId,
    /// Its model calls, those of its child runs included.
    pub calls: Vec<RecordedCall>,
}

/// A model call and its answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RecordedCall {
    /// For a call of a child run: the tasks above it, outermost first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub within: Vec<TaskName>,
    /// The task.
    pub task: TaskName,
    /// Which call of its attempt.
    pub turn: u32,
    /// Fingerprint of what was asked; `None` in recordings of runs that noted none.
    #[serde(default)]
    pub prompt: Option<String>,
    /// `provider:model` that answered.
    pub model: String,
    /// Whether it was only rehearsed.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub simulated: bool,
    /// What it answered.
    pub answer: RecordedAnswer,
}

/// What a model answered.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RecordedAnswer {
    /// The text.
    pub text: String,
    /// Tools that it asks for.
    #[serde(default)]
    pub tool_calls: Vec<ToolCall>,
    /// Opaque parts that go back to the provider, should it be called later.
    #[serde(default)]
    pub reasoning_details: Vec<Value>,
    /// Why the model stopped.
    pub finish_reason: FinishReason,
    /// Tokens that it had read then.
    #[serde(default)]
    pub prompt_tokens: Option<u64>,
    /// Tokens that it had written then.
    #[serde(default)]
    pub completion_tokens: Option<u64>,
}

/// A file that is no recording, or none that can be played.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadRecording {
    /// It is too large to be read.
    #[error("the recording is larger than {} MB: record a smaller run", MAX_BYTES / 1024 / 1024)]
    TooLarge,
    /// It is something else.
    #[error(
        "this is no recording of a run: {0}. Save one on the page of a run, or with `troupe run --record`"
    )]
    NotOne(String),
    /// A newer program wrote it.
    #[error(
        "the recording has version {0}, and this program reads version {FORMAT}: record the run again with this program"
    )]
    Version(u64),
    /// It says two things of one call.
    #[error(
        "the recording has two answers for turn {turn} of `{task}`: take one of them out, or record the run again"
    )]
    Twice {
        /// The task.
        task: TaskName,
        /// Which call.
        turn: u32,
    },
    /// No answer in it is for this workflow.
    #[error(
        "the recording is of another workflow, `{recorded}`: it has answers for {tasks}, and this workflow has no such step"
    )]
    OfAnother {
        /// What was recorded.
        recorded: String,
        /// Some of the tasks in it.
        tasks: String,
    },
}

/// What the log of one run tells of answers.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Heard {
    /// The workflow's name at the time.
    pub workflow: String,
    /// Its calls: of each task those of the attempt that succeeded, else of the last that got an answer.
    pub calls: Vec<RecordedCall>,
    /// Its child runs, with the tasks that asked for them.
    pub children: Vec<(TaskName, RunId)>,
    /// The run that it was made from, and the tasks whose results it took over from there.
    pub before: Option<(RunId, Vec<TaskName>)>,
}

/// What the log of a run tells of answers; `within` are the tasks above it.
pub fn heard<'a>(log: impl IntoIterator<Item = &'a Event>, within: &[TaskName]) -> Heard {
    let mut heard = Heard::default();
    let mut prompts: HashMap<(TaskName, u32), Option<String>> = HashMap::new();
    let mut attempts: BTreeMap<TaskName, BTreeMap<u32, Vec<RecordedCall>>> = BTreeMap::new();
    let mut done: HashMap<TaskName, u32> = HashMap::new();
    let mut children: BTreeMap<TaskName, RunId> = BTreeMap::new();
    for event in log {
        match &event.fact {
            Fact::Run {
                event:
                    RunEvent::Queued {
                        workflow_name,
                        parent_run_id,
                        seed,
                        ..
                    },
                ..
            } => {
                heard.workflow = workflow_name.clone();
                let taken = seed.iter().map(|seed| seed.task.clone()).collect();
                heard.before = parent_run_id
                    .filter(|_| !seed.is_empty())
                    .map(|run| (run, taken));
            }
            Fact::Task { task, event, .. } => match event {
                TaskEvent::TurnStarted { turn, prompt, .. } => {
                    prompts.insert((task.clone(), *turn), prompt.clone());
                }
                TaskEvent::TurnCompleted {
                    attempt,
                    turn,
                    record,
                } => {
                    let calls = attempts.entry(task.clone()).or_default();
                    calls.entry(*attempt).or_default().push(RecordedCall {
                        within: within.to_vec(),
                        task: task.clone(),
                        turn: *turn,
                        prompt: prompts.remove(&(task.clone(), *turn)).flatten(),
                        model: format!("{}:{}", record.provider, record.model),
                        simulated: record.simulated,
                        answer: RecordedAnswer {
                            text: record.text.clone(),
                            tool_calls: record.tool_calls.clone(),
                            reasoning_details: record.reasoning_details.clone(),
                            finish_reason: record.finish_reason,
                            prompt_tokens: record.prompt_tokens,
                            completion_tokens: record.completion_tokens,
                        },
                    });
                }
                TaskEvent::Completed { attempt, .. } => {
                    done.insert(task.clone(), *attempt);
                }
                TaskEvent::Waiting {
                    child_run_id: Some(child),
                    ..
                } => {
                    children.insert(task.clone(), *child);
                }
                TaskEvent::Ready { .. }
                | TaskEvent::Opened { .. }
                | TaskEvent::Assigned { .. }
                | TaskEvent::Started { .. }
                | TaskEvent::TurnBegan { .. }
                | TaskEvent::TurnFailed { .. }
                | TaskEvent::TurnPriced { .. }
                | TaskEvent::ToolCalled { .. }
                | TaskEvent::ToolReturned { .. }
                | TaskEvent::Retrying { .. }
                | TaskEvent::Waiting { .. }
                | TaskEvent::Answered { .. }
                | TaskEvent::Unknown { .. }
                | TaskEvent::Failed { .. }
                | TaskEvent::Skipped { .. }
                | TaskEvent::Cancelled { .. } => {}
            },
            Fact::Run { .. } | Fact::Agent { .. } | Fact::System(_) => {}
        }
    }
    for (task, mut attempts) in attempts {
        let succeeded = done.get(&task).and_then(|won| attempts.remove(won));
        let calls = succeeded.or_else(|| attempts.pop_last().map(|(_, calls)| calls));
        heard.calls.extend(calls.unwrap_or_default());
    }
    heard.children = children.into_iter().collect();
    heard
}

impl Recording {
    /// Reads a file that somebody hands in.
    pub fn parse(text: &str) -> Result<Self, BadRecording> {
        if text.len() > MAX_BYTES {
            return Err(BadRecording::TooLarge);
        }
        let not_one = |error: serde_json::Error| BadRecording::NotOne(error.to_string());
        let value: Value = serde_json::from_str(text).map_err(not_one)?;
        match value.get("troupe_recording").map(Value::as_u64) {
            Some(Some(FORMAT)) => {}
            Some(Some(other)) => return Err(BadRecording::Version(other)),
            Some(None) | None => {
                let words = "it has no number under `troupe_recording`";
                return Err(BadRecording::NotOne(words.to_owned()));
            }
        }
        let recording: Self = serde_json::from_value(value).map_err(not_one)?;
        recording.check()?;
        Ok(recording)
    }

    fn check(&self) -> Result<(), BadRecording> {
        let mut known = HashSet::new();
        for call in &self.calls {
            for name in call.within.iter().chain([&call.task]) {
                TaskName::parse(name.as_str())
                    .map_err(|error| BadRecording::NotOne(error.to_string()))?;
            }
            if !known.insert((&call.within, &call.task, call.turn)) {
                return Err(BadRecording::Twice {
                    task: call.task.clone(),
                    turn: call.turn,
                });
            }
        }
        Ok(())
    }

    /// Steps that answers are recorded for and that the workflow does not have, each once. Refused when
    /// none of them is there: then it is of another workflow.
    pub fn strangers(&self, graph: &ValidGraph) -> Result<Vec<String>, BadRecording> {
        let mut strangers = Vec::new();
        let mut fits = self.calls.is_empty();
        for call in &self.calls {
            let outermost = call.within.first().unwrap_or(&call.task).as_str();
            // `each[3].draft` stands in the body of `each`.
            let node = outermost.split('[').next().unwrap_or(outermost);
            if graph.find(node).is_some() {
                fits = true;
            } else if !strangers.iter().any(|known| known == node) {
                strangers.push(node.to_owned());
            }
        }
        if fits {
            return Ok(strangers);
        }
        let some: Vec<String> = strangers
            .iter()
            .take(3)
            .map(|it| format!("`{it}`"))
            .collect();
        Err(BadRecording::OfAnother {
            recorded: self.workflow.chars().take(100).collect(),
            tasks: some.join(", "),
        })
    }
}

/// A recording that is being played.
#[derive(Debug)]
pub struct Playback {
    calls: HashMap<(Vec<TaskName>, TaskName, u32), RecordedCall>,
}

/// What a call comes to.
#[derive(Debug, PartialEq)]
pub enum Cue<'a> {
    /// This answer is given.
    Answer(&'a RecordedCall),
    /// The model is called.
    Call,
    /// A person is asked this.
    Ask(String),
    /// The task fails so.
    Fail(TaskError),
}

impl Playback {
    /// Ready to be played.
    pub fn new(recording: Recording) -> Self {
        let entry = |call: RecordedCall| {
            let key = (call.within.clone(), call.task.clone(), call.turn);
            (key, call)
        };
        Self {
            calls: recording.calls.into_iter().map(entry).collect(),
        }
    }

    /// What a call comes to whose prompt has this fingerprint. `left`: an earlier call of the attempt was
    /// made live, so its answer is none that was recorded.
    pub fn cue(
        &self,
        how: &Replay,
        task: &TaskName,
        turn: u32,
        prompt: &str,
        left: bool,
    ) -> Cue<'_> {
        if left {
            return Cue::Call;
        }
        let key = (how.within.clone(), task.clone(), turn);
        let found = self.calls.get(&key);
        if let Some(call) = found.filter(|call| call.prompt.as_deref() == Some(prompt)) {
            return Cue::Answer(call);
        }
        let which = match turn {
            1 => format!("of `{task}`"),
            _ => format!("of `{task}` (turn {turn})"),
        };
        let changed = match found.map(|call| &call.prompt) {
            Some(Some(_)) => format!("The prompt {which} is another one than was recorded."),
            Some(None) => format!("The recording does not say what the prompt {which} was."),
            None => format!("No answer is recorded for the prompt {which}."),
        };
        match (how.on_change, found) {
            (OnChange::Replay, Some(call)) => Cue::Answer(call),
            (OnChange::Live, _) => Cue::Call,
            (OnChange::Ask, _) => Cue::Ask(changed),
            (OnChange::Fail, _) => Cue::Fail(prompt_changed(&changed)),
            (OnChange::Replay, None) => Cue::Fail(TaskError::lasting(
                PROMPT_CHANGED,
                format!(
                    "{changed} There is nothing to play back here: let changed prompts call the model (`live`), or record the workflow again."
                ),
            )),
        }
    }
}

/// Why a task fails whose prompt changed.
pub fn prompt_changed(changed: &str) -> TaskError {
    TaskError::lasting(
        PROMPT_CHANGED,
        format!(
            "{changed} The run plays answers back, so no model was called. Let changed prompts call the model (`live`) or take the recorded answer (`replay`), or record the workflow again."
        ),
    )
}
