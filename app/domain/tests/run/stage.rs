//! A stage for stories: plays the agents by a script, moves time from timer to timer, and tells in a
//! few lines what became of a run.
//!
//! The graph, one thing a line: `a` (an agent node), `t = {{ nodes.a.output }}` (a transform),
//! `g ? 'yes' in nodes.a.output` (a branch), `o : {{ nodes.a.output }}` (an output),
//! `a > b > c` and `g.true > b` (edges), `b join any`, `b on_error continue`, `b retry 1`,
//! `b disabled`, `b timeout 50`, `b can writing` (capabilities), `b by name` (a named agent),
//! `b once` (not repeatable), `m each [1, 2] do a; b; a > b end` (a map; `m at 1` is its
//! concurrency), `l loop 3 do a end` and `l until 'ok' in nodes.a.output do a end`,
//! `h get http://x/{{ item }}`, `q approve Really?`, `w wait 500`, `c runs other`.
//!
//! The script, one thing a line: `a says yes`, `a fails`, `a fails twice` (in a way that passes),
//! `a crashes`, `a hangs`, `cancel when b` (once b is started), `hold when b` (paused then, resumed
//! when nothing else goes on), `q is approved` (answered when nothing else goes on),
//! `workflow other: a; b; a > b` (what `c runs other` finds). A name without its round speaks for
//! all rounds. Everyone else says its own name.

use std::{collections::BTreeMap, sync::Arc};

use domain::{
    agent::Agent,
    budget::{OnBudget, Quote},
    event::{Event, Fact},
    graph::{Drawing, DrawnEdge, DrawnNode, ValidGraph, check::check},
    id::{AgentId, IdSource, PortName, RunId, TaskName, WorkflowId},
    money::MicroUsd,
    run::{
        AttemptKey, CostIs, FinishReason, Run, RunEvent, RunState, TaskError, TaskEvent, TaskState,
        TurnRecord,
        decide::LiveRun,
        input::{
            Action, AttemptSpec, ChildSpec, Command, GivenAnswer, HttpSpec, Input, Outcome,
            Rejection, StartRun, Timer,
        },
    },
    time::Timestamp,
    troupe::{Limits, Step, Troupe},
};
use serde_json::{Value, json};
use uuid::Uuid;

pub struct Counting(pub u128);

impl IdSource for Counting {
    fn agent_id(&mut self) -> AgentId {
        self.0 += 1;
        AgentId(Uuid::from_u128(self.0))
    }
}

/// Reads the graph of a story.
pub fn graph(text: &str) -> Arc<ValidGraph> {
    let drawing = draw(text);
    match check(&drawing) {
        (Some(graph), _) => Arc::new(graph),
        (None, problems) => panic!("the story's graph cannot run: {problems:#?}"),
    }
}

