//! Everything that lives: runs that are not at their end, agents that are not gone. One function
//! decides what an input leads to, one gives ready tasks to agents. Both are pure: same state, same
//! inputs, same moments and ids, same events.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};

use crate::{
    agent::{Agent, AgentEvent, AgentSpec, AgentState, Phase},
    dispatch::{Placement, Roster},
    event::{Event, Fact, SystemEvent},
    graph::Work,
    id::{AgentId, IdSource, RunId},
    money::MicroUsd,
    run::{
        AttemptKey, Run, RunEvent, TaskError,
        decide::{LiveRun, Pen},
        input::{Action, AttemptSpec, Command, Input, Outcome, Rejection, StartRun, Timer},
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
    /// How long an agent that was spawned on demand stays when idle, in milliseconds.
    pub agent_idle_ms: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_agents: 10_000,
            max_parallel: 10_000,
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
    names: HashSet<String>,
    /// The last number given to an agent of this role.
    numbers: HashMap<String, u32>,
    /// Runs that have ready tasks, in the order in which they are served.
    turn: VecDeque<RunId>,
    /// Whether anything changed that a pass of dispatch could make use of.
    stirred: bool,
    /// Agents in a row that could not be made ready, and the moment from which it is tried again.
    broken: (u32, Timestamp),
}

/// The wait after the first agent that could not be made ready, in milliseconds; doubles with each.
const BROKEN_WAIT_MS: u64 = 1_000;
/// The longest of these waits.
const BROKEN_WAIT_MAX_MS: u64 = 60_000;

impl Troupe {
    /// Nothing lives yet; the log ends at `head`.
    pub fn new(head: u64, limits: Limits) -> Self {
        Self {
            head,
            runs: HashMap::new(),
            agents: BTreeMap::new(),
            limits,
            names: HashSet::new(),
            numbers: HashMap::new(),
            turn: VecDeque::new(),
            stirred: false,
            broken: (0, Timestamp::default()),
        }
    }

    /// Takes in an agent that was stored; follow with `Input::AgentRecovered`.
    pub fn adopt_agent(&mut self, agent: Agent) {
        self.names.insert(agent.spec.name.clone());
        self.agents.insert(agent.id, agent);
        self.stirred = true;
    }

    /// Takes in a run that was replayed; follow with `Input::Recovered`.
    pub fn adopt_run(&mut self, run: LiveRun) {
        self.turn.push_back(run.run.id);
        self.runs.insert(run.run.id, run);
        self.stirred = true;
    }

    /// Forgets runs and agents that are at their end; the log keeps them.
    pub fn forget_ended(&mut self, ended_runs: &[RunId], gone_agents: &[AgentId]) {
        for run in ended_runs {
            self.runs.remove(run);
        }
        for agent in gone_agents {
            if let Some(agent) = self.agents.remove(agent) {
                self.names.remove(&agent.spec.name);
            }
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

    /// Gives ready tasks to agents, one task of each run in turn, and spawns agents where none fits.
    pub fn dispatch(
        &mut self,
        now: Timestamp,
        ids: &mut dyn IdSource,
        step: &mut Step,
    ) -> Result<(), Rejection> {
        if !std::mem::take(&mut self.stirred) {
            return Ok(());
        }
        let mut roster = Roster::of(self.agents.values());
        let mut at_work = self
            .agents
            .values()
            .filter(|agent| agent.working_on().is_some())
            .count();
        let mut turn = std::mem::take(&mut self.turn);
        let mut left: HashMap<RunId, VecDeque<usize>> = HashMap::new();
        while let Some(id) = turn.pop_front() {
            let Some(live) = self.runs.get_mut(&id) else {
                continue;
            };
            let Some(node) = live.ready.pop_front() else {
                continue;
            };
            turn.push_back(id);
            let Work::Agent(work) = &live.graph.nodes[node].work else {
                continue;
            };
            let placement = if at_work < self.limits.max_parallel {
                roster.place(&work.who)
            } else {
                Placement::Nowhere
            };
            match placement {
                Placement::Assign(agent) => {
                    at_work += 1;
                    self.assign(id, node, agent, now, step)?;
                }
                Placement::Spawn(capabilities) => {
                    left.entry(id).or_default().push_back(node);
                    if now >= self.broken.1 && self.agents.len() < self.limits.max_agents {
                        self.spawn_on_demand(ids.agent_id(), capabilities, now, step);
                    }
                }
                Placement::Await | Placement::Nowhere => {
                    left.entry(id).or_default().push_back(node)
                }
            }
        }
        for (id, nodes) in left {
            if let Some(live) = self.runs.get_mut(&id) {
                live.ready = nodes;
                self.turn.push_back(id);
            }
        }
        // In the order of their acceptance, whatever order the table had.
        self.turn.make_contiguous().sort_unstable();
        Ok(())
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
            Command::StartRun(start) => self.start_run(by, *start, now, step),
            Command::CancelRun(run) => {
                self.with_run(run, now, step, |live, pen| live.cancel(pen, by))
            }
            Command::SpawnAgent { agent, spec } => {
                if self.names.contains(&spec.name) {
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

    fn start_run(
        &mut self,
        by: &str,
        start: StartRun,
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
        } = start;
        let event = RunEvent::Queued {
            workflow_name,
            workflow_version: version,
            input,
            budget_usd,
            by: by.to_owned(),
            parent_run_id: parent,
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
        self.turn.push_back(run);
        self.with_run(run, now, step, |live, pen| live.start(pen))
    }

    fn terminate(
        &mut self,
        id: AgentId,
        reason: String,
        now: Timestamp,
        step: &mut Step,
    ) -> Result<(), Rejection> {
        let agent = self.agents.get(&id).ok_or(Rejection::NoSuchAgent(id))?;
        let on = agent.working_on().cloned();
        self.change_agent(id, AgentEvent::Terminated { reason }, now, step)?;
        step.actions.push(Action::ReleaseAgent(id));
        if let Some(key) = on {
            step.actions.push(Action::StopAttempt(key.clone()));
            let error = TaskError::passing(
                "agent_terminated",
                "The agent was ended while it worked on this. Another one takes over.",
            );
            self.fail_attempt(key, error, now, step)?;
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
        let key = match &outcome {
            Outcome::AgentReady(agent) => {
                let agent = *agent;
                self.broken.0 = 0;
                self.change_agent(agent, AgentEvent::Idle { cost_usd: None }, now, step)?;
                self.set_idle_timer(agent, now, step);
                return Ok(());
            }
            Outcome::AgentBroken { agent, error } => {
                self.await_mending(now, step);
                return self.set_aside(*agent, error, now, step);
            }
            Outcome::Crashed { key, error } => {
                let (key, error) = (key.clone(), error.clone());
                self.distrust(&key, &error, now, step);
                key
            }
            Outcome::TurnStarted { key, .. }
            | Outcome::TurnCompleted { key, .. }
            | Outcome::ToolCalled { key, .. }
            | Outcome::ToolReturned { key, .. }
            | Outcome::Succeeded { key, .. }
            | Outcome::Failed { key, .. } => key.clone(),
        };
        if !self.runs.contains_key(&key.run) {
            return Err(Rejection::AttemptOver(key));
        }
        self.with_run(key.run, now, step, |live, pen| live.outcome(pen, outcome))
    }

    /// An agent that is broken takes no more work until a person brings it back. Nobody would bring back
    /// one that was spawned on demand: it ends, and another takes its place.
    fn set_aside(
        &mut self,
        id: AgentId,
        error: &TaskError,
        now: Timestamp,
        step: &mut Step,
    ) -> Result<(), Rejection> {
        let event = AgentEvent::Error {
            error: error.clone(),
        };
        self.change_agent(id, event, now, step)?;
        if self.agents.get(&id).is_some_and(|agent| agent.on_demand) {
            let reason = format!("set aside: {}", error.message);
            self.change_agent(id, AgentEvent::Terminated { reason }, now, step)?;
            step.actions.push(Action::ReleaseAgent(id));
        }
        Ok(())
    }

    /// What broke one agent on its way would break the next: waits before another is spawned.
    fn await_mending(&mut self, now: Timestamp, step: &mut Step) {
        let wait_ms = BROKEN_WAIT_MS
            .saturating_mul(1 << self.broken.0.min(16))
            .min(BROKEN_WAIT_MAX_MS);
        let at = now.plus_ms(wait_ms);
        self.broken = (self.broken.0.saturating_add(1), at);
        step.actions.push(Action::SetTimer {
            at,
            timer: Timer::SpawnAgain,
        });
    }

    /// Sets aside the agent whose work crashed.
    fn distrust(&mut self, key: &AttemptKey, error: &TaskError, now: Timestamp, step: &mut Step) {
        let at_it = self
            .agents
            .values()
            .find(|agent| agent.working_on() == Some(key));
        if let Some(id) = at_it.map(|agent| agent.id) {
            // A paused agent cannot go to error: it then stays paused, without the attempt.
            let _paused = self.set_aside(id, error, now, step);
        }
    }

    fn timer(&mut self, timer: Timer, now: Timestamp, step: &mut Step) -> Result<(), Rejection> {
        match timer {
            Timer::Retry(key) if self.runs.contains_key(&key.run) => {
                self.with_run(key.run, now, step, |live, pen| live.retry(pen, &key))
            }
            Timer::AttemptTimeout(key) if self.runs.contains_key(&key.run) => {
                self.with_run(key.run, now, step, |live, pen| live.timed_out(pen, &key))
            }
            Timer::Retry(_) | Timer::AttemptTimeout(_) => Ok(()),
            Timer::SpawnAgain => {
                self.stirred = true;
                Ok(())
            }
            Timer::AgentIdle { agent, since } => {
                let idle = self.agents.get(&agent).is_some_and(|agent| {
                    agent.state == AgentState::Idle && agent.updated_at == since
                });
                if idle {
                    self.terminate(agent, "idle, and no longer needed".to_owned(), now, step)?;
                }
                Ok(())
            }
        }
    }

    fn recovered(&mut self, id: RunId, now: Timestamp, step: &mut Step) -> Result<(), Rejection> {
        self.with_run(id, now, step, |live, pen| live.recover(pen))?;
        let Some(live) = self.runs.get(&id) else {
            return Ok(());
        };
        let mut cut = Vec::new();
        for (name, task) in &live.run.tasks {
            if let Some(number) = task.state.attempt() {
                let agent = task.attempt(number).and_then(|attempt| attempt.agent);
                cut.push((
                    AttemptKey {
                        run: id,
                        task: name.clone(),
                        attempt: number,
                    },
                    agent,
                ));
            }
        }
        for (key, agent) in cut {
            let holder = agent.filter(|id| {
                self.agents
                    .get(id)
                    .is_some_and(|agent| agent.working_on() == Some(&key))
            });
            match holder {
                Some(agent) => self.start_attempt(&key, agent, now, step),
                None => {
                    let error = TaskError::passing(
                        "agent_lost",
                        "The agent that worked on this is gone. Another one takes over.",
                    );
                    self.fail_attempt(key, error, now, step)?;
                }
            }
        }
        Ok(())
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
                let over = agent.working_on().is_some_and(|key| {
                    !self
                        .runs
                        .get(&key.run)
                        .is_some_and(|live| live.is_current(key))
                });
                if over {
                    self.change_agent(id, AgentEvent::Idle { cost_usd: None }, now, step)?;
                    self.set_idle_timer(id, now, step);
                }
            }
            Phase::Error | Phase::Terminated => {}
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
            if !self.names.contains(&name) {
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
        self.record(Fact::Agent { agent: id, event }, now, step);
        self.stirred = true;
        Ok(())
    }

    fn set_idle_timer(&mut self, id: AgentId, now: Timestamp, step: &mut Step) {
        let Some(agent) = self.agents.get(&id) else {
            return;
        };
        if agent.on_demand && agent.state == AgentState::Idle {
            step.actions.push(Action::SetTimer {
                at: now.plus_ms(self.limits.agent_idle_ms),
                timer: Timer::AgentIdle {
                    agent: id,
                    since: agent.updated_at,
                },
            });
        }
    }

    fn assign(
        &mut self,
        run: RunId,
        node: usize,
        agent: AgentId,
        now: Timestamp,
        step: &mut Step,
    ) -> Result<(), Rejection> {
        let name = self
            .agents
            .get(&agent)
            .map(|agent| agent.spec.name.clone())
            .unwrap_or_default();
        let mut key = None;
        self.with_run(run, now, step, |live, pen| {
            key = Some(live.assign(pen, node, agent, &name)?);
            Ok(())
        })?;
        if let Some(key) = key {
            self.change_agent(agent, AgentEvent::Working { on: key.clone() }, now, step)?;
            self.start_attempt(&key, agent, now, step);
        }
        Ok(())
    }

    /// Asks for the work on an attempt to begin, or to be taken up again.
    fn start_attempt(&mut self, key: &AttemptKey, agent: AgentId, now: Timestamp, step: &mut Step) {
        let (Some(live), Some(worker)) = (self.runs.get(&key.run), self.agents.get(&agent)) else {
            return;
        };
        let Some(node) = live.find(&key.task) else {
            return;
        };
        let Work::Agent(work) = &live.graph.nodes[node].work else {
            return;
        };
        let task = &live.run.tasks[node];
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
            })));
        if let Some(limit) = live.graph.nodes[node].timeout_ms {
            let timer = Timer::AttemptTimeout(key.clone());
            step.actions.push(Action::SetTimer {
                at: now.plus_ms(limit),
                timer,
            });
        }
    }

    fn fail_attempt(
        &mut self,
        key: AttemptKey,
        error: TaskError,
        now: Timestamp,
        step: &mut Step,
    ) -> Result<(), Rejection> {
        self.with_run(key.run, now, step, |live, pen| {
            live.outcome(pen, Outcome::Failed { key, error })
        })
    }

    // -- recording --------------------------------------------------------------------------------

    /// Lets a run decide, then frees the agents whose attempts ended by that.
    fn with_run(
        &mut self,
        id: RunId,
        now: Timestamp,
        step: &mut Step,
        decide: impl FnOnce(&mut LiveRun, &mut Pen<'_>) -> Result<(), Rejection>,
    ) -> Result<(), Rejection> {
        let live = self.runs.get_mut(&id).ok_or(Rejection::NoSuchRun(id))?;
        let mut freed: Vec<(AgentId, Option<MicroUsd>)> = Vec::new();
        let had_ready = live.ready.len();
        let mut pen = Pen {
            head: &mut self.head,
            now,
            events: &mut step.events,
            actions: &mut step.actions,
            freed: &mut freed,
        };
        let decided = decide(live, &mut pen);
        if live.ready.len() > had_ready {
            self.stirred = true;
            if !self.turn.contains(&id) {
                self.turn.push_back(id);
            }
        }
        for (agent, cost_usd) in freed {
            // One that was terminated, or went to error, is not idle now; that is no contradiction.
            if self
                .agents
                .get(&agent)
                .is_some_and(|agent| agent.working_on().is_some())
            {
                self.change_agent(agent, AgentEvent::Idle { cost_usd }, now, step)?;
                self.set_idle_timer(agent, now, step);
            }
        }
        decided
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
