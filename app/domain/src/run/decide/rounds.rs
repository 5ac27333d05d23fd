//! Maps and loops: when a round of the body begins, and what its end means.

use std::sync::Arc;

use serde_json::Value;

use super::{Decided, LiveRun, MAX_TASKS, Next, Pen, TaskIx, Todo, scope::Fate};
use crate::{
    graph::{LoopWork, MapWork, Work},
    run::{
        TaskError, TaskEvent, TaskState,
        input::{Action, Timer},
    },
};

/// Rounds that one decision may open: then others have their turn.
const ROUNDS_AT_ONCE: usize = 256;

impl LiveRun {
    /// A scope came to its end, well or not.
    pub(super) fn scope_over(
        &mut self,
        pen: &mut Pen<'_>,
        scope: usize,
        todo: &mut Todo,
    ) -> Decided {
        let at = &mut self.scopes[scope];
        if at.fate == Fate::Open {
            at.fate = Fate::Done;
        }
        let Some(owner) = at.owner else {
            return self.finish(pen);
        };
        if let Some(rounds) = self.rounds.get_mut(&owner) {
            rounds.active = rounds.active.saturating_sub(1);
        }
        if !matches!(self.state(owner), TaskState::Running { .. }) {
            return Ok(());
        }
        let graph = Arc::clone(&self.scopes[self.place[owner]].graph);
        let work = &graph.nodes[owner - self.scopes[self.place[owner]].base].work;
        let (looped, dies) = match work {
            Work::Map(map) => (None, !map.goes_on),
            Work::Loop(looped) => (Some(looped), true),
            Work::Agent(_)
            | Work::Transform { .. }
            | Work::Branch { .. }
            | Work::Http(_)
            | Work::Approval { .. }
            | Work::Wait(_)
            | Work::Workflow { .. }
            | Work::Output { .. } => (None, false),
        };
        match (self.scopes[scope].fate.clone(), looped) {
            (Fate::Dead(error), _) if dies => self.fail_rounds(pen, owner, error, todo),
            (Fate::Open | Fate::Done, Some(looped)) => {
                self.round_done(pen, owner, scope, looped, todo)
            }
            (Fate::Open | Fate::Done | Fate::Dead(_), _) => {
                todo.push_back(Next::Advance(owner));
                Ok(())
            }
        }
    }

    /// Opens as many rounds as may be, or ends the map or loop when all are done.
    pub(super) fn advance(&mut self, pen: &mut Pen<'_>, owner: TaskIx, todo: &mut Todo) -> Decided {
        if !matches!(self.state(owner), TaskState::Running { .. }) {
            return Ok(());
        }
        let graph = Arc::clone(&self.scopes[self.place[owner]].graph);
        match &graph.nodes[owner - self.scopes[self.place[owner]].base].work {
            Work::Map(map) => self.advance_map(pen, owner, map, todo),
            Work::Loop(_) => {
                let active = self.rounds.get(&owner).map_or(0, |rounds| rounds.active);
                if active == 0 && !self.run.is_paused() && !self.yields(pen, owner) {
                    return self.open_round(pen, owner, todo).map(drop);
                }
                Ok(())
            }
            Work::Agent(_)
            | Work::Transform { .. }
            | Work::Branch { .. }
            | Work::Http(_)
            | Work::Approval { .. }
            | Work::Wait(_)
            | Work::Workflow { .. }
            | Work::Output { .. } => Ok(()),
        }
    }

    fn advance_map(
        &mut self,
        pen: &mut Pen<'_>,
        owner: TaskIx,
        map: &MapWork,
        todo: &mut Todo,
    ) -> Decided {
        let count = self.items(owner).len();
        loop {
            let (begun, active) = self
                .rounds
                .get(&owner)
                .map_or((0, 0), |rounds| (rounds.scopes.len(), rounds.active));
            if begun >= count {
                if active == 0 {
                    return self.end_map(pen, owner, todo);
                }
                return Ok(());
            }
            if active >= map.concurrency || self.run.is_paused() {
                return Ok(());
            }
            if self.yields(pen, owner) || !self.open_round(pen, owner, todo)? {
                return Ok(());
            }
        }
    }