fn draw(text: &str) -> Drawing {
    let mut drawing = Drawing::default();
    let mut node = |id: &str, kind: &str, keys: Value| {
        let Value::Object(keys) = keys else { return };
        drawing.nodes.push(DrawnNode {
            id: id.into(),
            kind: kind.into(),
            keys,
        });
    };
    let lines = statements(text);
    for line in &lines {
        let words: Vec<&str> = line.split_whitespace().collect();
        match words[..] {
            [id, "each", ..] => {
                let (items, body) = parts(line, "each");
                node(
                    id,
                    "map",
                    json!({ "items": items, "body": draw(body).to_value() }),
                );
            }
            [id, "loop", most, "do", ..] => {
                let (_, body) = parts(line, "loop");
                let most: u32 = most.parse().expect("a number");
                node(
                    id,
                    "loop",
                    json!({ "max_iterations": most, "body": draw(body).to_value() }),
                );
            }
            [id, "until", ..] => {
                let (until, body) = parts(line, "until");
                node(
                    id,
                    "loop",
                    json!({ "until": until, "body": draw(body).to_value() }),
                );
            }
            [id, "get", ..] => node(id, "http", json!({ "url": line[id.len() + 5..] })),
            [id, "approve", ..] => {
                node(id, "approval", json!({ "message": line[id.len() + 9..] }));
            }
            [id, "wait", ms] => {
                let ms: u64 = ms.parse().expect("a number");
                node(id, "wait", json!({ "duration_ms": ms }));
            }
            [id, "runs", other] => node(id, "workflow", json!({ "workflow": other })),
            [id] => node(
                id,
                "agent",
                json!({ "prompt": format!("do {id}"), "capabilities": [] }),
            ),
            [id, "=", ..] => node(id, "transform", json!({ "template": line[id.len() + 3..] })),
            [id, "=json", ..] => node(
                id,
                "transform",
                json!({ "template": line[id.len() + 7..], "as": "json" }),
            ),
            [id, "?", ..] => node(id, "branch", json!({ "condition": line[id.len() + 3..] })),
            [id, ":", ..] => node(id, "output", json!({ "value": line[id.len() + 3..] })),
            [id, "asks", ..] => node(
                id,
                "agent",
                json!({ "prompt": line[id.len() + 6..], "capabilities": [] }),
            ),
            _ => {}
        }
    }
    for line in &lines {
        let words: Vec<&str> = line.split_whitespace().collect();
        if words.len() > 2 && words[1] == ">" {
            for pair in line
                .split('>')
                .map(str::trim)
                .collect::<Vec<_>>()
                .windows(2)
            {
                drawing.edges.push(DrawnEdge {
                    from: pair[0].into(),
                    to: pair[1].into(),
                    ..DrawnEdge::default()
                });
            }
            continue;
        }
        if words.contains(&"do") {
            continue;
        }
        let (key, value) = match words[..] {
            [_, "at", most] => ("concurrency", json!(most.parse::<u32>().expect("a number"))),
            [_, "once"] => ("repeatable", json!(false)),
            [_, "join", how] => ("join", json!(how)),
            [_, "on_error", how] => ("on_error", json!(how)),
            [_, "retry", tries] => (
                "retry",
                json!({ "attempts": tries.parse::<u32>().expect("a number") }),
            ),
            [_, "timeout", ms] => ("timeout_ms", json!(ms.parse::<u64>().expect("a number"))),
            [_, "disabled"] => ("disabled", json!(true)),
            [_, "can", word] => ("capabilities", json!([word])),
            [_, "calls", model] => ("model", json!(model)),
            [_, "by", name] => ("agent", json!(name)),
            _ => continue,
        };
        let node = drawing
            .nodes
            .iter_mut()
            .find(|node| node.id == words[0])
            .expect("a node of that name");
        node.keys.insert(key.into(), value);
        if key == "agent" {
            node.keys.shift_remove("capabilities");
        }
    }
    drawing
}

/// Lines, or parts of one between semicolons that stand in no body.
fn statements(text: &str) -> Vec<String> {
    let mut found = vec![String::new()];
    let mut depth = 0_u32;
    for line in text.lines() {
        for word in line.replace(';', " ; ").split_whitespace() {
            match word {
                "do" => depth += 1,
                "end" => depth -= 1,
                ";" if depth == 0 => {
                    found.push(String::new());
                    continue;
                }
                _ => {}
            }
            if let Some(last) = found.last_mut() {
                last.push_str(if last.is_empty() { "" } else { " " });
                last.push_str(word);
            }
        }
        if depth == 0 {
            found.push(String::new());
        }
    }
    found.retain(|line| !line.is_empty());
    found
}

/// What stands between a word and `do`, and what between that and the last `end`.
fn parts<'a>(line: &'a str, word: &str) -> (&'a str, &'a str) {
    let (_, rest) = line.split_once(&format!(" {word} ")).expect("the word");
    let (before, body) = rest.split_once("do ").expect("a body");
    let (body, _) = body.rsplit_once(" end").expect("an end");
    (before.trim(), body)
}

/// What a task's agent does.
#[derive(Debug, Clone)]
enum Part {
    Says(String),
    Fails,
    FailsThenSays(u32),
    Crashes,
    Hangs,
}

