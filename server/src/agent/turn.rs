//! The loop of an attempt: a turn, its tools, the next turn.

use std::{sync::Arc, time::Duration};

use domain::{
    budget::Quote,
    frame::Delta,
    message::Message,
    run::{
        FinishReason, TaskError, Turn, TurnRecord,
        input::{AttemptSpec, Outcome},
    },
    time::Timestamp,
};
use futures::StreamExt;
use serde_json::Value;
use tokio::time::Instant;

use super::{
    AttemptContext, Over,
    output::Form,
    prompt, quote,
    tools::{self, Bench, Tool},
};
use crate::llm::{Answer, ChatRequest, Chunk, LlmError, Resolved};

/// Text is shown at most this often: a reader sees it flow, and a thousand agents at once do not flood
/// the bus with single words.
const SHOW_EVERY: Duration = Duration::from_millis(50);

/// Why an attempt ends without output.
enum End {
    /// Nobody wants it any more.
    Over,
    /// It failed in an orderly way.
    Failed(TaskError),
}

impl From<Over> for End {
    fn from(_: Over) -> Self {
        End::Over
    }
}

/// Works on an attempt to its end, or until it is stopped. Everything that comes of it is reported;
/// being stopped is not, because whoever stops an attempt knows.
pub async fn attempt(spec: AttemptSpec, context: AttemptContext) {
    let stop = context.stop.clone();
    let work = async {
        let key = spec.key.clone();
        let outcome = match Work::new(&spec, &context) {
            Ok(mut work) => work.go_on().await,
            Err(error) => Err(End::Failed(error)),
        };
        let outcome = match outcome {
            Ok(output) => Outcome::Succeeded { key, output },
            Err(End::Failed(error)) => Outcome::Failed { key, error },
            Err(End::Over) => return,
        };
        // Over is over, here too.
        let _ = context.desk.report(outcome).await;
    };
    tokio::select! {
        biased;
        () = stop.cancelled() => {}
        () = work => {}
    }
}

/// An attempt under way.
struct Work<'a> {
    spec: &'a AttemptSpec,
    context: &'a AttemptContext,
    model: Resolved,
    simulated: bool,
    tools: Vec<Arc<dyn Tool>>,
    form: Form,
    /// Finished turns, of before a crash and of now.
    turns: Vec<Turn>,
}

impl<'a> Work<'a> {
    fn new(spec: &'a AttemptSpec, context: &'a AttemptContext) -> Result<Self, TaskError> {
        let name = spec
            .model
            .clone()
            .or_else(|| context.providers.default_model());
        let model = context
            .providers
            .resolve(&name.unwrap_or_default())
            .map_err(|error| TaskError::lasting(error.code(), error.to_string()))?;
        let tools = context
            .tools
            .offered(&spec.tools)
            .map_err(|error| TaskError::lasting("unknown_tool", error.to_string()))?;
        let form = Form::of(spec.output_schema.as_ref())
            .map_err(|error| TaskError::lasting("bad_output_schema", error.to_string()))?;
        let turns = spec
            .turns
            .iter()
            .filter(|turn| turn.done.is_some())
            .cloned()
            .collect();
        let simulated = model.llm.about().simulated;
        Ok(Self {
            spec,
            context,
            model,
            simulated,
            tools,
            form,
            turns,
        })
    }

    /// From where it stands to the output.
    async fn go_on(&mut self) -> Result<Value, End> {
        loop {
            let last = self.turns.len().checked_sub(1);
            let last_record = last.and_then(|at| self.turns[at].done.clone());
            if let (Some(at), Some(record)) = (last, &last_record) {
                if record.tool_calls.is_empty() {
                    if let Some(output) = self.output(record)? {
                        return Ok(output);
                    }
                } else {
                    self.run_tools(at, record).await?;
                }
            }
            let limit = self.spec.max_turns;
            if self.turns.len() >= usize::try_from(limit).unwrap_or(usize::MAX) {
                return Err(End::Failed(self.out_of_turns(last_record.as_ref())));
            }
            self.take_turn().await?;
        }
    }

