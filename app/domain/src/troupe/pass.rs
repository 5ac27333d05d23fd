//! One pass of dispatch: ready tasks go to agents, one task of each run in turn, so that a large run
//! does not starve a small one; agents are spawned where none fits.

use std::collections::VecDeque;

use super::{Step, Troupe, agents::Begins};
use crate::{
    agent::AgentEvent,
    breaker::Way,
    dispatch::{Lane, Promised},
    graph::Who,
    id::{AgentId, IdSource, RunId},
    run::{
        decide::{LiveRun, TaskIx},
        input::{Action, Rejection, Timer},
    },
    time::Timestamp,
};

/// Requests that one pass may begin, as each is filled in then: after them others have their turn.
const REQUESTS_AT_ONCE: usize = 256;

impl Troupe {
    /// Gives ready tasks to agents, and spawns agents where none fits.
    pub fn dispatch(
        &mut self,
        now: Timestamp,
        ids: &mut dyn IdSource,
        step: &mut Step,
    ) -> Result<(), Rejection> {
        self.let_held_go_on(now, step)?;
        if !std::mem::take(&mut self.stirred) {
            return Ok(());
        }
        let mut promised = Promised::default();
        let mut requests = 0;
        let mut turn = std::mem::take(&mut self.turn);
        let mut waiting = VecDeque::new();
        while let Some(id) = turn.pop_front() {
            let Some(live) = self.runs.get(&id) else {
                self.in_turn.remove(&id);
                continue;
            };
            // A run that is held, or has nothing ready, comes back when that changes.
            let over = live.run.state.is_final() || live.run.is_paused();
            if over || live.ready.is_empty() {
                self.in_turn.remove(&id);
                continue;
            }
            if self.place_one(id, &mut requests, now, step)? || self.bring_back(id, now, step)? {
                turn.push_back(id);
            } else {
                if self.park_shut(id, now, step)? {
                    let timer = Timer::SpawnAgain;
                    step.actions.push(Action::SetTimer { at: now, timer });
                }
                self.spawn_missing(id, &mut promised, ids, now, step);
                waiting.push_back(id);
            }
        }
        self.turn.append(&mut waiting);
        if requests >= REQUESTS_AT_ONCE {
            let timer = Timer::SpawnAgain;
            step.actions.push(Action::SetTimer { at: now, timer });
        }
        Ok(())
    }

    /// How many more tasks of a run may be worked on. What a workflow says holds for all of its runs together.
    fn room(&self, id: RunId) -> usize {
        let Some(live) = self.runs.get(&id) else {
            return 0;
        };
        let of_run = self.limits.max_parallel_per_run;
        let of_run = of_run.saturating_sub(live.at_work());
        let of_workflow = live.graph.max_parallel.map_or(usize::MAX, |most| {
            most.saturating_sub(self.load.of_workflow(live.run.workflow_id))
        });
        let of_server = self.limits.max_parallel.saturating_sub(self.load.all);
        of_run.min(of_workflow).min(of_server)
    }

    /// Begins one ready task of a run; `false` where none can begin now.
    fn place_one(
        &mut self,
        id: RunId,
        requests: &mut usize,
        now: Timestamp,
        step: &mut Step,
    ) -> Result<bool, Rejection> {
        if self.room(id) == 0 {
            return Ok(false);
        }
        let Some((lane, agent)) = self.open_lane(id, *requests < REQUESTS_AT_ONCE, now) else {
            return Ok(false);
        };
        *requests += usize::from(agent.is_none());
        let Some(live) = self.runs.get_mut(&id) else {
            return Ok(false);
        };
        let Some(task) = live.ready.take(&lane) else {
            return Ok(false);
        };
        if !live.is_ready(task) {
            return Ok(true);
        }
        match agent {
            Some(agent) => self.assign(id, task, agent, now, step)?,
            None => self.with_run(id, now, step, |live, pen| live.start_http(pen, task))?,
        }
        Ok(true)
    }

