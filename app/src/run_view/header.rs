//! The head of the page: which run, how it stands, what it took, what it belongs to.

use leptos::prelude::*;
use leptos_router::components::A;

use crate::{
    components::{
        Badge, Button, ButtonLook, CopyId, RelativeTime, StatusBadge, event_line::limit_words,
    },
    run_view::{
        bars,
        controls::Controls,
        focus,
        held::HeldBack,
        said,
        selection::{Selection, escape},
        watch::Watch,
    },
    words,
};

/// The head of the page.
#[component]
pub fn Header(watch: Watch, selection: Selection) -> impl IntoView {
    let name = watch.peek(|run| run.workflow_name.clone());
    let status = Memo::new(move |_| watch.run(|run| run.state.name().to_owned()));
    let simulated = Memo::new(move |_| watch.whole(domain::run::Run::is_simulated));
    let replays = Memo::new(move |_| watch.whole(|run| run.replay.is_some()));
    view! {
        <header class="run-head">
            <div class="run-title">
                <h1><A href=format!("/workflows/{}", watch.workflow) attr:title="Open the workflow">{name}</A></h1>
                <StatusBadge status/>
                <Show when=move || simulated.get()>
                    <Badge status="simulated">"Simulated"</Badge>
                </Show>
                <Show when=move || replays.get()>
                    <Badge status="replayed">"Played back"</Badge>
                </Show>
            </div>
            <Figures watch/>
            <Asking watch selection/>
            <HeldBack watch/>
            <Controls watch selection/>
        </header>
    }
}

#[component]
fn Figures(watch: Watch) -> impl IntoView {
    let elapsed = Memo::new(move |_| {
        watch.run(|run| match run.ended_at {
            Some(end) => words::duration(end.ms_since(run.created_at)),
            None => words::elapsed(bars::elapsed_ms(run, watch.now.get())),
        })
    });
    let progress = Memo::new(move |_| watch.whole(said::progress));
    let tokens = Memo::new(move |_| watch.whole(domain::run::Run::tokens));
    let exact_cost = Memo::new(move |_| watch.whole(domain::run::Run::cost));
    let cost = Memo::new(move |_| watch.whole(said::cost));
    let (by, at, version) =
        watch.peek(|run| (run.started_by.clone(), run.created_at, run.workflow_version));
    view! {
        <dl class="run-figures">
            <div><dt>"Time"</dt><dd class="number">{elapsed}</dd></div>
            <div><dt>"Progress"</dt><dd>{progress}</dd></div>
            <div>
                <dt>"Tokens"</dt>
                <dd class="number" title=move || said::tokens_in_detail(tokens.get())>
                    {move || said::tokens(tokens.get()).map_or_else(|| "none yet".to_owned(), |text| text.replace(" tokens", "").replace(" token", ""))}
                </dd>
            </div>
            <div>
                <dt>"Cost"</dt>
                <dd class="number" title=move || exact_cost.get().map(|cost| format!("${cost}"))>{cost}</dd>
            </div>
            <Money watch/>
            <div>
                <dt>"Started"</dt>
                <dd>"by " {by} ", " <RelativeTime at/></dd>
            </div>
            <div><dt>"Version"</dt><dd class="number">{version}</dd></div>
            <Family watch/>
            <div><dt>"Run"</dt><dd><CopyId id=watch.id.to_string()/></dd></div>
        </dl>
    }
}

/// What belongs to the cost: that of child runs, which is not part of the run's own, and the budget.
#[component]
fn Money(watch: Watch) -> impl IntoView {
    let children = Memo::new(move |_| {
        watch.whole(|run| {
            let sums = run.totals.children;
            (sums.runs > 0).then(|| {
                let cost = sums
                    .cost_usd
                    .map_or_else(|| "unknown".to_owned(), words::money);
                format!(
                    "{cost} ({})",
                    words::plural(sums.runs.into(), "run", "runs")
                )
            })
        })
    });
    let budget = Memo::new(move |_| watch.whole(|run| run.budget().as_ref().map(limit_words)));
    let line = |label: &'static str, text: Memo<Option<String>>| {
        move || {
            text.get()
                .map(|text| view! { <div><dt>{label}</dt><dd class="number">{text}</dd></div> })
        }
    };
    (line("Child runs", children), line("Budget", budget))
}

/// The run that this one is a part of, or was made from.
#[component]
fn Family(watch: Watch) -> impl IntoView {
    let (parent, only) = watch.peek(|run| (run.parent.clone(), run.only.clone()));
    let recorded = watch.peek(|run| run.replay.as_ref().map(|replay| replay.run));
    let link = parent.map(|parent| {
        let (words, address) = match parent.task {
            Some(task) => (
                "Part of",
                format!("/runs/{}?task={}", parent.run, escape(task.as_str())),
            ),
            None => ("Made from", format!("/runs/{}", parent.run)),
        };
        let short = short(parent.run);
        view! { <div><dt>{words}</dt><dd><A href=address>"run " {short}</A></dd></div> }
    });
    let recorded = recorded.map(|run| {
        let address = format!("/runs/{run}");
        view! { <div><dt>"Plays back"</dt><dd><A href=address>"run " {short(run)}</A></dd></div> }
    });
    let only =
        only.map(|task| view! { <div><dt>"Only step"</dt><dd>{task.to_string()}</dd></div> });
    (link, recorded, only)
}

/// A run in a few characters. Ids begin with their time: it is the end that tells them apart.
fn short(run: domain::id::RunId) -> String {
    let id = run.to_string();
    id.rsplit('-').next().unwrap_or(&id).to_owned()
}

/// Most tasks that are named where they wait for a person.
const MOST_NAMED: usize = 4;

/// Tasks that wait for a person, each with the way there.
#[component]
fn Asking(watch: Watch, selection: Selection) -> impl IntoView {
    let asking = Memo::new(move |_| {
        watch.whole(|run| {
            let asking = focus::asking(run).take(MOST_NAMED + 1);
            asking
                .map(|(name, task)| (name.clone(), task.title.clone()))
                .collect::<Vec<_>>()
        })
    });
    let button = move |(name, title): (domain::id::TaskName, String)| {
        view! { <Button look=ButtonLook::Quiet on_press=move |()| selection.choose(Some(name.clone()))>{title}</Button> }
    };
    view! {
        <Show when=move || !asking.read().is_empty()>
            <p class="run-asking" data-status="waiting" role="status">
                "Waits for you: "
                {move || asking.get().into_iter().take(MOST_NAMED).map(button).collect_view()}
                {move || (asking.read().len() > MOST_NAMED).then_some("and more")}
            </p>
        </Show>
    }
}
