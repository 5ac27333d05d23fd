//! Sums of what model calls took, as JSON or as a table for a spreadsheet.

use std::str::FromStr;

use app::api::dto::{UsageBy, UsageQuery, UsageRow};
use axum::{
    Json,
    extract::State,
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use domain::{budget::begin_of, money::MicroUsd, time::Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::super::{
    ask::{Ask, Asker, maybe},
    list::Items,
};
use crate::web::{
    WebState,
    problem::{Problem, ProblemDetails},
};

/// Which usage.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct UsageAsked {
    /// `model`, `agent`, `workflow` or `day`; `model` when missing.
    #[serde(default, deserialize_with = "maybe")]
    #[param(value_type = Option<String>)]
    by: Option<By>,
    /// The first day (UTC), like 2026-01-31; from the beginning when missing.
    #[serde(default, deserialize_with = "maybe")]
    #[param(value_type = Option<String>, format = "date")]
    from: Option<Day>,
    /// The last day (UTC); to the end when missing.
    #[serde(default, deserialize_with = "maybe")]
    #[param(value_type = Option<String>, format = "date")]
    to: Option<Day>,
    /// `json` or `csv`; without it the `Accept` header decides.
    #[serde(default, deserialize_with = "maybe")]
    #[param(value_type = Option<String>)]
    format: Option<Format>,
}

#[derive(Debug, Clone, Copy)]
struct By(UsageBy);

#[derive(Debug, Clone, Copy)]
struct Day(i64);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Format {
    Json,
    Csv,
}

impl FromStr for By {
    type Err = &'static str;

    fn from_str(raw: &str) -> Result<Self, Self::Err> {
        Ok(Self(match raw {
            "model" => UsageBy::Model,
            "agent" => UsageBy::Agent,
            "workflow" => UsageBy::Workflow,
            "day" => UsageBy::Day,
            _ => return Err("write one of model, agent, workflow, day"),
        }))
    }
}

impl FromStr for Day {
    type Err = &'static str;

    fn from_str(raw: &str) -> Result<Self, Self::Err> {
        let rule = "write a day like 2026-01-31";
        if raw.len() != 10 || !raw.is_ascii() {
            return Err(rule);
        }
        let begin = Timestamp::parse_rfc3339(&format!("{raw}T00:00:00Z")).ok_or(rule)?;
        Ok(Self(domain::budget::day_of(begin)))
    }
}

impl FromStr for Format {
    type Err = &'static str;

    fn from_str(raw: &str) -> Result<Self, Self::Err> {
        match raw {
            "json" => Ok(Format::Json),
            "csv" => Ok(Format::Csv),
            _ => Err("write json or csv"),
        }
    }
}

/// One sum. What nobody knows is null; `calls_unknown` counts the calls whose cost that is.
#[derive(Debug, Serialize, ToSchema)]
pub struct UsageShape {
    /// `provider:model`, the id of the agent or workflow, or the day; null for calls without an agent.
    key: Option<String>,
    /// What people call it.
    name: String,
    /// Whether these calls were only rehearsed: nothing of it was ever charged.
    simulated: bool,
    /// Model calls that came to their end.
    calls: u64,
    /// Those whose provider said what it charged.
    calls_charged: u64,
    /// Those whose cost is computed from list prices.
    calls_estimated: u64,
    /// Those whose cost nobody knows.
    calls_unknown: u64,
    /// Charged and estimated together, in dollars.
    cost_usd: Option<String>,
    /// What was charged.
    charged_usd: Option<String>,
    /// What was computed from list prices.
    estimated_usd: Option<String>,
    /// Tokens read.
    prompt_tokens: Option<u64>,
    /// Tokens written.
    completion_tokens: Option<u64>,
    /// Of those read the ones that the provider had kept from before.
    cached_tokens: Option<u64>,
    /// Of those written the ones that were thought.
    reasoning_tokens: Option<u64>,
}

impl From<UsageRow> for UsageShape {
    fn from(row: UsageRow) -> Self {
        let UsageRow {
            day,
            key,
            name,
            simulated,
            sums,
        } = row;
        let money = |usd: Option<MicroUsd>| usd.map(|usd| usd.to_string());
        Self {
            key: key.or_else(|| day.map(written)),
            name,
            simulated,
            calls: sums.calls,
            calls_charged: sums.calls_charged,
            calls_estimated: sums.calls_estimated,
            calls_unknown: sums.calls_unknown,
            cost_usd: money(sums.cost_usd()),
            charged_usd: money(sums.charged_usd),
            estimated_usd: money(sums.estimated_usd),
            prompt_tokens: sums.prompt_tokens,
            completion_tokens: sums.completion_tokens,
            cached_tokens: sums.cached_tokens,
            reasoning_tokens: sums.reasoning_tokens,
        }
    }
}

fn written(day: i64) -> String {
    begin_of(day).rfc3339().chars().take(10).collect()
}

/// Sums of what model calls took: tokens and cost by model, agent, workflow or day. With
/// `Accept: text/csv`, or `format=csv`, as a table for a spreadsheet.
#[utoipa::path(get, path = "/api/v1/usage", tag = "money", params(UsageAsked), responses(
    (status = 200, body = Items<UsageShape>),
    (status = "default", description = "A problem", body = ProblemDetails, content_type = "application/problem+json"),
))]
pub async fn read(
    State(state): State<WebState>,
    Asker(actor): Asker,
    Ask(asked): Ask<UsageAsked>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let UsageAsked {
        by,
        from,
        to,
        format,
    } = asked;
    let query = UsageQuery {
        by: by.map_or(UsageBy::Model, |by| by.0),
        from: from.map_or(i64::MIN, |day| day.0),
        to: to.map_or(i64::MAX, |day| day.0),
    };
    if query.from > query.to {
        return Err(Problem::bad_request(
            "bad_query",
            "The first day is after the last one.",
        ));
    }
    let rows = state.backend.usage(&actor, query).await?;
    let shapes = rows.into_iter().map(UsageShape::from);
    match format.unwrap_or_else(|| wanted(&headers)) {
        Format::Json => Ok(Json(Items::whole(shapes)).into_response()),
        Format::Csv => {
            let table = csv(shapes);
            let headers = [
                (header::CONTENT_TYPE, "text/csv; charset=utf-8"),
                (
                    header::CONTENT_DISPOSITION,
                    "attachment; filename=\"usage.csv\"",
                ),
            ];
            Ok((StatusCode::OK, headers, table).into_response())
        }
    }
}

