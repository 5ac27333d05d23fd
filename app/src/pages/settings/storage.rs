//! What takes the space, how long runs are kept, and cleaning up. `rules` is the form.

mod rules;

use std::time::Duration;

use domain::retention::GIB;
use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::components::A;

use self::rules::Rules;
use crate::{
    api,
    api::dto::{CleanEnd, CleanStep, Cleaned, Cleaning, Storage, TableSpace, WorkflowSpace},
    components::{Button, ButtonLook, Empty, Glyph, RelativeTime, top_bar::set_crumb, use_toasts},
    pages::loaded::{Loaded, load, shown},
    words,
};

/// How often a clean-up that is under way is looked at.
const LOOK: Duration = Duration::from_secs(1);

/// Bars in the chart; the rest is one more.
const BARS: usize = 12;

/// Storage.
#[component]
pub fn StoragePage() -> impl IntoView {
    let storage = load(|| (), |()| api::storage(), |_| false);
    set_crumb(|| Some("Storage".to_owned()));
    view! {
        <Title text="Storage · Settings"/>
        <div class="page narrow">
            <header class="page-head">
                <h1>"Storage"</h1>
                <div class="page-actions">
                    <Button look=ButtonLook::Quiet icon=Glyph::Retry on_press=move |()| storage.refresh()>"Look again"</Button>
                </div>
            </header>
            {shown(storage, move |now| view! { <Parts now storage/> })}
        </div>
    }
    .into_any()
}

#[component]
fn Parts(now: Signal<Storage>, storage: Loaded<Storage>) -> impl IntoView {
    let under_way = Memo::new(move |_| now.read().cleaning.is_some());
    // Only a browser looks again.
    Effect::new(move |_| {
        let look = move || {
            if under_way.try_get_untracked() == Some(true) {
                storage.refresh();
            }
        };
        if let Ok(looking) = set_interval_with_handle(look, LOOK) {
            on_cleanup(move || looking.clear());
        }
    });
    let measured = move || {
        now.read().measured_at.map(|at| {
            view! { <span class="muted panel-note">"as of "<RelativeTime at=Signal::derive(move || at)/></span> }
        })
    };
    view! {
        <section class="panel" aria-labelledby="storage-file">
            <header class="panel-head"><h2 id="storage-file">"The database"</h2></header>
            <File now/>
        </section>
        <section class="panel" aria-labelledby="storage-workflows">
            <header class="panel-head"><h2 id="storage-workflows">"What runs take, by workflow"</h2>{measured}</header>
            {move || workflows(&now.read().workflows)}
        </section>
        <section class="panel" aria-labelledby="storage-tables">
            <header class="panel-head"><h2 id="storage-tables">"The same by table"</h2>{measured}</header>
            {move || tables(&now.read())}
        </section>
        <section class="panel" aria-labelledby="storage-clean">
            <header class="panel-head"><h2 id="storage-clean">"Cleaning up"</h2></header>
            <CleanUp now storage/>
        </section>
        <section class="panel" aria-labelledby="storage-rules">
            <header class="panel-head"><h2 id="storage-rules">"How long runs are kept"</h2></header>
            <Rules now storage/>
        </section>
    }
    .into_any()
}

/// A part of a whole, in percent.
fn share(part: u64, whole: u64) -> f64 {
    part as f64 * 100.0 / whole.max(1) as f64
}

#[component]
fn File(now: Signal<Storage>) -> impl IntoView {
    let limit = move || {
        now.read().retention.max_bytes.map_or_else(
            || "no limit".to_owned(),
            |most| format!("{} GiB", gib(most)),
        )
    };
    let filled = move || {
        let now = now.read();
        let whole = now
            .retention
            .max_bytes
            .unwrap_or(now.file_bytes)
            .max(now.file_bytes);
        (share(now.used_bytes, whole), share(now.free_bytes, whole))
    };
    let said = move || {
        format!(
            "{} of {} in use, {} free inside the file",
            words::bytes(now.read().used_bytes),
            limit(),
            words::bytes(now.read().free_bytes)
        )
    };
    view! {
        <div class="panel-text">
            <div class="fill" role="img" aria-label=said>
                <span data-part="used" style=move || format!("width:{:.2}%", filled().0)></span>
                <span data-part="free" style=move || format!("width:{:.2}%", filled().1)></span>
            </div>
        </div>
        <dl class="facts">
            <div><dt>"In use"</dt><dd class="number">{move || words::bytes(now.read().used_bytes)}</dd></div>
            <div><dt>"Free in the file"</dt><dd class="number">{move || words::bytes(now.read().free_bytes)}</dd></div>
            <div><dt>"File in all"</dt><dd class="number">{move || words::bytes(now.read().file_bytes)}</dd></div>
            <div><dt>"Write-ahead log"</dt><dd class="number">{move || words::bytes(now.read().wal_bytes)}</dd></div>
            <div><dt>"Limit"</dt><dd class="number">{limit}</dd></div>
        </dl>
        <Show when=move || !now.read().gives_back>
            <p class="panel-text muted">
                "This database was made by an older version and is large, so free space is filled again but not given back to the disk. To change that: stop Troupe, make a copy with troupe backup, run VACUUM on the copy after PRAGMA auto_vacuum = INCREMENTAL, and put it in place as the README says."
            </p>
        </Show>
    }
    .into_any()
}

