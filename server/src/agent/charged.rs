//! A model call whose answer began: from then on it may be charged, whatever becomes of it.

use domain::run::{AttemptKey, input::Outcome};

use super::{AttemptContext, Over, turn::name_of};
use crate::{llm::Resolved, store::calls::OpenCall};

/// A call that may be charged. However it ends, its cost is looked for unless it is stored.
pub struct Charged<'a> {
    context: &'a AttemptContext,
    call: Option<OpenCall>,
}

impl<'a> Charged<'a> {
    /// Returns once the log knows of it, so that neither a stop nor a crash forgets what it costs.
    pub async fn begin(
        context: &'a AttemptContext,
        key: &AttemptKey,
        asked: &Resolved,
        turn: u32,
        generation_id: Option<String>,
    ) -> Result<Self, Over> {
        let AttemptContext { desk, clock, .. } = context;
        let began = Outcome::CallBegan {
            key: key.clone(),
            turn,
            generation_id: generation_id.clone(),
            model: name_of(asked),
        };
        let charged = Self {
            context,
            call: generation_id.map(|generation_id| OpenCall {
                generation_id,
                provider: asked.provider.clone(),
                model: asked.model.clone(),
                key: key.clone(),
                turn,
                began_at: clock.now(),
            }),
        };
        desk.report(began).await?;
        Ok(charged)
    }

    /// The provider's name for it, where it can say later what it cost.
    pub fn generation_id(&self) -> Option<String> {
        self.call.as_ref().map(|call| call.generation_id.clone())
    }

    /// Its cost is stored.
    pub fn settled(mut self) {
        self.call = None;
    }
}

impl Drop for Charged<'_> {
    fn drop(&mut self) {
        if let Some(call) = self.call.take() {
            self.context.desk.call_over(call);
        }
    }
}
