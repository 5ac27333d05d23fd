//! Sums of usage, and budgets.

use app::api::dto::{UsageBy, UsageQuery};
use domain::{
    agent::AgentState,
    budget::{Amount, Budget, Period, Scope, day_of},
    event::{Fact, SystemEvent},
    money::MicroUsd,
    run::{LateCost, TurnFailure},
};

use super::*;
use crate::store::calls::OpenCalls;

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
    for by in [
        UsageBy::Agent,
        UsageBy::Workflow,
        UsageBy::Day,
        UsageBy::DayAndWorkflow,
        UsageBy::DayAndAgent,
    ] {
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

#[tokio::test]
async fn what_a_cut_call_cost_counts_on_the_day_on_which_the_call_was_counted() {
    let store = store().await;
    let mut log = Log::default();
    let (of, name) = (run(1), task("a"));
    let id = "gen-1".to_owned();
    let queued = log.queued(of);
    let began = TaskEvent::TurnBegan {
        attempt: 1,
        turn: 1,
        generation_id: Some(id.clone()),
        model: "acme:m/1".into(),
    };
    let began = log.task(of, name.clone(), Some(agent(1)), began);
    let mut failure = TurnFailure::cut("acme:m/1".into(), Some(id.clone()));
    failure.assumed_usd = Some(MicroUsd(50));
    failure.assumed_tokens = Some(70);
    let failed = TaskEvent::TurnFailed {
        attempt: 1,
        turn: 1,
        failure,
    };
    let failed = log.task(of, name.clone(), Some(agent(1)), failed);
    let counted_at = failed.at;
    let gone = Agent {
        state: AgentState::Terminated {
            reason: "idle".into(),
        },
        ..spawned(agent(1), "Ada", NOON)
    };
    let batch = Batch {
        events: vec![queued, began, failed],
        runs: vec![ChangedRun {
            row: run_row(of, "failed", NOON),
            tasks: vec![],
            attempts: vec![],
        }],
        agents: vec![gone],
        ..Batch::default()
    };
    store.append(&batch).await.expect("it is stored");
    let open = store.open_calls().await.expect("calls");
    assert_eq!(
        open.iter()
            .map(|call| (call.provider.as_str(), call.model.as_str()))
            .collect::<Vec<_>>(),
        [("acme", "m/1")]
    );

    let late = LateCost {
        generation_id: id,
        provider: "acme".into(),
        model: "m/1".into(),
        cost_usd: MicroUsd(30),
        prompt_tokens: Some(3),
        completion_tokens: None,
        assumed_usd: MicroUsd(50),
        assumed_tokens: 60,
        counted: true,
        counted_at,
    };
    let priced = TaskEvent::TurnPriced {
        attempt: 1,
        turn: 1,
        late,
    };
    let mut priced = log.task(of, name, Some(agent(1)), priced);
    let next_day = counted_at.plus_ms(86_400_000);
    priced.at = next_day;
    let batch = Batch {
        events: vec![priced],
        ..Batch::default()
    };
    store.append(&batch).await.expect("it is stored");
    assert!(store.open_calls().await.expect("calls").is_empty());
    let rows = store.usage(&query(UsageBy::Day)).await.expect("sums");
    assert_eq!(rows.len(), 1);
    assert_eq!(rows[0].day, Some(day_of(counted_at)));
    let sums = rows[0].sums;
    assert_eq!(
        (sums.calls, sums.calls_unknown, sums.calls_charged),
        (1, 0, 1)
    );
    assert_eq!(sums.cost_usd(), Some(MicroUsd(30)));
    assert_eq!(sums.assumed_usd, MicroUsd(0));
    // Nobody said what it wrote: that part goes on counting.
    assert_eq!((sums.tokens(), sums.assumed_tokens), (3, 10));
    let carried = store.carried(day_of(counted_at)).await.expect("sums");
    let of_day = carried
        .iter()
        .find(|it| it.scope == Scope::Day && it.total != Amount::default());
    assert_eq!(of_day.map(|it| it.total.tokens), Some(13));
    let today = store.spent_since(next_day).await.expect("a sum");
    assert_eq!(today.cost, MicroUsd(0), "nothing of it was spent that day");
    let agent = store.agent(agent(1)).await.expect("readable");
    assert_eq!(agent.map(|agent| agent.cost_usd), Some(MicroUsd(30)));
}
