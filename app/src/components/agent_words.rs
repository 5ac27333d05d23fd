//! What an agent is doing, in about five words.

use domain::{
    agent::{Agent, AgentState, Phase},
    time::Timestamp,
};

use crate::words;

/// What an agent is doing.
pub fn doing(agent: &Agent, now: Timestamp) -> String {
    let since = || words::elapsed(now.ms_since(agent.updated_at));
    match &agent.state {
        AgentState::Spawning => "getting ready".into(),
        AgentState::Idle => format!("idle for {}", since()),
        AgentState::Working { on } if on.attempt > 1 => {
            format!("{} (try {}), {}", on.task, on.attempt, since())
        }
        AgentState::Working { .. } if !agent.also.is_empty() => {
            format!("{} tasks, {}", agent.also.len() + 1, since())
        }
        AgentState::Working { on } => format!("{}, {}", on.task, since()),
        AgentState::Paused { on: Some(on) } => format!("paused; finishes {}", on.task),
        AgentState::Paused { on: None } => format!("paused for {}", since()),
        AgentState::Error { error } => words::short(&error.message, 80),
        AgentState::Terminated { reason } => format!("ended: {}", words::short(reason, 60)),
    }
}

/// What a person may do to an agent now: only legal moves are offered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moves {
    /// Give it no more work.
    pub pause: bool,
    /// Give it work again, or bring it back.
    pub resume: bool,
    /// End it.
    pub terminate: bool,
}

/// What a person may do to an agent in this phase.
pub fn moves(phase: Phase) -> Moves {
    let held = match phase {
        Phase::Paused | Phase::Error => true,
        Phase::Spawning | Phase::Idle | Phase::Working | Phase::Terminated => false,
    };
    Moves {
        pause: phase != Phase::Paused && phase.move_to(Phase::Paused).is_ok(),
        resume: held,
        terminate: phase.move_to(Phase::Terminated).is_ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_legal_moves_are_offered() {
        let told: Vec<String> = Phase::ALL
            .into_iter()
            .map(|phase| {
                let Moves {
                    pause,
                    resume,
                    terminate,
                } = moves(phase);
                let offered = [
                    (pause, "pause"),
                    (resume, "resume"),
                    (terminate, "terminate"),
                ];
                let offered: Vec<&str> = offered
                    .into_iter()
                    .filter(|(on, _)| *on)
                    .map(|(_, name)| name)
                    .collect();
                format!("{phase}: {}", offered.join(" "))
            })
            .collect();
        expect_test::expect![[r#"
            spawning: terminate
            idle: pause terminate
            working: pause terminate
            paused: resume terminate
            error: resume terminate
            terminated: "#]]
        .assert_eq(&told.join("\n"));
    }
}
