//! Sums at the head of the page, and the chart of days.

use std::collections::BTreeMap;

use domain::money::MicroUsd;
use leptos::prelude::*;

use super::written;
use crate::{
    api::dto::{UsageOverview, UsageSums},
    components::chart::{Bar, COLOURS, DayBars},
    words,
};

/// How much of the cost is known, and how; nothing where all of it was charged.
pub fn known(sums: &UsageSums) -> String {
    let mut parts = Vec::new();
    if sums.estimated_usd.is_none() && sums.calls_unknown == 0 {
        return String::new();
    }
    if let Some(charged) = sums.charged_usd {
        parts.push(format!("{} charged", words::money(charged)));
    }
    if let Some(estimated) = sums.estimated_usd {
        parts.push(format!("{} estimated", words::money(estimated)));
    }
    if sums.calls_unknown > 0 {
        let calls = words::plural(sums.calls_unknown, "call", "calls");
        parts.push(format!("{calls} of unknown cost"));
    }
    parts.join(", ")
}

/// Money where any of it is known.
pub fn cost(sums: &UsageSums) -> String {
    match sums.cost_usd() {
        Some(cost) => words::money(cost),
        None if sums.calls == 0 => "$0".to_owned(),
        None => "unknown".to_owned(),
    }
}

fn number(number: Option<u64>) -> String {
    number.map_or_else(|| "–".to_owned(), words::count)
}

/// Sums over all.
#[component]
pub fn Sums(sums: Signal<UsageSums>) -> impl IntoView {
    let figure = |label: &'static str, value: Signal<String>, note: Signal<String>| {
        view! {
            <div class="figure-cell">
                <dt>{label}</dt>
                <dd>{value} " " <small>{note}</small></dd>
            </div>
        }
    };
    let of = move |read: fn(&UsageSums) -> String| Signal::derive(move || read(&sums.read()));
    view! {
        <dl class="figures">
            {figure("Cost", of(cost), of(known))}
            {figure("Model calls", of(|sums| words::count(sums.calls)), of(|_| String::new()))}
            {figure("Tokens read", of(|sums| number(sums.prompt_tokens)), of(|sums| match sums.cached_tokens {
                Some(cached) => format!("{} cached", words::count(cached)),
                None => String::new(),
            }))}
            {figure("Tokens written", of(|sums| number(sums.completion_tokens)), of(|sums| match sums.reasoning_tokens {
                Some(thought) => format!("{} thought", words::count(thought)),
                None => String::new(),
            }))}
        </dl>
    }
    .into_any()
}

/// What the bars are of: money where there is any, else tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Of {
    Money,
    Tokens,
}

/// Bars of all days, those without any call included, and what they are made of: the models, workflows or
/// agents that took most, and all others together.
fn bars(usage: &UsageOverview) -> (Of, Vec<String>, Vec<Bar>) {
    let any_money = usage.real.cost_usd().is_some_and(|cost| cost.0 > 0);
    let of = if any_money { Of::Money } else { Of::Tokens };
    // Simulated calls cost nothing: in a chart of money there is no room for them.
    let rows: Vec<_> = usage
        .days
        .iter()
        .filter(|row| of == Of::Tokens || !row.simulated)
        .collect();
    let value = |sums: &UsageSums| match of {
        Of::Money => sums.cost_usd().unwrap_or_default().0,
        Of::Tokens => sums.tokens(),
    };
    let mut by_name: BTreeMap<&str, u64> = BTreeMap::new();
    for row in &rows {
        let sum = by_name.entry(&row.name).or_default();
        *sum = sum.saturating_add(value(&row.sums));
    }
    let mut names: Vec<(&str, u64)> = by_name.into_iter().collect();
    names.sort_by_key(|(name, sum)| (std::cmp::Reverse(*sum), *name));
    let mut series: Vec<String> = names.iter().map(|(name, _)| (*name).to_owned()).collect();
    if series.len() > COLOURS {
        series.truncate(COLOURS - 1);
        series.push("others".to_owned());
    }
    let place = |name: &str| {
        let at = series.iter().position(|known| known == name);
        at.unwrap_or(series.len().saturating_sub(1))
    };
    let mut days: BTreeMap<i64, Vec<u64>> = (usage.from..=usage.to)
        .map(|day| (day, vec![0; series.len()]))
        .collect();
    for row in rows {
        if let Some(parts) = row.day.and_then(|day| days.get_mut(&day))
            && let Some(part) = parts.get_mut(place(&row.name))
        {
            *part = part.saturating_add(value(&row.sums));
        }
    }
    let bars = days.into_iter().map(|(day, parts)| {
        let sum = parts
            .iter()
            .fold(0_u64, |sum, part| sum.saturating_add(*part));
        Bar {
            // The year stands in the fields above.
            label: written(day).chars().skip(5).collect(),
            words: match of {
                Of::Money => words::money(MicroUsd(sum)),
                Of::Tokens => words::plural(sum, "token", "tokens"),
            },
            parts,
        }
    });
    (of, series.clone(), bars.collect())
}

