//! Messages: into mailboxes, and with a turn into the agent's hands.

use super::{Step, Troupe, money::Asked};
use crate::{
    agent::{Agent, AgentEvent, Phase},
    budget::Amount,
    id::AgentId,
    message::{MAILBOX, MAX_TEXT, Message, Recipient, Sender},
    run::{AttemptKey, decide::BegunCall, input::Rejection},
    time::Timestamp,
};

impl Troupe {
    /// Who writes from an attempt.
    pub(super) fn sender(&self, key: &AttemptKey) -> Result<Sender, Rejection> {
        let agent = self
            .worker(key)
            .ok_or_else(|| Rejection::AttemptOver(key.clone()))?;
        Ok(Sender::Agent {
            agent_id: agent.id,
            name: agent.spec.name.clone(),
            run_id: key.run,
            task: key.task.clone(),
        })
    }

    /// Puts a message into the mailbox of each that it is for.
    pub(super) fn send(
        &mut self,
        from: Sender,
        to: Recipient,
        text: String,
        now: Timestamp,
        step: &mut Step,
    ) -> Result<(), Rejection> {
        if text.trim().is_empty() || text.len() > MAX_TEXT {
            return Err(Rejection::MessageSize(MAX_TEXT));
        }
        let (receivers, to_topic) = self.receivers(&from, to)?;
        let id = self.head + 1;
        for receiver in receivers {
            let message = Message {
                id,
                from: from.clone(),
                to_topic: to_topic.clone(),
                text: text.clone(),
            };
            self.change_agent(receiver, AgentEvent::Message(message), now, step)?;
        }
        Ok(())
    }

    fn receivers(
        &self,
        from: &Sender,
        to: Recipient,
    ) -> Result<(Vec<AgentId>, Option<String>), Rejection> {
        let alive = |agent: &&Agent| agent.state.phase() != Phase::Terminated;
        let has_room = |agent: &Agent| agent.mailbox.len() < MAILBOX;
        let agent = match to {
            Recipient::Agent(id) => id,
            Recipient::Named(name) => match self.names.get(&name) {
                Some(id) => *id,
                None => return Err(Rejection::NobodyCalled(name)),
            },
            Recipient::Topic(topic) => {
                let writer = match from {
                    Sender::Agent { agent_id, .. } => Some(*agent_id),
                    Sender::Person { .. } => None,
                };
                let listens = |agent: &&Agent| {
                    Some(agent.id) != writer && agent.spec.capabilities.contains(&topic)
                };
                let all = self.agents.values().filter(alive).filter(listens);
                // Whose mailbox is full misses what is said to many; what is said to it alone is
                // refused instead.
                let ids: Vec<AgentId> = all
                    .filter(|agent| has_room(agent))
                    .map(|agent| agent.id)
                    .collect();
                if ids.is_empty() {
                    return Err(Rejection::NobodyListens(topic));
                }
                return Ok((ids, Some(topic)));
            }
        };
        let receiver = self.agents.get(&agent).filter(alive);
        let receiver = receiver.ok_or(Rejection::NoSuchAgent(agent))?;
        if !has_room(receiver) {
            return Err(Rejection::MailboxFull(receiver.spec.name.clone()));
        }
        Ok((vec![agent], None))
    }

    /// A model is about to be called, with this set aside for it, or a recorded answer is given: the
    /// agent is handed what waits in its mailbox. What agents of
    /// other runs wrote is dropped unread, unless the agent remembers other runs.
    pub(super) fn turn_starts(
        &mut self,
        asked: Asked,
        reserved: Option<Amount>,
        now: Timestamp,
        step: &mut Step,
    ) -> Result<(), Rejection> {
        let Asked {
            key,
            turn,
            model,
            others: _,
            simulated,
            quote: _,
            prompt,
        } = asked;
        let replayed = reserved.is_none();
        let waiting = self.worker(&key).map(|agent| {
            let reads = |message: &&Message| {
                agent.spec.memory || message.run().is_none_or(|run| run == key.run)
            };
            let messages: Vec<Message> = agent.mailbox.iter().filter(reads).cloned().collect();
            (agent.id, agent.mailbox.len(), messages)
        });
        let messages = waiting
            .as_ref()
            .map(|(_, _, messages)| messages.clone())
            .unwrap_or_default();
        if !replayed {
            self.note_name(&key, &model);
        }
        self.with_run(key.run, now, step, |live, pen| {
            let call = BegunCall {
                model,
                simulated,
                reserved: reserved.unwrap_or_default(),
                messages,
                prompt,
                replayed,
            };
            live.turn_starts(pen, &key, turn, call)
        })?;
        if let Some((agent, count @ 1.., _)) = waiting {
            let count = u32::try_from(count).unwrap_or(u32::MAX);
            let event = AgentEvent::Read {
                on: key,
                turn,
                count,
            };
            self.change_agent(agent, event, now, step)?;
        }
        Ok(())
    }
}
