//! Budgets over all runs: each call is weighed before it is made, and what is recorded is entered in
//! the books. The books are a fold over events; whoever feeds them the same events has the same books.

use super::{Step, Troupe};
use crate::{
    agent::{AgentEvent, Phase},
    budget::{
        Amount, Budget, Crossed, Notice, OnBudget, Period, Quote, Scope, Verdict, begin_of, day_of,
        ledger::Call,
    },
    event::{Event, Fact, SystemEvent},
    id::{AgentId, RunId, WorkflowId},
    run::{
        AttemptKey, Run, RunEvent, Task, TaskEvent,
        decide::{Done, LiveRun, Pen, provider, refused, without_price},
        input::{CallPriced, GivenAnswer, Rejection},
    },
    time::Timestamp,
};

/// A model call that an agent wants to make.
#[derive(Debug, Clone)]
pub(super) struct Asked {
    pub key: AttemptKey,
    pub turn: u32,
    pub model: String,
    pub others: Vec<String>,
    pub simulated: bool,
    pub quote: Quote,
    pub prompt: String,
}

impl Asked {
    /// The model that it asks first, and those in its place.
    pub fn models(&self) -> impl Iterator<Item = &String> {
        std::iter::once(&self.model).chain(&self.others)
    }
}

impl Troupe {
    /// What is spent and reserved.
    pub fn books(&self) -> &crate::budget::Ledger {
        &self.ledger
    }

    /// Takes in what was spent before this server started: in all, and on this day.
    pub fn carry_spent(&mut self, scope: Scope, total: Amount, today: Amount, day: i64) {
        self.ledger.carry(scope, total, today, day);
    }

    /// What a call cost turned out later. Runs above a child that ended go on counting with what was
    /// assumed: they were told so with its end. Its run is often at its end by then: it is taken in for this
    /// one fact and forgotten again, and nothing else follows.
    pub(super) fn call_priced(
        &mut self,
        priced: CallPriced,
        now: Timestamp,
        step: &mut Step,
    ) -> Result<(), Rejection> {
        let mut priced = priced;
        let run = priced.key.run;
        if !self.runs.contains_key(&run) {
            let ended = priced.ended.take().ok_or(Rejection::NoSuchRun(run))?;
            self.take_ended(run, *ended)?;
            self.ended_again.entry(run).or_insert(0);
            self.over.0.push(run);
        }
        let before = step.events.len();
        let live = self.runs.get_mut(&run).ok_or(Rejection::NoSuchRun(run))?;
        let mut pen = Pen {
            head: &mut self.head,
            now,
            events: &mut step.events,
            actions: &mut step.actions,
            freed: Vec::new(),
            loaded: Vec::new(),
            eased: Vec::new(),
            orphans: Vec::new(),
            done: Done::default(),
        };
        let key = priced.key.clone();
        let cost_usd = priced.late.cost_usd;
        live.price_call(&mut pen, priced)?;
        let tried = live
            .run
            .tasks
            .get(&key.task)
            .and_then(|task| task.attempt(key.attempt));
        // What an attempt that goes on costs is told at its end.
        let over = tried.filter(|tried| tried.ended_at.is_some());
        let agent = over.and_then(|tried| tried.agent);
        self.keep_books(before, now, step)?;
        // What one that is gone cost stands in the store alone.
        let lives = |id: &AgentId| {
            let agent = self.agents.get(id);
            agent.is_some_and(|agent| agent.state.phase() != Phase::Terminated)
        };
        match agent.filter(lives) {
            Some(agent) => self.change_agent(agent, AgentEvent::Charged { cost_usd }, now, step),
            None => Ok(()),
        }
    }

    /// Takes in a budget that was stored.
    pub fn adopt_budget(&mut self, scope: Scope, budget: Budget) {
        self.ledger.set(scope, Some(budget));
    }

    // -- before a call ----------------------------------------------------------------------------

