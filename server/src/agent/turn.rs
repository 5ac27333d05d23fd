//! The loop of an attempt: a turn, its tools, the next turn.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use domain::{
    budget::Quote,
    frame::Delta,
    message::Message,
    run::{
        AttemptKey, FinishReason, TaskError, Turn, TurnFailure, TurnRecord,
        input::{AttemptSpec, Outcome},
    },
    time::Timestamp,
};
use futures::StreamExt;
use serde_json::Value;
use tokio::time::Instant;

use super::{
    AttemptContext, NoCall, Over,
    charged::Charged,
    fingerprint,
    output::Form,
    prompt, quote,
    tools::{self, Bench, Tool},
};
use crate::{
    failpoint,
    llm::{Answer, ChatRequest, Chunk, LlmError, ProviderKind, Resolved},
};

/// Text is shown at most this often: a reader sees it flow, and a thousand agents at once do not flood
/// the bus with single words.
const SHOW_EVERY: Duration = Duration::from_millis(35);

/// Why an attempt ends without output.
pub(super) enum End {
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

/// Why a call brought no answer.
enum NoAnswer {
    /// Nobody wants one any more.
    Over,
    /// It failed.
    Failed {
        error: LlmError,
        /// Whether an answer had begun: it may be charged.
        had_begun: bool,
        /// The provider's name for it, where it can say later what it cost.
        generation_id: Option<String>,
        /// What came in the place of an answer.
        raw: Option<String>,
    },
}

/// What a call brought.
struct Answered<'a> {
    answer: Answer,
    /// How long the first of it took: text, thought or the wish for a tool.
    first_token_ms: Option<u64>,
    charged: Option<Charged<'a>>,
}

/// Another try would cost as much and bring the same.
fn not_valid(problem: &str) -> TaskError {
    TaskError::lasting(
        "output_not_valid",
        format!(
            "The answer does not satisfy the output schema, also where the model was asked to correct it: {problem}. \
             Ask for less in the schema, say in the prompt what is wanted, or use a model that can be held to a schema."
        ),
    )
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

/// A model that may be asked.
#[derive(Clone)]
struct Choice {
    /// Where it stands among those that the step names, from 0.
    place: usize,
    model: Resolved,
}

/// A call that is about to be made.
struct Call {
    /// Which model is asked.
    choice: Choice,
    /// Models of the same provider that may be asked in its place.
    next: Vec<String>,
}

impl Call {
    /// The one at the head of the line.
    fn of(line: &VecDeque<Choice>) -> Option<Self> {
        let choice = line.front()?.clone();
        let provider = &choice.model.provider;
        let same = line.iter().skip(1).map(|choice| &choice.model);
        let same = same.filter(|model| model.provider == *provider);
        let next = same.map(|model| model.model.clone()).collect();
        Some(Self { choice, next })
    }

    fn asked(&self) -> &Resolved {
        &self.choice.model
    }
}

/// An attempt under way.
pub(super) struct Work<'a> {
    pub(super) spec: &'a AttemptSpec,
    pub(super) context: &'a AttemptContext,
    /// The models that may be asked. One that brought no answer goes behind the others.
    models: Vec<Choice>,
    /// Why there is none, for a run that is played back: it may do without.
    unknown: Option<TaskError>,
    tools: Vec<Arc<dyn Tool>>,
    form: Form,
    /// Finished turns, of before a crash and of now.
    pub(super) turns: Vec<Turn>,
}

