//! Agents: spawned, changed, given work, freed of it, ended.

use std::collections::HashSet;

use super::{Step, Troupe};
use crate::{
    agent::{Agent, AgentEvent, AgentSpec, Phase},
    breaker::Way,
    dispatch::Lane,
    event::Fact,
    graph::{Who, Work},
    id::{AgentId, RunId},
    money::MicroUsd,
    run::{
        AttemptKey, TaskError,
        decide::{LiveRun, TaskIx},
        input::{Action, AttemptSpec, Rejection, Timer},
        render::{instructions_of, prompt_of},
    },
    time::Timestamp,
};

/// The wait after agents that could not be made ready, in milliseconds; doubles each time.
const BROKEN_WAIT_MS: u64 = 1_000;
/// The longest of these waits.
const BROKEN_WAIT_MAX_MS: u64 = 60_000;

/// With what an attempt begins, or goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Begins {
    /// With a call.
    WithCall,
    /// With whatever it was at when it was cut: tools, perhaps.
    WhereItStood,
}

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

    /// An agent that is broken takes no more work. Nobody would bring back one that was spawned on
    /// demand: it ends, and another takes its place.
    pub(super) fn set_aside(
        &mut self,
        id: AgentId,
        error: TaskError,
        now: Timestamp,
        step: &mut Step,
    ) -> Result<(), Rejection> {
        let reason = format!("set aside: {}", error.message);
        self.change_agent(id, AgentEvent::Error { error }, now, step)?;
        if self.agents.get(&id).is_some_and(|agent| agent.on_demand) {
            self.terminate(id, reason, now, step)?;
        }
        Ok(())
    }

    /// What broke one agent on its way would break the next: waits before another is spawned.
    pub(super) fn await_mending(&mut self, now: Timestamp, step: &mut Step) {
        let (times, until) = self.broken;
        // Those that were on their way at the same time broke of the same: they count as one.
        if now < until {
            return;
        }
        let wait_ms = BROKEN_WAIT_MS
            .saturating_mul(1 << times.min(16))
            .min(BROKEN_WAIT_MAX_MS);
        let at = now.plus_ms(wait_ms);
        self.broken = (times.saturating_add(1), at);
        step.actions.push(Action::SetTimer {
            at,
            timer: Timer::SpawnAgain,
        });
    }

    /// Brings back the first agent that crashed and that a ready task of this run asks for by name:
    /// nobody else may do it, and the run would wait without a word. It ends, as each crash costs a
    /// task one of its tries.
    pub(super) fn bring_back(
        &mut self,
        id: RunId,
        now: Timestamp,
        step: &mut Step,
    ) -> Result<bool, Rejection> {
        let crashed = self.runs.get(&id).and_then(|live| {
            live.ready.lanes().find_map(|(lane, tasks)| {
                let Lane::Agent {
                    who: Who::Named(name),
                    ..
                } = lane
                else {
                    return None;
                };
                let agent = self.agents.get(self.names.get(name)?)?;
                let asked = agent.has_crashed() && tasks.iter().any(|task| live.is_ready(*task));
                asked.then_some(agent.id)
            })
        });
        let Some(agent) = crashed else {
            return Ok(false);
        };
        let by = "troupe".to_owned();
        self.change_agent(agent, AgentEvent::Resumed { by }, now, step)?;
        Ok(true)
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
        if agent.on_demand && agent.state.phase() == Phase::Idle {
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
        begins: Begins,
        now: Timestamp,
        step: &mut Step,
    ) {
        let (Some(live), Some(worker)) = (self.runs.get(&key.run), self.agents.get(&agent)) else {
            return;
        };
        let Some(place) = live.find(&key.task) else {
            return;
        };
        let Work::Agent(work) = &live.node(place).work else {
            return;
        };
        let task = &live.run.tasks[place];
        let turns = task
            .attempt(key.attempt)
            .map(|attempt| attempt.turns.clone())
            .unwrap_or_default();
        let instructions =
            instructions_of(task).map_or_else(|| worker.spec.instructions.clone(), str::to_owned);
        let mut models = live.models_of(place, Some(&worker.spec));
        // The first that may be called keeps a place for it, so that of many only as many begin as may.
        if begins == Begins::WithCall && !self.doors.is_quiet() && !live.calls_nobody(place) {
            let mut left = self
                .models_left(live, key, place, Some(&worker.spec))
                .into_iter();
            let free = left.find(|model| self.doors.way(model, now) == Way::Free);
            if let Some(free) = free {
                self.doors.enter(&free, key, now);
            }
        }
        let model = Some(models.remove(0)).filter(|model| !model.is_empty());
        step.actions
            .push(Action::StartAttempt(Box::new(AttemptSpec {
                key: key.clone(),
                workflow: live.run.workflow_id,
                agent,
                agent_name: worker.spec.name.clone(),
                prompt: prompt_of(task).to_owned(),
                instructions,
                model,
                models,
                preferences: work
                    .preferences
                    .clone()
                    .unwrap_or_else(|| worker.spec.provider.clone()),
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
                replay: live.replay_of(place),
            })));
        let live = self.runs.get_mut(&key.run);
        if let Some(at) = live.and_then(|live| live.limit_agent(place, now)) {
            let timer = Timer::AttemptTimeout(key.clone());
            step.actions.push(Action::SetTimer { at, timer });
        }
    }

    /// The models that an attempt may still ask in the turn that it is at, in order; never empty.
    pub(super) fn models_left(
        &self,
        live: &LiveRun,
        key: &AttemptKey,
        place: TaskIx,
        agent: Option<&AgentSpec>,
    ) -> Vec<String> {
        let models = live.models_of(place, agent);
        let failed: HashSet<&str> = live
            .failed_in_turn(key)
            .map(|it| it.model.as_str())
            .collect();
        let left = models
            .iter()
            .filter(|name| !failed.contains(self.doors.model(name)));
        let left: Vec<String> = left.cloned().collect();
        if left.is_empty() { models } else { left }
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