/// One run with its agents.
pub struct Stage {
    pub troupe: Troupe,
    pub log: Vec<Event>,
    /// Lengths of the log after each commit: what a kill can leave behind.
    pub commits: Vec<usize>,
    pub now: Timestamp,
    pub run: RunId,
    pub graph: Arc<ValidGraph>,
    parts: BTreeMap<String, Part>,
    cancel_when: Option<String>,
    hold_when: Option<String>,
    answers: Vec<(String, String)>,
    workflows: BTreeMap<String, Arc<ValidGraph>>,
    pub graphs: BTreeMap<RunId, Arc<ValidGraph>>,
    pub started: Vec<AttemptSpec>,
    pub requests: Vec<HttpSpec>,
    pub wanted: Vec<ChildSpec>,
    pub timers: BTreeMap<(Timestamp, usize), Timer>,
    timers_set: usize,
    ids: Counting,
    waves: Vec<Vec<String>>,
    limits: Limits,
    /// So many workspaces cannot be made before one can.
    pub broken_workspaces: u32,
}

impl Stage {
    pub fn new(graph_text: &str, script: &str) -> Self {
        let mut parts = BTreeMap::new();
        let mut cancel_when = None;
        let mut hold_when = None;
        let mut answers = Vec::new();
        let mut workflows = BTreeMap::new();
        for line in script
            .lines()
            .map(str::trim)
            .filter(|line| !line.is_empty())
        {
            let words: Vec<&str> = line.split_whitespace().collect();
            match words[..] {
                ["cancel", "when", task] => cancel_when = Some(task.to_owned()),
                ["hold", "when", task] => hold_when = Some(task.to_owned()),
                ["workflow", name, ..] => {
                    let (_, text) = line.split_once(": ").expect("a graph");
                    workflows.insert(name.trim_end_matches(':').to_owned(), graph(text));
                }
                [task, "is", port] => answers.push((task.to_owned(), port.to_owned())),
                [task, "says", ..] => {
                    parts.insert(
                        task.to_owned(),
                        Part::Says(line[task.len() + 6..].to_owned()),
                    );
                }
                [task, "fails"] => drop(parts.insert(task.to_owned(), Part::Fails)),
                [task, "fails", "once"] => {
                    drop(parts.insert(task.to_owned(), Part::FailsThenSays(1)))
                }
                [task, "fails", "twice"] => {
                    drop(parts.insert(task.to_owned(), Part::FailsThenSays(2)))
                }
                [task, "fails", "thrice"] => {
                    drop(parts.insert(task.to_owned(), Part::FailsThenSays(3)))
                }
                [task, "crashes"] => drop(parts.insert(task.to_owned(), Part::Crashes)),
                [task, "hangs"] => drop(parts.insert(task.to_owned(), Part::Hangs)),
                _ => panic!("the script says `{line}`, which nobody understands"),
            }
        }
        Self {
            troupe: Troupe::new(0, Limits::default()),
            log: Vec::new(),
            commits: Vec::new(),
            now: Timestamp(1_000_000),
            run: RunId(Uuid::from_u128(7)),
            graph: graph(graph_text),
            parts,
            cancel_when,
            hold_when,
            answers,
            workflows,
            graphs: BTreeMap::new(),
            started: Vec::new(),
            requests: Vec::new(),
            wanted: Vec::new(),
            timers: BTreeMap::new(),
            timers_set: 0,
            ids: Counting(100),
            waves: Vec::new(),
            limits: Limits::default(),
            broken_workspaces: 0,
        }
    }

    /// As it is, under other limits of the server.
    pub fn under(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self.troupe = Troupe::new(0, limits);
        self
    }

    pub fn start_input(&self, input: Value) -> Input {
        Input::Command {
            by: "tester".into(),
            command: Command::StartRun(Box::new(StartRun {
                run: self.run,
                workflow: WorkflowId(Uuid::from_u128(8)),
                version: 1,
                workflow_name: "story".into(),
                graph: Arc::clone(&self.graph),
                input,
                budget_usd: None,
                budget_tokens: None,
                on_budget: OnBudget::Wait,
                parent: None,
                seed: Vec::new(),
                only: None,
                replay: None,
            })),
        }
    }

    /// One input, with everything that follows from it at once.
    pub fn take(&mut self, input: Input) -> Result<(), Rejection> {
        if let Input::Command {
            command: Command::StartRun(start),
            ..
        }
        | Input::Outcome(Outcome::ChildFound { start, .. }) = &input
        {
            self.graphs.insert(start.run, Arc::clone(&start.graph));
        }
        let mut step = Step::default();
        let taken = self.troupe.handle(input, self.now, &mut step);
        self.troupe
            .dispatch(self.now, &mut self.ids, &mut step)
            .expect("dispatch never contradicts itself");
        self.log.extend(step.events);
        self.commits.push(self.log.len());
        for action in step.actions {
            self.act(action);
        }
        taken
    }

