//! Numbers as people read them: money, durations, moments, sizes. Pure; the same text on both sides,
//! so that a page hydrates as it was rendered.

use domain::{
    money::MicroUsd,
    quota::{Allowance, AllowanceOf, Quota},
    time::Timestamp,
};

/// Money with as many digits as matter: `$0.0042`, `$0.42`, `$12.30`, `$0`.
pub fn money(amount: MicroUsd) -> String {
    let micros = amount.0;
    match micros {
        0 => "$0".into(),
        1..10_000 => {
            let text = format!("{:.6}", micros as f64 / 1e6);
            let first = text
                .find(|c: char| c.is_ascii_digit() && c != '0')
                .unwrap_or(text.len());
            format!(
                "${}",
                text[..(first + 2).min(text.len())].trim_end_matches('0')
            )
        }
        10_000.. => format!("${}.{:02}", micros / 1_000_000, micros % 1_000_000 / 10_000),
    }
}

/// An amount to the last digit, as limits are: `$0.50`, `$0.012`.
pub fn exact_money(amount: MicroUsd) -> String {
    match amount.0 % 10_000 {
        0 if amount.0 == 0 => "$0".to_owned(),
        0 => format!(
            "${}.{:02}",
            amount.0 / 1_000_000,
            amount.0 % 1_000_000 / 10_000
        ),
        _ => format!("${amount}"),
    }
}

/// A duration in at most two units: `0.4 s`, `12 s`, `3 min 05 s`, `2 h 10 min`, `4 d 3 h`.
pub fn duration(ms: u64) -> String {
    let seconds = ms / 1_000;
    match seconds {
        0 if ms < 50 => format!("{ms} ms"),
        0..10 => format!("{}.{} s", seconds, ms % 1_000 / 100),
        10..60 => format!("{seconds} s"),
        60..3_600 => format!("{} min {:02} s", seconds / 60, seconds % 60),
        3_600..86_400 => format!("{} h {:02} min", seconds / 3_600, seconds % 3_600 / 60),
        86_400.. => format!("{} d {} h", seconds / 86_400, seconds % 86_400 / 3_600),
    }
}

/// Whole seconds of something that goes on: does not flicker in tenths.
pub fn elapsed(ms: u64) -> String {
    match ms / 1_000 {
        seconds @ 0..60 => format!("{seconds} s"),
        60.. => duration(ms),
    }
}

/// What a key has left, one thing after the other; `None` where its provider does not say.
pub fn quota_left(quota: &Quota, now: Timestamp) -> Option<String> {
    let resets = match &quota.resets {
        Some(word) => format!(", begins anew {word}"),
        None => String::new(),
    };
    let money = match (quota.remaining_usd, quota.limit_usd) {
        (Some(remaining), Some(limit)) => Some(format!(
            "{} of {} left{resets}",
            exact_money(remaining),
            exact_money(limit)
        )),
        (Some(remaining), None) => Some(format!("{} left{resets}", exact_money(remaining))),
        (None, _) => quota
            .used_usd
            .map(|used| format!("{} spent, no limit", exact_money(used))),
    };
    let allowances = quota.allowances.iter().map(|it| allowance_left(it, now));
    let all: Vec<String> = money.into_iter().chain(allowances).collect();
    (!all.is_empty()).then(|| all.join(" · "))
}

fn allowance_left(allowance: &Allowance, now: Timestamp) -> String {
    let of = match allowance.of {
        AllowanceOf::Requests => "calls",
        AllowanceOf::Tokens => "tokens",
        AllowanceOf::FreeRequests => "calls of free models",
    };
    let again = match allowance.resets_at {
        Some(at) if at > now => format!(", all again in {}", elapsed(at.ms_since(now))),
        Some(_) => ", all again now".to_owned(),
        None => String::new(),
    };
    let (left, limit) = (count(allowance.remaining), count(allowance.limit));
    format!("{left} of {limit} {of} left{again}")
}

/// A moment seen from `now`: `now`, `12 s ago`, `5 min ago`, `3 h ago`, `yesterday`, `12 d ago`, then the date.
pub fn ago(now: Timestamp, at: Timestamp) -> String {
    match now.ms_since(at) / 1_000 {
        0..5 => "now".into(),
        seconds @ 5..60 => format!("{seconds} s ago"),
        seconds @ 60..3_600 => format!("{} min ago", seconds / 60),
        seconds @ 3_600..86_400 => format!("{} h ago", seconds / 3_600),
        86_400..172_800 => "yesterday".into(),
        seconds @ 172_800..2_592_000 => format!("{} d ago", seconds / 86_400),
        2_592_000.. => at.rfc3339().chars().take(10).collect(),
    }
}

/// A moment exactly, in UTC: `2026-11-22 12:03:04.120 UTC`.
pub fn exact(at: Timestamp) -> String {
    let text = at.rfc3339();
    match text.trim_end_matches('Z').split_once('T') {
        Some((day, time)) => format!("{day} {time} UTC"),
        None => text,
    }
}

