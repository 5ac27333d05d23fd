//! Sums of usage, and budgets.

use app::api::dto::{UsageBy, UsageQuery};
use domain::{
    budget::{Amount, Budget, Period, Scope, day_of},
    event::{Fact, SystemEvent},
    money::MicroUsd,
};

use super::*;

fn query(by: UsageBy) -> UsageQuery {
    UsageQuery {
        by,
        from: i64::MIN,
        to: i64::MAX,
    }
}

#[tokio::test]
async fn sums_are_kept_with_the_events_and_what_is_unknown_stays_unknown() {
    let store = store().await;
    let mut log = Log::default();
    let first = log.queued(run(1));
    let name = TaskName::parse("a").expect("a name");
    let costs = [Some(5), None, Some(7)];
    let turns = costs.map(|cost| log.task(run(1), name.clone(), None, turn("said", cost)));
    let batch = Batch {
        events: std::iter::once(first).chain(turns).collect(),
        runs: vec![ChangedRun {
            row: run_row(run(1), "running", NOON),
            tasks: vec![],
            attempts: vec![],
        }],
        ..Batch::default()
    };
    store.append(&batch).await.expect("it is stored");
    let rows = store.usage(&query(UsageBy::Model)).await.expect("sums");
    assert_eq!(rows.len(), 1);
    let sums = rows[0].sums;
    assert_eq!((sums.calls, sums.calls_unknown), (3, 1));
    assert_eq!(sums.cost_usd(), Some(MicroUsd(12)));
    assert_eq!(sums.prompt_tokens, Some(30));
    assert_eq!(sums.completion_tokens, None, "nobody said how many");
    for by in [UsageBy::Agent, UsageBy::Workflow, UsageBy::Day] {
        let rows = store.usage(&query(by)).await.expect("sums");
        assert_eq!(rows[0].sums, sums, "{by:?}");
    }
    let carried = store.carried(day_of(NOON)).await.expect("sums");
    let day = carried.iter().filter(|sum| sum.scope == Scope::Day);
    let total = day.fold(Amount::default(), |sum, carried| sum.plus(carried.total));
    assert_eq!(total.usd, MicroUsd(12));
}

#[tokio::test]
async fn a_budget_is_there_until_it_is_taken_away() {
    let store = store().await;
    let mut log = Log::default();
    let budget = Budget {
        usd: Some(MicroUsd(100)),
        period: Period::Day,
        ..Budget::default()
    };
    let scope = Scope::Provider("acme".into());
    for given in [Some(budget), None] {
        let event = log.event(Fact::System(SystemEvent::BudgetSet {
            scope: scope.clone(),
            budget: given,
            by: "ann".into(),
        }));
        let batch = Batch {
            events: vec![event],
            ..Batch::default()
        };
        store.append(&batch).await.expect("it is stored");
        let known = store.budgets(day_of(NOON)).await.expect("budgets");
        let known: Vec<_> = known.into_iter().map(|state| state.budget).collect();
        assert_eq!(known, given.map(Some).into_iter().collect::<Vec<_>>());
    }
}
