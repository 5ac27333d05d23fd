//! What can be done about a run as a whole: what its state does not allow is not there, and what the
//! server refuses all the same says why.

use domain::run::{Run, RunState, TaskState, decide::Control};
use leptos::prelude::*;

use crate::{
    api,
    api::dto::RetryRun,
    components::{
        Button, ButtonLook, Dialog, ErrorView, Glyph, RunDialog, go_to::use_go_to, use_toasts,
    },
    run_view::{again::AgainDialog, play_back::PlayBackDialog, selection::Selection, watch::Watch},
    words,
};

/// What may be asked of a run in this state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Allowed {
    cancel: bool,
    pause: bool,
    resume: bool,
    retry: bool,
}

fn allowed(state: &RunState) -> Allowed {
    let may = |control| state.allows(control) == Ok(true);
    Allowed {
        cancel: may(Control::Cancel),
        pause: may(Control::Pause),
        resume: may(Control::Resume),
        retry: may(Control::Retry),
    }
}

/// What a retry would do, as a verb: it begins with the tasks that failed.
fn retry_verb(run: &Run) -> String {
    let failed = run
        .tasks
        .values()
        .filter(|task| matches!(task.state, TaskState::Failed { .. }))
        .count();
    match failed {
        0 => "Take up again".to_owned(),
        failed => format!(
            "Retry {}",
            words::plural(failed as u64, "failed task", "failed tasks")
        ),
    }
}

/// The buttons at the head of the page.
#[component]
pub fn Controls(watch: Watch, selection: Selection) -> impl IntoView {
    let allowed = Memo::new(move |_| watch.run(|run| allowed(&run.state)));
    let live = Memo::new(move |_| watch.run(|run| !run.state.is_final()));
    let retry_words = Memo::new(move |_| watch.run(retry_verb));
    let toasts = use_toasts();
    let to = use_go_to();
    let pause = Action::new(move |(): &()| async move {
        let answer = api::pause_run(watch.id).await;
        answer.inspect_err(|error| toasts.fail(error))
    });
    let resume = Action::new(move |(): &()| async move {
        let answer = api::resume_run(watch.id).await;
        answer.inspect_err(|error| toasts.fail(error))
    });
    let retry = Action::new(move |(): &()| async move {
        let answer = api::retry_run(RetryRun {
            run: watch.id,
            from: None,
            input: None,
            newest: false,
            idempotency_key: None,
        })
        .await;
        match answer {
            Ok(accepted) if accepted.id != watch.id => to.go(format!("/runs/{}", accepted.id)),
            Ok(_) => {}
            Err(error) => toasts.fail(&error),
        }
    });
    let asks_to_cancel = RwSignal::new(false);
    let asks_to_run = RwSignal::new(false);
    let asks_from_where = RwSignal::new(false);
    let asks_to_play = RwSignal::new(false);
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
            <Show when=move || allowed.read().pause>
                <Button icon=Glyph::Pause busy=pause.pending() on_press=move |()| { pause.dispatch(()); }>"Pause"</Button>
            </Show>
            <Show when=move || allowed.read().resume>
                <Button look=ButtonLook::Primary icon=Glyph::Play busy=resume.pending() on_press=move |()| { resume.dispatch(()); }>"Resume"</Button>
            </Show>
            <Show when=move || allowed.read().retry>
                <Button look=ButtonLook::Primary icon=Glyph::Retry busy=retry.pending() on_press=move |()| { retry.dispatch(()); }>
                    {move || retry_words.get()}
                </Button>
            </Show>
            <Button icon=Glyph::Retry on_press=move |()| asks_to_run.set(true)>"Run again"</Button>
            <Show when=move || !live.get()>
                <Button on_press=move |()| asks_from_where.set(true)>"Run again from…"</Button>
                <Button on_press=move |()| asks_to_play.set(true)>"Play back…"</Button>
            </Show>
            <Show when=move || allowed.read().cancel>
                <Button look=ButtonLook::Danger icon=Glyph::Stop on_press=move |()| asks_to_cancel.set(true)>"Cancel"</Button>
            </Show>
        </div>
        <RunDialog open=asks_to_run workflow=Some(watch.workflow) inputs=inputs name=name/>
        <AgainDialog watch open=asks_from_where from=None/>
        <PlayBackDialog watch open=asks_to_play/>
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
            <p>"Tasks at work stop at once, and so do runs that this one waits for. What is done stays, and what was spent is spent."</p>
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

#[cfg(test)]
mod tests {
    use domain::{
        run::{RunError, TaskError},
        time::Timestamp,
    };
    use serde_json::Value;

    use super::*;
    use crate::run_view::story::{name, queued};

    #[test]
    fn only_what_the_state_allows_is_offered() {
        let error = TaskError::lasting("x", "x");
        let states = [
            RunState::Queued,
            RunState::Running,
            RunState::Paused { by: "a".into() },
            RunState::Succeeded {
                output: Value::Null,
            },
            RunState::Failed {
                error: RunError { task: None, error },
            },
            RunState::Cancelled { by: "a".into() },
        ];
        let said = states.map(|state| {
            let Allowed {
                cancel,
                pause,
                resume,
                retry,
            } = allowed(&state);
            let all = [
                (cancel, " cancel"),
                (pause, " pause"),
                (resume, " resume"),
                (retry, " retry"),
            ];
            let words = all.iter().filter(|(on, _)| *on).map(|(_, word)| *word);
            format!("{}:{}", state.name(), words.collect::<String>())
        });
        expect_test::expect![[r"
            queued: cancel pause
            running: cancel pause
            paused: cancel resume
            succeeded:
            failed: retry
            cancelled: retry"]]
        .assert_eq(&said.join("\n"));
    }

    #[test]
    fn a_retry_says_how_much_it_repeats() {
        let mut run = queued();
        assert_eq!(retry_verb(&run), "Take up again");
        for task in ["plan", "build"] {
            run.tasks[&name(task)].state = TaskState::Failed {
                error: TaskError::lasting("x", "x"),
                at: Timestamp(0),
            };
        }
        assert_eq!(retry_verb(&run), "Retry 2 failed tasks");
    }
}
