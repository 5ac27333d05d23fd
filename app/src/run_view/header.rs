//! The head of the page: which run, how it stands, what it took, and what can be done about it.

use leptos::prelude::*;
use leptos_router::components::A;

use crate::{
    api,
    components::{
        Badge, Button, ButtonLook, CopyId, Dialog, ErrorView, Glyph, RelativeTime, RunDialog,
        StatusBadge, use_toasts,
    },
    run_view::{bars, said, selection::Selection, watch::Watch},
    words,
};

/// The head of the page.
#[component]
pub fn Header(watch: Watch, selection: Selection) -> impl IntoView {
    let name = watch.peek(|run| run.workflow_name.clone());
    let status = Memo::new(move |_| watch.run(|run| run.state.name().to_owned()));
    let simulated = Memo::new(move |_| watch.whole(domain::run::Run::is_simulated));
    view! {
        <header class="run-head">
            <div class="run-title">
                <h1><A href=format!("/workflows/{}", watch.workflow) attr:title="Open the workflow">{name}</A></h1>
                <StatusBadge status/>
                <Show when=move || simulated.get()>
                    <Badge status="simulated">"Simulated"</Badge>
                </Show>
            </div>
            <Figures watch/>
            <Actions watch selection/>
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
            <div>
                <dt>"Started"</dt>
                <dd>"by " {by} ", " <RelativeTime at/></dd>
            </div>
            <div><dt>"Version"</dt><dd class="number">{version}</dd></div>
            <div><dt>"Run"</dt><dd><CopyId id=watch.id.to_string()/></dd></div>
        </dl>
    }
}

#[component]
fn Actions(watch: Watch, selection: Selection) -> impl IntoView {
    let live = Memo::new(move |_| watch.run(|run| !run.state.is_final()));
    let asks_to_cancel = RwSignal::new(false);
    let asks_to_run = RwSignal::new(false);
    // What this run was given stands in the form at first.
    let inputs = watch.peek(|run| {
        let mut inputs = watch.drawing.with_value(|drawing| drawing.inputs.clone());
        for spec in &mut inputs {
            if let Some(given) = run.input.get(&spec.name) {
                spec.default = Some(given.clone());
            }
        }
        inputs
    });
    let name = watch.peek(|run| run.workflow_name.clone());
    view! {
        <div class="run-actions">
            <Show when=move || live.get()>
                <FollowButton selection/>
            </Show>
            <Button icon=Glyph::Retry on_press=move |()| asks_to_run.set(true)>"Run again"</Button>
            <Show when=move || live.get()>
                <Button look=ButtonLook::Danger icon=Glyph::Stop on_press=move |()| asks_to_cancel.set(true)>"Cancel"</Button>
            </Show>
        </div>
        <RunDialog open=asks_to_run workflow=Some(watch.workflow) inputs=inputs name=name/>
        <CancelDialog watch open=asks_to_cancel/>
    }
}

#[component]
fn FollowButton(selection: Selection) -> impl IntoView {
    view! {
        <button
            type="button"
            class="button"
            data-look="plain"
            title="Show whichever task began last (f)"
            aria-pressed=move || if selection.follows() { "true" } else { "false" }
            on:click=move |_| selection.follow(!selection.follows())
        >
            "Follow"
        </button>
    }
}

/// Asks before a run is stopped, by its name.
#[component]
fn CancelDialog(watch: Watch, open: RwSignal<bool>) -> impl IntoView {
    let name = watch.peek(|run| run.workflow_name.clone());
    let toasts = use_toasts();
    let cancelling = Action::new(move |(): &()| async move {
        let answer = api::cancel_run(watch.id).await;
        if answer.is_ok() {
            toasts.say("The run was cancelled.");
            let _gone = open.try_set(false);
        }
        answer
    });
    let failed = move || cancelling.value().get().and_then(Result::err);
    view! {
        <Dialog title=format!("Cancel {name}?") open>
            <p>"Tasks at work stop at once. What is done stays, and what was spent is spent."</p>
            {move || failed().map(|error| view! { <ErrorView error/> })}
            <div class="form-actions">
                <Button on_press=move |()| open.set(false)>"Let it run"</Button>
                <Button look=ButtonLook::Danger busy=cancelling.pending() on_press=move |()| {
                    cancelling.dispatch(());
                }>"Cancel the run"</Button>
            </div>
        </Dialog>
    }
}
