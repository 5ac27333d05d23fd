//! Money in one run: calls that are held back by a budget, and what becomes of them; limits that
//! people set; what child runs cost. Whether a call fits is for the ledger to say.

use super::{Decided, LiveRun, Pen, TaskIx};
use crate::{
    budget::{Amount, Budget, Notice},
    id::{AgentId, TaskName},
    message::Message,
    run::{
        AttemptKey, LateCost, Run, RunEvent, TaskError, TaskEvent, TaskState, Turn, TurnFailure,
        TurnRecord, Unpriced, Waiting,
        input::{CallPriced, Rejection},
    },
    time::Timestamp,
};

/// A model call that may begin.
#[derive(Debug, Clone)]
pub struct BegunCall {
    /// `provider:model`.
    pub model: String,
    /// Whether the provider only rehearses.
    pub simulated: bool,
    /// What is set aside for it.
    pub reserved: Amount,
    /// What the agent is handed with it.
    pub messages: Vec<Message>,
    /// Fingerprint of what is asked.
    pub prompt: String,
    /// Whether nobody is called: a recorded answer is given.
    pub replayed: bool,
}

impl LiveRun {
    /// Whether this attempt waits in the middle of its work: for room in a budget, for a model that may
    /// not be called now, or for a person who says what becomes of a changed prompt.
    pub fn is_held(&self, key: &AttemptKey) -> bool {
        self.held_task(key).is_some()
    }

    pub(super) fn held_task(&self, key: &AttemptKey) -> Option<TaskIx> {
        self.find(&key.task)
            .filter(|task| self.held_attempt(*task) == Some(key.attempt))
    }

    /// Models that brought no answer in the turn that an attempt is at: they are not asked again in it. A call
    /// that was cut from outside says nothing about its model.
    pub fn failed_in_turn(&self, key: &AttemptKey) -> impl Iterator<Item = &TurnFailure> {
        let attempt = self
            .find(&key.task)
            .and_then(|task| self.task(task).attempt(key.attempt));
        let turn = attempt
            .and_then(|attempt| attempt.turns.last())
            .filter(|turn| turn.done.is_none());
        let failures = turn.into_iter().flat_map(|turn| &turn.failures);
        failures.filter(|failure| !failure.is_cut())
    }

    /// The attempt of a task that waits in the middle of its work.
    pub(super) fn held_attempt(&self, task: TaskIx) -> Option<u32> {
        let held = matches!(
            self.state(task),
            TaskState::Waiting {
                reason: Waiting::Budget | Waiting::Provider | Waiting::Replay,
                ..
            }
        );
        let open = self.task(task).open_attempt().filter(|_| held);
        open.map(|open| open.number)
    }

    /// Attempts that wait in the middle of their work, with the agents that are at them.
    pub fn held(&self) -> Vec<(AttemptKey, Option<AgentId>)> {
        let held = |task: TaskIx| {
            let attempt = self.held_attempt(task)?;
            let agent = self.task(task).attempt(attempt)?.agent;
            Some((self.key(task, attempt), agent))
        };
        (0..self.run.tasks.len()).filter_map(held).collect()
    }

    /// Whether this attempt may ask for a call now.
    pub fn may_call(&self, key: &AttemptKey) -> Result<(), Rejection> {
        self.at_agent(key).map(|_| ())
    }

    /// A call is held back: its task waits for room. With a notice a person is asked; without one
    /// others only have to come to their end first.
    pub fn hold(
        &mut self,
        pen: &mut Pen<'_>,
        key: &AttemptKey,
        notice: Option<Notice>,
        until: Option<Timestamp>,
    ) -> Decided {
        let (task, _) = self.at_agent(key)?;
        if let Some(notice) = notice
            && !self.is_told(&notice)
        {
            self.record_run(pen, RunEvent::BudgetExceeded(notice))?;
        }
        self.hold_for(pen, task, key.attempt, Waiting::Budget, until)
    }

    /// A call is held back as its model may not be called now. `until` is unknown where others that call it
    /// have to come back first.
    pub fn hold_at_door(
        &mut self,
        pen: &mut Pen<'_>,
        key: &AttemptKey,
        until: Option<Timestamp>,
    ) -> Decided {
        let (task, _) = self.at_agent(key)?;
        self.hold_for(pen, task, key.attempt, Waiting::Provider, until)
    }

    fn hold_for(
        &mut self,
        pen: &mut Pen<'_>,
        task: TaskIx,
        attempt: u32,
        reason: Waiting,
        until: Option<Timestamp>,
    ) -> Decided {
        let agent = self.task(task).attempt(attempt).and_then(|it| it.agent);
        if matches!(self.state(task), TaskState::Assigned { .. }) {
            self.record_task(pen, task, agent, TaskEvent::Started { attempt })?;
        }
        let event = TaskEvent::Waiting {
            attempt,
            reason,
            until,
            child_run_id: None,
            question: None,
        };
        self.record_task(pen, task, agent, event)
    }

