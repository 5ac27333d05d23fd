//! The door of the kernel: how inputs come in, and what whoever hands one in is told.

use domain::{
    id::RunId,
    message,
    run::input::{Input, Rejection},
};
use tokio::sync::{mpsc, oneshot};

/// Inputs that may wait for the kernel. Whoever has more to say waits at the door: a commit takes
/// milliseconds, and a full channel means that the disk cannot keep up.
const INBOX: usize = 4_096;

/// What an input led to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    /// The run, where it was a start or the same run taken up again: an earlier one if the key was known.
    pub run: Option<RunId>,
    /// `seq` of the first event that it led to; the head where it led to none.
    pub seq: u64,
    /// Messages that the agent is handed, where it was the start of a turn.
    pub messages: Vec<message::Message>,
}

/// Why an input came to nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The rules are against it.
    #[error(transparent)]
    Rejected(#[from] Rejection),
    /// The key of a start was used for something else.
    #[error("this idempotency key was used for another start: use a new key")]
    KeyReused,
    /// The server is going down.
    #[error("the server is shutting down: try again in a moment")]
    Closing,
}

/// A key under which a start is the same start.
#[derive(Debug, Clone)]
pub struct StartKey {
    /// The key, with whatever it is unique within.
    pub key: String,
    /// A digest of what is asked.
    pub digest: String,
}

/// What one input came to.
pub(super) type Answer = Result<Receipt, Refusal>;

/// Inputs that were handed in together: they share a commit.
pub(super) struct Message {
    pub(super) inputs: Vec<(Input, Option<StartKey>)>,
    pub(super) reply: Option<oneshot::Sender<Vec<Answer>>>,
}

/// The door of the kernel.
#[derive(Debug, Clone)]
pub struct Handle {
    inbox: mpsc::Sender<Message>,
}

impl std::fmt::Debug for Message {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Message")
            .field("inputs", &self.inputs)
            .finish_non_exhaustive()
    }
}

impl Handle {
    /// Hands in an input; returns after everything that it led to is durable.
    pub async fn submit(&self, input: Input) -> Result<Receipt, Refusal> {
        self.submit_with(input, None).await
    }

    /// As `submit`, for a start that must stay the same start under its key.
    pub async fn submit_with(
        &self,
        input: Input,
        key: Option<StartKey>,
    ) -> Result<Receipt, Refusal> {
        let answers = self.submit_together(vec![(input, key)]).await?;
        answers.into_iter().next().ok_or(Refusal::Closing)?
    }

    /// Hands in inputs that share one commit: after a crash all of them are there, or none.
    pub async fn submit_together(
        &self,
        inputs: Vec<(Input, Option<StartKey>)>,
    ) -> Result<Vec<Answer>, Refusal> {
        let (reply, answers) = oneshot::channel();
        let message = Message {
            inputs,
            reply: Some(reply),
        };
        self.inbox
            .send(message)
            .await
            .map_err(|_| Refusal::Closing)?;
        answers.await.map_err(|_| Refusal::Closing)
    }
}

/// A channel into a kernel that is yet to be made.
pub fn inbox() -> (Handle, Inbox) {
    let (sender, receiver) = mpsc::channel(INBOX);
    (Handle { inbox: sender }, Inbox(receiver))
}

/// The kernel's end of the channel.
pub struct Inbox(pub(super) mpsc::Receiver<Message>);
