//! Runs: accepted, begun, taken up again, held together with those below them.

use super::{Step, Troupe};
use crate::{
    event::{Event, Fact},
    id::{RunId, TaskName},
    run::{
        AttemptKey, Replay, Run, RunEvent,
        decide::{Control, LiveRun, Pen},
        input::{Rejection, RetryRun, StartRun},
    },
    time::Timestamp,
};

impl Troupe {
    /// Accepts and begins a run; `above` is the task that waits for it, and how deep it stands.
    pub(super) fn start_run(
        &mut self,
        by: &str,
        start: StartRun,
        above: Option<(TaskName, u32)>,
        now: Timestamp,
        step: &mut Step,
    ) -> Result<(), Rejection> {
        let StartRun {
            run,
            workflow,
            version,
            workflow_name,
            graph,
            input,
            budget_usd,
            budget_tokens,
            on_budget,
            parent,
            seed,
            only,
            replay,
        } = start;
        if let Some(only) = &only
            && graph.find(only.as_str()).is_none()
        {
            return Err(Rejection::NoSuchNode(only.clone()));
        }
        let event = RunEvent::Queued {
            workflow_name,
            workflow_version: version,
            input,
            budget_usd,
            budget_tokens,
            on_budget,
            by: by.to_owned(),
            parent_run_id: parent,
            parent_task: above.as_ref().map(|(task, _)| task.clone()),
            depth: above.map_or(0, |(_, depth)| depth),
            seed,
            only: only.as_ref().map(TaskName::of),
            replay,
        };
        let accepted = Event {
            seq: self.head + 1,
            run_seq: Some(1),
            at: now,
            fact: Fact::Run {
                run,
                workflow,
                event,
            },
        };
        let state = Run::queued(&accepted, &graph)
            .map_err(|misfit| Rejection::Contradiction(misfit.to_string()))?;
        self.head += 1;
        step.events.push(accepted);
        self.limit_run(&state);
        self.runs.insert(run, LiveRun::new(state, graph));
        self.queue(run);
        self.with_run(run, now, step, |live, pen| live.start(pen))
    }

    /// Takes up a run again that ended.
    pub(super) fn retry_run(
        &mut self,
        by: &str,
        retry: RetryRun,
        now: Timestamp,
        step: &mut Step,
    ) -> Result<(), Rejection> {
        let RetryRun { run, ended } = retry;
        if !self.runs.contains_key(&run) {
            let ended = ended.ok_or(Rejection::NoSuchRun(run))?;
            ended.run.state.allows(Control::Retry)?;
            self.take_ended(run, *ended)?;
        }
        self.with_run(run, now, step, |live, pen| live.retry(pen, by))?;
        self.ended_again.entry(run).or_insert(0);
        self.queue(run);
        Ok(())
    }

    /// Takes in a run that ended, unless the copy is older than what became of it since.
    pub(super) fn take_ended(&mut self, run: RunId, ended: LiveRun) -> Result<(), Rejection> {
        let seen = ended.run.last_run_seq;
        let newest = self.ended_again.get(&run).copied().unwrap_or(seen);
        if newest != seen || ended.run.id != run {
            return Err(Rejection::Stale);
        }
        self.adopt_run(ended);
        Ok(())
    }

    /// Asks a run and then all runs below it.
    pub(super) fn each_below(
        &mut self,
        run: RunId,
        now: Timestamp,
        step: &mut Step,
        ask: &dyn Fn(&mut LiveRun, &mut Pen<'_>) -> Result<(), Rejection>,
    ) -> Result<(), Rejection> {
        let children = match self.runs.get(&run) {
            Some(live) => live.children(),
            None => return Err(Rejection::NoSuchRun(run)),
        };
        self.with_run(run, now, step, ask)?;
        for child in children {
            if self.runs.contains_key(&child) {
                self.each_below(child, now, step, ask)?;
                self.queue(child);
            }
        }
        Ok(())
    }

    /// The workflow of a child run was found: it begins, and the task waits for it.
    pub(super) fn child_found(
        &mut self,
        key: AttemptKey,
        start: StartRun,
        now: Timestamp,
        step: &mut Step,
    ) -> Result<(), Rejection> {
        let live = self
            .runs
            .get(&key.run)
            .ok_or_else(|| Rejection::AttemptOver(key.clone()))?;
        let depth = live.run.depth + 1;
        let by = live.run.started_by.clone();
        let child = start.run;
        let replay = live.run.replay.clone().map(|replay| Replay {
            within: [replay.within, vec![key.task.clone()]].concat(),
            ..replay
        });
        self.with_run(key.run, now, step, |live, pen| {
            live.child_begins(pen, &key, child)
        })?;
        let start = StartRun {
            parent: Some(key.run),
            replay,
            ..start
        };
        self.start_run(&by, start, Some((key.task, depth)), now, step)?;
        let held = self
            .runs
            .get(&key.run)
            .is_some_and(|live| live.run.is_paused());
        if held {
            let by = by.as_str();
            self.with_run(child, now, step, |live, pen| {
                match live.run.state.is_final() {
                    true => Ok(()),
                    false => live.pause(pen, by),
                }
            })?;
        }
        Ok(())
    }
}
