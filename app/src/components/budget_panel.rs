//! The budget of one thing, a workflow, an agent, a provider or the day: how much of it is used, and
//! the form that changes it. A small page of its own: it loads what it shows.

use domain::{
    budget::{Budget, Period, Scope},
    event::{Event, Fact, SystemEvent},
    run::TaskEvent,
};
use leptos::prelude::*;

use super::{
    budget_form::BudgetForm, button::Button, dialog::Dialog, event_line::limit_words, use_toasts,
};
use crate::{
    api,
    api::dto::{BudgetState, SetBudget},
    pages::loaded::{load, shown},
    words,
};

/// Whether money moved.
pub fn is_about_money(event: &Event) -> bool {
    match &event.fact {
        Fact::Task { event, .. } => {
            matches!(
                event,
                TaskEvent::TurnStarted { .. }
                    | TaskEvent::TurnCompleted { .. }
                    | TaskEvent::TurnFailed { .. }
                    | TaskEvent::TurnPriced { .. }
            )
        }
        Fact::System(event) => match event {
            SystemEvent::BudgetSet { .. } => true,
            SystemEvent::Started { .. }
            | SystemEvent::Degraded { .. }
            | SystemEvent::QuotaLow { .. }
            | SystemEvent::Recovered { .. }
            | SystemEvent::ProviderUnhealthy { .. }
            | SystemEvent::ProviderRecovered { .. }
            | SystemEvent::BudgetWarned(_) => false,
        },
        Fact::Run { .. } | Fact::Agent { .. } => false,
    }
}

/// The budget of one thing.
#[component]
pub fn BudgetPanel(scope: Scope) -> impl IntoView {
    let asked = scope.clone();
    let state = load(move || asked.clone(), api::budget_of, is_about_money);
    view! {
        <section class="panel" aria-labelledby="budget-title">
            <header class="panel-head"><h2 id="budget-title">"Budget"</h2></header>
            {shown(state, move |state| view! { <div class="panel-text"><BudgetLine state/></div> })}
        </section>
    }
    .into_any()
}

/// A budget with its bar and the way to change it.
#[component]
pub fn BudgetLine(state: Signal<BudgetState>) -> impl IntoView {
    let open = RwSignal::new(false);
    let name = Signal::derive(move || state.read().name.clone());
    let scope = state.with_untracked(|state| state.scope.clone());
    let is_day = scope == Scope::Day;
    let scope = StoredValue::new(scope);
    let toasts = use_toasts();
    let set = Action::new(move |budget: &Option<Budget>| {
        let request = SetBudget {
            scope: scope.get_value(),
            budget: *budget,
        };
        async move {
            match api::set_budget(request).await {
                Ok(()) => open.set(false),
                Err(error) => toasts.fail(&error),
            }
        }
    });
    let limit = move || {
        state.with(|state| match &state.budget {
            Some(budget) => format!(" of {}", limit_words(budget)),
            None => " spent, no limit".to_owned(),
        })
    };
    let has_limit = Memo::new(move |_| state.read().budget.is_some());
    let title = Signal::derive(move || format!("Budget: {}", name.get()));
    view! {
        <div class="budget-line">
            <div class="budget-words">
                <strong>{name}</strong>
                <span class="number">
                    {move || spent_words(&state.read())} {limit}
                    {move || reserved_words(&state.read()).map(|words| view! { <small class="muted">{words}</small> })}
                </span>
            </div>
            <Show when=move || has_limit.get()>
                <BudgetBar state/>
            </Show>
            <div class="budget-actions">
                <Button on_press=move |()| open.set(true)>{move || if has_limit.get() { "Change" } else { "Set a budget" }}</Button>
                <Show when=move || has_limit.get()>
                    <Button busy=set.pending() on_press=move |()| { set.dispatch(None); }>"Remove"</Button>
                </Show>
            </div>
        </div>
        <Dialog title open>
            <BudgetForm
                id="budget"
                budget=state.with_untracked(|state| state.budget.unwrap_or_default())
                periods={if is_day { None } else { Some(true) }}
                busy=set.pending()
                on_set=move |budget: Budget| { set.dispatch(budget.is_some().then_some(budget)); }
            />
        </Dialog>
    }
    .into_any()
}

/// `$0.42 and 1,200 tokens`, of what is limited.
fn spent_words(state: &BudgetState) -> String {
    let budget = state.budget.unwrap_or_default();
    let money =
        (budget.usd.is_some() || budget.tokens.is_none()).then(|| words::money(state.spent.usd));
    let tokens = (budget.tokens.is_some() || budget.usd.is_none())
        .then(|| words::plural(state.spent.tokens, "token", "tokens"));
    let parts: Vec<String> = [money, tokens].into_iter().flatten().collect();
    let period = match (state.budget, budget.period) {
        (Some(_), Period::Day) => " today",
        (Some(_), Period::Total) | (None, _) => "",
    };
    format!("{}{period}", parts.join(" and "))
}

/// What is set aside for calls under way, in the unit of the limit.
fn reserved_words(state: &BudgetState) -> Option<String> {
    let budget = state.budget?;
    let usd = budget
        .usd
        .map(|_| state.reserved.usd)
        .filter(|usd| usd.0 > 0);
    let tokens = budget
        .tokens
        .map(|_| state.reserved.tokens)
        .filter(|tokens| *tokens > 0);
    let parts = [
        usd.map(words::money),
        tokens.map(|tokens| words::plural(tokens, "token", "tokens")),
    ];
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    (!parts.is_empty()).then(|| format!(", {} set aside for calls under way", parts.join(" and ")))
}

/// How much of a budget is used.
#[component]
fn BudgetBar(state: Signal<BudgetState>) -> impl IntoView {
    let permille = Memo::new(move |_| {
        state.with(|state| {
            let budget = state.budget.unwrap_or_default();
            budget.used_permille(state.spent).min(1_000)
        })
    });
    let status = move || match permille.get() {
        1_000.. => "failed",
        800.. => "warning",
        _ => "running",
    };
    view! {
        <div
            class="budget-bar"
            role="progressbar"
            aria-label="Used of the budget"
            aria-valuemin="0"
            aria-valuemax="100"
            aria-valuenow=move || permille.get() / 10
            data-status=status
        >
            <span style:width=move || format!("{}.{}%", permille.get() / 10, permille.get() % 10)></span>
        </div>
    }
}