    /// Whether this attempt waits in the middle of its work for a model that may not be called now.
    pub fn waits_at_door(&self, key: &AttemptKey) -> bool {
        let state = self.held_task(key).map(|task| self.state(task));
        matches!(state, Some(TaskState::Waiting { reason, .. }) if *reason == Waiting::Provider)
    }

    fn waits_for_room(&self, task: TaskIx) -> bool {
        let state = self.state(task);
        matches!(state, TaskState::Waiting { reason, .. } if *reason == Waiting::Budget)
    }

    /// Whether people were told of this limit already, for another task that still waits.
    fn is_told(&self, notice: &Notice) -> bool {
        let told = self.run.held_by.as_ref();
        told.is_some_and(|told| told.scope == notice.scope && told.budget == notice.budget)
            && (0..self.run.tasks.len()).any(|task| self.waits_for_room(task))
    }

    /// A call is refused for good.
    pub fn refuse_call(
        &mut self,
        pen: &mut Pen<'_>,
        key: &AttemptKey,
        notice: Option<Notice>,
        error: TaskError,
    ) -> Decided {
        let (task, _) = self.at_agent(key)?;
        if let Some(notice) = notice {
            self.record_run(pen, RunEvent::BudgetExceeded(notice))?;
        }
        self.attempt_failed(pen, task, key.attempt, error)
    }

    /// There is room, or the way is free: the attempt goes on where it stood.
    pub fn go_on_held(&mut self, pen: &mut Pen<'_>, key: &AttemptKey) -> Decided {
        let Some(task) = self.held_task(key) else {
            return Ok(());
        };
        let agent = self.task(task).attempt(key.attempt).and_then(|it| it.agent);
        let attempt = key.attempt;
        self.record_task(pen, task, agent, TaskEvent::Started { attempt })?;
        let provider = self.provider_of(task, None);
        self.take_on(pen, task, provider);
        Ok(())
    }

    /// A person sets the limits of the run.
    pub fn set_budget(&mut self, pen: &mut Pen<'_>, by: &str, budget: Budget) -> Decided {
        if self.run.state.is_final() {
            return Err(Rejection::RunOver(self.run.state.name()));
        }
        let event = RunEvent::BudgetSet {
            by: by.to_owned(),
            budget_usd: budget.usd,
            budget_tokens: budget.tokens,
            on_budget: budget.on_budget,
        };
        self.record_run(pen, event)
    }

    /// Four fifths of the run's budget are spent.
    pub fn warn(&mut self, pen: &mut Pen<'_>, notice: Notice) -> Decided {
        if self.run.state.is_final() {
            return Ok(());
        }
        self.record_run(pen, RunEvent::BudgetWarned(notice))
    }

    /// What a child cost is written down where it was asked for.
    pub(super) fn count_child(&mut self, pen: &mut Pen<'_>, task: TaskIx, child: &Run) -> Decided {
        if self.task(task).child != Some(child.id) {
            return Ok(());
        }
        let totals = &child.totals;
        let event = RunEvent::ChildEnded {
            child_run_id: child.id,
            for_task: self.name(task),
            cost_usd: totals.cost_with_children(),
            assumed_usd: totals.assumed_usd + totals.children.assumed_usd,
            assumed_tokens: totals
                .assumed_tokens
                .saturating_add(totals.children.assumed_tokens),
            tokens: totals.tokens.plus(totals.children.tokens),
        };
        self.record_run(pen, event)
    }

    /// A call of which not all is known counts in budgets with what was set aside for it.
    pub(super) fn assume_cost(
        &self,
        task: TaskIx,
        attempt: u32,
        turn: u32,
        record: &mut TurnRecord,
    ) {
        let Some(turn) = self.turn_of(task, attempt, turn) else {
            return;
        };
        record.simulated = turn.simulated;
        record.assumed_usd = match record.cost_usd {
            Some(_) => None,
            None => turn.reserved.map(|it| it.usd).filter(|usd| usd.0 > 0),
        };
        let all_known = record.prompt_tokens.is_some() && record.completion_tokens.is_some();
        record.assumed_tokens = turn
            .reserved
            .filter(|_| !all_known)
            .map(|it| it.tokens.saturating_sub(record.known_tokens()))
            .filter(|tokens| *tokens > 0);
    }

    /// A call that is cut from outside while its answer comes may be charged: it counts with what was set
    /// aside, as one that broke off by itself does.
    pub(super) fn count_cut_call(&mut self, pen: &mut Pen<'_>, task: TaskIx) -> Decided {
        let Some(open) = self.task(task).open_attempt() else {
            return Ok(());
        };
        let under_way = open.turns.iter().find(|turn| turn.done.is_none());
        let Some((turn, call)) = under_way.and_then(|turn| Some((turn, turn.began.clone()?)))
        else {
            return Ok(());
        };
        let (attempt, number, agent) = (open.number, turn.number, open.agent);
        let mut failure = TurnFailure::cut(turn.model.clone(), call.generation_id);
        self.assume_failed(task, attempt, number, &mut failure);
        let event = TaskEvent::TurnFailed {
            attempt,
            turn: number,
            failure,
        };
        self.record_task(pen, task, agent, event)
    }

