//! Agents: spawned, changed, given work, freed of it, ended.

use super::{Step, Troupe};
use crate::{
    agent::{Agent, AgentEvent, AgentSpec, Phase},
    event::Fact,
    graph::Work,
    id::AgentId,
    money::MicroUsd,
    run::{
        AttemptKey, TaskError,
        input::{Action, AttemptSpec, Rejection, Timer},
        render::{instructions_of, prompt_of},
    },
    time::Timestamp,
};

impl Troupe {
    pub(super) fn terminate(
        &mut self,
        id: AgentId,
        reason: String,
        now: Timestamp,
        step: &mut Step,
    ) -> Result<(), Rejection> {
        let agent = self.agents.get(&id).ok_or(Rejection::NoSuchAgent(id))?;
        let on: Vec<AttemptKey> = agent.attempts().cloned().collect();
        self.change_agent(id, AgentEvent::Terminated { reason }, now, step)?;
        step.actions.push(Action::ReleaseAgent(id));
        self.over.1.push(id);
        for key in on {
            step.actions.push(Action::StopAttempt(key.clone()));
            let error = TaskError::passing(
                "agent_terminated",
                "The agent was ended while it worked on this. Another one takes over.",
            );
            self.lose_attempt(key, error, now, step)?;
        }
        Ok(())
    }

    pub(super) fn spawn_on_demand(
        &mut self,
        id: AgentId,
        capabilities: Vec<String>,
        now: Timestamp,
        step: &mut Step,
    ) {
        let role = capabilities
            .first()
            .cloned()
            .unwrap_or_else(|| "generalist".to_owned());
        let name = loop {
            let number = self.numbers.entry(role.clone()).or_default();
            *number += 1;
            let name = format!("{role}-{number}");
            if !self.names.contains_key(&name) {
                break name;
            }
        };
        let spec = AgentSpec {
            name,
            capabilities,
            ..AgentSpec::default()
        };
        self.spawn(id, spec, true, None, now, step);
    }

    pub(super) fn spawn(
        &mut self,
        id: AgentId,
        spec: AgentSpec,
        on_demand: bool,
        by: Option<String>,
        now: Timestamp,
        step: &mut Step,
    ) {
        let event = AgentEvent::Spawned {
            spec,
            on_demand,
            by,
        };
        if let Some(agent) = Agent::spawned(id, now, &event) {
            self.adopt_agent(agent);
            self.record(Fact::Agent { agent: id, event }, now, step);
            step.actions.push(Action::PrepareAgent(id));
        }
    }

    pub(super) fn change_agent(
        &mut self,
        id: AgentId,
        event: AgentEvent,
        now: Timestamp,
        step: &mut Step,
    ) -> Result<(), Rejection> {
        let agent = self.agents.get_mut(&id).ok_or(Rejection::NoSuchAgent(id))?;
        let before = agent.state.phase();
        agent.apply(now, &event)?;
        let after = agent.state.phase();
        if before != after {
            *self.phases.entry(before).or_default() -= 1;
            *self.phases.entry(after).or_default() += 1;
        }
        self.roster.note(agent);
        self.record(Fact::Agent { agent: id, event }, now, step);
        self.stirred = true;
        Ok(())
    }

    pub(super) fn set_idle_timer(&mut self, id: AgentId, now: Timestamp, step: &mut Step) {
        let Some(agent) = self.agents.get(&id) else {
            return;
        };
        if agent.on_demand && matches!(agent.state.phase(), Phase::Idle | Phase::Error) {
            step.actions.push(Action::SetTimer {
                at: now.plus_ms(self.limits.agent_idle_ms),
                timer: Timer::AgentIdle {
                    agent: id,
                    since: agent.updated_at,
                },
            });
        }
    }

    /// Asks for the work on an attempt to begin, or to be taken up again.
    pub(super) fn start_attempt(
        &mut self,
        key: &AttemptKey,
        agent: AgentId,
        now: Timestamp,
        step: &mut Step,
    ) {
        let (Some(live), Some(worker)) = (self.runs.get(&key.run), self.agents.get(&agent)) else {
            return;
        };
        let Some(place) = live.find(&key.task) else {
            return;
        };
        let node = live.node(place);
        let Work::Agent(work) = &node.work else {
            return;
        };
        let task = &live.run.tasks[place];
        let turns = task
            .attempt(key.attempt)
            .map(|attempt| attempt.turns.clone())
            .unwrap_or_default();
        let instructions =
            instructions_of(task).map_or_else(|| worker.spec.instructions.clone(), str::to_owned);
        step.actions
            .push(Action::StartAttempt(Box::new(AttemptSpec {
                key: key.clone(),
                workflow: live.run.workflow_id,
                agent,
                agent_name: worker.spec.name.clone(),
                prompt: prompt_of(task).to_owned(),
                instructions,
                model: work.model.clone().or_else(|| worker.spec.model.clone()),
                tools: work
                    .tools
                    .clone()
                    .unwrap_or_else(|| worker.spec.tools.clone()),
                output_schema: work.output_schema.clone(),
                max_turns: work.max_turns,
                max_tokens: work.max_tokens,
                temperature: work.temperature,
                turns,
                memory: worker.spec.memory,
            })));
        if let Some(limit) = node.timeout_ms {
            let timer = Timer::AttemptTimeout(key.clone());
            step.actions.push(Action::SetTimer {
                at: now.plus_ms(limit),
                timer,
            });
        }
    }

    pub(super) fn lose_attempt(
        &mut self,
        key: AttemptKey,
        error: TaskError,
        now: Timestamp,
        step: &mut Step,
    ) -> Result<(), Rejection> {
        self.with_run(key.run, now, step, |live, pen| live.lost(pen, &key, error))
    }

    /// An attempt of an agent is over: it has room again.
    pub(super) fn release(
        &mut self,
        id: AgentId,
        key: &AttemptKey,
        cost_usd: Option<MicroUsd>,
        now: Timestamp,
        step: &mut Step,
    ) -> Result<(), Rejection> {
        let Some(agent) = self.agents.get(&id) else {
            return Ok(());
        };
        // One that was terminated, or went to error, is not at it any more; no contradiction.
        if !agent.attempts().any(|on| on == key) {
            return Ok(());
        }
        if agent.also.is_empty() {
            self.change_agent(id, AgentEvent::Idle { cost_usd }, now, step)?;
            self.set_idle_timer(id, now, step);
            return Ok(());
        }
        let on = key.clone();
        self.change_agent(id, AgentEvent::Freed { on, cost_usd }, now, step)
    }
}