    fn act(&mut self, action: Action) {
        match action {
            Action::PrepareAgent(agent) if self.broken_workspaces > 0 => {
                self.broken_workspaces -= 1;
                let error = TaskError::passing("no_workspace", "disk full");
                self.take(Input::Outcome(Outcome::AgentBroken { agent, error }))
                    .expect("a spawned agent can break");
            }
            Action::PrepareAgent(agent) => {
                self.take(Input::Outcome(Outcome::AgentReady(agent)))
                    .expect("a spawned agent becomes idle");
            }
            Action::ReleaseAgent(_) => {}
            Action::StartAttempt(spec) => self.started.push(*spec),
            Action::StartHttp(spec) => self.requests.push(*spec),
            Action::FindWorkflow(spec) => self.wanted.push(*spec),
            Action::StopAttempt(key) => {
                self.started.retain(|spec| spec.key != key);
                self.requests.retain(|spec| spec.key != key);
                self.wanted.retain(|spec| spec.key != key);
            }
            Action::SetTimer { at, timer } => {
                self.timers_set += 1;
                self.timers.insert((at, self.timers_set), timer);
            }
        }
    }

    /// Plays until nothing is left to do.
    pub fn play(&mut self) {
        loop {
            if !self.started.is_empty() {
                let wave = std::mem::take(&mut self.started);
                self.waves
                    .push(wave.iter().map(|spec| spec.key.task.to_string()).collect());
                for spec in wave {
                    self.perform(&spec);
                }
                continue;
            }
            if !self.requests.is_empty() || !self.wanted.is_empty() {
                self.play_requests();
                continue;
            }
            let Some(((at, _), timer)) = self.timers.pop_first() else {
                if self.go_on_by_hand() {
                    continue;
                }
                return;
            };
            if matches!(timer, Timer::AgentIdle { .. }) && self.is_over() {
                continue;
            }
            self.now = self.now.max(at);
            self.take(Input::Timer(timer))
                .expect("timers are never refused");
        }
    }

    /// Answers what waits for a person, or lets go of what is held; `false` where there is nothing.
    fn go_on_by_hand(&mut self) -> bool {
        for (at, (task, port)) in self.answers.clone().into_iter().enumerate() {
            let command = answer(self.run, &task, &port, json!(port));
            if self.take(by("ann", command)).is_ok() {
                self.answers.remove(at);
                return true;
            }
        }
        let held = self
            .troupe
            .runs
            .get(&self.run)
            .is_some_and(|live| live.run.is_paused());
        held && self.take(by("ann", Command::ResumeRun(self.run))).is_ok()
    }

    /// The same story, known only up to one of its commits, after a new start.
    pub fn cut(&self, commit: usize) -> Stage {
        let mut after = Stage::new("a", "");
        after.graph = Arc::clone(&self.graph);
        after.graphs = self.graphs.clone();
        after.workflows = self.workflows.clone();
        after.parts = self.parts.clone();
        after.now = self.now;
        after.run = self.run;
        after.ids = Counting(10_000);
        after.log = self.log[..self.commits[commit]].to_vec();
        after.restart();
        after
    }

    /// From now on nobody fails.
    pub fn all_well(&mut self) {
        self.parts.clear();
        self.waves.clear();
    }

    /// Plays what agents are at now, and nothing that comes after.
    pub fn play_agents(&mut self) {
        for spec in std::mem::take(&mut self.started) {
            self.perform(&spec);
        }
    }

    /// Lets time pass until agents are at work again, or nothing is left to wait for.
    pub fn play_timers(&mut self) {
        while self.started.is_empty()
            && let Some(((at, _), timer)) = self.timers.pop_first()
        {
            self.now = self.now.max(at);
            self.take(Input::Timer(timer))
                .expect("timers are never refused");
        }
    }