/// The time of day in UTC: `12:03:04`.
pub fn clock(at: Timestamp) -> String {
    at.rfc3339().chars().skip(11).take(8).collect()
}

/// A size: `512 B`, `4.2 kB`, `38 MB`.
pub fn bytes(size: u64) -> String {
    let mut value = size as f64;
    let mut unit = "B";
    for next in ["kB", "MB", "GB", "TB"] {
        if value < 1_000.0 {
            break;
        }
        value /= 1_000.0;
        unit = next;
    }
    if unit == "B" || value >= 10.0 {
        format!("{value:.0} {unit}")
    } else {
        format!("{value:.1} {unit}")
    }
}

/// A count with separators: `12,345`.
pub fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// A number with its noun: `1 run`, `3 runs`.
pub fn plural(number: u64, one: &str, many: &str) -> String {
    format!("{} {}", count(number), if number == 1 { one } else { many })
}

/// One line of at most `most` characters; an ellipsis stands for what was cut.
pub fn short(text: &str, most: usize) -> String {
    let line: String = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if line.chars().count() <= most {
        return line;
    }
    let mut cut: String = line.chars().take(most.saturating_sub(1)).collect();
    cut.push('…');
    cut
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::{Expect, expect};

    fn check(words: impl IntoIterator<Item = String>, expected: &Expect) {
        expected.assert_eq(&words.into_iter().collect::<Vec<_>>().join(" · "));
    }

    #[test]
    fn money_has_as_many_digits_as_matter() {
        let amounts = [
            0,
            1,
            42,
            4_200,
            9_999,
            10_000,
            420_000,
            12_300_000,
            1_234_567_890,
        ];
        check(
            amounts.map(|micros| money(MicroUsd(micros))),
            &expect![
                "$0 · $0.000001 · $0.000042 · $0.0042 · $0.0099 · $0.01 · $0.42 · $12.30 · $1234.56"
            ],
        );
    }

    #[test]
    fn durations_take_at_most_two_units() {
        let all = [7, 420, 9_990, 12_000, 185_000, 7_800_000, 356_400_000];
        check(
            all.map(duration),
            &expect!["7 ms · 0.4 s · 9.9 s · 12 s · 3 min 05 s · 2 h 10 min · 4 d 3 h"],
        );
    }

    #[test]
    fn moments_are_told_from_now() {
        let now = Timestamp(1_790_000_000_000);
        let all = [0, 12, 300, 10_800, 90_000, 432_000, 8_640_000]
            .map(|seconds| Timestamp(now.0 - seconds * 1_000));
        check(
            all.map(|at| ago(now, at)),
            &expect!["now · 12 s ago · 5 min ago · 3 h ago · yesterday · 5 d ago · 2026-06-13"],
        );
    }

    #[test]
    fn a_moment_to_come_is_now() {
        assert_eq!(ago(Timestamp(0), Timestamp(5_000)), "now");
    }

    #[test]
    fn sizes_and_counts_read_well() {
        check(
            [
                bytes(512),
                bytes(4_230),
                bytes(38_400_000),
                count(999),
                count(12_345),
                count(1_234_567),
            ],
            &expect!["512 B · 4.2 kB · 38 MB · 999 · 12,345 · 1,234,567"],
        );
    }

    #[test]
    fn long_text_is_cut_to_one_line() {
        check(
            [short("a  b\nc", 10), short("abcdefgh", 5)],
            &expect!["a b c · abcd…"],
        );
    }

    #[test]
    fn what_a_key_has_left_is_said_as_far_as_it_is_known() {
        let quota = |remaining: Option<u64>, limit: Option<u64>| Quota {
            limit_usd: limit.map(MicroUsd),
            remaining_usd: remaining.map(MicroUsd),
            used_usd: Some(MicroUsd(20_000)),
            ..Quota::default()
        };
        let now = Timestamp(0);
        let said = |quota: &Quota| quota_left(quota, now).unwrap_or_default();
        let limited = quota(Some(9_500_000), Some(10_000_000));
        assert_eq!(said(&limited), "$9.50 of $10.00 left");
        assert_eq!(said(&quota(None, None)), "$0.02 spent, no limit");
        let monthly = Quota {
            resets: Some("monthly".into()),
            ..quota(Some(5), None)
        };
        assert_eq!(said(&monthly), "$0.000005 left, begins anew monthly");
        let allowance = |of, remaining, resets_at| Allowance {
            of,
            limit: 10_000,
            remaining,
            resets_at,
        };
        let allowed = Quota {
            allowances: vec![
                allowance(AllowanceOf::Requests, 9_999, Some(Timestamp(360_000))),
                allowance(AllowanceOf::Tokens, 12, None),
            ],
            ..Quota::default()
        };
        assert_eq!(
            said(&allowed),
            "9,999 of 10,000 calls left, all again in 6 min 00 s · 12 of 10,000 tokens left"
        );
        assert_eq!(quota_left(&Quota::default(), now), None);
    }
}
