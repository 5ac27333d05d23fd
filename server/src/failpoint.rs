//! Places where a test can have the process die: `TROUPE_FAILPOINT=before-commit:3` ends it when it comes
//! to `before-commit` for the third time, as `kill -9` would: no destructor runs, nothing is flushed,
//! nobody is told.
//!
//! Only builds with debug assertions have any of it; in a release the calls are empty and the name of
//! the variable is not in the file. A cargo feature would say the same with more ceremony, and every
//! `./x test` would build the server twice.
//!
//! Refused here: errors and delays. What may fail in an orderly way has a port and a twin.

/// Every place there is; tests walk over all of them. At `take-up` a start goes on with one run.
pub const PLACES: [&str; 12] = [
    "take-up",
    "before-commit",
    "after-commit",
    "before-publish",
    "after-publish",
    "before-reply",
    "after-reply",
    "before-call",
    "first-text",
    "call-finished",
    "before-http",
    "http-answered",
];

/// The process comes by this place.
#[cfg(not(debug_assertions))]
#[inline(always)]
pub fn reach(_place: &'static str) {}

/// The process comes by this place, and may end here.
#[cfg(debug_assertions)]
pub fn reach(place: &'static str) {
    debug_assert!(PLACES.contains(&place), "{place} is not in the list");
    armed::reach(place);
}

#[cfg(debug_assertions)]
mod armed {
    use std::sync::{
        OnceLock,
        atomic::{AtomicU64, Ordering},
    };

    /// Where the process is to end, and how many more times it comes by there.
    struct Armed {
        place: String,
        left: AtomicU64,
    }

    fn armed() -> Option<&'static Armed> {
        static ARMED: OnceLock<Option<Armed>> = OnceLock::new();
        let read = || {
            let text = std::env::var("TROUPE_FAILPOINT").ok()?;
            let (place, times) = text.split_once(':')?;
            Some(Armed {
                place: place.to_owned(),
                left: AtomicU64::new(times.parse().ok()?),
            })
        };
        ARMED.get_or_init(read).as_ref()
    }

    pub(super) fn reach(place: &str) {
        if let Some(armed) = armed()
            && armed.place == place
            && armed.left.fetch_sub(1, Ordering::SeqCst) == 1
        {
            std::process::abort();
        }
    }
}
