//! A form for a budget: money, tokens, over what time, and what becomes of a call that would pass it.

use domain::{
    budget::{Budget, OnBudget, Period},
    money::MicroUsd,
};
use leptos::{ev::SubmitEvent, prelude::*};

use super::{
    button::{Button, ButtonLook},
    field::Field,
};

/// What stands in the fields, read; else what is wrong with money and with tokens.
pub fn read(
    usd: &str,
    tokens: &str,
    period: Period,
    on_budget: OnBudget,
) -> Result<Budget, (Option<String>, Option<String>)> {
    let filled = |text: &str| Some(text.trim().to_owned()).filter(|text| !text.is_empty());
    let usd = filled(usd)
        .map(|text| text.trim_start_matches('$').parse::<MicroUsd>())
        .transpose();
    let tokens = filled(tokens)
        .map(|text| text.replace([',', ' '], "").parse::<u64>())
        .transpose();
    match (usd, tokens) {
        (Ok(usd), Ok(tokens)) => Ok(Budget {
            usd,
            tokens,
            period,
            on_budget,
        }),
        (usd, tokens) => Err((
            usd.err().map(|_| {
                "Write dollars like 0.50, with at most six digits after the point.".into()
            }),
            tokens.err().map(|_| "Write a whole number.".into()),
        )),
    }
}

/// A form for a budget. Empty fields are no limit; with both empty the budget is taken away.
#[component]
pub fn BudgetForm(
    /// Makes the ids of its fields unique on the page.
    #[prop(into)]
    id: String,
    /// What stands in it at first.
    budget: Budget,
    /// Whether it may count by the day; `None`: it always does.
    #[prop(default = Some(true))]
    periods: Option<bool>,
    /// The verb of its button.
    #[prop(default = "Set the budget")]
    verb: &'static str,
    /// Whether it is being set.
    #[prop(into)]
    busy: Signal<bool>,
    /// Set.
    #[prop(into)]
    on_set: Callback<Budget>,
) -> impl IntoView {
    let usd = RwSignal::new(budget.usd.map(|usd| usd.to_string()).unwrap_or_default());
    let tokens = RwSignal::new(budget.tokens.map(|it| it.to_string()).unwrap_or_default());
    let daily = RwSignal::new(budget.period == Period::Day);
    let fails = RwSignal::new(budget.on_budget == OnBudget::Fail);
    let wrong = RwSignal::new((None::<String>, None::<String>));
    let submit = move |event: SubmitEvent| {
        event.prevent_default();
        let period = if daily.get_untracked() || periods.is_none() {
            Period::Day
        } else {
            Period::Total
        };
        let on_budget = if fails.get_untracked() {
            OnBudget::Fail
        } else {
            OnBudget::Wait
        };
        match read(
            &usd.get_untracked(),
            &tokens.get_untracked(),
            period,
            on_budget,
        ) {
            Ok(budget) => {
                wrong.set((None, None));
                on_set.run(budget);
            }
            Err(problems) => wrong.set(problems),
        }
    };
    let (usd_id, tokens_id) = (format!("{id}-usd"), format!("{id}-tokens"));
    let (period_id, then_id) = (format!("{id}-period"), format!("{id}-then"));
    let described = |id: &str| format!("{id}-help");
    view! {
        <form class="form budget-form" on:submit=submit>
            <Field id=usd_id.clone() label="Dollars at most" help="Empty: no limit." error=Signal::derive(move || wrong.get().0)>
                <input id=usd_id.clone() aria-describedby=described(&usd_id) type="text" inputmode="decimal" bind:value=usd/>
            </Field>
            <Field id=tokens_id.clone() label="Tokens at most" help="Read and written together. Empty: no limit." error=Signal::derive(move || wrong.get().1)>
                <input id=tokens_id.clone() aria-describedby=described(&tokens_id) type="text" inputmode="numeric" bind:value=tokens/>
            </Field>
            {(periods == Some(true)).then(|| view! {
                <Field id=period_id.clone() label="Counts">
                    <select id=period_id.clone() aria-describedby=described(&period_id) on:change:target=move |event| daily.set(event.target().value() == "day")>
                        <option value="total" selected={!daily.get_untracked()}>"in all"</option>
                        <option value="day" selected={daily.get_untracked()}>"each day (UTC)"</option>
                    </select>
                </Field>
            })}
            <Field id=then_id.clone() label="A call that could pass it">
                <select id=then_id.clone() aria-describedby=described(&then_id) on:change:target=move |event| fails.set(event.target().value() == "fail")>
                    <option value="wait" selected={!fails.get_untracked()}>"waits for a person"</option>
                    <option value="fail" selected={fails.get_untracked()}>"fails its step"</option>
                </select>
            </Field>
            <div class="form-actions">
                <Button look=ButtonLook::Primary submit=true busy>{verb}</Button>
            </div>
        </form>
    }
    .into_any()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn empty_fields_are_no_limit_and_nonsense_is_told() {
        let read = |usd, tokens| read(usd, tokens, Period::Total, OnBudget::Wait);
        assert_eq!(read("", " ").map(|budget| budget.is_some()), Ok(false));
        let budget = read("$0.50", "10,000").expect("both are numbers");
        assert_eq!(budget.usd, Some(MicroUsd(500_000)));
        assert_eq!(budget.tokens, Some(10_000));
        let (usd, tokens) = read("much", "-1").expect_err("neither is");
        assert!(usd.is_some() && tokens.is_some());
        // Nothing at all may be spent: that is a limit, not none.
        assert_eq!(read("0", "").map(|budget| budget.is_some()), Ok(true));
    }
}
