//! A run played back: a new run of the same workflow and input gets the answers that models gave in
//! this one, at no cost.

use domain::{budget::OnBudget, run::OnChange};
use leptos::{ev::SubmitEvent, prelude::*};

use crate::{
    api,
    api::dto::{PlayBack, StartRun},
    components::{Button, ButtonLook, Dialog, ErrorView, Field, Glyph, go_to::use_go_to},
    error::ApiError,
    run_view::watch::Watch,
};

/// What becomes of a call that would be another one, as people are asked.
const CHOICES: [(OnChange, &str); 4] = [
    (OnChange::Ask, "ask me"),
    (OnChange::Replay, "use the recorded answer all the same"),
    (OnChange::Live, "call the model"),
    (OnChange::Fail, "fail"),
];

/// Asks what becomes of prompts that changed, and begins the run.
#[component]
pub fn PlayBackDialog(watch: Watch, open: RwSignal<bool>) -> impl IntoView {
    view! {
        <Dialog title="Play back" open>
            <PlayBackForm watch open/>
        </Dialog>
    }
}

#[component]
fn PlayBackForm(watch: Watch, open: RwSignal<bool>) -> impl IntoView {
    let chosen = RwSignal::new(OnChange::Ask);
    let to = use_go_to();
    let starting = Action::new(move |on_change: &OnChange| {
        let request = StartRun {
            workflow: watch.workflow,
            input: watch.peek(|run| run.input.clone()),
            budget_usd: None,
            budget_tokens: None,
            on_budget: OnBudget::Wait,
            replay: Some(PlayBack {
                run: watch.id,
                on_change: *on_change,
            }),
            idempotency_key: None,
        };
        async move {
            let accepted = api::start_run(request).await?;
            let _gone = open.try_set(false);
            to.go(format!("/runs/{}", accepted.id));
            Ok::<(), ApiError>(())
        }
    });
    let choose = move |name: String| {
        let found = CHOICES.iter().find(|(choice, _)| choice.name() == name);
        chosen.set(found.map_or(OnChange::Ask, |(choice, _)| *choice));
    };
    let options = CHOICES.iter().map(move |(choice, words)| {
        view! { <option value=choice.name() selected=move || chosen.get() == *choice>{*words}</option> }
    });
    let submit = move |event: SubmitEvent| {
        event.prevent_default();
        starting.dispatch(chosen.get_untracked());
    };
    view! {
        <form class="form" on:submit=submit>
            <p class="muted">
                "A new run with this run's input. Where a step asks what it asked here, it gets the answer that it got here, at no cost. Tools and requests are done again."
            </p>
            <Field id="play-back-change" label="Where a step asks something else" help="Because the workflow was changed, or a tool brought something else.">
                <select
                    id="play-back-change"
                    aria-describedby="play-back-change-help"
                    data-focus=""
                    on:change:target=move |event| choose(event.target().value())
                >
                    {options.collect_view()}
                </select>
            </Field>
            {move || starting.value().get().and_then(Result::err).map(|error| view! { <ErrorView error/> })}
            <div class="form-actions">
                <a class="link-quiet" href=format!("/api/v1/runs/{}/recording", watch.id) rel="external" download="">"Save as a file"</a>
                <Button on_press=move |()| open.set(false)>"Leave it"</Button>
                <Button look=ButtonLook::Primary icon=Glyph::Play submit=true busy=starting.pending()>"Play back"</Button>
            </div>
        </form>
    }
}
