//! What stands inside of one node: its keys against the table in `kind`, and the typed node that
//! they make. The table says what a key holds and within which bounds; nothing here repeats it.

mod typed;

use std::{collections::BTreeSet, fmt::Display};

use serde_json::{Map, Value};

pub(super) use self::typed::whole;
use super::{Around, Findings, Place, Reads, short};
use crate::{
    graph::{
        AgentWork, Drawing, HttpWork, Join, Node, OnError, Severity, Source, WaitWork, Who, Work,
    },
    id::{NodeId, PortName},
    kind::{KeySpec, Kind, MAX_CASES},
    retry::RetryPolicy,
};

/// The longest that one attempt of an agent takes where its node says nothing.
const AGENT_TIMEOUT_MS: u64 = 600_000;

/// The longest that a request takes where its node says nothing.
const HTTP_TIMEOUT_MS: u64 = 60_000;

/// The names of the nodes in a body.
pub(super) type Outline = BTreeSet<String>;

/// What was read of one node.
pub(super) struct Step {
    /// The node, where all of it is right; none for a note.
    pub node: Option<Node>,
    /// What its sources read.
    pub reads: Vec<Reads>,
}

/// Reads the node at this place of the drawing.
pub(super) fn read(
    drawing: &Drawing,
    at: usize,
    inside: &Around<'_>,
    findings: &mut Findings<'_>,
) -> Step {
    let drawn = &drawing.nodes[at];
    let Some(kind) = drawn.known_kind() else {
        return Step {
            node: None,
            reads: Vec::new(),
        };
    };
    let mut keys = Keys {
        at,
        kind,
        keys: &drawn.keys,
        findings,
        reads: Vec::new(),
    };
    keys.report_unknown();
    let node = keys.node(&drawn.id, drawn.title(), inside);
    Step {
        node,
        reads: keys.reads,
    }
}

/// The keys of one node while they are read.
pub(super) struct Keys<'a, 'b, 'c> {
    pub(super) at: usize,
    kind: Kind,
    keys: &'a Map<String, Value>,
    pub(super) findings: &'b mut Findings<'c>,
    pub(super) reads: Vec<Reads>,
}

impl<'a> Keys<'a, '_, '_> {
    /// The whole node. Every key is read even where an earlier one was wrong, so that all that is
    /// wrong is told at once.
    fn node(&mut self, id: &str, title: &str, inside: &Around<'_>) -> Option<Node> {
        self.line("title");
        if self.kind == Kind::Note {
            self.line("text");
            return None;
        }
        let work = self.work(inside);
        let join = match self.choice("join") {
            "any" => Join::Any,
            _ => Join::All,
        };
        let on_error = match self.choice("on_error") {
            // Of a map it is said of its items: it goes on by itself.
            "continue" if self.kind != Kind::Map => OnError::Continue,
            "branch" => OnError::Branch,
            _ => OnError::Fail,
        };
        let retry = self.retry();
        // Of an approval it is how long it waits for a person, and was read with its work.
        let timeout_ms = if self.kind == Kind::Approval {
            None
        } else {
            self.integer("timeout_ms")
        };
        let repeatable = self.flag_on("repeatable");
        let disabled = self.flag("disabled");
        let work = work?;
        let timeout_ms = match work {
            Work::Agent(_) => timeout_ms.or(Some(AGENT_TIMEOUT_MS)),
            Work::Http(_) => timeout_ms.or(Some(HTTP_TIMEOUT_MS)),
            Work::Transform { .. }
            | Work::Branch { .. }
            | Work::Map(_)
            | Work::Loop(_)
            | Work::Approval { .. }
            | Work::Wait(_)
            | Work::Workflow { .. }
            | Work::Output { .. } => timeout_ms,
        };
        let id = NodeId::parse(id).ok()?;
        let title = title.to_owned();
        Some(Node {
            id,
            title,
            work,
            join,
            on_error,
            retry,
            timeout_ms,
            repeatable,
            disabled,
        })
    }

    fn work(&mut self, inside: &Around<'_>) -> Option<Work> {
        match self.kind {
            Kind::Agent => self.agent().map(|work| Work::Agent(Box::new(work))),
            Kind::Transform => {
                let template = self.source("template");
                let json = self.choice("as") == "json";
                Some(Work::Transform {
                    template: template?,
                    json,
                })
            }
            Kind::Branch => self.branch(),
            Kind::Map => self.map(inside),
            Kind::Loop => self.looped(inside),
            Kind::Http => self.http(),
            Kind::Approval => {
                let message = self.source("message");
                let timeout_ms = self.integer("timeout_ms");
                Some(Work::Approval {
                    message: message?,
                    timeout_ms,
                })
            }
            Kind::Wait => self.wait(),
            Kind::Workflow => {
                let workflow = self.line("workflow");
                let input = self.fields("input");
                Some(Work::Workflow {
                    workflow: workflow?.trim().to_owned(),
                    input: input?,
                })
            }
            Kind::Output => Some(Work::Output {
                value: self.source("value")?,
            }),
            Kind::Note => None,
        }
    }