    /// A model is about to be called, if it may be called now and all budgets that it counts for have room.
    pub(super) fn call_asked(
        &mut self,
        asked: Asked,
        now: Timestamp,
        step: &mut Step,
    ) -> Result<(), Rejection> {
        let key = asked.key.clone();
        let live = self.runs.get(&key.run);
        let live = live.ok_or_else(|| Rejection::AttemptOver(key.clone()))?;
        live.may_call(&key)?;
        self.pass_door(&asked, now, step)?;
        let scopes = self.scopes_of(&key, &asked.model);
        let call = (key.run, key.task.clone());
        match self.ledger.weigh(&call, &scopes, asked.quote, day_of(now)) {
            Verdict::Fits(amount) => self.turn_starts(asked, Some(amount), now, step),
            Verdict::Later => {
                self.hold(asked, None, now, step)?;
                let words = "other calls have to end first: their share of a budget is set aside";
                Err(Rejection::CallRefused(words.to_owned()))
            }
            Verdict::Exceeds(notice) => {
                let words = notice.to_string();
                match notice.budget.on_budget {
                    OnBudget::Wait => self.hold(asked, Some(notice), now, step)?,
                    OnBudget::Fail => self.with_run(key.run, now, step, |live, pen| {
                        let error = refused(&notice);
                        live.refuse_call(pen, &key, Some(notice), error)
                    })?,
                }
                Err(Rejection::CallRefused(words))
            }
            Verdict::NoPrice(scope) => {
                let error = without_price(&asked.model, &scope.words());
                let words = error.message.clone();
                self.with_run(key.run, now, step, |live, pen| {
                    live.refuse_call(pen, &key, None, error)
                })?;
                Err(Rejection::CallRefused(words))
            }
        }
    }

    fn hold(
        &mut self,
        asked: Asked,
        notice: Option<Notice>,
        now: Timestamp,
        step: &mut Step,
    ) -> Result<(), Rejection> {
        let key = &asked.key;
        let daily = notice
            .as_ref()
            .is_some_and(|notice| notice.budget.period == Period::Day);
        let until = daily.then(|| begin_of(day_of(now) + 1));
        self.with_run(key.run, now, step, |live, pen| {
            live.hold(pen, key, notice, until)
        })?;
        self.put_off_for_room(&asked);
        self.look_at(until, step);
        Ok(())
    }

    /// What was promised to an attempt that is held once more is free again, but for the share of a
    /// call that a crash cut: that one may have been made.
    pub(super) fn take_promise_back(&mut self, key: &AttemptKey, model: &str) {
        let call = (key.run, key.task.clone());
        let live = self.runs.get(&key.run);
        match live.and_then(|live| live.cut_share(&key.task)) {
            Some(amount) => {
                let scopes = self.scopes_of(key, model);
                self.ledger.reserve(call, scopes, amount);
            }
            None => self.ledger.release(&call),
        }
    }

    /// A person said what becomes of a prompt that changed: where the task goes on, it does so with those
    /// that find room.
    pub(super) fn let_answered_go_on(&mut self, given: &GivenAnswer) {
        let Some(live) = self.runs.get(&given.run) else {
            return;
        };
        let open = live.run.tasks.get(&given.task).and_then(Task::open_attempt);
        let key = open.map(|open| AttemptKey {
            run: given.run,
            task: given.task.clone(),
            attempt: open.number,
        });
        if let Some(key) = key.filter(|key| live.told_to_go_on(key)) {
            self.go_on_in_turn(key);
        }
    }

    // -- the books --------------------------------------------------------------------------------

    /// Enters what was recorded of a run, and warns where four fifths of a limit are used.
    pub(super) fn keep_books(
        &mut self,
        from: usize,
        now: Timestamp,
        step: &mut Step,
    ) -> Result<(), Rejection> {
        let mut crossed = Vec::new();
        for event in step.events.get(from..).unwrap_or_default() {
            crossed.extend(self.enter(event));
        }
        for notice in crossed {
            self.warn(notice, now, step)?;
        }
        Ok(())
    }

