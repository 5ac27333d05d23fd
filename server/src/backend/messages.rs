//! Messages of agents: read from the log, written through the kernel.

use std::collections::{HashMap, hash_map::Entry};

use app::{
    api::dto::{Actor, AgentMessage, AgentName},
    error::ApiError,
};
use domain::{
    agent::AgentEvent,
    event::{Event, Fact},
    id::AgentId,
    message::Recipient,
    run::input::Command,
};

use super::{Product, broken};

/// Most messages that are shown.
const SHOWN: u32 = 200;

impl Product {
    pub(super) async fn messages_of(&self, id: AgentId) -> Result<Vec<AgentMessage>, ApiError> {
        let own = self.store.agent(id).await.map_err(broken)?;
        let own = own.ok_or_else(|| ApiError::not_found("agent"))?;
        let mut names = HashMap::from([(id, own.spec.name)]);
        let mut messages = Vec::new();
        for frame in self.store.messages(id, SHOWN).await.map_err(broken)? {
            let Ok(event) = Event::from_frame(frame) else {
                continue;
            };
            let (seq, at) = (event.seq, event.at);
            let Fact::Agent {
                agent: to,
                event: AgentEvent::Message(message),
            } = event.fact
            else {
                continue;
            };
            let name = match names.entry(to) {
                Entry::Occupied(known) => known.get().clone(),
                Entry::Vacant(unknown) => {
                    let agent = self.store.agent(to).await.map_err(broken)?;
                    let name = agent.map(|agent| agent.spec.name).unwrap_or_default();
                    unknown.insert(name).clone()
                }
            };
            messages.push(AgentMessage {
                seq,
                at,
                to: AgentName { id: to, name },
                message,
            });
        }
        Ok(messages)
    }

    pub(super) async fn write_to(
        &self,
        actor: &Actor,
        id: AgentId,
        text: String,
    ) -> Result<(), ApiError> {
        if self.store.agent(id).await.map_err(broken)?.is_none() {
            return Err(ApiError::not_found("agent"));
        }
        let to = Recipient::Agent(id);
        self.command(actor, Command::SendMessage { to, text }, None)
            .await
            .map(|_| ())
    }
}
