//! A try of a task and its model calls, as the API shows them.

use domain::run::{Attempt, AttemptState, CostIs, FinishReason, LateCost, Turn, TurnFailure};
use serde::Serialize;
use utoipa::ToSchema;

use super::{ErrorShape, money, time};

/// One try of a task.
#[derive(Debug, Serialize, ToSchema)]
pub struct AttemptShape {
    /// 1, 2, 3, ...
    attempt: u32,
    /// `assigned`, `running`, `succeeded`, `failed`, `cancelled`, `unknown`.
    status: &'static str,
    /// Who tries.
    #[schema(format = "uuid")]
    agent_id: Option<String>,
    /// When it was given out.
    #[schema(format = "date-time")]
    started_at: String,
    /// When it ended.
    #[schema(format = "date-time")]
    ended_at: Option<String>,
    /// Why it failed.
    error: Option<ErrorShape>,
    /// Its model calls.
    turns: Vec<TurnShape>,
}

/// One model call.
#[derive(Debug, Serialize, ToSchema)]
pub struct TurnShape {
    /// 1, 2, 3, ... within the attempt.
    turn: u32,
    /// The provider.
    provider: String,
    /// The model: as asked for while the call runs, then as the provider names it.
    model: String,
    /// Tokens read.
    prompt_tokens: Option<u64>,
    /// Tokens written.
    completion_tokens: Option<u64>,
    /// Of those read the ones that the provider had kept from before.
    cached_tokens: Option<u64>,
    /// Of those written the ones that were thought.
    reasoning_tokens: Option<u64>,
    /// From the request to its end, in milliseconds.
    latency_ms: Option<u64>,
    /// From the request to the first text, in milliseconds.
    ttft_ms: Option<u64>,
    /// Whether the provider only rehearses.
    simulated: bool,
    /// What it cost.
    cost_usd: Option<String>,
    /// Where that figure is from: `charged`, `estimated`, `unknown`.
    cost_is: &'static str,
    /// Why the model stopped.
    finish_reason: Option<&'static str>,
    /// The provider's name for this call.
    generation_id: Option<String>,
    /// Calls under this number that brought no answer, in order.
    failures: Vec<FailureShape>,
    /// Costs that became known after the end of calls that brought no answer; part of `cost_usd`.
    late_costs: Vec<LateCostShape>,
}

/// A model call that brought no answer.
#[derive(Debug, Serialize, ToSchema)]
pub struct FailureShape {
    /// `provider:model` that was asked.
    model: String,
    /// What happened, what it means, what to do.
    error: ErrorShape,
    /// What the provider sent, shortened and without secrets.
    raw: Option<String>,
    /// The provider's name for the call, where it may have been charged.
    generation_id: Option<String>,
}

/// What a call cost, known after its end.
#[derive(Debug, Serialize, ToSchema)]
pub struct LateCostShape {
    /// The provider's name for the call.
    generation_id: String,
    /// What it cost.
    cost_usd: String,
    /// Tokens read.
    prompt_tokens: Option<u64>,
    /// Tokens written.
    completion_tokens: Option<u64>,
}

impl AttemptShape {
    /// The attempt as it stands.
    pub(super) fn of(attempt: &Attempt) -> Self {
        let (status, error) = match &attempt.state {
            AttemptState::Assigned => ("assigned", None),
            AttemptState::Running => ("running", None),
            AttemptState::Succeeded => ("succeeded", None),
            AttemptState::Failed { error } => ("failed", Some(ErrorShape::of(error))),
            AttemptState::Cancelled => ("cancelled", None),
            AttemptState::Unknown { error } => ("unknown", Some(ErrorShape::of(error))),
        };
        Self {
            attempt: attempt.number,
            status,
            agent_id: attempt.agent.map(|agent| agent.to_string()),
            started_at: attempt.started_at.rfc3339(),
            ended_at: time(attempt.ended_at),
            error,
            turns: attempt.turns.iter().map(TurnShape::of).collect(),
        }
    }
}

impl FailureShape {
    fn of(failure: &TurnFailure) -> Self {
        Self {
            model: failure.model.clone(),
            error: ErrorShape::of(&failure.error),
            raw: failure.raw.clone(),
            generation_id: failure.generation_id.clone(),
        }
    }
}

impl LateCostShape {
    fn of(late: &LateCost) -> Self {
        Self {
            generation_id: late.generation_id.clone(),
            cost_usd: late.cost_usd.to_string(),
            prompt_tokens: late.prompt_tokens,
            completion_tokens: late.completion_tokens,
        }
    }
}

impl TurnShape {
    fn of(turn: &Turn) -> Self {
        let failures = turn.failures.iter().map(FailureShape::of).collect();
        let late_costs: Vec<_> = turn.late.iter().map(LateCostShape::of).collect();
        let known = match (&turn.done, late_costs.is_empty()) {
            (Some(done), _) if done.cost_usd.is_some() => done.cost_is,
            (Some(_) | None, true) => CostIs::Unknown,
            (Some(_) | None, false) => CostIs::Charged,
        };
        match &turn.done {
            Some(done) => Self {
                turn: turn.number,
                provider: done.provider.clone(),
                model: done.model.clone(),
                prompt_tokens: done.prompt_tokens,
                completion_tokens: done.completion_tokens,
                cached_tokens: done.cached_tokens,
                reasoning_tokens: done.reasoning_tokens,
                latency_ms: Some(done.duration_ms),
                ttft_ms: done.first_token_ms,
                simulated: turn.simulated,
                cost_usd: money(turn.cost()),
                cost_is: cost_is(known),
                finish_reason: Some(finish_reason(done.finish_reason)),
                generation_id: done.generation_id.clone(),
                failures,
                late_costs,
            },
            None => {
                let (provider, model) = turn.model.split_once(':').unwrap_or(("", &turn.model));
                Self {
                    turn: turn.number,
                    provider: provider.to_owned(),
                    model: model.to_owned(),
                    prompt_tokens: None,
                    completion_tokens: None,
                    cached_tokens: None,
                    reasoning_tokens: None,
                    latency_ms: None,
                    ttft_ms: None,
                    simulated: turn.simulated,
                    cost_usd: money(turn.cost()),
                    cost_is: cost_is(known),
                    finish_reason: None,
                    generation_id: None,
                    failures,
                    late_costs,
                }
            }
        }
    }
}

fn cost_is(known: CostIs) -> &'static str {
    match known {
        CostIs::Charged => "charged",
        CostIs::Estimated => "estimated",
        CostIs::Unknown => "unknown",
    }
}

fn finish_reason(reason: FinishReason) -> &'static str {
    match reason {
        FinishReason::Stop => "stop",
        FinishReason::Length => "length",
        FinishReason::ToolCalls => "tool_calls",
        FinishReason::ContentFilter => "content_filter",
        FinishReason::Other => "other",
    }
}