impl<'a> Work<'a> {
    fn new(spec: &'a AttemptSpec, context: &'a AttemptContext) -> Result<Self, TaskError> {
        let name = spec
            .model
            .clone()
            .or_else(|| context.providers.default_model())
            .unwrap_or_default();
        // A name that leads nowhere is passed over, as long as another one leads somewhere.
        let names = [&name].into_iter().chain(&spec.models);
        let (mut models, mut unknown) = (Vec::new(), None);
        for (place, name) in names.enumerate() {
            match context.providers.resolve(name) {
                Ok(model) => models.push(Choice { place, model }),
                Err(error) => {
                    let error = TaskError::lasting(error.code(), error.to_string());
                    unknown = unknown.or(Some(error));
                }
            }
        }
        if let (true, None, Some(error)) = (models.is_empty(), &spec.replay, &unknown) {
            return Err(error.clone());
        }
        let tools = context
            .tools
            .offered(&spec.tools)
            .map_err(|error| TaskError::lasting("unknown_tool", error.to_string()))?;
        let form = Form::of(spec.output_schema.as_ref())
            .map_err(|error| TaskError::lasting("bad_output_schema", error.to_string()))?;
        let done = spec.turns.iter().filter(|turn| turn.done.is_some());
        let turns = done.cloned().collect();
        Ok(Self {
            spec,
            context,
            models,
            unknown,
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

    /// The output in a turn that asks for no tools; `None` when the model has to correct it, for which it
    /// gets one turn.
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
                match self.form.read(&record.text) {
                    Ok(output) => Ok(Some(output)),
                    Err(problem) if self.was_corrected() => failed(not_valid(&problem)),
                    Err(_) => Ok(None),
                }
            }
        }
    }

    /// Whether the last answer is a correction: there was another one before it.
    fn was_corrected(&self) -> bool {
        let records = self.turns.iter().filter_map(|turn| turn.done.as_ref());
        let answers = records.filter(|record| record.tool_calls.is_empty());
        answers.count() > 1
    }