    /// Whether so much was begun in this decision that the rest has to wait for a moment.
    fn yields(&self, pen: &mut Pen<'_>, owner: TaskIx) -> bool {
        if pen.done.opened < ROUNDS_AT_ONCE {
            return false;
        }
        if let Some(attempt) = self.state(owner).attempt()
            && pen.done.yielded.insert(owner)
        {
            let timer = Timer::GoOn(self.key(owner, attempt));
            pen.actions.push(Action::SetTimer { at: pen.now, timer });
        }
        true
    }

    fn end_map(&mut self, pen: &mut Pen<'_>, owner: TaskIx, todo: &mut Todo) -> Decided {
        let scopes = self
            .rounds
            .get(&owner)
            .map(|rounds| rounds.scopes.as_slice());
        let outputs = scopes.unwrap_or_default().iter().map(|scope| {
            match self.scopes[*scope].fate {
                Fate::Done | Fate::Open => self.output_of(*scope),
                // Its place in the list stays, so that results and items fit.
                Fate::Dead(_) => Value::Null,
            }
        });
        let output = Value::Array(outputs.collect());
        self.complete(pen, owner, None, output, None, todo)
    }

    /// A round of a loop ended: that was the last one, or another follows.
    fn round_done(
        &mut self,
        pen: &mut Pen<'_>,
        owner: TaskIx,
        scope: usize,
        looped: &LoopWork,
        todo: &mut Todo,
    ) -> Decided {
        let enough = match &looped.until {
            Some(until) => {
                pen.done.count(1);
                self.read(&pen.done, scope, |renderer| renderer.until(until))
            }
            None => Ok(false),
        };
        let last = self.scopes[scope].index + 1 >= looped.max_iterations;
        match enough {
            Err(error) => self.fail_rounds(pen, owner, error, todo),
            Ok(enough) if enough || last => {
                let output = self.output_of(scope);
                self.complete(pen, owner, None, output, None, todo)
            }
            Ok(_) => {
                todo.push_back(Next::Advance(owner));
                Ok(())
            }
        }
    }

    /// Begins one more round; `false` when the run has become too large for it.
    fn open_round(
        &mut self,
        pen: &mut Pen<'_>,
        owner: TaskIx,
        todo: &mut Todo,
    ) -> Result<bool, crate::run::input::Rejection> {
        let base = self.run.tasks.len();
        let more = self
            .node(owner)
            .work
            .body()
            .map_or(0, |body| body.nodes.len());
        let Some(attempt) = self.state(owner).attempt() else {
            return Ok(false);
        };
        if base + more > MAX_TASKS {
            let message = format!(
                "The run would have more than {MAX_TASKS} tasks. Use fewer items, or split it into several runs."
            );
            let error = TaskError::lasting("too_many_tasks", message);
            self.fail_rounds(pen, owner, error, todo)?;
            return Ok(false);
        }
        let index = self.task(owner).rounds;
        self.record_task(pen, owner, None, TaskEvent::Opened { attempt, index })?;
        pen.done.opened += 1;
        self.add_scope(owner, index, base);
        let scope = self.scopes.len() - 1;
        todo.extend(self.enterable(scope).into_iter().map(Next::Enter));
        Ok(true)
    }

    /// The map or loop failed: its rounds stop.
    pub(super) fn fail_rounds(
        &mut self,
        pen: &mut Pen<'_>,
        owner: TaskIx,
        error: TaskError,
        todo: &mut Todo,
    ) -> Decided {
        let attempt = self.state(owner).attempt().unwrap_or(1);
        self.cancel_rounds(pen, owner)?;
        self.fail(pen, owner, attempt, error, todo)
    }

    /// Takes up rounds that were there before the run was taken up again.
    pub(super) fn reopen(&mut self, owner: TaskIx, todo: &mut Todo) {
        let scopes = self.rounds.get(&owner).map(|rounds| rounds.scopes.clone());
        for scope in scopes.unwrap_or_default() {
            if self.scopes[scope].fate == Fate::Open {
                todo.extend(self.enterable(scope).into_iter().map(Next::Enter));
            }
        }
    }
}
