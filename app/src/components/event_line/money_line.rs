//! Events about money in words.

use domain::{
    budget::{Budget, Notice, Period},
    run::RunEvent,
};

use crate::words;

/// What happened to a run's money.
pub fn of_run(event: &RunEvent) -> String {
    match event {
        RunEvent::BudgetSet {
            by,
            budget_usd,
            budget_tokens,
            on_budget,
        } => {
            let budget = Budget {
                usd: *budget_usd,
                tokens: *budget_tokens,
                period: Period::Total,
                on_budget: *on_budget,
            };
            set("this run", Some(&budget), by)
        }
        RunEvent::BudgetWarned(notice) => warned(notice),
        RunEvent::BudgetExceeded(notice) => format!(
            "A call was not made: it could pass the budget of {} ({})",
            notice.whose(),
            limit(&notice.budget)
        ),
        RunEvent::ChildEnded {
            for_task, cost_usd, ..
        } => match cost_usd {
            Some(cost) => format!("{for_task}: its child run cost {}", words::money(*cost)),
            None => format!("{for_task}: nobody knows what its child run cost"),
        },
        RunEvent::Queued { .. }
        | RunEvent::Started {}
        | RunEvent::Paused { .. }
        | RunEvent::Resumed { .. }
        | RunEvent::Completed { .. }
        | RunEvent::Failed { .. }
        | RunEvent::Cancelled { .. } => String::new(),
    }
}

/// Somebody set a budget.
pub fn set(whose: &str, budget: Option<&Budget>, by: &str) -> String {
    match budget.filter(|budget| budget.is_some()) {
        Some(budget) => format!("Budget of {whose} set by {by}: {}", limit(budget)),
        None => format!("Budget of {whose} taken away by {by}"),
    }
}

/// Four fifths are spent.
pub fn warned(notice: &Notice) -> String {
    format!(
        "{} % of the budget of {} spent ({})",
        notice.budget.used_permille(notice.spent) / 10,
        notice.whose(),
        limit(&notice.budget)
    )
}

/// `$0.50 and 10,000 tokens a day`
pub fn limit(budget: &Budget) -> String {
    let money = budget.usd.map(words::exact_money);
    let tokens = budget
        .tokens
        .map(|tokens| words::plural(tokens, "token", "tokens"));
    let parts: Vec<String> = [money, tokens].into_iter().flatten().collect();
    let period = match budget.period {
        Period::Total => "",
        Period::Day => " a day",
    };
    format!("{}{period}", parts.join(" and "))
}

#[cfg(test)]
mod tests {
    use domain::{
        budget::{Amount, Scope},
        money::MicroUsd,
    };

    use super::*;

    #[test]
    fn budgets_are_said_in_words() {
        let budget = Budget {
            usd: Some(MicroUsd(500_000)),
            tokens: Some(10_000),
            period: Period::Day,
            ..Budget::default()
        };
        let notice = Notice {
            scope: Scope::Provider("acme".into()),
            budget,
            spent: Amount {
                usd: MicroUsd(450_000),
                tokens: 1,
            },
            needed: Amount::default(),
        };
        assert_eq!(
            warned(&notice),
            "90 % of the budget of the provider acme spent ($0.50 and 10,000 tokens a day)"
        );
        assert_eq!(
            set("the day", None, "ann"),
            "Budget of the day taken away by ann"
        );
    }
}