    /// The output in a turn that asks for no tools; `None` when the model has to try again.
    fn output(&self, record: &TurnRecord) -> Result<Option<Value>, End> {
        let failed = |error| Err(End::Failed(error));
        match record.finish_reason {
            FinishReason::ContentFilter => failed(TaskError::lasting(
                "answer_filtered",
                "The provider's filter stopped the answer. Change the prompt, or use another model.",
            )),
            FinishReason::Length if record.text.trim().is_empty() => failed(TaskError::lasting(
                "answer_cut",
                format!(
                    "The model used up its {} tokens before it had written a word; it may think at length first. \
                     Allow more tokens for this step.",
                    self.spec.max_tokens
                ),
            )),
            FinishReason::Stop
            | FinishReason::Length
            | FinishReason::ToolCalls
            | FinishReason::Other => {
                if record.text.trim().is_empty() {
                    return failed(TaskError::passing(
                        "empty_answer",
                        "The model answered with nothing. A retry often helps.",
                    ));
                }
                Ok(self.form.read(&record.text).ok())
            }
        }
    }

    fn out_of_turns(&self, last: Option<&TurnRecord>) -> TaskError {
        let limit = self.spec.max_turns;
        match last {
            Some(record) if record.tool_calls.is_empty() => {
                let problem = self.form.read(&record.text).err().unwrap_or_default();
                TaskError::passing(
                    "output_not_valid",
                    format!(
                        "The answer does not satisfy the output schema: {problem}. Allow more turns, or ask for less."
                    ),
                )
            }
            Some(_) | None => TaskError::lasting(
                "too_many_turns",
                format!(
                    "The agent was not done after {limit} turns. Allow more turns, or ask for less."
                ),
            ),
        }
    }

    async fn take_turn(&mut self) -> Result<(), End> {
        let number = self.turns.last().map_or(1, |last| last.number + 1);
        let key = self.spec.key.clone();
        let model = format!("{}:{}", self.model.provider, self.model.model);
        let simulated = self.simulated;
        // What a call that was cut had been handed is handed out again with it.
        let cut = self.spec.turns.iter().find(|turn| turn.number == number);
        let mut messages = cut.map(|turn| turn.messages.clone()).unwrap_or_default();
        let quote = self.quote(&messages).await;
        let started = Outcome::TurnStarted {
            key: key.clone(),
            turn: number,
            model: model.clone(),
            simulated,
            quote,
        };
        messages.extend(self.context.desk.report(started).await?);

        let began = Instant::now();
        let (answer, first_token_ms) = self.call(number, began, &messages).await?;
        let record = TurnRecord {
            provider: self.model.provider.clone(),
            model: answer.model,
            text: answer.text,
            tool_calls: answer.tool_calls,
            reasoning_details: answer.reasoning_details,
            prompt_tokens: answer.usage.prompt_tokens,
            completion_tokens: answer.usage.completion_tokens,
            cached_tokens: answer.usage.cached_tokens,
            reasoning_tokens: answer.usage.reasoning_tokens,
            cost_usd: answer.cost,
            cost_is: answer.cost_is,
            // The kernel knows what was set aside.
            assumed_usd: None,
            simulated,
            finish_reason: answer.finish,
            generation_id: answer.generation_id,
            first_token_ms,
            duration_ms: ms_since(began),
        };
        let completed = Outcome::TurnCompleted {
            key,
            turn: number,
            record: Box::new(record.clone()),
        };
        self.context.desk.report(completed).await?;
        self.turns.push(Turn {
            number,
            model,
            simulated,
            reserved: None,
            // Only the log knows the moment, and nobody here asks for it.
            started_at: Timestamp::default(),
            done: Some(record),
            tools: Vec::new(),
            messages,
        });
        Ok(())
    }

    fn request(&self, turn: u32, messages: &[Message]) -> ChatRequest {
        ChatRequest {
            model: self.model.model.clone(),
            messages: prompt::messages(self.spec, &self.form, &self.turns, messages),
            tools: self.tools.iter().map(|tool| tool.spec()).collect(),
            max_tokens: Some(self.spec.max_tokens),
            temperature: self.spec.temperature,
            response_schema: self.spec.output_schema.clone(),
            idempotency_key: format!("{}:{}:{turn}", self.spec.key.run, self.spec.key.task),
        }
    }

    /// What the next call can take at most, for budgets. Messages that wait in the mailbox come on
    /// top, and are few.
    async fn quote(&self, messages: &[Message]) -> Quote {
        let price = self.model.llm.price(&self.model.model).await;
        quote::of(&self.request(0, messages), price)
    }

