//! What a server says of a key: OpenRouter when it is asked, OpenAI and its like in the headers of every
//! answer. Every field may be missing; amounts may be numbers or texts.

use domain::{
    budget::{begin_of, day_of},
    money::MicroUsd,
    quota::{Allowance, AllowanceOf, Quota},
    time::Timestamp,
};
use serde_json::Value;

use crate::llm::{cost::Dollars, wire::number};

/// Reads OpenRouter's answer of `GET /key`; what cannot be understood is not known.
pub fn read(body: &[u8], now: Timestamp) -> Quota {
    let value: Value = serde_json::from_slice(body).unwrap_or_default();
    let data = value.get("data").unwrap_or(&value);
    let amount = |name: &str| -> Option<MicroUsd> {
        let raw = data.get(name).and_then(number)?;
        Dollars::parse(&raw).map(Dollars::micro_usd)
    };
    Quota {
        limit_usd: amount("limit"),
        remaining_usd: amount("limit_remaining"),
        used_usd: amount("usage"),
        resets: data
            .get("limit_reset")
            .and_then(Value::as_str)
            .map(|word| word.chars().take(40).collect()),
        allowances: free_calls(data, now).into_iter().collect(),
    }
}

/// Calls of free models are counted by days of UTC.
fn free_calls(data: &Value, now: Timestamp) -> Option<Allowance> {
    let counts = data.get("free_model_daily_requests")?;
    let count = |name: &str| counts.get(name).and_then(Value::as_u64);
    Some(Allowance {
        of: AllowanceOf::FreeRequests,
        limit: count("limit")?,
        remaining: count("remaining")?,
        resets_at: Some(begin_of(day_of(now) + 1)),
    })
}

/// Reads what the headers of an answer say that came at `now`. A proxy hands on those of the server
/// behind it under names of its own.
pub fn of_headers<'a>(now: Timestamp, header: impl Fn(&str) -> Option<&'a str>) -> Vec<Allowance> {
    let kinds = [
        (AllowanceOf::Requests, "requests"),
        (AllowanceOf::Tokens, "tokens"),
    ];
    let said = kinds.into_iter().filter_map(|(of, kind)| {
        let find = |what: &str| {
            let name = format!("x-ratelimit-{what}-{kind}");
            header(&name).or_else(|| header(&format!("llm_provider-{name}")))
        };
        Some(Allowance {
            of,
            limit: find("limit")?.trim().parse().ok()?,
            remaining: find("remaining")?.trim().parse().ok()?,
            resets_at: find("reset").and_then(span_ms).map(|ms| now.plus_ms(ms)),
        })
    });
    said.collect()
}

/// A span like `20ms`, `1s`, `6m0s` or `1h2m3.5s`, in milliseconds; a bare number is seconds.
fn span_ms(raw: &str) -> Option<u64> {
    let mut rest = raw.trim();
    let mut sum = 0.0;
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let is_digit = |letter: char| letter.is_ascii_digit() || letter == '.';
        let end = rest.find(|letter| !is_digit(letter)).unwrap_or(rest.len());
        let (value, behind) = rest.split_at(end);
        let value: f64 = value.parse().ok()?;
        let end = behind.find(is_digit).unwrap_or(behind.len());
        let (unit, behind) = behind.split_at(end);
        let unit_ms = match unit {
            "d" => 86_400_000.0,
            "h" => 3_600_000.0,
            "m" => 60_000.0,
            "s" | "" => 1_000.0,
            "ms" => 1.0,
            _ => return None,
        };
        sum += value * unit_ms;
        rest = behind;
    }
    // A cast of a float saturates, so an absurd span stays an absurd span.
    Some(sum as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_there_is_read_and_the_rest_is_not_known() {
        let body = br#"{"data":{"label":"sk-or-v1-abc...xyz","limit":10,"limit_remaining":"9.5","limit_reset":"monthly","usage":5e-1}}"#;
        let quota = read(body, Timestamp(0));
        assert_eq!(quota.limit_usd, Some(MicroUsd(10_000_000)));
        assert_eq!(quota.remaining_usd, Some(MicroUsd(9_500_000)));
        assert_eq!(quota.used_usd, Some(MicroUsd(500_000)));
        assert_eq!(quota.resets.as_deref(), Some("monthly"));
        let free = br#"{"data":{"limit":null,"limit_remaining":null,"usage":0,
            "free_model_daily_requests":{"used":48,"limit":50,"remaining":2}}}"#;
        let free = read(free, Timestamp(1_000));
        assert_eq!((free.limit_usd, free.used_usd), (None, Some(MicroUsd(0))));
        let midnight = Timestamp(86_400_000);
        let calls = Allowance {
            of: AllowanceOf::FreeRequests,
            limit: 50,
            remaining: 2,
            resets_at: Some(midnight),
        };
        assert_eq!(free.allowances, [calls]);
        for odd in [b"".as_slice(), b"<html>", b"[]", b"null"] {
            assert_eq!(read(odd, Timestamp(0)), Quota::default());
        }
    }

    #[track_caller]
    fn check(headers: &[(&str, &str)], expected: &[(AllowanceOf, u64, u64, Option<i64>)]) {
        let header = |name: &str| {
            let found = headers.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| *value)
        };
        let read: Vec<_> = of_headers(Timestamp(1_000), header)
            .into_iter()
            .map(|it| (it.of, it.limit, it.remaining, it.resets_at.map(|at| at.0)))
            .collect();
        assert_eq!(read, expected);
    }

    #[test]
    fn headers_tell_what_is_left_and_until_when() {
        use AllowanceOf::{Requests, Tokens};
        check(
            &[
                ("x-ratelimit-limit-requests", "500"),
                ("x-ratelimit-remaining-requests", "499"),
                ("x-ratelimit-reset-requests", "120ms"),
                ("x-ratelimit-limit-tokens", "30000"),
                ("x-ratelimit-remaining-tokens", "0"),
                ("x-ratelimit-reset-tokens", "6m0s"),
            ],
            &[
                (Requests, 500, 499, Some(1_120)),
                (Tokens, 30_000, 0, Some(361_000)),
            ],
        );
        check(
            &[
                ("llm_provider-x-ratelimit-limit-requests", "9"),
                ("llm_provider-x-ratelimit-remaining-requests", "1"),
                ("llm_provider-x-ratelimit-reset-requests", "1h2m3.5s"),
            ],
            &[(Requests, 9, 1, Some(3_724_500))],
        );
        // Half of it says nothing, and what cannot be read was not said.
        check(&[("x-ratelimit-limit-requests", "9")], &[]);
        check(
            &[
                ("x-ratelimit-limit-tokens", "9"),
                ("x-ratelimit-remaining-tokens", "-1"),
            ],
            &[],
        );
        check(
            &[
                ("x-ratelimit-limit-tokens", "9"),
                ("x-ratelimit-remaining-tokens", "3"),
                ("x-ratelimit-reset-tokens", "soon"),
            ],
            &[(Tokens, 9, 3, None)],
        );
    }
}