    /// A run as its log tells it.
    pub fn replayed(&self, id: RunId) -> LiveRun {
        let graph = &self.graphs[&id];
        let of_run = self.log.iter().filter(|event| event.fact.run() == Some(id));
        let run = Run::replay(of_run, graph).expect("the log fits itself");
        LiveRun::new(run.expect("there is a run"), Arc::clone(graph))
    }

    /// A kill and a new start: the log is all that is left.
    pub fn restart(&mut self) {
        let mut troupe = Troupe::new(self.log.len() as u64, self.limits);
        let mut agents: BTreeMap<AgentId, Agent> = BTreeMap::new();
        for event in &self.log {
            if let Fact::Agent { agent, event: what } = &event.fact {
                match Agent::spawned(*agent, event.at, what) {
                    Some(spawned) => drop(agents.insert(*agent, spawned)),
                    None => {
                        let agent = agents.get_mut(agent).expect("it was spawned");
                        agent.apply(event.at, what).expect("the log fits itself");
                    }
                }
            }
        }
        for event in &self.log {
            if let Fact::System(event) = &event.fact {
                troupe.recall(event);
            }
        }
        agents.retain(|_, agent| agent.state.phase().name() != "terminated");
        for agent in agents.values() {
            troupe.adopt_agent(agent.clone());
        }
        crate::money::carry(&mut troupe, &self.log, self.now);
        let agents: Vec<AgentId> = agents.into_keys().collect();
        let mut runs: Vec<RunId> = self.graphs.keys().copied().collect();
        runs.retain(|id| {
            let of_run = self
                .log
                .iter()
                .filter(|event| event.fact.run() == Some(*id));
            let run = Run::replay(of_run, &self.graphs[id]).expect("the log fits itself");
            let Some(run) = run else { return false };
            let goes_on = !run.state.is_final();
            troupe.adopt_run(LiveRun::new(run, Arc::clone(&self.graphs[id])));
            goes_on
        });
        self.troupe = troupe;
        self.started.clear();
        self.requests.clear();
        self.wanted.clear();
        self.timers.clear();
        for run in runs {
            self.take(Input::Recovered(run)).expect("a run recovers");
        }
        for agent in agents {
            self.take(Input::AgentRecovered(agent))
                .expect("an agent recovers");
        }
    }

    /// Plays on with people who let go of what they hold and answer what they are asked.
    pub fn finish(&mut self) {
        for _ in 0..1_000 {
            self.play();
            let agents: Vec<AgentId> = self.troupe.agents.keys().copied().collect();
            for agent in agents {
                let _not_held = self.take(by("ann", Command::ResumeAgent(agent)));
            }
            let mut asked = Vec::new();
            for (id, live) in &self.troupe.runs {
                if live.run.is_paused() {
                    asked.push(Command::ResumeRun(*id));
                }
                for name in live.run.tasks.keys() {
                    for port in ["approved", "failed"] {
                        let port = PortName::parse(port).expect("a port");
                        if live.run.takes_answer(name, &port).is_ok() {
                            asked.push(answer(*id, name.as_str(), port.as_str(), json!(null)));
                        }
                    }
                }
            }
            // What was given up with the round around it takes no answer any more.
            let mut asked = asked.into_iter();
            let answered = asked.any(|command| self.take(by("ann", command)).is_ok());
            if !answered && self.started.is_empty() && self.timers.is_empty() {
                return;
            }
        }
        panic!("it never ends:\n{}", self.tree());
    }

    /// Answers what the run asked of the world beside its agents.
    pub fn play_requests(&mut self) {
        for spec in std::mem::take(&mut self.requests) {
            self.request(&spec);
        }
        self.play_wanted();
    }

    /// Finds the workflows of child runs.
    pub fn play_wanted(&mut self) {
        for spec in std::mem::take(&mut self.wanted) {
            self.find_workflow(&spec);
        }
    }