    /// One call of the model, its text shown as it comes. With it, how long the first text took.
    async fn call(
        &self,
        turn: u32,
        began: Instant,
        messages: &[Message],
    ) -> Result<(Answer, Option<u64>), End> {
        let request = self.request(turn, messages);
        let mut chunks = self.model.llm.stream(request, self.context.stop.clone());
        let mut text = Shown::new(self, turn);
        let mut first_token_ms = None;
        loop {
            let next = tokio::select! {
                biased;
                next = chunks.next() => next,
                () = tokio::time::sleep_until(text.due), if text.waits() => {
                    text.show();
                    continue;
                }
            };
            match next {
                Some(Ok(Chunk::Text(piece))) => {
                    first_token_ms.get_or_insert_with(|| ms_since(began));
                    text.add(&piece);
                }
                Some(Ok(Chunk::Reasoning(_))) => {}
                Some(Ok(Chunk::Finished(answer))) => {
                    text.show();
                    return Ok((*answer, first_token_ms));
                }
                Some(Err(LlmError::Cancelled)) => return Err(End::Over),
                Some(Err(error)) => return Err(End::Failed(task_error(&error))),
                // A provider that breaks its promise of a last chunk.
                None => {
                    let message = "The answer broke off without a word. A retry starts it again.";
                    return Err(End::Failed(TaskError::passing("cut_off", message)));
                }
            }
        }
    }

    /// Runs the tools that turn `at` asks for and that have not come back yet, one after the other.
    async fn run_tools(&mut self, at: usize, record: &TurnRecord) -> Result<(), End> {
        for call in &record.tool_calls {
            let is_back = |tool: &domain::run::ToolResult| {
                tool.call.call_id == call.call_id && tool.outcome.is_some()
            };
            if self.turns[at].tools.iter().any(is_back) {
                continue;
            }
            let (key, turn) = (self.spec.key.clone(), self.turns[at].number);
            let called = Outcome::ToolCalled {
                key: key.clone(),
                turn,
                call: call.clone(),
            };
            self.context.desk.report(called).await?;
            let began = Instant::now();
            let bench = Bench {
                workspace: &self.context.workspace,
                key: &self.spec.key,
                desk: &*self.context.desk,
                memory: self.spec.memory,
            };
            let outcome = tools::run(&self.tools, call, &bench).await;
            let outcome = domain::run::ToolOutcome {
                duration_ms: ms_since(began),
                ..outcome
            };
            self.context
                .desk
                .report(Outcome::ToolReturned {
                    key,
                    turn,
                    call_id: call.call_id.clone(),
                    output: outcome.output.clone(),
                    failed: outcome.failed,
                    duration_ms: outcome.duration_ms,
                })
                .await?;
            let tools = &mut self.turns[at].tools;
            tools.retain(|known| known.call.call_id != call.call_id);
            tools.push(domain::run::ToolResult {
                call: call.clone(),
                started_at: Timestamp::default(),
                outcome: Some(outcome),
            });
        }
        Ok(())
    }
}

/// The text of a turn on its way to readers.
struct Shown<'a> {
    work: &'a Work<'a>,
    turn: u32,
    waiting: String,
    /// Where the waiting text begins, in bytes.
    offset: u64,
    /// When it is shown at the latest.
    due: Instant,
}

impl<'a> Shown<'a> {
    fn new(work: &'a Work<'a>, turn: u32) -> Self {
        Self {
            work,
            turn,
            waiting: String::new(),
            offset: 0,
            due: Instant::now(),
        }
    }

    fn waits(&self) -> bool {
        !self.waiting.is_empty()
    }

    fn add(&mut self, piece: &str) {
        self.waiting.push_str(piece);
        if self.due <= Instant::now() {
            self.show();
        }
    }

    fn show(&mut self) {
        if self.waiting.is_empty() {
            return;
        }
        let text = std::mem::take(&mut self.waiting);
        let spec = self.work.spec;
        let offset = self.offset;
        self.offset += u64::try_from(text.len()).unwrap_or(0);
        self.due = Instant::now() + SHOW_EVERY;
        self.work.context.desk.show(Delta {
            workflow_id: spec.workflow,
            run_id: spec.key.run,
            task: spec.key.task.clone(),
            attempt: spec.key.attempt,
            turn: self.turn,
            offset,
            text,
        });
    }
}

fn task_error(error: &LlmError) -> TaskError {
    TaskError {
        code: error.code().to_owned(),
        message: error.to_string(),
        retryable: error.retryable(),
        retry_after_ms: error.retry_after_ms(),
    }
}

fn ms_since(began: Instant) -> u64 {
    u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX)
}
