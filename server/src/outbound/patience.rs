//! How long a request waits for what. Knows the words, not the clock.

/// Which patience ran out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Patience {
    /// The name was not resolved in time.
    Name,
    /// No connection was made in time.
    Connect,
    /// The whole request took too long.
    Total,
}

impl Patience {
    /// What had not happened when it ran out.
    pub fn words(self) -> &'static str {
        match self {
            Patience::Name => "its name was not resolved",
            Patience::Connect => "no connection was made",
            Patience::Total => "the answer was not finished",
        }
    }

    /// Whether the other side may have acted on the request, and what to do.
    pub fn meaning(self) -> &'static str {
        match self {
            Patience::Name | Patience::Connect => {
                "Nothing was sent to it; check the address and the network, or let the step try again."
            }
            Patience::Total => {
                "The request may have had its effect there; a retry carries the same Idempotency-Key. \
                 Raise the step's timeout_ms if it needs longer."
            }
        }
    }
}