    /// A call that broke off may be charged: until that is known it counts with what was set aside.
    pub(super) fn assume_failed(
        &self,
        task: TaskIx,
        attempt: u32,
        turn: u32,
        failure: &mut TurnFailure,
    ) {
        let turn = self.turn_of(task, attempt, turn);
        let began = failure.may_cost() && turn.is_none_or(|turn| !turn.simulated);
        failure.began = began;
        failure.generation_id = failure.generation_id.take().filter(|_| began);
        let reserved = turn.filter(|_| began).and_then(|turn| turn.reserved);
        failure.assumed_usd = reserved.map(|it| it.usd).filter(|usd| usd.0 > 0);
        failure.assumed_tokens = reserved.map(|it| it.tokens).filter(|tokens| *tokens > 0);
    }

    /// What a call cost turned out after its end, which may be that of the run too.
    pub fn price_call(&mut self, pen: &mut Pen<'_>, priced: CallPriced) -> Decided {
        let CallPriced {
            key, turn, late, ..
        } = priced;
        let over = || Rejection::AttemptOver(key.clone());
        let task = self.find(&key.task).ok_or_else(over)?;
        let made = self.turn_of(task, key.attempt, turn).ok_or_else(over)?;
        if made.is_priced(&late.generation_id) {
            return Err(over());
        }
        let unpriced = made.without_cost(&late.generation_id);
        let knows = |known: fn(&Unpriced) -> bool| unpriced.is_some_and(known);
        let prompt_tokens = late.prompt_tokens.filter(|_| !knows(|it| it.prompt_known));
        let completion_tokens = late
            .completion_tokens
            .filter(|_| !knows(|it| it.completion_known));
        let all_known = (knows(|it| it.prompt_known) || prompt_tokens.is_some())
            && (knows(|it| it.completion_known) || completion_tokens.is_some());
        let told = prompt_tokens
            .unwrap_or_default()
            .saturating_add(completion_tokens.unwrap_or_default());
        let assumed_tokens = unpriced.map(|it| match all_known {
            true => it.assumed_tokens,
            false => it.assumed_tokens.min(told),
        });
        let agent = self.task(task).attempt(key.attempt).and_then(|it| it.agent);
        let event = TaskEvent::TurnPriced {
            attempt: key.attempt,
            turn,
            late: LateCost {
                assumed_usd: unpriced.map(|it| it.assumed_usd).unwrap_or_default(),
                counted: unpriced.is_some(),
                counted_at: unpriced.map_or(pen.now, |it| it.counted_at),
                assumed_tokens: assumed_tokens.unwrap_or_default(),
                prompt_tokens,
                completion_tokens,
                ..late
            },
        };
        self.record_task(pen, task, agent, event)
    }

    fn turn_of(&self, task: TaskIx, attempt: u32, turn: u32) -> Option<&Turn> {
        let attempt = self.task(task).attempt(attempt)?;
        attempt.turns.iter().find(|known| known.number == turn)
    }

    /// Calls that were under way, with what is set aside for each.
    pub fn open_calls(&self) -> Vec<OpenCall> {
        (0..self.run.tasks.len())
            .filter_map(|task| self.open_call(task))
            .collect()
    }

    /// What is set aside for a call of this task that is under way, or was when a crash cut it.
    pub fn cut_share(&self, task: &TaskName) -> Option<Amount> {
        let task = self.find(task)?;
        self.open_call(task).map(|call| call.reserved)
    }

    fn open_call(&self, task: TaskIx) -> Option<OpenCall> {
        let attempt = self.task(task).open_attempt()?;
        let turn = attempt.turns.iter().find(|turn| turn.done.is_none())?;
        Some(OpenCall {
            task,
            agent: attempt.agent?,
            model: turn.model.clone(),
            reserved: turn.reserved?,
        })
    }
}

/// A call that was under way.
#[derive(Debug, Clone)]
pub struct OpenCall {
    /// Its task.
    pub task: TaskIx,
    /// Who makes it.
    pub agent: AgentId,
    /// `provider:model`.
    pub model: String,
    /// What is set aside for it.
    pub reserved: Amount,
}

/// Why a call is not made, in a task's words.
pub fn refused(notice: &Notice) -> TaskError {
    let Amount { usd, tokens } = notice.needed;
    let mut words = notice.to_string();
    if let Some(first) = words.get(..1) {
        let first = first.to_uppercase();
        words.replace_range(..1, &first);
    }
    let message = format!(
        "{words}. The next call may take ${usd} and {tokens} tokens, so it was not made. \
         Raise that budget and take the run up again, or allow shorter answers in the step."
    );
    TaskError::lasting("budget_exceeded", message)
}

/// Why a call whose price nobody knows is not made.
pub fn without_price(model: &str, whose: &str) -> TaskError {
    TaskError::lasting(
        "price_unknown",
        format!(
            "Nobody knows what a call of {model} costs, and the budget of {whose} is in money, so the call was not \
             made. Choose a model with a price, or limit {whose} by tokens instead of money, or take the budget away."
        ),
    )
}
