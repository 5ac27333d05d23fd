//! Everything that lives: runs that are not at their end, agents that are not gone. One function
//! decides what an input leads to, one gives ready tasks to agents. Both are pure: same state, same
//! inputs, same moments and ids, same events.

mod agents;
mod calls;
mod doors;
mod held;
mod load;
mod mail;
mod money;
mod outcome;
mod pass;
mod recover;
mod runs;

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};

use self::{doors::Doors, held::Held, load::Load};
use crate::{
    agent::{Agent, AgentEvent, Phase},
    budget::{Ledger, Scope},
    dispatch::Roster,
    event::{Event, Fact, SystemEvent},
    frame::{AgentCounts, Unhealthy},
    id::{AgentId, RunId},
    message::Sender,
    run::{
        decide::{Done, LiveRun, Pen},
        input::{Action, Command, Input, Rejection},
    },
    time::Timestamp,
};

/// Bounds of the whole server.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Most agents alive at once.
    pub max_agents: usize,
    /// Most tasks that agents are at, at once.
    pub max_parallel: usize,
    /// Most of them in one run.
    pub max_parallel_per_run: usize,
    /// Most of them that call one provider.
    pub max_parallel_per_provider: usize,
    /// How long an agent that was spawned on demand stays when idle, in milliseconds.
    pub agent_idle_ms: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_agents: 10_000,
            max_parallel: 10_000,
            max_parallel_per_run: 10_000,
            max_parallel_per_provider: 10_000,
            agent_idle_ms: 60_000,
        }
    }
}

/// What inputs led to.
#[derive(Debug, Default)]
pub struct Step {
    /// To be stored.
    pub events: Vec<Event>,
    /// To be done once the events are stored.
    pub actions: Vec<Action>,
}

/// All live runs and agents.
#[derive(Debug)]
pub struct Troupe {
    /// `seq` of the newest event.
    pub head: u64,
    /// Runs that are not at their end.
    pub runs: HashMap<RunId, LiveRun>,
    /// Agents that are not terminated.
    pub agents: BTreeMap<AgentId, Agent>,
    limits: Limits,
    /// Names of live agents.
    names: HashMap<String, AgentId>,
    /// The last number given to an agent of this role.
    numbers: HashMap<String, u32>,
    /// Who could be given work.
    roster: Roster,
    /// What is worked on.
    load: Load,
    /// Which models may be called now.
    doors: Doors,
    /// What is spent and reserved.
    ledger: Ledger,
    /// Attempts that wait in the middle of their work.
    held: Held,
    /// Runs that have ready tasks, in the order in which they are served.
    turn: VecDeque<RunId>,
    /// The same runs, for a quick look.
    in_turn: HashSet<RunId>,
    /// `run_seq` at which runs ended again that had been taken up again: older copies are stale.
    ended_again: HashMap<RunId, u64>,
    /// Runs and agents that came to their end and are not forgotten yet.
    over: (Vec<RunId>, Vec<AgentId>),
    /// Live agents by phase.
    phases: HashMap<Phase, u64>,
    /// Whether anything changed that a pass of dispatch could make use of.
    stirred: bool,
    /// Times in a row that agents could not be made ready, and the moment from which it is tried again.
    broken: (u32, Timestamp),
}

impl Troupe {
    /// Nothing lives yet; the log ends at `head`.
    pub fn new(head: u64, limits: Limits) -> Self {
        Self {
            head,
            runs: HashMap::new(),
            agents: BTreeMap::new(),
            limits,
            names: HashMap::new(),
            numbers: HashMap::new(),
            roster: Roster::default(),
            load: Load::default(),
            doors: Doors::default(),
            ledger: Ledger::default(),
            held: Held::default(),
            turn: VecDeque::new(),
            in_turn: HashSet::new(),
            ended_again: HashMap::new(),
            over: (Vec::new(), Vec::new()),
            phases: HashMap::new(),
            stirred: false,
            broken: (0, Timestamp::default()),
        }
    }

    /// Takes in an agent that was stored; follow with `Input::AgentRecovered`.
    pub fn adopt_agent(&mut self, agent: Agent) {
        self.names.insert(agent.spec.name.clone(), agent.id);
        self.roster.note(&agent);
        *self.phases.entry(agent.state.phase()).or_default() += 1;
        self.agents.insert(agent.id, agent);
        self.stirred = true;
    }

    /// Takes in what the log says of models that were out of order, oldest first.
    pub fn recall(&mut self, event: &SystemEvent) {
        self.doors.recall(event);
    }

    /// Models that are out of order.
    pub fn unhealthy(&self) -> Vec<Unhealthy> {
        self.doors.unhealthy()
    }

