//! Sums of models, workflows and agents: a table, each row with a bar as long as its share.

use leptos::prelude::*;
use leptos_router::components::A;

use super::{
    figures::{cost, known},
    written,
};
use crate::{
    api::dto::{UsageOverview, UsageRow, UsageSums},
    components::{Badge, chart::share},
    words,
};

/// How long the bar of a row is: by cost where there is any, else by tokens.
fn weight(sums: &UsageSums, by_cost: bool) -> u64 {
    match by_cost {
        true => sums.cost_usd().unwrap_or_default().0,
        false => sums.tokens(),
    }
}

/// Sums by one thing.
#[component]
pub fn Table(
    title: &'static str,
    by: &'static str,
    rows: Signal<Vec<UsageRow>>,
    usage: Signal<UsageOverview>,
) -> impl IntoView {
    let id = format!("usage-by-{by}");
    let lines = move || {
        rows.with(|rows| {
            let by_cost = rows.iter().any(|row| weight(&row.sums, true) > 0);
            let largest = rows.iter().map(|row| weight(&row.sums, by_cost)).max();
            let largest = largest.unwrap_or(0);
            rows.iter()
                .map(|row| {
                    let share = share(weight(&row.sums, by_cost), largest);
                    view! { <Line row=row.clone() share by/> }
                })
                .collect_view()
        })
    };
    view! {
        <section class="panel" aria-labelledby=id.clone()>
            <header class="panel-head">
                <h2 id=id.clone()>{title}</h2>
                <Export by usage/>
            </header>
            <Show
                when=move || !rows.read().is_empty()
                fallback=|| view! { <p class="empty">"No model was called in these days."</p> }
            >
                <div class="usage-scroll">
                    <table class="usage-table">
                        <thead>
                            <tr>
                                <th scope="col">"Name"</th>
                                <th scope="col">"Cost"</th>
                                <th scope="col">"Calls"</th>
                                <th scope="col">"Tokens read"</th>
                                <th scope="col">"Tokens written"</th>
                            </tr>
                        </thead>
                        <tbody>{lines}</tbody>
                    </table>
                </div>
            </Show>
        </section>
    }
    .into_any()
}

/// The way to the same numbers as a file.
#[component]
pub fn Export(by: &'static str, usage: Signal<UsageOverview>) -> impl IntoView {
    let href = move || {
        usage.with(|usage| {
            let (from, to) = (written(usage.from), written(usage.to));
            format!("/api/v1/usage?by={by}&from={from}&to={to}&format=csv")
        })
    };
    let label = format!("Export as CSV, by {by}");
    view! {
        <a class="link-quiet" rel="external" download="usage.csv" aria-label=label href=href>"Export as CSV"</a>
    }
}

#[component]
fn Line(row: UsageRow, share: u64, by: &'static str) -> impl IntoView {
    let UsageRow {
        key,
        name,
        simulated,
        sums,
        ..
    } = row;
    let number = |number: Option<u64>| number.map_or_else(|| "–".to_owned(), words::count);
    let place = match by {
        "workflow" => key.map(|id| format!("/workflows/{id}")),
        "agent" => key.map(|id| format!("/agents/{id}")),
        _ => None,
    };
    let name = match place {
        Some(place) => view! { <A href=place>{name}</A> }.into_any(),
        None => view! { <span>{name}</span> }.into_any(),
    };
    view! {
        <tr>
            <th scope="row">
                {name} " "
                {simulated.then(|| view! { <Badge status="simulated">"Simulated"</Badge> })}
                <span class="usage-share" aria-hidden="true" style:width=format!("{}.{}%", share / 10, share % 10)></span>
            </th>
            <td class="number" title=known(&sums)>{cost(&sums)}</td>
            <td class="number">{words::count(sums.calls)}</td>
            <td class="number">{number(sums.prompt_tokens)}</td>
            <td class="number">{number(sums.completion_tokens)}</td>
        </tr>
    }
    .into_any()
}
