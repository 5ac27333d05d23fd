//! Recorded answers in the place of calls: an attempt of a run that is played back asks here before it
//! calls anybody.

use std::sync::Arc;

use domain::{
    id::RunId,
    money::MicroUsd,
    run::{
        CostIs, TaskError, Turn, TurnRecord,
        input::Outcome,
        recording::{Cue, Playback, RecordedAnswer, RecordedCall},
    },
    time::Timestamp,
};
use futures::future::BoxFuture;

use super::turn::{End, Work};

/// Where recordings are.
pub trait Recordings: Send + Sync {
    /// What `playing` plays: the answers that models gave in `recorded`. The same for as long as the
    /// run that plays them goes on.
    fn playback(
        &self,
        playing: RunId,
        recorded: RunId,
    ) -> BoxFuture<'_, Result<Arc<Playback>, TaskError>>;
}

impl Work<'_> {
    /// Takes a turn with the answer that is recorded for it; `false` where the model is to be called.
    pub(super) async fn play_back(&mut self, number: u32) -> Result<bool, End> {
        let Some(how) = self.spec.replay.clone() else {
            return Ok(false);
        };
        let recordings = &self.context.recordings;
        let playback = recordings.playback(self.spec.key.run, how.run).await;
        let playback = playback.map_err(End::Failed)?;
        let prompt = self.fingerprint();
        let live = |turn: &Turn| turn.done.as_ref().is_some_and(|done| !done.replayed);
        let left = self.turns.iter().any(live);
        let key = self.spec.key.clone();
        let call = match playback.cue(&how, &key.task, number, &prompt, left) {
            Cue::Answer(call) => call,
            Cue::Call => return Ok(false),
            Cue::Fail(error) => return Err(End::Failed(error)),
            Cue::Ask(question) => {
                let asks = Outcome::PromptChanged { key, question };
                self.context.desk.report(asks).await?;
                // It is begun again where a person says how.
                return Err(End::Over);
            }
        };
        let record = record(call);
        let played = Outcome::PlayedBack {
            key,
            turn: number,
            prompt,
            record: Box::new(record.clone()),
        };
        let messages = self.context.desk.report(played).await?;
        self.turns.push(Turn {
            number,
            model: call.model.clone(),
            simulated: call.simulated,
            reserved: None,
            started_at: Timestamp::default(),
            began: None,
            done: Some(record),
            tools: Vec::new(),
            messages,
            failures: Vec::new(),
            late: Vec::new(),
            unpriced: Vec::new(),
        });
        Ok(true)
    }
}

/// A recorded answer as that of a call that took nothing.
fn record(call: &RecordedCall) -> TurnRecord {
    let RecordedAnswer {
        text,
        tool_calls,
        reasoning_details,
        finish_reason,
        prompt_tokens,
        completion_tokens,
    } = call.answer.clone();
    let (provider, model) = call.model.split_once(':').unwrap_or(("", &call.model));
    TurnRecord {
        provider: provider.to_owned(),
        model: model.to_owned(),
        text,
        tool_calls,
        reasoning_details,
        prompt_tokens,
        completion_tokens,
        cached_tokens: None,
        reasoning_tokens: None,
        cost_usd: Some(MicroUsd(0)),
        assumed_usd: None,
        assumed_tokens: None,
        simulated: call.simulated,
        replayed: true,
        cost_is: CostIs::Charged,
        finish_reason,
        generation_id: None,
        first_token_ms: None,
        duration_ms: 0,
    }
}

#[cfg(test)]
mod tests;
