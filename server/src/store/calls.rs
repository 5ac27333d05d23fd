//! Model calls whose cost is not known yet. A call is noted in the transaction that stores that its answer
//! began, and removed in the one that stores its cost. What is left names calls that were paid for
//! without a word.

use async_trait::async_trait;
use domain::{run::AttemptKey, time::Timestamp};

use super::StoreError;

/// A model call whose answer began.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenCall {
    /// The provider's name for it.
    pub generation_id: String,
    /// The provider that was asked.
    pub provider: String,
    /// The model that was asked, as the provider knows it.
    pub model: String,
    /// Whose call it is.
    pub key: AttemptKey,
    /// Which.
    pub turn: u32,
    /// When its answer began.
    pub began_at: Timestamp,
}

/// Where they are kept.
#[async_trait]
pub trait OpenCalls: Send + Sync + 'static {
    /// Notes calls whose beginning nobody stored, as their run was over by then.
    async fn note_calls(&self, calls: &[OpenCall]) -> Result<(), StoreError>;
    /// All that are noted, oldest first.
    async fn open_calls(&self) -> Result<Vec<OpenCall>, StoreError>;
    /// Forgets a call, whatever it cost.
    async fn forget_call(&self, generation_id: &str) -> Result<(), StoreError>;
}
