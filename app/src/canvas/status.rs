//! What a state of a task looks like: one of few colours, and a shape of its own.

/// How a node or edge is coloured. The names are those of the style's tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Tint {
    /// No run is on.
    #[default]
    None,
    /// Its turn has not come.
    Idle,
    /// At work.
    Run,
    /// Waits for something.
    Wait,
    /// Done.
    Ok,
    /// Went wrong.
    Fail,
    /// Left out.
    Muted,
    /// Somebody has to say what happened.
    Unknown,
}

impl Tint {
    /// Every tint, in the order in which they are painted (the last on top).
    pub const ALL: [Tint; 8] = [
        Tint::None,
        Tint::Idle,
        Tint::Muted,
        Tint::Ok,
        Tint::Wait,
        Tint::Unknown,
        Tint::Run,
        Tint::Fail,
    ];

    /// The tint of a state of a task.
    pub fn of(status: &str) -> Self {
        match status {
            "blocked" | "ready" | "queued" => Tint::Idle,
            "assigned" | "running" => Tint::Run,
            "waiting" => Tint::Wait,
            "succeeded" => Tint::Ok,
            "failed" => Tint::Fail,
            "skipped" | "cancelled" => Tint::Muted,
            "unknown" => Tint::Unknown,
            _ => Tint::None,
        }
    }

    /// Its place in `ALL`.
    pub fn index(self) -> usize {
        Self::ALL
            .iter()
            .position(|tint| *tint == self)
            .unwrap_or_default()
    }
}

/// The shape of a state as the inside of an SVG of 16 by 16, drawn in the current colour. Empty for a
/// state that has none.
pub fn glyph(status: &str) -> &'static str {
    match status {
        "blocked" | "ready" | "queued" => r#"<circle cx="8" cy="8" r="5.5"/>"#,
        "assigned" | "running" => {
            r#"<circle cx="8" cy="8" r="5.5" opacity=".3"/><path d="M8 2.5a5.5 5.5 0 0 1 5.5 5.5"/>"#
        }
        "waiting" => r#"<path d="M6 4.5v7M10 4.5v7"/>"#,
        "succeeded" => r#"<path d="m3.5 8.5 3 3 6-7"/>"#,
        "failed" => r#"<path d="m4.5 4.5 7 7M11.5 4.5l-7 7"/>"#,
        "skipped" => r#"<path d="M4 8h8"/>"#,
        "cancelled" => r#"<circle cx="8" cy="8" r="5.5"/><path d="m4.2 11.8 7.6-7.6"/>"#,
        "unknown" => r#"<path d="M5.8 6a2.2 2.2 0 1 1 3.3 1.9c-.8.4-1.1.9-1.1 1.6M8 12v.4"/>"#,
        _ => "",
    }
}

/// What a state is called.
pub fn words(status: &str) -> &'static str {
    match status {
        "blocked" => "waits for the steps before it",
        "ready" | "queued" => "ready",
        "assigned" => "assigned",
        "running" => "running",
        "waiting" => "waiting",
        "succeeded" => "succeeded",
        "failed" => "failed",
        "skipped" => "skipped",
        "cancelled" => "cancelled",
        "unknown" => "unknown",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_state_of_a_task_has_colour_shape_and_words() {
        let states = [
            "blocked",
            "ready",
            "assigned",
            "running",
            "waiting",
            "succeeded",
            "failed",
            "skipped",
            "cancelled",
            "unknown",
        ];
        for state in states {
            assert_ne!(Tint::of(state), Tint::None, "{state}");
            assert_ne!(glyph(state), "", "{state}");
            assert_ne!(words(state), "", "{state}");
        }
        assert_eq!(Tint::of(""), Tint::None);
        for (at, tint) in Tint::ALL.into_iter().enumerate() {
            assert_eq!(tint.index(), at);
        }
    }
}