    fn agent(&mut self) -> Option<AgentWork> {
        let prompt = self.source("prompt");
        let named = self.line("agent");
        let capabilities = self.words("capabilities").unwrap_or_default();
        let model = self.model();
        let models = self.models();
        let preferences = self.preferences();
        let instructions = self.source("instructions");
        let tools = self.words("tools");
        let output_schema = self.schema();
        let max_turns = self.integer("max_turns").unwrap_or(20);
        let max_tokens = self.integer("max_tokens").unwrap_or(2_048);
        let temperature = self.number("temperature");
        let who = match named {
            Some(name) => {
                if !capabilities.is_empty() {
                    let message =
                        "An agent is named, so `capabilities` is not asked: keep one of the two.";
                    self.warning("unused_key", "capabilities", message);
                }
                Who::Named(name.trim().to_owned())
            }
            None => Who::Capable(capabilities),
        };
        Some(AgentWork {
            prompt: prompt?,
            who,
            model: model.map(str::to_owned),
            models,
            preferences,
            instructions,
            tools,
            output_schema,
            max_turns: u32::try_from(max_turns).unwrap_or(u32::MAX),
            max_tokens: u32::try_from(max_tokens).unwrap_or(u32::MAX),
            temperature,
        })
    }

    fn http(&mut self) -> Option<Work> {
        let method = self.choice("method");
        let url = self.source("url");
        let headers = self.fields("headers");
        let body = self.source("body");
        let json = self.choice("output") == "json";
        let scheme = |url: &str| url.starts_with("http://") || url.starts_with("https://");
        if let Some(url) = &url
            && !url.text.contains('{')
            && !scheme(url.text.trim())
        {
            let message = "The URL must begin with http:// or https://.";
            self.error("bad_url", "url", message);
            return None;
        }
        Some(Work::Http(Box::new(HttpWork {
            method: method.to_owned(),
            url: url?,
            headers: headers?,
            body,
            json,
        })))
    }

    fn wait(&mut self) -> Option<Work> {
        let until = self.source("until");
        let duration_ms = self.integer("duration_ms");
        match (self.value("until").is_some(), until, duration_ms) {
            (true, None, _) => None,
            (_, Some(_), Some(_)) => {
                let message = "`until` and `duration_ms` are both there: keep one of the two.";
                self.error("two_waits", "until", message);
                None
            }
            (_, Some(until), None) => Some(Work::Wait(WaitWork::Until(until))),
            (false, None, Some(duration)) => Some(Work::Wait(WaitWork::For(duration))),
            (false, None, None) => {
                if self.value("duration_ms").is_none() {
                    let message = "Say how long to wait: `duration_ms`, or `until` a moment.";
                    self.error("missing_key", "duration_ms", message);
                }
                None
            }
        }
    }

    fn branch(&mut self) -> Option<Work> {
        let condition = self.source("condition");
        let cases = self.cases();
        let otherwise = self.line("else");
        let Some(cases) = cases else {
            if otherwise.is_some() {
                let message =
                    "`else` belongs to `cases`: a condition goes on at `true` or `false`.";
                self.warning("unused_key", "else", message);
            }
            if self.value("condition").is_none() {
                let message =
                    "A branch needs a condition (or several cases): say when it goes on at `true`.";
                self.error("missing_key", "condition", message);
            }
            let [yes, no] = ["true", "false"].map(|port| PortName::parse(port).ok());
            return Some(Work::Branch {
                cases: vec![(yes?, condition?)],
                otherwise: no,
            });
        };
        if self.value("condition").is_some() {
            let message = "`cases` are there, so `condition` is not asked: keep one of the two.";
            self.warning("unused_key", "condition", message);
        }
        let otherwise = match otherwise {
            Some(port) => Some(self.port("else", port)?),
            None => None,
        };
        Some(Work::Branch {
            cases: cases?,
            otherwise,
        })
    }

    /// `None` where there are no cases; `Some(None)` where something is wrong with them.
    fn cases(&mut self) -> Option<Option<Vec<(PortName, Source)>>> {
        let spec = self.spec("cases")?;
        let Value::Array(list) = self.value("cases")? else {
            self.wrong_type(spec, "a list of `{\"port\", \"when\"}`");
            return Some(None);
        };
        if list.is_empty() {
            return None;
        }
        if list.len() > MAX_CASES {
            let message = format!(
                "There are {} cases; a branch has at most {MAX_CASES}. Let one branch follow another.",
                list.len()
            );
            self.error("too_many_cases", "cases", message);
            return Some(None);
        }
        let mut cases: Vec<(PortName, Source)> = Vec::with_capacity(list.len());
        let mut whole = true;
        for (number, case) in list.iter().enumerate().map(|(at, case)| (at + 1, case)) {
            let part = |key: &str| case.get(key).and_then(Value::as_str).unwrap_or_default();
            let (port, when) = (part("port"), part("when"));
            if port.is_empty() || when.trim().is_empty() {
                let message =
                    format!("Case {number} needs a `port` and the condition `when` it is taken.");
                self.error("bad_case", "cases", message);
                whole = false;
                continue;
            }
            let extra = case.as_object().into_iter().flat_map(Map::keys);
            for key in extra.filter(|key| !["port", "when"].contains(&key.as_str())) {
                let message = format!(
                    "Case {number} has a key `{}`, which means nothing here.",
                    short(key)
                );
                self.warning("unknown_key", "cases", message);
            }
            let port = self.port("cases", port);
            if let Some(port) = &port
                && cases.iter().any(|(other, _)| other == port)
            {
                let message = format!("Two cases lead to port `{port}`: join them with `or`.");
                self.error("bad_case", "cases", message);
                whole = false;
            }
            let when = self.taken_source("cases", when, Source::expression(when));
            match (port, when) {
                (Some(port), Some(when)) => cases.push((port, when)),
                _ => whole = false,
            }
        }
        Some(whole.then_some(cases))
    }