    fn enter(&mut self, event: &Event) -> Vec<Crossed> {
        match &event.fact {
            Fact::Task {
                run,
                task,
                agent,
                workflow,
                event: what,
            } => {
                let call: Call = (*run, task.clone());
                match what {
                    TaskEvent::TurnStarted {
                        model, reserved, ..
                    } => {
                        let chain = self.chain(*run);
                        let scopes = scopes(&chain, *workflow, *agent, provider(Some(model)));
                        self.ledger
                            .reserve(call, scopes, reserved.unwrap_or_default());
                    }
                    TaskEvent::TurnCompleted { record, .. } => {
                        let chain = self.chain(*run);
                        let scopes = scopes(&chain, *workflow, *agent, &record.provider);
                        let day = day_of(event.at);
                        return self.ledger.settle(&call, &scopes, record.spent(), day);
                    }
                    TaskEvent::TurnFailed { failure, .. } => match failure.may_cost() {
                        true => {
                            let chain = self.chain(*run);
                            let provider = provider(Some(&failure.model));
                            let scopes = scopes(&chain, *workflow, *agent, provider);
                            let day = day_of(event.at);
                            return self.ledger.settle(&call, &scopes, failure.assumed(), day);
                        }
                        false => self.ledger.release(&call),
                    },
                    TaskEvent::TurnPriced { late, .. } => {
                        let chain = self.chain(*run);
                        let scopes = scopes(&chain, *workflow, *agent, &late.provider);
                        let counted_on = day_of(late.counted_at);
                        let (assumed, cost) = (late.assumed(), late.spent());
                        return self.ledger.correct(&scopes, assumed, cost, counted_on);
                    }
                    TaskEvent::Retrying { .. }
                    | TaskEvent::Unknown { .. }
                    | TaskEvent::Completed { .. }
                    | TaskEvent::Failed { .. }
                    | TaskEvent::Skipped { .. }
                    | TaskEvent::Cancelled { .. } => self.ledger.release(&call),
                    TaskEvent::Ready { .. }
                    | TaskEvent::Opened { .. }
                    | TaskEvent::Assigned { .. }
                    | TaskEvent::Started { .. }
                    | TaskEvent::TurnBegan { .. }
                    | TaskEvent::ToolCalled { .. }
                    | TaskEvent::ToolReturned { .. }
                    | TaskEvent::Waiting { .. }
                    | TaskEvent::Answered { .. } => {}
                }
            }
            Fact::Run {
                run, event: what, ..
            } => match what {
                RunEvent::BudgetSet { .. } => {
                    let budget = self.runs.get(run).and_then(|live| live.run.budget());
                    self.ledger.set(Scope::Run(*run), budget);
                }
                RunEvent::Resumed { .. } => self.look_at_held(),
                RunEvent::Completed { .. }
                | RunEvent::Failed { .. }
                | RunEvent::Cancelled { .. } => self.ledger.release_run(*run),
                RunEvent::Queued { .. }
                | RunEvent::Started {}
                | RunEvent::Paused { .. }
                | RunEvent::BudgetWarned(_)
                | RunEvent::BudgetExceeded(_)
                | RunEvent::ChildEnded { .. } => {}
            },
            Fact::Agent { .. } | Fact::System(_) => {}
        }
        Vec::new()
    }

    fn warn(&mut self, notice: Notice, now: Timestamp, step: &mut Step) -> Result<(), Rejection> {
        match notice.scope {
            Scope::Run(limited) => {
                // A call of a child counts for the runs above it; one that ended needs no warning.
                if !self.runs.contains_key(&limited) {
                    return Ok(());
                }
                self.with_run(limited, now, step, |live, pen| live.warn(pen, notice))
            }
            Scope::Workflow(_) | Scope::Agent(_) | Scope::Provider(_) | Scope::Day => {
                self.record(Fact::System(SystemEvent::BudgetWarned(notice)), now, step);
                Ok(())
            }
        }
    }

