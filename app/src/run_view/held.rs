//! A call that was held back by a budget: what the limit is, and what can be done. Raise it, or stop.

use domain::{
    budget::{Budget, Notice, Period, Scope},
    run::{Run, TaskState, Waiting},
};
use leptos::prelude::*;
use leptos_router::components::A;

use crate::{
    api,
    api::dto::SetRunBudget,
    components::{Button, ButtonLook, Dialog, budget_form::BudgetForm, use_toasts},
    run_view::watch::Watch,
    words,
};

/// The limit that holds the run back now: one that a task still waits for.
pub fn held_by(run: &Run) -> Option<Notice> {
    let waits = |state: &TaskState| {
        matches!(
            state,
            TaskState::Waiting {
                reason: Waiting::Budget,
                ..
            }
        )
    };
    let held = run.tasks.values().any(|task| waits(&task.state));
    run.held_by
        .clone()
        .filter(|_| held && !run.state.is_final())
}

/// What happened, in a sentence.
fn sentence(notice: &Notice) -> String {
    let Budget { usd, tokens, .. } = notice.budget;
    let mut spent = Vec::new();
    if let Some(limit) = usd {
        spent.push(format!(
            "{} of {} is spent and the next call may take {}",
            words::money(notice.spent.usd),
            words::exact_money(limit),
            words::money(notice.needed.usd)
        ));
    }
    if let Some(limit) = tokens {
        spent.push(format!(
            "{} of {} are used and the next call may take {}",
            words::count(notice.spent.tokens),
            words::plural(limit, "token", "tokens"),
            words::count(notice.needed.tokens)
        ));
    }
    format!(
        "Waits for you: the next call could pass the budget of {}: {}.",
        notice.whose(),
        spent.join(", ")
    )
}

/// Where the budget of something else than this run is changed.
fn place(scope: &Scope) -> String {
    match scope {
        Scope::Run(run) => format!("/runs/{run}"),
        Scope::Workflow(workflow) => format!("/workflows/{workflow}"),
        Scope::Agent(agent) => format!("/agents/{agent}"),
        Scope::Provider(_) | Scope::Day => "/usage".to_owned(),
    }
}

/// What is offered in the form: the old limit and twice what the next call may take.
fn offered(run: &Run, notice: &Notice) -> Budget {
    let more = |limit: Option<u64>, needed: u64| {
        limit.map(|limit| limit.saturating_add(needed.saturating_mul(2)))
    };
    Budget {
        usd: more(run.budget_usd.map(|usd| usd.0), notice.needed.usd.0)
            .map(domain::money::MicroUsd),
        tokens: more(run.budget_tokens, notice.needed.tokens),
        period: Period::Total,
        on_budget: run.on_budget,
    }
}

/// What holds the run back, with the ways on.
#[component]
pub fn HeldBack(watch: Watch) -> impl IntoView {
    let notice = Memo::new(move |_| watch.whole(held_by));
    let open = RwSignal::new(false);
    let toasts = use_toasts();
    let set = Action::new(move |budget: &Budget| {
        let request = SetRunBudget {
            run: watch.id,
            budget: *budget,
        };
        async move {
            match api::set_run_budget(request).await {
                Ok(()) => open.set(false),
                Err(error) => toasts.fail(&error),
            }
        }
    });
    let stop = Action::new(move |(): &()| async move {
        let answer = api::cancel_run(watch.id).await;
        answer.inspect_err(|error| toasts.fail(error))
    });
    let own = Memo::new(move |_| {
        notice.with(|notice| {
            let scope = notice.as_ref().map(|notice| &notice.scope);
            scope == Some(&Scope::Run(watch.id))
        })
    });
    let title = Signal::derive(|| "Raise the budget of this run".to_owned());
    let elsewhere = move || {
        notice.with(|notice| {
            notice
                .as_ref()
                .map(|notice| place(&notice.scope))
                .unwrap_or_default()
        })
    };
    view! {
        <Show when=move || notice.read().is_some()>
            <div class="run-asking" data-status="waiting" role="status">
                <span>{move || notice.with(|notice| notice.as_ref().map(sentence))}</span>
                <Show
                    when=move || own.get()
                    fallback=move || view! { <A href=elsewhere attr:class="button">"Go to that budget"</A> }
                >
                    <Button look=ButtonLook::Primary on_press=move |()| open.set(true)>"Raise the budget"</Button>
                </Show>
                <Button look=ButtonLook::Danger busy=stop.pending() on_press=move |()| { stop.dispatch(()); }>"Stop the run"</Button>
            </div>
        </Show>
        <Dialog title open>
            <BudgetForm
                id="run-budget"
                budget=watch.peek(|run| held_by(run).map_or_else(
                    || run.budget().unwrap_or_default(),
                    |notice| offered(run, &notice),
                ))
                periods=Some(false)
                verb="Raise and go on"
                busy=set.pending()
                on_set=move |budget: Budget| { set.dispatch(budget); }
            />
        </Dialog>
    }
    .into_any()
}

#[cfg(test)]
mod tests {
    use domain::{budget::Amount, money::MicroUsd};

    use super::*;
    use crate::run_view::story::queued;

    fn notice() -> Notice {
        Notice {
            scope: Scope::Day,
            budget: Budget {
                usd: Some(MicroUsd(500_000)),
                ..Budget::default()
            },
            spent: Amount {
                usd: MicroUsd(490_000),
                tokens: 7,
            },
            needed: Amount {
                usd: MicroUsd(20_000),
                tokens: 900,
            },
        }
    }

    #[test]
    fn what_is_asked_names_limit_spent_and_needed() {
        assert_eq!(
            sentence(&notice()),
            "Waits for you: the next call could pass the budget of the day: $0.49 of $0.50 is spent and the next call may take $0.02."
        );
        assert_eq!(place(&Scope::Day), "/usage");
    }

    #[test]
    fn a_run_that_nothing_waits_in_is_not_held() {
        let mut run = queued();
        run.held_by = Some(notice());
        assert_eq!(held_by(&run), None, "no task waits any more");
        let (_, task) = run.tasks.iter_mut().next().expect("a task");
        task.state = TaskState::Waiting {
            reason: Waiting::Budget,
            until: None,
        };
        assert!(held_by(&run).is_some());
    }
}
