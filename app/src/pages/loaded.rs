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

type Coming<T> = Pin<Box<dyn Future<Output = Result<T, ApiError>> + Send>>;
type Fetch<T> = Arc<dyn Fn() -> Coming<T> + Send + Sync>;

/// Data of a page.
pub struct Loaded<T: Send + Sync + 'static> {
    /// What the page comes with; never loaded again but after an error.
    first: Resource<Result<T, ApiError>>,
    fetch: StoredValue<Fetch<T>>,
    /// Counts changes of the address that ask for other data.
    changes: Memo<u32>,
    stale: Stale,
    /// What `changes` and `stale` had counted when the newest loading began.
    seen: StoredValue<(u32, u32)>,
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
    source: impl Fn() -> S + Send + Sync + 'static,
    fetch: impl Fn(S) -> Fut + Send + Sync + 'static,
    relevant: impl Fn(&Event) -> bool + 'static,
) -> Loaded<T>
where
    S: Clone + PartialEq + Send + Sync + 'static,
    T: Clone + Send + Sync + Serialize + DeserializeOwned + 'static,
    Fut: Future<Output = Result<T, ApiError>> + Send + 'static,
{
    let source = Memo::new(move |_| source());
    let changes = Memo::new(move |before: Option<&u32>| {
        source.track();
        before.map_or(0, |count| count + 1)
    });
    let stale = Stale::new();
    let live = use_live();
    live.on_event(move |event| {
        if relevant(event) {
            stale.mark();
        }
    });
    live.on_reload(move || stale.mark());
    let seen = StoredValue::new((0, 0));
    let fetch: Fetch<T> = Arc::new(move || {
        seen.set_value((changes.get_untracked(), stale.count.get_untracked()));
        Box::pin(fetch(source.get_untracked()))
    });
    let first = Resource::new_blocking(|| (), {
        let fetch = fetch.clone();
        move |()| fetch()
    });
    Loaded {
        first,
        fetch: StoredValue::new(fetch),
        changes,
        stale,
        seen,
    }
}

/// Shows what was loaded: `view` is called once for each address, with a signal that follows newer data.
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
                Ok(first) => following(loaded, first, view).into_any(),
                Err(error) => {
                    // Another address may lead to something that is there.
                    Effect::new(move |_| {
                        if loaded.changes.get() != loaded.seen.get_value().0 {
                            loaded.first.refetch();
                        }
                    });
                    let retry = Callback::new(move |()| loaded.first.refetch());
                    view! { <ErrorView error retry/> }.into_any()
                }
            }
        })
    };
    view! { <Transition fallback=Loading>{content}</Transition> }
}

/// The view of what came first, and of everything that comes later. While something newer is on its
/// way the old view stays whole: it is replaced in one step when the new data is there.
fn following<T, V>(
    loaded: Loaded<T>,
    first: T,
    view: impl Fn(Signal<T>) -> V + Send + 'static,
) -> impl IntoView
where
    T: Clone + PartialEq + Send + Sync + 'static,
    V: IntoView + 'static,
{
    let value = RwSignal::new(first);
    // Which address the view is made for, and why there is none.
    let made_for = RwSignal::new((loaded.seen.get_value().0, None::<ApiError>));
    let round = StoredValue::new(0_u32);
    Effect::new(move |_| {
        let wanted = (loaded.changes.get(), loaded.stale.count.get());
        if wanted == loaded.seen.get_value() {
            return;
        }
        let this = round.get_value() + 1;
        round.set_value(this);
        let coming = (loaded.fetch.get_value())();
        leptos::task::spawn_local(async move {
            let came = coming.await;
            if round.try_get_value() == Some(this) {
                take(value, made_for, wanted.0, came);
            }
        });
    });
    move || match made_for.get().1 {
        None => view(value.into()).into_any(),
        Some(error) => {
            let retry = Callback::new(move |()| loaded.refresh());
            view! { <ErrorView error retry/> }.into_any()
        }
    }
}

fn take<T: PartialEq + Send + Sync + 'static>(
    value: RwSignal<T>,
    made_for: RwSignal<(u32, Option<ApiError>)>,
    address: u32,
    came: Result<T, ApiError>,
) {
    let same = made_for.with_untracked(|(known, error)| *known == address && error.is_none());
    match came {
        Ok(newer) => {
            if value.with_untracked(|known| *known != newer) {
                value.set(newer);
            }
            if !same {
                made_for.set((address, None));
            }
        }
        // What is on screen stays: the light at the top says how the connection is.
        Err(_) if same => {}
        Err(error) => made_for.set((address, Some(error))),
    }
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