    /// The first kind of ready task that can begin, with the agent for it.
    fn open_lane(
        &self,
        id: RunId,
        requests: bool,
        now: Timestamp,
    ) -> Option<(Lane, Option<AgentId>)> {
        let live = self.runs.get(&id)?;
        let fits = |provider: &str| self.load.of(provider) < self.limits.max_parallel_per_provider;
        live.ready.lanes().find_map(|(lane, tasks)| match lane {
            Lane::Http => requests.then(|| (lane.clone(), None)),
            Lane::Agent { who, .. } => {
                let agent = self.roster.find(who)?;
                let model = self.agents.get(&agent)?.spec.model.as_deref();
                let task = *tasks.front()?;
                let provider = live.provider_of(task, model);
                let open =
                    fits(&provider) && self.way_of(live, task, Some(agent), now) == Way::Free;
                open.then(|| (lane.clone(), Some(agent)))
            }
        })
    }

    /// Whether the models of a task may be called now.
    fn way_of(&self, live: &LiveRun, task: TaskIx, agent: Option<AgentId>, now: Timestamp) -> Way {
        if self.doors.is_quiet() || live.calls_nobody(task) {
            return Way::Free;
        }
        let agent = agent.and_then(|agent| self.agents.get(&agent));
        let models = live.models_of(task, agent.map(|agent| &agent.spec));
        self.doors.way_of(&models, now)
    }

    /// The first kind of ready task whose models may not be called before a known moment.
    pub(super) fn shut_lane(&self, id: RunId, now: Timestamp) -> Option<(Lane, Timestamp)> {
        let live = self.runs.get(&id)?;
        live.ready.lanes().find_map(|(lane, tasks)| match lane {
            Lane::Http => None,
            Lane::Agent { who, .. } => {
                match self.way_of(live, *tasks.front()?, self.roster.find(who), now) {
                    Way::Free | Way::Full => None,
                    Way::Shut(until) => Some((lane.clone(), until)),
                }
            }
        })
    }

    fn assign(
        &mut self,
        id: RunId,
        task: usize,
        agent: AgentId,
        now: Timestamp,
        step: &mut Step,
    ) -> Result<(), Rejection> {
        let Some(worker) = self.agents.get(&agent).cloned() else {
            return Ok(());
        };
        let mut key = None;
        self.with_run(id, now, step, |live, pen| {
            key = Some(live.assign(pen, task, &worker)?);
            Ok(())
        })?;
        if let Some(key) = key {
            self.change_agent(agent, AgentEvent::Working { on: key.clone() }, now, step)?;
            self.start_attempt(&key, agent, Begins::WithCall, now, step);
        }
        Ok(())
    }

    /// Spawns agents for ready tasks that none fits, as many as may be worked on.
    fn spawn_missing(
        &mut self,
        id: RunId,
        promised: &mut Promised,
        ids: &mut dyn IdSource,
        now: Timestamp,
        step: &mut Step,
    ) {
        if now < self.broken.1 {
            return;
        }
        let room = self.room(id);
        let Some(live) = self.runs.get(&id) else {
            return;
        };
        let wanted = live.ready.lanes().filter_map(|(lane, tasks)| match lane {
            Lane::Agent {
                who: Who::Capable(wanted),
                model,
            } => Some((wanted.clone(), model.clone(), tasks.len().min(room))),
            Lane::Agent {
                who: Who::Named(_), ..
            }
            | Lane::Http => None,
        });
        for (wanted, model, tasks) in wanted.collect::<Vec<_>>() {
            // Who is free but may not call its provider now is not helped by more agents.
            let who = Who::Capable(wanted);
            let Who::Capable(wanted) = &who else { continue };
            let held = self.roster.find(&who).is_some();
            let provider = crate::run::decide::provider(model.as_deref());
            let full = self.load.of(provider) >= self.limits.max_parallel_per_provider;
            if held || full {
                continue;
            }
            for _ in 0..self.roster.missing(wanted, tasks, promised) {
                if self.agents.len() >= self.limits.max_agents {
                    return;
                }
                promised.count(wanted);
                self.spawn_on_demand(ids.agent_id(), wanted.clone(), now, step);
            }
        }
    }
}