    /// The limits of a run that begins.
    pub(super) fn limit_run(&mut self, run: &Run) {
        if let Some(budget) = run.budget() {
            self.ledger.set(Scope::Run(run.id), Some(budget));
        }
    }

    /// Enters what a run that was replayed has spent, and what its open calls have set aside.
    pub(super) fn carry_run(&mut self, live: &LiveRun) {
        let run = &live.run;
        self.limit_run(run);
        let spent = run.totals.spent();
        let above = self.parent_of(run).map(|parent| self.chain(parent));
        let chain: Vec<RunId> = std::iter::once(run.id)
            .chain(above.unwrap_or_default())
            .collect();
        for id in chain.iter().copied() {
            self.ledger
                .carry(Scope::Run(id), spent, Amount::default(), 0);
        }
        for open in live.open_calls() {
            let name = run.tasks.get_index(open.task).map(|(name, _)| name.clone());
            let Some(name) = name else { continue };
            let scopes = scopes(
                &chain,
                run.workflow_id,
                Some(open.agent),
                provider(Some(&open.model)),
            );
            self.ledger.reserve((run.id, name), scopes, open.reserved);
        }
    }

    /// A person sets the budget of something that is no run.
    pub(super) fn set_budget(
        &mut self,
        by: &str,
        scope: Scope,
        budget: Option<Budget>,
        now: Timestamp,
        step: &mut Step,
    ) -> Result<(), Rejection> {
        match &scope {
            Scope::Run(run) => return Err(Rejection::NoSuchRun(*run)),
            Scope::Agent(agent) if budget.is_some() && !self.agents.contains_key(agent) => {
                return Err(Rejection::NoSuchAgent(*agent));
            }
            Scope::Agent(_) | Scope::Workflow(_) | Scope::Provider(_) | Scope::Day => {}
        }
        let budget = budget.filter(Budget::is_some);
        self.ledger.set(scope.clone(), budget);
        let event = SystemEvent::BudgetSet {
            scope,
            budget,
            by: by.to_owned(),
        };
        self.record(Fact::System(event), now, step);
        Ok(())
    }

    // -- who pays ---------------------------------------------------------------------------------

    pub(super) fn scopes_of(&self, key: &AttemptKey, model: &str) -> Vec<Scope> {
        let live = self.runs.get(&key.run);
        let agent = live.and_then(|live| {
            let task = live.run.tasks.get(&key.task)?;
            task.attempt(key.attempt)?.agent
        });
        match live.map(|live| live.run.workflow_id) {
            Some(workflow) => {
                let chain = self.chain(key.run);
                scopes(&chain, workflow, agent, provider(Some(model)))
            }
            None => Vec::new(),
        }
    }

    /// The live run that waits for this one.
    fn parent_of(&self, run: &Run) -> Option<RunId> {
        let parent = run.parent.as_ref()?;
        let above = self.runs.get(&parent.run)?;
        let waits = above.waits_for(parent.task.as_ref()?, run.id);
        waits.then_some(parent.run)
    }

    /// A run and the live runs that wait for it, one above the other.
    fn chain(&self, run: RunId) -> Vec<RunId> {
        let mut chain = Vec::new();
        let mut next = Some(run);
        while let Some(live) = next.and_then(|id| self.runs.get(&id)) {
            if chain.contains(&live.run.id) {
                break;
            }
            chain.push(live.run.id);
            next = self.parent_of(&live.run);
        }
        chain
    }
}

/// Everything that a call counts for: its run and those above it come first, as their people are
/// nearest.
fn scopes(
    chain: &[RunId],
    workflow: WorkflowId,
    agent: Option<AgentId>,
    provider: &str,
) -> Vec<Scope> {
    let mut scopes: Vec<Scope> = chain.iter().copied().map(Scope::Run).collect();
    scopes.push(Scope::Workflow(workflow));
    scopes.extend(agent.map(Scope::Agent));
    scopes.push(Scope::Provider(provider.to_owned()));
    scopes.push(Scope::Day);
    scopes
}
