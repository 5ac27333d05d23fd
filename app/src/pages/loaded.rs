//! Data of a page: loaded with the page on the server, loaded again when events say that it changed.
//!
//! The listening begins before the loading, so what happens in between is not missed; what is on
//! screen stays there while newer data comes, so nothing flickers and no focus is lost.

use std::{future::Future, pin::Pin, sync::Arc, time::Duration};

use domain::event::Event;
use leptos::prelude::*;
use serde::{Serialize, de::DeserializeOwned};

use crate::{
    components::{ErrorView, Loading},
    error::ApiError,
    live::use_live,
};

/// Events come in bursts: this much time lies between two loads at least.
const PAUSE: Duration = Duration::from_millis(700);

type Fetch<T> =
    Arc<dyn Fn() -> Pin<Box<dyn Future<Output = Result<T, ApiError>> + Send>> + Send + Sync>;

/// Data of a page.
pub struct Loaded<T: Send + Sync + 'static> {
    first: Resource<Result<T, ApiError>>,
    fetch: StoredValue<Fetch<T>>,
    stale: Stale,
    /// What `stale` had counted when the loading on screen began.
    seen: StoredValue<u32>,
}

impl<T: Send + Sync + 'static> Clone for Loaded<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T: Send + Sync + 'static> Copy for Loaded<T> {}

impl<T: Send + Sync + 'static> Loaded<T> {
    /// Loads again soon; after something was changed from here.
    pub fn refresh(self) {
        self.stale.mark();
    }
}

/// Loads what `fetch` brings for `source`: at once when `source` changes, soon after each event that
/// is `relevant`.
pub fn load<S, T, Fut>(
    source: impl Fn() -> S + Copy + Send + Sync + 'static,
    fetch: impl Fn(S) -> Fut + Clone + Send + Sync + 'static,
    relevant: impl Fn(&Event) -> bool + 'static,
) -> Loaded<T>
where
    S: Clone + PartialEq + Send + Sync + 'static,
    T: Clone + Send + Sync + Serialize + DeserializeOwned + 'static,
    Fut: Future<Output = Result<T, ApiError>> + Send + 'static,
{
    let stale = Stale::new();
    let seen = StoredValue::new(0);
    let live = use_live();
    live.on_event(move |event| {
        if relevant(event) {
            stale.mark();
        }
    });
    live.on_reload(move || stale.mark());
    let first = Resource::new_blocking(source, {
        let fetch = fetch.clone();
        move |source| {
            seen.set_value(stale.count.get_untracked());
            fetch(source)
        }
    });
    let fetch: Fetch<T> = Arc::new(move || Box::pin(fetch(untrack(source))));
    Loaded {
        first,
        fetch: StoredValue::new(fetch),
        stale,
        seen,
    }
}

/// Shows what was loaded: `view` is called once with a signal that follows newer data.
pub fn shown<T, V>(
    loaded: Loaded<T>,
    view: impl Fn(Signal<T>) -> V + Clone + Send + Sync + 'static,
) -> impl IntoView
where
    T: Clone + PartialEq + Send + Sync + Serialize + DeserializeOwned + 'static,
    V: IntoView + 'static,
{
    let content = move || {
        let view = view.clone();
        Suspend::new(async move {
            match loaded.first.await {
                Ok(first) => view(follow(loaded, first)).into_any(),
                Err(error) => {
                    let retry = move |()| loaded.first.refetch();
                    view! { <ErrorView error retry=Callback::new(retry)/> }.into_any()
                }
            }
        })
    };
    view! { <Transition fallback=Loading>{content}</Transition> }
}

fn follow<T>(loaded: Loaded<T>, first: T) -> Signal<T>
where
    T: Clone + PartialEq + Send + Sync + 'static,
{
    let value = RwSignal::new(first);
    let round = StoredValue::new(0_u32);
    Effect::new(move |_| {
        let count = loaded.stale.count.get();
        if count == loaded.seen.get_value() {
            return;
        }
        loaded.seen.set_value(count);
        let this = round.get_value() + 1;
        round.set_value(this);
        let fetch = loaded.fetch.get_value();
        leptos::task::spawn_local(async move {
            // An error leaves what is on screen: the light at the top says how the connection is.
            if let Ok(newer) = fetch().await
                && round.try_get_value() == Some(this)
                && value.try_with_untracked(|known| *known != newer) == Some(true)
            {
                value.set(newer);
            }
        });
    });
    value.into()
}

/// Counts reasons to load again, at most one in `PAUSE`.
#[derive(Clone, Copy)]
struct Stale {
    count: RwSignal<u32>,
    resting: StoredValue<bool>,
    /// A reason came while resting.
    again: StoredValue<bool>,
}

impl Stale {
    fn new() -> Self {
        Self {
            count: RwSignal::new(0),
            resting: StoredValue::new(false),
            again: StoredValue::new(false),
        }
    }

    fn mark(self) {
        // The page may have been left while a reason was on its way: then nothing is there any more.
        match self.resting.try_get_value() {
            None => {}
            Some(true) => self.again.set_value(true),
            Some(false) => {
                self.resting.set_value(true);
                self.count.update(|count| *count += 1);
                set_timeout(move || self.rested(), PAUSE);
            }
        }
    }

    fn rested(self) {
        let Some(again) = self.again.try_get_value() else {
            return;
        };
        self.resting.set_value(false);
        self.again.set_value(false);
        if again {
            self.mark();
        }
    }
}