    fn port(&mut self, key: &'static str, raw: &str) -> Option<PortName> {
        match PortName::parse(raw) {
            Ok(port) if port.as_str() == PortName::ERROR => {
                let message = "Port `error` is where failures go: call this one something else.";
                self.error("bad_port", key, message);
                None
            }
            Ok(port) => Some(port),
            Err(error) => {
                self.error("bad_port", key, format!("{error}."));
                None
            }
        }
    }

    fn retry(&mut self) -> RetryPolicy {
        let policy = RetryPolicy::default();
        let Some(value) = self.value("retry") else {
            return policy;
        };
        let Value::Object(parts) = value else {
            self.error(
                "wrong_type",
                "retry",
                "`retry` must be an object with `attempts`, `min_wait_ms` and `max_wait_ms`.",
            );
            return policy;
        };
        let mut part = |name: &str, or: u64, min: i64, max: i64| {
            let number = match parts.get(name) {
                None | Some(Value::Null) => return or,
                Some(value) => whole(value),
            };
            match number {
                Some(number) if (min..=max).contains(&number) => {
                    u64::try_from(number).unwrap_or(or)
                }
                Some(_) => {
                    let message = format!("`{name}` of `retry` must be {min} to {max}.");
                    self.error("out_of_range", "retry", message);
                    or
                }
                None => {
                    let message = format!("`{name}` of `retry` must be a whole number.");
                    self.error("wrong_type", "retry", message);
                    or
                }
            }
        };
        let attempts = part(
            "attempts",
            policy.attempts.into(),
            1,
            crate::kind::MAX_ATTEMPTS,
        );
        let max = crate::kind::MAX_WAIT_MS;
        let min_wait_ms = part("min_wait_ms", policy.min_wait_ms, 0, max);
        let max_wait_ms = part("max_wait_ms", policy.max_wait_ms.max(min_wait_ms), 0, max);
        if min_wait_ms > max_wait_ms {
            let message = "`min_wait_ms` of `retry` is more than `max_wait_ms`: swap them.";
            self.error("out_of_range", "retry", message);
        }
        for key in parts.keys() {
            if !["attempts", "min_wait_ms", "max_wait_ms"].contains(&key.as_str()) {
                let message = format!(
                    "`retry` has a key `{}`, which means nothing here.",
                    short(key)
                );
                self.warning("unknown_key", "retry", message);
            }
        }
        let attempts = u32::try_from(attempts).unwrap_or(1);
        RetryPolicy {
            attempts,
            min_wait_ms,
            max_wait_ms,
        }
    }

    // -- small things -----------------------------------------------------------------------------

    pub(super) fn spec(&self, name: &str) -> Option<&'static KeySpec> {
        self.kind.key(name)
    }

    /// What stands under a key; null is as good as nothing.
    pub(super) fn value(&self, name: &str) -> Option<&'a Value> {
        self.keys.get(name).filter(|value| !value.is_null())
    }

    fn report_unknown(&mut self) {
        for key in self.keys.keys().filter(|key| self.kind.key(key).is_none()) {
            let known = self.kind.own_keys().iter().chain(self.kind.common_keys());
            let hint = match self.findings.suggest(key, known.map(|spec| spec.name)) {
                Some(other) => format!("did you mean `{other}`?"),
                None => "it is kept but not used.".to_owned(),
            };
            let message = format!(
                "`{}` means nothing to a node of kind {}: {hint}",
                short(key),
                self.kind.name()
            );
            self.findings
                .warning("unknown_key", Place::Node(self.at), message);
            self.findings.about_key(Severity::Warning, key);
        }
    }

    pub(super) fn wrong_type(&mut self, spec: &'static KeySpec, what: &str) {
        let message = format!("`{}` must be {what}.", spec.name);
        self.error("wrong_type", spec.name, message);
    }

    pub(super) fn error(&mut self, code: &str, key: &'static str, message: impl Display) {
        self.findings
            .error(code, Place::Key(self.at, key), message.to_string());
    }

    fn warning(&mut self, code: &str, key: &'static str, message: impl Display) {
        self.findings
            .warning(code, Place::Key(self.at, key), message.to_string());
    }
}
