//! Everything that lives: runs that are not at their end, agents that are not gone. One function
//! decides what an input leads to, one gives ready tasks to agents. Both are pure: same state, same
//! inputs, same moments and ids, same events.

mod mail;
mod pass;

use std::{
    collections::{BTreeMap, HashMap, HashSet, VecDeque},
    sync::Arc,
};

use crate::{
    agent::{Agent, AgentEvent, AgentSpec, Phase},
    dispatch::Roster,
    event::{Event, Fact, SystemEvent},
    graph::Work,
    id::{AgentId, RunId, TaskName},
    message::Sender,
    money::MicroUsd,
    run::{
        AttemptKey, Run, RunEvent, TaskError,
        decide::{Control, LiveRun, Pen, cut_off},
        input::{
            Action, AttemptSpec, Command, Input, Outcome, Rejection, RetryRun, StartRun, Timer,
        },
        render::{instructions_of, prompt_of},
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
    /// Most of them in one run, where its workflow does not say.
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
    /// Runs that have ready tasks, in the order in which they are served.
    turn: VecDeque<RunId>,
    /// The same runs, for a quick look.
    in_turn: HashSet<RunId>,
    /// `run_seq` at which runs ended again that had been taken up again: older copies are stale.
    ended_again: HashMap<RunId, u64>,
    /// Whether anything changed that a pass of dispatch could make use of.
    stirred: bool,
}

/// How much is worked on.
#[derive(Debug, Default)]
struct Load {
    all: usize,
    by_provider: HashMap<Arc<str>, usize>,
}

impl Load {
    fn add(&mut self, provider: &Arc<str>) {
        self.all += 1;
        *self.by_provider.entry(Arc::clone(provider)).or_default() += 1;
    }

    fn ease(&mut self, provider: &Arc<str>) {
        self.all = self.all.saturating_sub(1);
        if let Some(count) = self.by_provider.get_mut(provider) {
            *count -= 1;
            if *count == 0 {
                self.by_provider.remove(provider);
            }
        }
    }

    fn of(&self, provider: &str) -> usize {
        self.by_provider.get(provider).copied().unwrap_or(0)
    }
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
            turn: VecDeque::new(),
            in_turn: HashSet::new(),
            ended_again: HashMap::new(),
            stirred: false,
        }
    }

    /// Takes in an agent that was stored; follow with `Input::AgentRecovered`.
    pub fn adopt_agent(&mut self, agent: Agent) {
        self.names.insert(agent.spec.name.clone(), agent.id);
        self.roster.note(&agent);
        self.agents.insert(agent.id, agent);
        self.stirred = true;
    }

    /// Takes in a run that was replayed; follow with `Input::Recovered`.
    pub fn adopt_run(&mut self, run: LiveRun) {
        let id = run.run.id;
        for provider in run.load() {
            self.load.add(provider);
        }
        self.runs.insert(id, run);
        self.queue(id);
    }

    /// Forgets runs and agents that are at their end; the log keeps them.
    pub fn forget_ended(&mut self, ended_runs: &[RunId], gone_agents: &[AgentId]) {
        for id in ended_runs {
            if let Some(live) = self.runs.remove(id)
                && let Some(seq) = self.ended_again.get_mut(id)
            {
                *seq = live.run.last_run_seq;
            }
        }
        for id in gone_agents {
            self.roster.leave(*id);
            if let Some(agent) = self.agents.remove(id)
                && self.names.get(&agent.spec.name) == Some(id)
            {
                self.names.remove(&agent.spec.name);
            }
        }
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

    /// Decides what an input leads to. A rejection changed nothing, but for a spent budget, which
    /// also fails the attempt that asked.
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
            Command::RetryRun(retry) => self.retry_run(by, *retry, now, step),
            Command::Answer(given) => self.with_run(given.run, now, step, |live, pen| {
                live.answer(pen, by, &given)
            }),
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

    /// Accepts and begins a run; `above` is the task that waits for it, and how deep it stands.
    fn start_run(
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
            parent,
            seed,
            only,
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
            by: by.to_owned(),
            parent_run_id: parent,
            parent_task: above.as_ref().map(|(task, _)| task.clone()),
            depth: above.map_or(0, |(_, depth)| depth),
            seed,
            only: only.as_ref().map(TaskName::of),
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
        self.runs.insert(run, LiveRun::new(state, graph));
        self.queue(run);
        self.with_run(run, now, step, |live, pen| live.start(pen))
    }

    /// Takes up a run again that ended.
    fn retry_run(
        &mut self,
        by: &str,
        retry: RetryRun,
        now: Timestamp,
        step: &mut Step,
    ) -> Result<(), Rejection> {
        let RetryRun { run, ended } = retry;
        if !self.runs.contains_key(&run) {
            let ended = ended.ok_or(Rejection::NoSuchRun(run))?;
            let seen = ended.run.last_run_seq;
            let newest = self.ended_again.get(&run).copied().unwrap_or(seen);
            if newest != seen || ended.run.id != run {
                return Err(Rejection::Stale);
            }
            ended.run.state.allows(Control::Retry)?;
            self.adopt_run(*ended);
        }
        self.with_run(run, now, step, |live, pen| live.retry(pen, by))?;
        self.ended_again.entry(run).or_insert(0);
        self.queue(run);
        Ok(())
    }

    /// Asks a run and then all runs below it.
    fn each_below(
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

    fn terminate(
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

    /// The workflow of a child run was found: it begins, and the task waits for it.
    fn child_found(
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
        self.with_run(key.run, now, step, |live, pen| {
            live.child_begins(pen, &key, child)
        })?;
        let start = StartRun {
            parent: Some(key.run),
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

    // -- outcomes and moments ---------------------------------------------------------------------

    fn outcome(
        &mut self,
        outcome: Outcome,
        now: Timestamp,
        step: &mut Step,
    ) -> Result<(), Rejection> {
        let (key, crashed) = match outcome {
            Outcome::AgentReady(agent) => {
                let event = AgentEvent::Idle { cost_usd: None };
                self.change_agent(agent, event, now, step)?;
                self.set_idle_timer(agent, now, step);
                return Ok(());
            }
            Outcome::AgentBroken { agent, error } => {
                self.change_agent(agent, AgentEvent::Error { error }, now, step)?;
                self.set_idle_timer(agent, now, step);
                return Ok(());
            }
            Outcome::TurnStarted {
                key,
                turn,
                model,
                simulated,
            } => return self.turn_starts(key, turn, model, simulated, now, step),
            Outcome::MessageSent { key, to, text } => {
                let from = self.sender(&key)?;
                return self.send(from, to, text, now, step);
            }
            Outcome::ChildFound { key, start } => return self.child_found(key, *start, now, step),
            Outcome::Crashed { ref key, ref error } => (key.clone(), Some(error.clone())),
            Outcome::TurnCompleted { ref key, .. }
            | Outcome::ToolCalled { ref key, .. }
            | Outcome::ToolReturned { ref key, .. }
            | Outcome::Succeeded { ref key, .. }
            | Outcome::Failed { ref key, .. } => (key.clone(), None),
        };
        if let Some(error) = crashed {
            self.distrust(&key, &error, now, step);
        }
        if !self.runs.contains_key(&key.run) {
            return Err(Rejection::AttemptOver(key));
        }
        self.with_run(key.run, now, step, |live, pen| live.outcome(pen, outcome))
    }

    /// An agent whose work crashed takes no more of it until a person brings it back, or it goes.
    fn distrust(&mut self, key: &AttemptKey, error: &TaskError, now: Timestamp, step: &mut Step) {
        let Some((agent, others)) = self.worker(key).map(|agent| {
            let others = agent.attempts().filter(|other| *other != key);
            (agent.id, others.cloned().collect::<Vec<_>>())
        }) else {
            return;
        };
        // A paused agent cannot go to error: it then stays paused, without the attempt.
        let event = AgentEvent::Error {
            error: error.clone(),
        };
        if self.change_agent(agent, event, now, step).is_err() {
            return;
        }
        self.set_idle_timer(agent, now, step);
        for key in others {
            step.actions.push(Action::StopAttempt(key.clone()));
            let error = TaskError::passing(
                "agent_crashed",
                "The agent crashed at another task while it worked on this. Another one takes over.",
            );
            // What is over by now needs nobody to take over.
            let _over = self.lose_attempt(key, error, now, step);
        }
    }

    /// The agent that is at an attempt.
    fn worker(&self, key: &AttemptKey) -> Option<&Agent> {
        let live = self.runs.get(&key.run)?;
        let agent = live.run.tasks.get(&key.task)?.attempt(key.attempt)?.agent?;
        let agent = self.agents.get(&agent)?;
        agent.attempts().any(|on| on == key).then_some(agent)
    }

    fn timer(&mut self, timer: Timer, now: Timestamp, step: &mut Step) -> Result<(), Rejection> {
        let run = match &timer {
            Timer::Retry(key)
            | Timer::WaitOver(key)
            | Timer::AttemptTimeout(key)
            | Timer::GoOn(key) => Some(key.run),
            Timer::RunTimeout(run) => Some(*run),
            Timer::AgentIdle { .. } => None,
        };
        if run.is_some_and(|run| !self.runs.contains_key(&run)) {
            return Ok(());
        }
        match timer {
            Timer::Retry(key) | Timer::WaitOver(key) => {
                self.with_run(key.run, now, step, |live, pen| live.wait_over(pen, &key))
            }
            Timer::AttemptTimeout(key) => {
                self.with_run(key.run, now, step, |live, pen| live.timed_out(pen, &key))
            }
            Timer::GoOn(key) => {
                self.with_run(key.run, now, step, |live, pen| live.more_rounds(pen, &key))
            }
            Timer::RunTimeout(run) => {
                self.with_run(run, now, step, |live, pen| live.run_timed_out(pen))
            }
            Timer::AgentIdle { agent, since } => {
                let unused = self.agents.get(&agent).is_some_and(|agent| {
                    matches!(agent.state.phase(), Phase::Idle | Phase::Error)
                        && agent.updated_at == since
                });
                if unused {
                    self.terminate(agent, "idle, and no longer needed".to_owned(), now, step)?;
                }
                Ok(())
            }
        }
    }

    fn recovered(&mut self, id: RunId, now: Timestamp, step: &mut Step) -> Result<(), Rejection> {
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
                    self.start_attempt(&key, agent, now, step);
                }
                Some(_) => self.lose_attempt(key, cut_off(), now, step)?,
                None => {
                    let error = TaskError::passing(
                        "agent_lost",
                        "The agent that worked on this is gone. Another one takes over.",
                    );
                    self.lose_attempt(key, error, now, step)?;
                }
            }
        }
        Ok(())
    }

    /// Counts an attempt for the provider that its agent calls, which a replay does not know.
    fn recount(&mut self, key: &AttemptKey, model: Option<&str>) {
        if let Some(live) = self.runs.get_mut(&key.run) {
            for provider in live.load() {
                self.load.ease(provider);
            }
            live.count_load(key, model);
            for provider in live.load() {
                self.load.add(provider);
            }
        }
    }

    fn agent_recovered(
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
                    !live.is_some_and(|live| live.is_current(key))
                };
                let over: Vec<AttemptKey> = agent.attempts().filter(is_over).cloned().collect();
                for key in over {
                    self.release(id, &key, None, now, step)?;
                }
            }
            Phase::Error => self.set_idle_timer(id, now, step),
            Phase::Terminated => {}
        }
        Ok(())
    }

    // -- agents -----------------------------------------------------------------------------------

    fn spawn_on_demand(
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

    fn spawn(
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

    fn change_agent(
        &mut self,
        id: AgentId,
        event: AgentEvent,
        now: Timestamp,
        step: &mut Step,
    ) -> Result<(), Rejection> {
        let agent = self.agents.get_mut(&id).ok_or(Rejection::NoSuchAgent(id))?;
        agent.apply(now, &event)?;
        self.roster.note(agent);
        self.record(Fact::Agent { agent: id, event }, now, step);
        self.stirred = true;
        Ok(())
    }

    fn set_idle_timer(&mut self, id: AgentId, now: Timestamp, step: &mut Step) {
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
    fn start_attempt(&mut self, key: &AttemptKey, agent: AgentId, now: Timestamp, step: &mut Step) {
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

    fn lose_attempt(
        &mut self,
        key: AttemptKey,
        error: TaskError,
        now: Timestamp,
        step: &mut Step,
    ) -> Result<(), Rejection> {
        self.with_run(key.run, now, step, |live, pen| live.lost(pen, &key, error))
    }

    /// An attempt of an agent is over: it has room again.
    fn release(
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
        let was_over = live.run.state.is_final();
        let mut pen = Pen {
            head: &mut self.head,
            now,
            events: &mut step.events,
            actions: &mut step.actions,
            freed: Vec::new(),
            loaded: Vec::new(),
            eased: Vec::new(),
            orphans: Vec::new(),
        };
        let decided = decide(live, &mut pen);
        let Pen {
            freed,
            loaded,
            eased,
            orphans,
            ..
        } = pen;
        let ended = live.run.state.is_final() && !was_over;
        let ready = live.ready.take_fresh();
        for provider in &loaded {
            self.load.add(provider);
        }
        for provider in &eased {
            self.load.ease(provider);
        }
        self.stirred |= !eased.is_empty();
        if ready {
            self.queue(id);
        }
        for (agent, key, cost_usd) in freed {
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