    /// Takes in a run that was replayed; follow with `Input::Recovered`.
    pub fn adopt_run(&mut self, run: LiveRun) {
        let id = run.run.id;
        self.carry_run(&run);
        for provider in run.load() {
            self.load.add(run.run.workflow_id, provider);
        }
        self.runs.insert(id, run);
        self.queue(id);
    }

    /// Forgets runs and agents that are at their end; the log keeps them.
    pub fn forget_ended(&mut self, ended_runs: &[RunId], gone_agents: &[AgentId]) {
        for id in ended_runs {
            self.ledger.forget(&Scope::Run(*id));
            if let Some(live) = self.runs.remove(id)
                && let Some(seq) = self.ended_again.get_mut(id)
            {
                *seq = live.run.last_run_seq;
            }
        }
        for id in gone_agents {
            self.ledger.forget(&Scope::Agent(*id));
            self.roster.leave(*id);
            let gone = self.agents.remove(id);
            if let Some(agent) = &gone {
                *self.phases.entry(agent.state.phase()).or_default() -= 1;
            }
            if let Some(agent) = gone
                && self.names.get(&agent.spec.name) == Some(id)
            {
                self.names.remove(&agent.spec.name);
            }
        }
    }

    /// Forgets what came to its end since this was asked last; costs nothing for what goes on.
    pub fn forget_those_that_ended(&mut self) {
        let (mut runs, agents) = std::mem::take(&mut self.over);
        // One may have been taken up again at once.
        runs.retain(|id| {
            let live = self.runs.get(id);
            live.is_some_and(|live| live.run.state.is_final())
        });
        self.forget_ended(&runs, &agents);
    }

    /// How many agents there are of each phase; those that are gone do not count.
    pub fn agent_counts(&self) -> AgentCounts {
        let of = |phase| self.phases.get(&phase).copied().unwrap_or(0);
        AgentCounts {
            spawning: of(Phase::Spawning),
            idle: of(Phase::Idle),
            working: of(Phase::Working),
            paused: of(Phase::Paused),
            error: of(Phase::Error),
        }
    }

    /// How many tasks wait to be worked on.
    pub fn ready(&self) -> usize {
        let runs = self.in_turn.iter().filter_map(|id| self.runs.get(id));
        runs.map(|live| live.ready.len()).sum()
    }

    /// How many tasks are worked on.
    pub fn at_work(&self) -> usize {
        self.load.all
    }

    /// Lets a run have its turn at the next dispatch.
    fn queue(&mut self, run: RunId) {
        self.stirred = true;
        if self.in_turn.insert(run) {
            self.turn.push_back(run);
        }
    }

    /// Decides what an input leads to. A rejection changed nothing, but for a call that is refused:
    /// its task then waits, or its attempt failed.
    pub fn handle(
        &mut self,
        input: Input,
        now: Timestamp,
        step: &mut Step,
    ) -> Result<(), Rejection> {
        match input {
            Input::Command { by, command } => self.command(&by, command, now, step),
            Input::Outcome(outcome) => self.outcome(outcome, now, step),
            Input::Timer(timer) => self.timer(timer, now, step),
            Input::Recovered(run) => self.recovered(run, now, step),
            Input::AgentRecovered(agent) => self.agent_recovered(agent, now, step),
            Input::ServerStarted {
                version,
                runs_recovered,
            } => {
                let event = SystemEvent::Started {
                    version,
                    runs_recovered,
                };
                self.record(Fact::System(event), now, step);
                Ok(())
            }
            Input::System(event) => {
                self.record(Fact::System(event), now, step);
                Ok(())
            }
        }
    }

    // -- commands ---------------------------------------------------------------------------------