fn wanted(headers: &HeaderMap) -> Format {
    let accepted = headers.get(header::ACCEPT);
    let accepted = accepted.and_then(|value| value.to_str().ok());
    let names_csv = accepted.is_some_and(|value| {
        value
            .split(',')
            .any(|kind| kind.trim().split(';').next() == Some("text/csv"))
    });
    if names_csv { Format::Csv } else { Format::Json }
}

fn csv(shapes: impl Iterator<Item = UsageShape>) -> String {
    let mut table = String::from(
        "key,name,simulated,calls,calls_charged,calls_estimated,calls_unknown,cost_usd,charged_usd,\
         estimated_usd,prompt_tokens,completion_tokens,cached_tokens,reasoning_tokens\r\n",
    );
    for shape in shapes {
        let number = |number: Option<u64>| number.map(|it| it.to_string()).unwrap_or_default();
        let fields = [
            cell(&shape.key.unwrap_or_default()),
            cell(&shape.name),
            shape.simulated.to_string(),
            shape.calls.to_string(),
            shape.calls_charged.to_string(),
            shape.calls_estimated.to_string(),
            shape.calls_unknown.to_string(),
            shape.cost_usd.unwrap_or_default(),
            shape.charged_usd.unwrap_or_default(),
            shape.estimated_usd.unwrap_or_default(),
            number(shape.prompt_tokens),
            number(shape.completion_tokens),
            number(shape.cached_tokens),
            number(shape.reasoning_tokens),
        ];
        table.push_str(&fields.join(","));
        table.push_str("\r\n");
    }
    table
}

/// A text as a cell (RFC 4180). What a spreadsheet would take for a formula gets a mark before it:
/// names come from anybody.
fn cell(text: &str) -> String {
    let formula = text.starts_with(['=', '+', '-', '@', '\t', '\r']);
    let text = if formula {
        format!("'{text}")
    } else {
        text.to_owned()
    };
    if text.contains(['"', ',', '\n', '\r']) {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text
    }
}

#[cfg(test)]
mod tests {
    use app::api::dto::UsageSums;

    use super::*;

    #[test]
    fn a_table_keeps_what_is_unknown_empty_and_disarms_formulas() {
        let row = UsageRow {
            day: None,
            key: Some("acme:m".into()),
            name: "=cmd|' /C calc'!A0, \"x\"".into(),
            simulated: false,
            sums: UsageSums {
                calls: 2,
                calls_unknown: 2,
                prompt_tokens: Some(7),
                ..UsageSums::default()
            },
        };
        let table = csv([UsageShape::from(row)].into_iter());
        assert_eq!(
            table.lines().nth(1),
            Some("acme:m,\"'=cmd|' /C calc'!A0, \"\"x\"\"\",false,2,0,0,2,,,,7,,,")
        );
    }

    #[test]
    fn days_are_read_as_they_are_written() {
        for (raw, day) in [
            ("1970-01-01", Some(0)),
            ("2026-11-23", Some(20_780)),
            ("2026-02-30", None),
            ("2026-1-1", None),
            ("yesterday!", None),
        ] {
            assert_eq!(raw.parse::<Day>().ok().map(|day| day.0), day, "{raw}");
        }
        assert_eq!(written(20_780), "2026-11-23");
    }
}
