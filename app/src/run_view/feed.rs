//! Where a watched run gets its news: the tab's live stream, and a fresh snapshot whenever the stream
//! may have left something out. On the server all this is silent.

use std::time::Duration;

use gloo_timers::future::sleep;
use leptos::{prelude::*, task::spawn_local};

use crate::{
    api,
    error::ErrorKind,
    live::{Connection, use_live},
    run_view::{store::Change, watch::Watch},
};

/// How often the clock of a live run ticks.
const TICK: Duration = Duration::from_millis(250);
/// The first wait before a snapshot is asked for again, and the longest.
const PATIENCE: (Duration, Duration) = (Duration::from_millis(250), Duration::from_secs(8));

/// Keeps a run current that was read at `head`, as long as the calling component lives.
pub fn keep_current(watch: Watch, head: u64) {
    let live = use_live();
    let fetching = StoredValue::new(false);
    live.on_event(move |event| {
        if watch.event(event) == Change::Stale {
            fetch(watch, fetching);
        }
    });
    let filling = StoredValue::new(false);
    live.on_delta(watch.workflow, move |delta| {
        if watch.delta(delta) {
            fill(watch, filling);
        }
    });
    live.on_reload(move || {
        watch.doubt();
        fetch(watch, fetching);
    });
    // What came between the snapshot and this page. Asked when the page is mounted, and again when the
    // stream is there: only then is it known where the stream began.
    let connected = Memo::new(move |_| {
        live.connection
            .with(|connection| *connection != Connection::Connecting)
    });
    Effect::new(move |_| {
        connected.track();
        let complete = live.catch_up(head, |event| {
            watch.event(event);
        });
        if !complete {
            watch.doubt();
        }
        if watch.is_stale() {
            fetch(watch, fetching);
        }
    });
    tick_while_live(watch);
}

/// The clock runs from the first effect on, and only while the run does.
fn tick_while_live(watch: Watch) {
    let live = Memo::new(move |_| watch.run(|run| !run.state.is_final()));
    Effect::new(move |_| watch.start_clock());
    Effect::new(move |_| {
        if !live.get() {
            return;
        }
        if let Ok(ticking) = set_interval_with_handle(move || watch.tick(), TICK) {
            on_cleanup(move || ticking.clear());
        }
    });
}

/// Asks for text that was missed: what was said while the page was on its way, or left out under
/// pressure. Not more often than every so often: the end of the turn brings the whole text anyway.
fn fill(watch: Watch, filling: StoredValue<bool>) {
    if filling.try_update_value(|filling| std::mem::replace(filling, true)) != Some(false) {
        return;
    }
    spawn_local(async move {
        // Pieces are on their way still, so the next one may ask again where this fails.
        for delta in api::written(watch.id).await.unwrap_or_default() {
            watch.delta(&delta);
        }
        sleep(PATIENCE.0).await;
        let _gone = filling.try_update_value(|filling| *filling = false);
    });
}

/// Fetches snapshots until the run follows from one without a gap.
fn fetch(watch: Watch, fetching: StoredValue<bool>) {
    if fetching.try_update_value(|fetching| std::mem::replace(fetching, true)) != Some(false) {
        return;
    }
    spawn_local(async move {
        let (mut wait, longest) = PATIENCE;
        while watch.is_stale() {
            match api::run(watch.id).await {
                Ok(snapshot) => {
                    watch.snapshot(snapshot);
                }
                Err(error) if error.kind == ErrorKind::NotFound => break,
                // The server is away: the page says so, and asks again.
                Err(_) => {}
            }
            if watch.is_stale() {
                sleep(wait).await;
                wait = (wait * 2).min(longest);
            }
        }
        let _gone = fetching.try_update_value(|fetching| *fetching = false);
    });
}
