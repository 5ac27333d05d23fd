//! What keeps the database small: one task that removes what is old, gives free pages back and moves the
//! write-ahead log into the file, and one that measures what takes the space. Both work in small steps
//! with pauses between them, because the kernel writes through the same connection.
//!
//! Refused here: haste. Nothing that lives is touched, nothing that was chosen goes before a moment has
//! passed in which it could be taken up again, and everything can be stopped between two steps.

mod cleaner;
mod pace;

#[cfg(test)]
mod tests;

use std::{sync::Arc, time::Duration};

use app::api::dto::{Cleaned, Cleaning};
use domain::{retention::Retention, time::Timestamp};
use tokio::{
    sync::{Notify, mpsc, watch},
    time::timeout,
};
use tokio_util::sync::CancellationToken;

use self::cleaner::Cleaner;
use crate::{
    clock::Clock,
    store::{
        StoreError,
        upkeep::{Sizes, Space, Upkeep},
    },
};

/// What was measured longer ago is measured again when somebody asks.
const FRESH_FOR_MS: u64 = 60_000;

/// How long somebody waits for that before the older figures have to do.
const MEASURED_WITHIN: Duration = Duration::from_secs(2);

/// How long somebody who asks for something waits until it shows.
const SHOWS_WITHIN: Duration = Duration::from_secs(1);

/// Wishes that wait; who asks faster waits.
const ASKS: usize = 4;

/// What the upkeep is at.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct State {
    /// What takes the space, and when that was seen.
    pub measured: Option<(Timestamp, Space)>,
    /// The clean-up that is under way.
    pub cleaning: Option<Cleaning>,
    /// The last one that ended.
    pub last: Option<Cleaned>,
}

/// What somebody wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ask {
    /// Clean up now.
    Clean,
    /// Stop that.
    Stop,
    /// The rules changed: what is under way begins anew.
    Again,
}

/// The door to the upkeep.
#[derive(Clone)]
pub struct Handle {
    store: Arc<dyn Upkeep>,
    clock: Arc<dyn Clock>,
    state: watch::Receiver<State>,
    asks: mpsc::Sender<Ask>,
    looked: Arc<Notify>,
}

/// The work behind the door.
pub struct Work {
    cleaner: Cleaner,
    looked: Arc<Notify>,
}

/// The door and the work, which is the caller's to spawn.
pub fn upkeep(
    store: Arc<dyn Upkeep>,
    clock: Arc<dyn Clock>,
    shutdown: CancellationToken,
) -> (Handle, Work) {
    let (state, seen) = watch::channel(State::default());
    let (asks, asked) = mpsc::channel(ASKS);
    let looked = Arc::new(Notify::new());
    let cleaner = Cleaner {
        store: Arc::clone(&store),
        clock: Arc::clone(&clock),
        state: Arc::new(state),
        asked,
        shutdown,
        looked: Arc::clone(&looked),
        begin_anew: false,
    };
    let handle = Handle {
        store,
        clock,
        state: seen,
        asks,
        looked: Arc::clone(&looked),
    };
    (handle, Work { cleaner, looked })
}

impl Handle {
    /// How long what is kept.
    pub async fn retention(&self) -> Result<Retention, StoreError> {
        self.store.retention().await
    }

    /// Changes that; a clean-up that is under way begins anew.
    pub async fn set_retention(&self, rules: &Retention) -> Result<(), StoreError> {
        self.store.set_retention(rules).await?;
        if self.state.borrow().cleaning.is_some() {
            self.ask(Ask::Again).await;
        }
        Ok(())
    }

    /// The file, measured now.
    pub async fn sizes(&self) -> Result<Sizes, StoreError> {
        self.store.sizes().await
    }

    /// What the upkeep is at, with figures that are not old where they can be had soon.
    pub async fn state(&self) -> State {
        let now = self.clock.now();
        let fresh = |state: &State| {
            let at = state.measured.as_ref().map(|(at, _)| *at);
            at.is_some_and(|at| now.ms_since(at) < FRESH_FOR_MS)
        };
        let mut state = self.state.clone();
        if !fresh(&state.borrow()) {
            self.looked.notify_one();
            // Older figures, or none, have to do when this takes too long.
            let _late = timeout(MEASURED_WITHIN, state.wait_for(fresh)).await;
        }
        self.state.borrow().clone()
    }

    /// Cleans up now, if that is not under way.
    pub async fn clean(&self) {
        let before = self.state.borrow().last.clone();
        self.ask(Ask::Clean).await;
        self.shows(|state| state.cleaning.is_some() || state.last != before)
            .await;
    }

    /// Stops what is under way; what has not begun to go stays.
    pub async fn stop(&self) {
        if self.state.borrow().cleaning.is_some() {
            self.ask(Ask::Stop).await;
            self.shows(|state| state.cleaning.is_none()).await;
        }
    }

    async fn ask(&self, ask: Ask) {
        // Nobody is there any more at shutdown, when there is nothing to do either.
        let _closing = self.asks.send(ask).await;
    }

    async fn shows(&self, what: impl FnMut(&State) -> bool) {
        let mut state = self.state.clone();
        let _late = timeout(SHOWS_WITHIN, state.wait_for(what)).await;
    }
}

impl Work {
    /// Works until shutdown.
    pub async fn run(self) {
        let Self { cleaner, looked } = self;
        let measuring = measure(
            Arc::clone(&cleaner.store),
            Arc::clone(&cleaner.clock),
            Arc::clone(&cleaner.state),
            looked,
            cleaner.shutdown.clone(),
        );
        tokio::join!(cleaner.run(), measuring);
    }
}

/// Measures what takes the space whenever somebody asks.
async fn measure(
    store: Arc<dyn Upkeep>,
    clock: Arc<dyn Clock>,
    state: Arc<watch::Sender<State>>,
    looked: Arc<Notify>,
    shutdown: CancellationToken,
) {
    loop {
        tokio::select! {
            () = shutdown.cancelled() => return,
            () = looked.notified() => {}
        }
        let space = tokio::select! {
            () = shutdown.cancelled() => return,
            space = store.space() => space,
        };
        match space {
            Ok(space) => state.send_modify(|state| state.measured = Some((clock.now(), space))),
            Err(error) => tracing::warn!(%error, "what takes the space cannot be measured"),
        }
    }
}
