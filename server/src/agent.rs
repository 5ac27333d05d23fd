//! What an agent does in one attempt: it asks its model, runs the tools that the model asks for, and
//! goes on until there is an answer.
//!
//! Reading order: this file (what an attempt needs) · `turn` (the loop) · `prompt` (what the model is
//! told) · `output` (whether an answer is one) · `tools` · `replay` (recorded answers in the place of
//! calls).
//!
//! Each step is reported and stored before the next one begins, so an attempt that was cut goes on
//! behind its last finished turn, and no call that was paid for is made again. Refused here: deciding
//! whether to try again, keeping any state of a run, and touching files outside the agent's directory.

mod charged;
mod fingerprint;
mod output;
mod prompt;
mod quote;
mod replay;
pub mod tools;
mod turn;

use std::{path::PathBuf, sync::Arc};

use domain::{
    frame::Delta,
    message::{Message, Recipient},
    run::{AttemptKey, input::Outcome},
};
use futures::future::BoxFuture;
use tokio_util::sync::CancellationToken;

pub use self::{replay::Recordings, tools::Tools, turn::attempt};
use crate::{clock::Clock, llm::Providers, store::calls::OpenCall};

/// Where an agent hands in what it has. The engine's side of it is the kernel and the bus.
pub trait Desk: Send + Sync {
    /// Hands in an outcome; returns once it is stored, with messages to the agent: those come with
    /// a recorded answer alone. `Over`: nobody wants this attempt any more.
    fn report(&self, outcome: Outcome) -> BoxFuture<'_, Result<Vec<Message>, Over>>;

    /// Asks whether a call may be made ([`Outcome::TurnStarted`]); returns once its start is stored, with
    /// messages to the agent.
    fn ask(&self, call: Outcome) -> BoxFuture<'_, Result<Vec<Message>, NoCall>>;

    /// Sends a message from an attempt; returns once it is stored.
    fn send(
        &self,
        key: AttemptKey,
        to: Recipient,
        text: String,
    ) -> BoxFuture<'_, Result<(), NotSent>>;

    /// Shows a piece of text that is being written. May be lost; never waits.
    fn show(&self, delta: Delta);

    /// A call is over that may be charged, and nobody said what it cost. Never waits.
    fn call_over(&self, call: OpenCall);
}

/// The attempt was ended from outside: the agent lays down its work and says nothing more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Over;

/// Why a call is not made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoCall {
    /// Nobody wants the attempt any more, or it is taken up again later.
    Over,
    /// Its model may not be called now, and another one may.
    Shut,
    /// No other model may be called now: the attempt ends as the call before did.
    NoOther,
}

/// Why a message was not sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NotSent {
    /// Nobody wants the attempt any more.
    Over,
    /// The rules are against it; the text says why.
    Refused(String),
}

/// What an attempt needs beside its task.
#[derive(Clone)]
pub struct AttemptContext {
    /// Where outcomes and text go.
    pub desk: Arc<dyn Desk>,
    /// Where model calls go.
    pub providers: Arc<Providers>,
    /// What time it is.
    pub clock: Arc<dyn Clock>,
    /// The tools there are.
    pub tools: Arc<Tools>,
    /// Where recorded answers are.
    pub recordings: Arc<dyn Recordings>,
    /// The agent's own directory.
    pub workspace: PathBuf,
    /// Ends the attempt at any point.
    pub stop: CancellationToken,
}

#[cfg(test)]
mod tests;
