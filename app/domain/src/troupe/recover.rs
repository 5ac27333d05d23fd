//! Taking up runs and agents again after a stop of the server.

use std::collections::HashSet;

use super::{Step, Troupe, agents::Begins};
use crate::{
    agent::Phase,
    id::{AgentId, RunId},
    run::{
        AttemptKey, TaskError,
        decide::{LiveRun, cut_off},
        input::{Action, Rejection},
    },
    time::Timestamp,
};

impl Troupe {
    pub(super) fn recovered(
        &mut self,
        id: RunId,
        now: Timestamp,
        step: &mut Step,
    ) -> Result<(), Rejection> {
        self.with_run(id, now, step, |live, pen| live.recover(pen))?;
        let waits = self
            .runs
            .get(&id)
            .map(LiveRun::children)
            .unwrap_or_default();
        let there: HashSet<RunId> = waits
            .into_iter()
            .filter(|child| self.runs.contains_key(child))
            .collect();
        self.with_run(id, now, step, |live, pen| {
            live.lose_children(pen, |child| there.contains(&child))
        })?;
        let cut = self.runs.get(&id).map(LiveRun::cut_attempts);
        for key in cut.unwrap_or_default() {
            let holder = self
                .worker(&key)
                .map(|agent| (agent.id, agent.spec.model.clone()));
            let can_go_on = self.runs.get(&id).is_some_and(|live| live.can_go_on(&key));
            match holder {
                Some((agent, model)) if can_go_on => {
                    self.recount(&key, model.as_deref());
                    self.start_attempt(&key, agent, Begins::WhereItStood, now, step);
                }
                Some(_) => self.lose_attempt(key, cut_off(), now, step)?,
                None => self.lose_attempt(key, agent_lost(), now, step)?,
            }
        }
        let held = self.runs.get(&id).map(LiveRun::held);
        for (key, _) in held.unwrap_or_default() {
            let told = self
                .runs
                .get(&id)
                .is_some_and(|live| live.told_to_go_on(&key));
            if self.worker(&key).is_none() {
                self.lose_attempt(key, agent_lost(), now, step)?;
            } else if told {
                self.go_on_in_turn(key);
            }
        }
        Ok(())
    }

    /// Counts an attempt for the provider that its agent calls, which a replay does not know.
    pub(super) fn recount(&mut self, key: &AttemptKey, model: Option<&str>) {
        if let Some(live) = self.runs.get_mut(&key.run) {
            let workflow = live.run.workflow_id;
            for provider in live.load() {
                self.load.ease(workflow, provider);
            }
            live.count_load(key, model);
            for provider in live.load() {
                self.load.add(workflow, provider);
            }
        }
    }

    pub(super) fn agent_recovered(
        &mut self,
        id: AgentId,
        now: Timestamp,
        step: &mut Step,
    ) -> Result<(), Rejection> {
        let Some(agent) = self.agents.get(&id) else {
            return Ok(());
        };
        match agent.state.phase() {
            Phase::Spawning => step.actions.push(Action::PrepareAgent(id)),
            Phase::Idle => self.set_idle_timer(id, now, step),
            Phase::Working | Phase::Paused => {
                let is_over = |key: &&AttemptKey| {
                    let live = self.runs.get(&key.run);
                    !live.is_some_and(|live| live.is_current(key) || live.is_held(key))
                };
                let over: Vec<AttemptKey> = agent.attempts().filter(is_over).cloned().collect();
                for key in over {
                    self.release(id, &key, None, now, step)?;
                }
            }
            // A log of an older version may hold such a one.
            Phase::Error if agent.on_demand => {
                let reason = "set aside: nobody would bring it back".to_owned();
                self.terminate(id, reason, now, step)?;
            }
            Phase::Error | Phase::Terminated => {}
        }
        Ok(())
    }
}

fn agent_lost() -> TaskError {
    TaskError::passing(
        "agent_lost",
        "The agent that worked on this is gone. Another one takes over.",
    )
}