    fn request(&mut self, spec: &HttpSpec) {
        self.now = self.now.plus_ms(10);
        let key = spec.key.clone();
        self.interrupt(key.task.as_str());
        let outcome = match self.part(key.task.as_str()) {
            Some(Part::Hangs) => return,
            Some(Part::Fails | Part::Crashes) => Outcome::Failed {
                key,
                error: TaskError::lasting("refused", "404"),
            },
            Some(Part::FailsThenSays(left @ 1..)) => {
                self.parts
                    .insert(key.task.to_string(), Part::FailsThenSays(left - 1));
                Outcome::Failed {
                    key,
                    error: TaskError::passing("busy", "503"),
                }
            }
            Some(Part::FailsThenSays(0) | Part::Says(_)) | None => Outcome::Succeeded {
                key,
                output: json!({ "status": 200, "headers": {}, "body": spec.request.url }),
            },
        };
        let _late = self.take(Input::Outcome(outcome));
    }

    fn find_workflow(&mut self, spec: &ChildSpec) {
        let key = spec.key.clone();
        let outcome = match self.workflows.get(&spec.workflow) {
            Some(graph) => Outcome::ChildFound {
                key,
                start: Box::new(StartRun {
                    run: RunId(Uuid::from_u128(1_000 + self.graphs.len() as u128)),
                    workflow: WorkflowId(Uuid::from_u128(9)),
                    version: 1,
                    workflow_name: spec.workflow.clone(),
                    graph: Arc::clone(graph),
                    input: spec.input.clone(),
                    budget_usd: None,
                    budget_tokens: None,
                    on_budget: OnBudget::Wait,
                    parent: None,
                    seed: Vec::new(),
                    only: None,
                    replay: None,
                }),
            },
            None => Outcome::Failed {
                key,
                error: TaskError::lasting("no_such_workflow", "there is none"),
            },
        };
        let _late = self.take(Input::Outcome(outcome));
    }

    /// The part of a task: its own, or that of its node in all rounds.
    fn part(&self, task: &str) -> Option<Part> {
        let node = task.rsplit('.').next().unwrap_or(task);
        self.parts
            .get(task)
            .or_else(|| self.parts.get(node))
            .cloned()
    }

    /// What the script has happen once this task is at work.
    fn interrupt(&mut self, task: &str) {
        if self.cancel_when.as_deref() == Some(task) {
            self.cancel_when = None;
            let command = Command::CancelRun(self.run);
            self.take(by("tester", command))
                .expect("a live run can be cancelled");
        }
        if self.hold_when.as_deref() == Some(task) {
            self.hold_when = None;
            let command = Command::PauseRun(self.run);
            self.take(by("tester", command))
                .expect("a live run can be held");
        }
    }

    fn is_over(&self) -> bool {
        self.troupe
            .runs
            .values()
            .all(|live| live.run.state.is_final())
    }

    fn perform(&mut self, spec: &AttemptSpec) {
        let task = spec.key.task.to_string();
        let key = spec.key.clone();
        self.now = self.now.plus_ms(10);
        let turn = Outcome::TurnStarted {
            key: key.clone(),
            turn: next_turn(spec),
            model: "rehearsal:default".into(),
            others: Vec::new(),
            simulated: true,
            quote: Quote::default(),
            prompt: String::new(),
        };
        if self.take(Input::Outcome(turn)).is_err() {
            return;
        }
        self.interrupt(&task);
        let passing = |code: &str| TaskError::passing(code, "it can pass");
        let outcome = match self.part(&task) {
            Some(Part::Hangs) => return,
            Some(Part::Crashes) => {
                self.parts.insert(task, Part::FailsThenSays(0));
                Outcome::Crashed {
                    key,
                    error: passing("agent_crashed"),
                }
            }
            Some(Part::Fails) => Outcome::Failed {
                key,
                error: TaskError::lasting("refused", "it never works"),
            },
            Some(Part::FailsThenSays(0)) | None => return self.say(spec, &task),
            Some(Part::FailsThenSays(left)) => {
                self.parts.insert(task, Part::FailsThenSays(left - 1));
                Outcome::Failed {
                    key,
                    error: passing("busy"),
                }
            }
            Some(Part::Says(text)) => return self.say(spec, &text),
        };
        // What comes too late is refused; that is part of the story.
        let _late = self.take(Input::Outcome(outcome));
    }

    fn say(&mut self, spec: &AttemptSpec, text: &str) {
        let key = spec.key.clone();
        let record = Box::new(record(text));
        let _late = self.take(Input::Outcome(Outcome::TurnCompleted {
            key: key.clone(),
            turn: next_turn(spec),
            record,
        }));
        let _late = self.take(Input::Outcome(Outcome::Succeeded {
            key,
            output: json!(text),
        }));
    }

