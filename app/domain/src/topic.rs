//! Topics of the bus, and patterns over them with the meaning that Redis gives to `*` and `?`.

use crate::{
    agent::AgentEvent,
    event::Fact,
    id::{AgentId, WorkflowId},
};

/// Where events of runs of a workflow go.
pub fn workflow_events(workflow: WorkflowId) -> String {
    format!("workflow.{workflow}.events")
}

/// Where streaming text of runs of a workflow goes.
pub fn workflow_deltas(workflow: WorkflowId) -> String {
    format!("workflow.{workflow}.deltas")
}

/// Where an agent's changes of state go.
pub fn agent_status(agent: AgentId) -> String {
    format!("agent.{agent}.status")
}

/// Where what is written to an agent goes.
pub fn agent_messages(agent: AgentId) -> String {
    format!("agent.{agent}.messages")
}

/// Where everything that concerns nobody in particular goes.
pub fn system() -> String {
    "broadcast.system".to_owned()
}

/// The topic that a fact is published on.
pub fn of_fact(fact: &Fact) -> String {
    match fact {
        Fact::Run { workflow, .. } | Fact::Task { workflow, .. } => workflow_events(*workflow),
        Fact::Agent { agent, event } => match event {
            AgentEvent::Message(_) | AgentEvent::Read { .. } => agent_messages(*agent),
            AgentEvent::Spawned { .. }
            | AgentEvent::Idle { .. }
            | AgentEvent::Working { .. }
            | AgentEvent::Freed { .. }
            | AgentEvent::Charged { .. }
            | AgentEvent::Paused { .. }
            | AgentEvent::Resumed { .. }
            | AgentEvent::Error { .. }
            | AgentEvent::Terminated { .. } => agent_status(*agent),
        },
        Fact::System(_) => system(),
    }
}

/// Whether `topic` fits `pattern`: `*` stands for any text (dots included), `?` for one character,
/// `[abc]`, `[^abc]` and `[a-c]` for one of a set, `\` takes the next character as it is.
pub fn fits(pattern: &str, topic: &str) -> bool {
    fits_bytes(pattern.as_bytes(), topic.as_bytes())
}

fn fits_bytes(pattern: &[u8], topic: &[u8]) -> bool {
    // Where to go on when the rest does not fit: the last `*` takes one more character. Earlier
    // stars never need another look, so the time is at most pattern times topic.
    let (mut at, mut pos) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    loop {
        if at < pattern.len() && pattern[at] == b'*' {
            star = Some((at + 1, pos));
            at += 1;
            continue;
        }
        if pos == topic.len() && at == pattern.len() {
            return true;
        }
        if pos < topic.len()
            && let Some(next) = one(pattern, at, topic[pos])
        {
            at = next;
            pos += 1;
            continue;
        }
        match star {
            Some((after, taken)) if taken < topic.len() => {
                star = Some((after, taken + 1));
                at = after;
                pos = taken + 1;
            }
            Some(_) | None => return false,
        }
    }
}

/// The place behind the pattern's element at `at`, if that element fits `byte`.
fn one(pattern: &[u8], at: usize, byte: u8) -> Option<usize> {
    match *pattern.get(at)? {
        b'?' => Some(at + 1),
        b'\\' if at + 1 < pattern.len() => (pattern[at + 1] == byte).then_some(at + 2),
        b'[' => set(pattern, at + 1, byte),
        plain => (plain == byte).then_some(at + 1),
    }
}

fn set(pattern: &[u8], mut at: usize, byte: u8) -> Option<usize> {
    let negated = pattern.get(at) == Some(&b'^');
    if negated {
        at += 1;
    }
    let mut found = false;
    while let Some(&low) = pattern.get(at) {
        if low == b']' {
            return (found != negated).then_some(at + 1);
        }
        if low == b'\\' && at + 1 < pattern.len() {
            found |= pattern[at + 1] == byte;
            at += 2;
        } else if pattern.get(at + 1) == Some(&b'-') && at + 2 < pattern.len() {
            let high = pattern[at + 2];
            found |= (low.min(high)..=low.max(high)).contains(&byte);
            at += 3;
        } else {
            found |= low == byte;
            at += 1;
        }
    }
    // A set that is never closed ends with the pattern, as in Redis.
    (found != negated).then_some(at)
}

#[cfg(test)]
mod tests {
    use super::fits;

    #[test]
    fn patterns_mean_what_redis_means() {
        for (pattern, topic) in [
            ("workflow.*", "workflow.1.events"),
            ("*", ""),
            ("*.events", "workflow.1.events"),
            ("agent.?.status", "agent.7.status"),
            ("a*b*c", "a1b2b3c"),
            ("[ab]x", "bx"),
            ("[^ab]x", "cx"),
            ("[a-c]x", "bx"),
            ("\\*", "*"),
            ("***", "anything"),
        ] {
            assert!(fits(pattern, topic), "{pattern} should fit {topic}");
        }
        for (pattern, topic) in [
            ("workflow.*", "agent.1.status"),
            ("agent.?.status", "agent.17.status"),
            ("", "x"),
            ("a*b", "abc"),
            ("[^ab]x", "ax"),
            ("\\*", "x"),
        ] {
            assert!(!fits(pattern, topic), "{pattern} should not fit {topic}");
        }
    }

    #[test]
    fn many_stars_cost_no_more_than_one() {
        assert!(!fits(&"*a".repeat(2_000), &"a".repeat(1_999)));
    }
}