fn gib(bytes: u64) -> String {
    let text = format!("{:.2}", bytes as f64 / GIB as f64);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

fn workflows(list: &[WorkflowSpace]) -> AnyView {
    if list.is_empty() {
        return view! { <Empty title="No runs are stored.">"What they take shows here once there are some."</Empty> }.into_any();
    }
    let largest = list.iter().map(|space| space.bytes).max().unwrap_or(0);
    let row = |space: &WorkflowSpace| {
        let name = match space.name.is_empty() {
            true => "Untitled".to_owned(),
            false => space.name.clone(),
        };
        view! {
            <tr>
                <th scope="row"><A href=format!("/workflows/{}", space.workflow) attr:class="link">{name}</A></th>
                <td class="bar-cell"><span class="space-bar" style=format!("width:{:.2}%", share(space.bytes, largest))></span></td>
                <td class="number">{words::bytes(space.bytes)}</td>
                <td class="number">{words::plural(space.runs, "run", "runs")}</td>
            </tr>
        }
    };
    let rest = list.get(BARS..).unwrap_or_default();
    let (bytes, runs) = rest.iter().fold((0, 0), |(bytes, runs), space| {
        (bytes + space.bytes, runs + space.runs)
    });
    view! {
        <table class="space">
            <thead><tr><th scope="col">"Workflow"</th><th scope="col"><span class="only-said">"Share"</span></th><th scope="col">"Events, about"</th><th scope="col">"Runs"</th></tr></thead>
            <tbody>
                {list.iter().take(BARS).map(row).collect_view()}
                {(!rest.is_empty())
                    .then(|| view! {
                        <tr>
                            <th scope="row" class="muted">{words::plural(rest.len() as u64, "other workflow", "other workflows")}</th>
                            <td class="bar-cell"><span class="space-bar" style=format!("width:{:.2}%", share(bytes, largest).min(100.0))></span></td>
                            <td class="number">{words::bytes(bytes)}</td>
                            <td class="number">{words::plural(runs, "run", "runs")}</td>
                        </tr>
                    })}
            </tbody>
        </table>
    }
    .into_any()
}

/// What people call a table.
fn table_name(name: &str) -> &str {
    match name {
        "events" => "Events",
        "runs" => "Runs",
        "tasks" => "Tasks",
        "attempts" => "Attempts",
        "agents" => "Agents",
        "workflows" => "Workflows",
        "workflow_versions" => "Versions of workflows",
        "starts" => "Keys of starts",
        "spending" => "Costs by the hour",
        "said" => "Answers under way",
        "recoveries" => "Runs that stopped the server",
        "retention" => "Rules of keeping",
        "meta" => "About the database",
        "sqlite_schema" => "The schema",
        other => other,
    }
}

fn tables(now: &Storage) -> AnyView {
    if now.tables.is_empty() {
        let text = match now.measured_at {
            Some(_) => {
                "The database is too large to be measured table by table without reading all of it. Nearly all of a large database is events, which the list above counts."
            }
            None => "This is being measured. Look again in a moment.",
        };
        return view! { <p class="panel-text muted">{text}</p> }.into_any();
    }
    let whole = |table: &TableSpace| table.bytes + table.index_bytes;
    let largest = now.tables.iter().map(whole).max().unwrap_or(0);
    let row = |table: &TableSpace| {
        view! {
            <tr>
                <th scope="row">{table_name(&table.name).to_owned()}</th>
                <td class="bar-cell"><span class="space-bar" style=format!("width:{:.2}%", share(whole(table), largest))></span></td>
                <td class="number">{words::bytes(table.bytes)}</td>
                <td class="number">{words::bytes(table.index_bytes)}</td>
            </tr>
        }
    };
    view! {
        <table class="space">
            <thead><tr><th scope="col">"Table"</th><th scope="col"><span class="only-said">"Share"</span></th><th scope="col">"Rows"</th><th scope="col">"Indexes"</th></tr></thead>
            <tbody>{now.tables.iter().map(row).collect_view()}</tbody>
        </table>
    }
    .into_any()
}

#[component]
fn CleanUp(now: Signal<Storage>, storage: Loaded<Storage>) -> impl IntoView {
    let toasts = use_toasts();
    let clean = Action::new(move |(): &()| async move {
        if let Err(error) = api::clean_up().await {
            toasts.fail(&error);
        }
        storage.refresh();
    });
    let stop = Action::new(move |(): &()| async move {
        if let Err(error) = api::stop_clean_up().await {
            toasts.fail(&error);
        }
        storage.refresh();
    });
    let state = move || {
        let now = now.read();
        match (now.cleaning, &now.last) {
            (Some(cleaning), _) => progress(cleaning),
            (None, Some(last)) => result(last),
            (None, None) => {
                view! { <p class="muted">"Nothing has been cleaned up yet. That happens by itself every hour."</p> }
                    .into_any()
            }
        }
    };
    let button = move || {
        match now.read().cleaning.is_some() {
        true => view! { <Button icon=Glyph::Stop busy=stop.pending() on_press=move |()| { stop.dispatch(()); }>"Stop"</Button> }.into_any(),
        false => view! { <Button icon=Glyph::Trash busy=clean.pending() on_press=move |()| { clean.dispatch(()); }>"Clean up now"</Button> }.into_any(),
    }
    };
    view! {
        <div class="panel-text clean-up">
            <div role="status">{state}</div>
            {button}
        </div>
        <p class="panel-text muted">
            "Removes finished runs that are kept long enough by the rules below, with their events and attempts. Live runs, and runs that belong to one, always stay. What is removed cannot be brought back but from a backup."
        </p>
    }
    .into_any()
}

fn progress(cleaning: Cleaning) -> AnyView {
    let runs = |count| words::plural(count, "run", "runs");
    let text = match cleaning.step {
        CleanStep::Choosing => "Looking for runs that may go".to_owned(),
        CleanStep::Waiting => format!(
            "{} will go in a few seconds; Stop keeps them",
            runs(cleaning.chosen)
        ),
        CleanStep::Removing => format!(
            "{} of {} gone, {}",
            words::count(cleaning.runs),
            runs(cleaning.chosen),
            words::plural(cleaning.events, "event", "events")
        ),
        CleanStep::GivingBack => "Giving the space back to the disk".to_owned(),
    };
    view! {
        <p>{text}</p>
        <progress
            max=cleaning.chosen.max(1).to_string()
            value=(cleaning.chosen > 0).then(|| cleaning.runs.to_string())
            aria-label="Runs removed"
        ></progress>
    }
    .into_any()
}

fn result(last: &Cleaned) -> AnyView {
    let at = last.ended_at;
    let gone = match (last.runs, last.events) {
        (0, 0) => "nothing was old enough to go".to_owned(),
        (runs, events) => format!(
            "{} and {} removed, {} given back to the disk",
            words::plural(runs, "run", "runs"),
            words::plural(events, "event", "events"),
            words::bytes(last.given_back_bytes)
        ),
    };
    let (how, status) = match &last.end {
        CleanEnd::Done => (None, None),
        CleanEnd::Stopped => (Some("It was stopped before its end.".to_owned()), None),
        CleanEnd::Failed(message) => (Some(message.clone()), Some("failed")),
    };
    let over = (last.still_over_bytes > 0).then(|| {
        format!(
            "The database still holds {} more than its limit: all that is left is live, kept for ever, or ended within the last hour. Raise the limit, or keep less.",
            words::bytes(last.still_over_bytes)
        )
    });
    view! {
        <p>"Last cleaned up "<RelativeTime at=Signal::derive(move || at)/>": "{gone}"."</p>
        {how.map(|how| view! { <p class="clean-note" data-status=status>{how}</p> })}
        {over.map(|over| view! { <p class="clean-note" data-status="warning">{over}</p> })}
    }
    .into_any()
}

#[cfg(test)]
mod tests {
    use super::{gib, share};

    #[test]
    fn shares_and_limits_read_well() {
        assert_eq!(share(1, 4), 25.0);
        assert_eq!(share(5, 0), 500.0);
        assert_eq!(
            [10 << 30, 3 << 29, 64 << 20].map(gib),
            ["10", "1.5", "0.06"]
        );
    }
}
