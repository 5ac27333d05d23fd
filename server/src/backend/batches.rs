//! Many runs of one workflow, accepted in one commit: all of them, or none.

use app::{
    api::dto::{Accepted, Actor},
    error::ApiError,
};
use async_trait::async_trait;
use domain::{
    budget::Budget,
    id::WorkflowId,
    run::input::{Command, Input, StartRun},
};
use serde_json::Value;

use super::{
    Product, in_time, refused,
    runs::{bad_input, start_digest, start_key},
};
use crate::{engine::run_input::BadInput, web::Batches};

#[async_trait]
impl Batches for Product {
    async fn start_batch(
        &self,
        actor: &Actor,
        workflow: WorkflowId,
        inputs: Vec<Value>,
        budget: Budget,
        idempotency_key: Option<String>,
    ) -> Result<Vec<Accepted>, ApiError> {
        let runnable = self.runnable(workflow).await?;
        let mut starts = Vec::with_capacity(inputs.len());
        let mut wrong = Vec::new();
        for (at, given) in inputs.into_iter().enumerate() {
            let key = idempotency_key.as_ref().map(|key| format!("{key}/{at}"));
            let asked = start_digest(&given, &budget);
            let place = format!("batch/{workflow}");
            let key = start_key(actor, &place, key.as_deref(), &asked)?;
            match runnable.start(given) {
                Ok(start) => starts.push((
                    StartRun {
                        budget_usd: budget.usd,
                        budget_tokens: budget.tokens,
                        on_budget: budget.on_budget,
                        ..start
                    },
                    key,
                )),
                Err(error) => wrong.push(format!("Number {}: {}", at + 1, error.message)),
            }
        }
        if !wrong.is_empty() {
            return Err(bad_input(BadInput(wrong)));
        }
        let mut accepted = Vec::with_capacity(starts.len());
        let mut fresh = Vec::new();
        for (start, key) in starts {
            match self.known_start(key.as_ref()).await? {
                Some(known) => accepted.push(Some(known)),
                None => {
                    accepted.push(None);
                    let command = Command::StartRun(Box::new(start));
                    let by = actor.name.clone();
                    fresh.push((Input::Command { by, command }, key));
                }
            }
        }
        let mut receipts = in_time(self.kernel.submit_together(fresh))
            .await?
            .map_err(|refusal| refused(&refusal))?
            .into_iter();
        let mut next = || {
            let receipt = receipts.next()?.map_err(|refusal| refused(&refusal));
            Some(receipt.map(|receipt| Some((receipt.run?, receipt.seq))))
        };
        accepted
            .into_iter()
            .map(|known| match known {
                Some(known) => Ok(known),
                None => match next().transpose()?.flatten() {
                    Some((id, seq)) => Ok(Accepted { id, seq }),
                    None => Err(ApiError::internal("A run of the batch got no answer.")),
                },
            })
            .collect()
    }
}