    pub fn run(&self) -> &Run {
        &self.troupe.runs[&self.run].run
    }

    /// The tree that came out.
    pub fn tree(&self) -> String {
        let run = self.run();
        let mut out = match &run.state {
            RunState::Succeeded { output } => format!("run succeeded: {output}\n"),
            RunState::Failed { error } => {
                let task = error
                    .task
                    .as_ref()
                    .map(|task| task.to_string())
                    .unwrap_or_default();
                format!("run failed at {task}: {}\n", error.error.code)
            }
            other => format!("run {}\n", other.name()),
        };
        for (name, task) in &run.tasks {
            let more = match &task.state {
                TaskState::Failed { error, .. } => format!(" ({})", error.code),
                TaskState::Skipped { reason } => format!(" ({reason:?})"),
                TaskState::Waiting { reason, .. } => format!(" ({reason:?})"),
                TaskState::Succeeded {
                    port: Some(port), ..
                } => format!(" -> {port}"),
                _ => String::new(),
            };
            let tries = if task.attempts.len() > 1 {
                format!(" after {} tries", task.attempts.len())
            } else {
                String::new()
            };
            out.push_str(&format!("{name} {}{more}{tries}\n", task.state.name()));
        }
        out
    }

    /// Which agent tasks ran at the same time.
    pub fn waves(&self) -> String {
        self.waves
            .iter()
            .map(|wave| wave.join(" "))
            .collect::<Vec<_>>()
            .join(" | ")
    }

    /// Checks what must hold for any log at any time.
    pub fn assert_sound(&self) {
        for (at, event) in self.log.iter().enumerate() {
            assert_eq!(event.seq, at as u64 + 1, "seq has a gap");
        }
        for (id, live) in &self.troupe.runs {
            let Some(graph) = self.graphs.get(id) else {
                continue;
            };
            let of_run: Vec<&Event> = self
                .log
                .iter()
                .filter(|event| event.fact.run() == Some(*id))
                .collect();
            for (at, event) in of_run.iter().enumerate() {
                assert_eq!(event.run_seq, Some(at as u64 + 1), "run_seq has a gap");
            }
            let replayed = Run::replay(of_run, graph).expect("the log fits itself");
            assert_eq!(
                replayed.as_ref(),
                Some(&live.run),
                "replay gives another state"
            );
            let settled = live
                .run
                .tasks
                .values()
                .filter(|task| task.state.is_settled())
                .count();
            assert_eq!(
                live.run.totals.settled as usize, settled,
                "settled tasks are miscounted"
            );
            let turns = live.run.tasks.values().flat_map(|task| &task.attempts);
            let cost: u64 = turns
                .filter_map(|attempt| attempt.cost())
                .map(|cost| cost.0)
                .sum();
            assert_eq!(
                live.run.cost().map_or(0, |cost| cost.0),
                cost,
                "cost is miscounted"
            );
        }
        self.assert_nothing_is_repeated();
        for event in &self.log {
            let back = Event::from_frame(event.to_frame()).expect("frames can be read back");
            assert_eq!(&back, event, "the wire changes an event");
        }
        if let Some(live) = self.troupe.runs.get(&self.run)
            && live.run.state.is_final()
        {
            for (name, task) in &live.run.tasks {
                assert!(
                    task.state.is_settled() || task.state.name() == "unknown",
                    "{name} is {} in an ended run",
                    task.state.name()
                );
            }
        }
        let mut at_work = 0;
        for agent in self.troupe.agents.values() {
            for key in agent.attempts() {
                let live = &self.troupe.runs[&key.run];
                assert!(
                    live.is_current(key) || live.is_held(key),
                    "{} works on {key:?}, which is over",
                    agent.spec.name
                );
            }
        }
        for live in self.troupe.runs.values() {
            at_work += live.at_work();
            self.assert_agents_are_at_it(live);
        }
        assert_eq!(self.troupe.at_work(), at_work, "the load is miscounted");
        let counts = self.troupe.agent_counts();
        let idle = |agent: &&Agent| agent.state.phase().name() == "idle";
        let idle = self.troupe.agents.values().filter(idle).count() as u64;
        assert_eq!(counts.idle, idle, "agents are miscounted");
    }
}