    fn command(
        &mut self,
        by: &str,
        command: Command,
        now: Timestamp,
        step: &mut Step,
    ) -> Result<(), Rejection> {
        match command {
            Command::StartRun(start) => self.start_run(by, *start, None, now, step),
            Command::CancelRun(run) => {
                self.with_run(run, now, step, |live, pen| live.cancel(pen, by))
            }
            Command::PauseRun(run) => {
                self.each_below(run, now, step, &|live, pen| live.pause(pen, by))
            }
            Command::ResumeRun(run) => {
                self.each_below(run, now, step, &|live, pen| live.resume(pen, by))?;
                self.queue(run);
                Ok(())
            }
            Command::SetRunBudget { run, budget } => {
                self.with_run(run, now, step, |live, pen| live.set_budget(pen, by, budget))
            }
            Command::SetBudget { scope, budget } => self.set_budget(by, scope, budget, now, step),
            Command::RetryRun(retry) => self.retry_run(by, *retry, now, step),
            Command::Answer(given) => {
                self.with_run(given.run, now, step, |live, pen| {
                    live.answer(pen, by, &given)
                })?;
                self.let_answered_go_on(&given);
                Ok(())
            }
            Command::SendMessage { to, text } => {
                let from = Sender::Person {
                    name: by.to_owned(),
                };
                self.send(from, to, text, now, step)
            }
            Command::SpawnAgent { agent, spec } => {
                if self.names.contains_key(&spec.name) {
                    return Err(Rejection::NameTaken(spec.name));
                }
                if self.agents.len() >= self.limits.max_agents {
                    return Err(Rejection::TooManyAgents(self.limits.max_agents));
                }
                self.spawn(agent, spec, false, Some(by.to_owned()), now, step);
                Ok(())
            }
            Command::PauseAgent(agent) => {
                self.change_agent(agent, AgentEvent::Paused { by: by.to_owned() }, now, step)
            }
            Command::ResumeAgent(agent) => {
                self.change_agent(agent, AgentEvent::Resumed { by: by.to_owned() }, now, step)?;
                self.set_idle_timer(agent, now, step);
                Ok(())
            }
            Command::TerminateAgent(agent) => {
                self.terminate(agent, format!("ended by {by}"), now, step)
            }
        }
    }

    // -- recording --------------------------------------------------------------------------------

    /// Lets a run decide, then does what follows for others: agents whose attempts ended are free,
    /// children that nobody waits for are stopped, a parent hears of the end of its child.
    fn with_run(
        &mut self,
        id: RunId,
        now: Timestamp,
        step: &mut Step,
        decide: impl FnOnce(&mut LiveRun, &mut Pen<'_>) -> Result<(), Rejection>,
    ) -> Result<(), Rejection> {
        let mut decide = Some(decide);
        self.settle_with(id, now, step, &mut |live, pen| match decide.take() {
            Some(decide) => decide(live, pen),
            None => Ok(()),
        })
    }

    fn settle_with(
        &mut self,
        id: RunId,
        now: Timestamp,
        step: &mut Step,
        decide: &mut dyn FnMut(&mut LiveRun, &mut Pen<'_>) -> Result<(), Rejection>,
    ) -> Result<(), Rejection> {
        let live = self.runs.get_mut(&id).ok_or(Rejection::NoSuchRun(id))?;
        let seen = live.run.last_run_seq;
        let workflow = live.run.workflow_id;
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
        let before = pen.events.len();
        let decided = decide(live, &mut pen);
        let Pen {
            freed,
            loaded,
            eased,
            orphans,
            ..
        } = pen;
        // Nothing follows an end but what takes the run up again, which may end it at once.
        let ended = live.run.state.is_final() && live.run.last_run_seq > seen;
        let ready = live.ready.take_fresh();
        if ended {
            self.over.0.push(id);
        }
        for provider in &loaded {
            self.load.add(workflow, provider);
        }
        for provider in &eased {
            self.load.ease(workflow, provider);
        }
        self.stirred |= !eased.is_empty();
        if ready {
            self.queue(id);
        }
        self.keep_books(before, now, step)?;
        for (agent, key, cost_usd) in freed {
            if !self.doors.is_quiet() {
                self.leave_door(&key);
            }
            self.release(agent, &key, cost_usd, now, step)?;
        }
        for child in orphans {
            if self.runs.contains_key(&child) {
                self.with_run(child, now, step, |live, pen| live.orphan(pen))?;
            }
        }
        if ended {
            self.tell_parent(id, now, step)?;
        }
        decided
    }

    /// A run came to its end: the task that waits for it hears of it.
    fn tell_parent(&mut self, id: RunId, now: Timestamp, step: &mut Step) -> Result<(), Rejection> {
        let Some(live) = self.runs.get(&id) else {
            return Ok(());
        };
        let parent = match &live.run.parent {
            Some(parent) if parent.task.is_some() => parent.run,
            Some(_) | None => return Ok(()),
        };
        // Taken out for as long as the parent reads it.
        let Some(child) = self.runs.remove(&id) else {
            return Ok(());
        };
        let told = match self.runs.contains_key(&parent) {
            true => self.with_run(parent, now, step, |live, pen| {
                live.child_ended(pen, &child.run)
            }),
            false => Ok(()),
        };
        self.runs.insert(id, child);
        told
    }

    fn record(&mut self, fact: Fact, now: Timestamp, step: &mut Step) {
        self.head += 1;
        step.events.push(Event {
            seq: self.head,
            run_seq: None,
            at: now,
            fact,
        });
    }
}