    fn out_of_turns(&self, last: Option<&TurnRecord>) -> TaskError {
        let limit = self.spec.max_turns;
        match last {
            Some(record) if record.tool_calls.is_empty() => {
                let problem = self.form.read(&record.text).err().unwrap_or_default();
                TaskError::lasting(
                    "output_not_valid",
                    format!(
                        "The answer does not satisfy the output schema: {problem}. No turn was left to correct it: allow more turns, or ask for less."
                    ),
                )
            }
            Some(record) if record.tool_calls.iter().any(has_broken_arguments) => {
                TaskError::lasting(
                    "bad_tool_arguments",
                    format!(
                        "The model was not done after {limit} turns, as what it hands to tools is no JSON, also where it was told so. Use a model that can call tools, or allow the step no tools."
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
        if self.play_back(number).await? {
            return Ok(());
        }
        let key = self.spec.key.clone();
        // What a call that was cut had been handed is handed out again with it.
        let cut = self.spec.turns.iter().find(|turn| turn.number == number);
        let mut messages = cut.map(|turn| turn.messages.clone()).unwrap_or_default();
        // What was cut from outside says nothing of its model.
        let failed = cut.into_iter().flat_map(|turn| &turn.failures);
        let mut failures: Vec<TurnFailure> = failed
            .filter(|failure| !failure.is_cut())
            .cloned()
            .collect();
        let mut line = self.line(&failures);
        let prompt = self.fingerprint();
        let (asked, answer, first_token_ms, began, charged) = loop {
            let call = Call::of(&line).ok_or_else(|| self.nobody_to_ask(&failures))?;
            let asked = call.asked().clone();
            let started = Outcome::TurnStarted {
                key: key.clone(),
                turn: number,
                model: name_of(&asked),
                others: line.iter().skip(1).map(|it| name_of(&it.model)).collect(),
                simulated: asked.llm.about().simulated,
                quote: self.quote(&call, &messages).await,
                prompt: prompt.clone(),
            };
            match self.context.desk.ask(started).await {
                Ok(handed) => messages.extend(handed),
                Err(NoCall::Over) => return Err(End::Over),
                Err(NoCall::Shut) => {
                    line.rotate_left(1);
                    continue;
                }
                Err(NoCall::NoOther) => return Err(self.nobody_to_ask(&failures)),
            }
            let began = Instant::now();
            match self.call(&call, number, began, &messages).await {
                Ok(Answered {
                    answer,
                    first_token_ms,
                    charged,
                }) => break (asked, answer, first_token_ms, began, charged),
                Err(NoAnswer::Over) => return Err(End::Over),
                Err(NoAnswer::Failed {
                    error,
                    had_begun,
                    generation_id,
                    raw,
                }) => {
                    let failure = TurnFailure {
                        model: name_of(&asked),
                        trouble: error.trouble(),
                        error: task_error(&error),
                        raw,
                        began: had_begun,
                        generation_id,
                        // For those to say who keep the books.
                        assumed_usd: None,
                        assumed_tokens: None,
                    };
                    let failed = Outcome::TurnFailed {
                        key: key.clone(),
                        turn: number,
                        failure: Box::new(failure.clone()),
                    };
                    self.context.desk.report(failed).await?;
                    failures.push(failure);
                    self.brought_nothing(&call.choice, &mut line);
                }
            }
        };
        let (model, simulated) = (name_of(&asked), asked.llm.about().simulated);
        let record = TurnRecord {
            provider: asked.provider.clone(),
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
            assumed_tokens: None,
            simulated,
            replayed: false,
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
        if let Some(charged) = charged.filter(|_| record.cost_usd.is_some()) {
            charged.settled();
        }
        self.turns.push(Turn {
            number,
            model,
            simulated,
            reserved: None,
            // Only the log knows the moment, and nobody here asks for it.
            started_at: Timestamp::default(),
            began: None,
            done: Some(record),
            tools: Vec::new(),
            messages,
            failures,
            late: Vec::new(),
            unpriced: Vec::new(),
        });
        Ok(())
    }

    /// The models that this turn may ask, in order: those that brought nothing in it before it was cut are
    /// not asked again.
    fn line(&self, failures: &[TurnFailure]) -> VecDeque<Choice> {
        let failed = |choice: &&Choice| {
            let name = name_of(&choice.model);
            failures.iter().any(|failure| failure.model == name)
        };
        let left: VecDeque<Choice> = self
            .models
            .iter()
            .filter(|it| !failed(it))
            .cloned()
            .collect();
        match left.is_empty() {
            true => self.models.iter().cloned().collect(),
            false => left,
        }
    }

    /// A model brought no answer: it is not asked again in this turn, and behind the others later. Those that
    /// its provider was told to try by itself have been tried with it.
    fn brought_nothing(&mut self, choice: &Choice, line: &mut VecDeque<Choice>) {
        let asked = &choice.model;
        let tried = |other: &Choice| {
            other.place == choice.place
                || (tries_others(asked) && other.model.provider == asked.provider)
        };
        line.retain(|other| !tried(other));
        self.models.sort_by_key(tried);
    }

    /// Why no model is asked: the last one brought nothing, or there is none.
    fn nobody_to_ask(&self, failures: &[TurnFailure]) -> End {
        let nameless = || TaskError::lasting("bad_model_name", "No model is named.");
        let last = failures.last().map(|last| last.error.clone());
        End::Failed(
            last.or_else(|| self.unknown.clone())
                .unwrap_or_else(nameless),
        )
    }

    /// What is asked next, in short: the same in each run that asks the same.
    pub(super) fn fingerprint(&self) -> String {
        let tools: Vec<_> = self.tools.iter().map(|tool| tool.spec()).collect();
        fingerprint::of(self.spec, &self.form, &self.turns, &tools)
    }

    /// Names the call. Another model is another call: a server that keeps answers by this name must not
    /// give the one of the first.
    fn idempotency_key(&self, turn: u32, place: usize) -> String {
        let AttemptKey { run, task, .. } = &self.spec.key;
        match place {
            0 => format!("{run}:{task}:{turn}"),
            other => format!("{run}:{task}:{turn}:{other}"),
        }
    }

    fn request(&self, call: &Call, turn: u32, messages: &[Message]) -> ChatRequest {
        let asked = call.asked();
        ChatRequest {
            model: asked.model.clone(),
            messages: prompt::messages(self.spec, &self.form, &self.turns, messages),
            tools: self.tools.iter().map(|tool| tool.spec()).collect(),
            max_tokens: Some(self.spec.max_tokens),
            temperature: self.spec.temperature,
            response_schema: self.spec.output_schema.clone(),
            models: match tries_others(asked) {
                true => call.next.clone(),
                false => Vec::new(),
            },
            preferences: self.spec.preferences.clone(),
            idempotency_key: self.idempotency_key(turn, call.choice.place),
        }
    }

    /// What the next call can take at most, for budgets: the dearest of the models that may answer it.
    /// Messages that wait in the mailbox come on top, and are few.
    async fn quote(&self, call: &Call, messages: &[Message]) -> Quote {
        let request = self.request(call, 0, messages);
        let llm = &call.asked().llm;
        let mut quote = quote::of(&request, llm.price(&request.model).await);
        for model in &request.models {
            quote = quote.or_dearer(quote::of(&request, llm.price(model).await));
        }
        quote
    }

    /// One call of the model, its text shown as it comes.
    async fn call(
        &self,
        call: &Call,
        turn: u32,
        began: Instant,
        messages: &[Message],
    ) -> Result<Answered<'a>, NoAnswer> {
        let asked = call.asked();
        let request = self.request(call, turn, messages);
        failpoint::reach("before-call");
        let mut chunks = asked.llm.stream(request, self.context.stop.clone());
        let mut text = Shown::new(self, turn);
        let mut first_token_ms = None;
        let mut raw = None;
        let mut charged: Option<Charged<'a>> = None;
        // What is simulated is charged by nobody.
        let charges = !asked.llm.about().simulated;
        // One timer for the whole call: a new one for each piece would cost more than the piece.
        let mut due = std::pin::pin!(tokio::time::sleep_until(text.due));
        loop {
            if text.waits() && due.deadline() != text.due {
                due.as_mut().reset(text.due);
            }
            let next = tokio::select! {
                biased;
                next = chunks.next() => next,
                () = &mut due, if text.waits() => {
                    text.show();
                    continue;
                }
            };
            let begins = match &next {
                Some(Ok(Chunk::Began(generation_id))) => Some(Some(generation_id.clone())),
                Some(Ok(Chunk::Text(_) | Chunk::Reasoning(_) | Chunk::Calling)) => {
                    (charges && charged.is_none()).then_some(None)
                }
                Some(Ok(Chunk::Raw(_) | Chunk::Finished(_)) | Err(_)) | None => None,
            };
            if let Some(generation_id) = begins {
                let began =
                    Charged::begin(self.context, &self.spec.key, asked, turn, generation_id).await;
                charged = Some(began.map_err(|Over| NoAnswer::Over)?);
            }
            let is_first = first_token_ms.is_none()
                && matches!(
                    next,
                    Some(Ok(Chunk::Text(_) | Chunk::Reasoning(_) | Chunk::Calling))
                );
            if is_first {
                first_token_ms = Some(ms_since(began));
            }
            match next {
                Some(Ok(Chunk::Text(piece))) => {
                    text.add(&piece);
                    if is_first {
                        failpoint::reach("first-text");
                    }
                }
                Some(Ok(Chunk::Began(_) | Chunk::Reasoning(_) | Chunk::Calling)) => {}
                Some(Ok(Chunk::Raw(said))) => raw = Some(said),
                Some(Ok(Chunk::Finished(answer))) => {
                    text.show();
                    failpoint::reach("call-finished");
                    return Ok(Answered {
                        answer: *answer,
                        first_token_ms,
                        charged,
                    });
                }
                Some(Err(LlmError::Cancelled)) => return Err(NoAnswer::Over),
                Some(Err(error)) => {
                    return Err(NoAnswer::Failed {
                        error,
                        had_begun: charged.is_some(),
                        generation_id: charged.and_then(|call| call.generation_id()),
                        raw,
                    });
                }
                // A provider that breaks its promise of a last chunk.
                None => {
                    let error = LlmError::CutOff {
                        provider: asked.provider.clone(),
                        detail: "it ended without a word".to_owned(),
                        generation_id: None,
                    };
                    return Err(NoAnswer::Failed {
                        error,
                        had_begun: charged.is_some(),
                        generation_id: charged.and_then(|call| call.generation_id()),
                        raw,
                    });
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
            cut: false,
        });
    }
}

/// Whether nobody can read what a tool is handed. Nothing at all means no arguments.
fn has_broken_arguments(call: &domain::run::ToolCall) -> bool {
    let written = call.arguments.trim();
    !written.is_empty() && serde_json::from_str::<Value>(written).is_err()
}

/// `provider:model`.
pub(super) fn name_of(model: &Resolved) -> String {
    format!("{}:{}", model.provider, model.model)
}

/// Whether a model's provider tries other models by itself.
fn tries_others(model: &Resolved) -> bool {
    match model.llm.about().kind {
        ProviderKind::Openrouter => true,
        ProviderKind::Openai | ProviderKind::Compatible | ProviderKind::Rehearsal => false,
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