impl Stage {
    /// Whatever is under way has an agent, where it needs one, and that agent is at it.
    fn assert_agents_are_at_it(&self, live: &LiveRun) {
        for (name, task) in &live.run.tasks {
            let attempt = task.state.attempt();
            let Some(attempt) = attempt.and_then(|number| task.attempt(number)) else {
                continue;
            };
            let Some(agent) = attempt.agent else { continue };
            let key = AttemptKey {
                run: live.run.id,
                task: name.clone(),
                attempt: attempt.number,
            };
            let at_it = |agent: &Agent| agent.attempts().any(|on| *on == key);
            assert!(
                self.troupe.agents.get(&agent).is_some_and(at_it),
                "{name} is under way, and its agent is not at it"
            );
        }
    }

    /// What may not be repeated was not, unless a person said so.
    fn assert_nothing_is_repeated(&self) {
        for (id, live) in &self.troupe.runs {
            for (name, task) in &live.run.tasks {
                let place = live.find(name).expect("it is there");
                if live.node(place).repeatable {
                    continue;
                }
                let done = task
                    .attempts
                    .iter()
                    .filter(|attempt| !attempt.turns.is_empty());
                let said = self.log.iter().filter(|event| match &event.fact {
                    Fact::Run {
                        run,
                        event: RunEvent::Resumed { again, .. },
                        ..
                    } => run == id && again.contains(name),
                    Fact::Task {
                        run,
                        task,
                        event: TaskEvent::Answered { port, .. },
                        ..
                    } => run == id && task == name && port.as_str() == "retry",
                    _ => false,
                });
                assert!(done.count() <= 1 + said.count(), "{name} was repeated");
            }
        }
    }
}

/// The turn behind those that are finished.
fn next_turn(spec: &AttemptSpec) -> u32 {
    1 + spec.turns.iter().filter(|turn| turn.done.is_some()).count() as u32
}

/// A command of this person.
pub fn by(name: &str, command: Command) -> Input {
    Input::Command {
        by: name.into(),
        command,
    }
}

/// An answer to a task.
pub fn answer(run: RunId, task: &str, port: &str, data: Value) -> Command {
    Command::Answer(Box::new(GivenAnswer {
        run,
        task: TaskName::parse(task).expect("a task name"),
        port: PortName::parse(port).expect("a port"),
        comment: String::new(),
        data,
    }))
}

/// A model call that brought this text.
pub fn record(text: &str) -> TurnRecord {
    TurnRecord {
        provider: "rehearsal".into(),
        model: "default".into(),
        text: text.into(),
        tool_calls: Vec::new(),
        reasoning_details: Vec::new(),
        prompt_tokens: Some(10),
        completion_tokens: Some(5),
        cached_tokens: None,
        reasoning_tokens: None,
        assumed_usd: None,
        assumed_tokens: None,
        simulated: false,
        cost_usd: Some(MicroUsd(3)),
        replayed: false,
        cost_is: CostIs::Charged,
        finish_reason: FinishReason::Stop,
        generation_id: None,
        first_token_ms: Some(1),
        duration_ms: 2,
    }
}

/// Plays a story to its end and tells what became of it.
pub fn play(graph: &str, script: &str) -> Stage {
    play_with(graph, script, json!({}))
}

/// As `play`, with an input.
pub fn play_with(graph: &str, script: &str, input: Value) -> Stage {
    let mut stage = Stage::new(graph, script);
    let start = stage.start_input(input);
    stage.take(start).expect("a story can start");
    stage.play();
    stage.assert_sound();
    stage
}

/// The types of a task's events, in order.
pub fn events_of(stage: &Stage, task: &str) -> String {
    let mut kinds = Vec::new();
    for event in &stage.log {
        if let Fact::Task {
            task: name,
            event: what,
            ..
        } = &event.fact
            && name.as_str() == task
        {
            let frame = event.to_frame();
            kinds.push(match what {
                TaskEvent::Retrying {
                    attempt, wait_ms, ..
                } => format!("{}({attempt}, {wait_ms} ms)", frame.kind),
                _ => frame.kind,
            });
        }
    }
    kinds.join(" ")
}