/// The chart of days.
#[component]
pub fn Days(usage: Signal<UsageOverview>) -> impl IntoView {
    let drawn = Memo::new(move |_| {
        let (of, series, bars) = bars(&usage.read());
        (of == Of::Money, series, bars)
    });
    let of = move || {
        let by = usage.read().split.name();
        match drawn.read().0 {
            true => format!("Cost by {by}. What is simulated or of unknown cost is not in it."),
            false => format!("Tokens by {by}: nothing was charged in these days."),
        }
    };
    let table = move || {
        drawn.with(|(_, _, bars)| {
            bars.iter()
                .filter(|bar| bar.parts.iter().any(|part| *part > 0))
                .map(|bar| view! { <tr><th scope="row">{bar.label.clone()}</th><td class="number">{bar.words.clone()}</td></tr> })
                .collect_view()
        })
    };
    view! {
        <div class="panel-text">
            <p class="muted">{of}</p>
            <DayBars
                bars=Signal::derive(move || drawn.read().2.clone())
                series=Signal::derive(move || drawn.read().1.clone())
                words=move |value: u64| match drawn.read().0 {
                    true => words::exact_money(MicroUsd(value)),
                    false => words::count(value),
                }
                label="Bars, one for each day; the table below has the same numbers"
            />
            <details>
                <summary>"As a table"</summary>
                <table class="usage-table">
                    <thead><tr><th scope="col">"Day"</th><th scope="col">"Sum"</th></tr></thead>
                    <tbody>{table}</tbody>
                </table>
            </details>
        </div>
    }
    .into_any()
}

#[cfg(test)]
mod tests {
    use domain::time::Timestamp;

    use super::*;
    use crate::api::dto::{Split, UsageRow};

    fn row(day: i64, name: &str, simulated: bool, usd: Option<u64>, tokens: u64) -> UsageRow {
        UsageRow {
            day: Some(day),
            key: Some(name.into()),
            name: name.into(),
            simulated,
            sums: UsageSums {
                calls: 1,
                charged_usd: usd.map(MicroUsd),
                calls_unknown: u64::from(usd.is_none()),
                prompt_tokens: Some(tokens),
                ..UsageSums::default()
            },
        }
    }

    fn usage(days: Vec<UsageRow>) -> UsageOverview {
        let sum = |simulated| {
            let rows = days.iter().filter(|row| row.simulated == simulated);
            rows.fold(UsageSums::default(), |sum, row| sum.plus(row.sums))
        };
        UsageOverview {
            from: 10,
            to: 12,
            real: sum(false),
            simulated: sum(true),
            split: Split::Model,
            models: vec![],
            workflows: vec![],
            agents: vec![],
            days,
            budgets: vec![],
            now: Timestamp(0),
        }
    }

    #[test]
    fn a_chart_of_money_has_a_bar_for_each_day_and_no_simulated_calls() {
        let (of, series, bars) = bars(&usage(vec![
            row(10, "a", false, Some(5), 1),
            row(12, "b", false, Some(7), 1),
            row(12, "rehearsal", true, Some(0), 900),
        ]));
        assert_eq!(of, Of::Money);
        assert_eq!(series, ["b", "a"], "what took most comes first");
        let parts: Vec<_> = bars.iter().map(|bar| bar.parts.clone()).collect();
        assert_eq!(parts, [vec![0, 5], vec![0, 0], vec![7, 0]]);
    }

    #[test]
    fn without_any_money_the_chart_is_of_tokens() {
        let (of, _, bars) = bars(&usage(vec![row(11, "rehearsal", true, Some(0), 900)]));
        assert_eq!(of, Of::Tokens);
        assert_eq!(bars[1].words, "900 tokens");
    }

    #[test]
    fn many_models_are_others_together() {
        let rows = (0..9).map(|at| row(10, &format!("m{at}"), false, Some(100 - at), 1));
        let (_, series, bars) = bars(&usage(rows.collect()));
        assert_eq!(series.last().map(String::as_str), Some("others"));
        assert_eq!(bars[0].parts.iter().sum::<u64>(), (92..=100).sum::<u64>());
    }

    #[test]
    fn what_is_unknown_is_said_and_is_not_nothing() {
        let sums = row(1, "a", false, None, 5).sums;
        assert_eq!(cost(&sums), "unknown");
        assert_eq!(known(&sums), "1 call of unknown cost");
        assert_eq!(cost(&UsageSums::default()), "$0");
    }
}
