//! What a response says besides its body: whether to come back, and when. Header values are foreign
//! text; what cannot be understood was not said.

use domain::time::Timestamp;
use reqwest::header::HeaderMap;

/// What the response says besides its body.
#[derive(Debug, Clone, Copy, Default)]
pub struct Hints {
    /// How long to wait, from `Retry-After` and its kin.
    pub retry_after_ms: Option<u64>,
    /// When the limit ends.
    pub resets_at: Option<Timestamp>,
    /// Whether the server itself says that another try helps.
    pub should_retry: Option<bool>,
    /// The moment of the response.
    pub now: Timestamp,
}

impl Hints {
    /// Reads the headers of a response that came at `now`.
    pub fn of(headers: &HeaderMap, now: Timestamp) -> Self {
        Self::read(now, |name| headers.get(name)?.to_str().ok())
    }

    /// The same, from whatever knows headers by their names in small letters.
    pub fn read<'a>(now: Timestamp, header: impl Fn(&str) -> Option<&'a str>) -> Self {
        let in_ms = header("retry-after-ms").and_then(|raw| ms(raw, 1.0));
        let in_s = || header("retry-after").and_then(|raw| wait_ms(raw, now));
        let should_retry = header("x-should-retry").and_then(|raw| raw.trim().parse().ok());
        Self {
            retry_after_ms: in_ms.or_else(in_s),
            resets_at: header("x-ratelimit-reset").and_then(|raw| moment(raw, now)),
            should_retry,
            now,
        }
    }

    /// How long to wait before another try: as asked, else until the limit ends.
    pub fn wait_ms(&self) -> Option<u64> {
        let until_reset = || Some(self.resets_at?.ms_since(self.now));
        self.retry_after_ms.or_else(until_reset)
    }

    /// When the limit ends: as said, else after the wait that is asked for.
    pub fn comes_back_at(&self) -> Option<Timestamp> {
        let after_wait = || Some(self.now.plus_ms(self.retry_after_ms?));
        self.resets_at.or_else(after_wait)
    }

    /// What is known here and, where it is not, what `other` knows.
    pub fn or(self, other: Self) -> Self {
        Self {
            retry_after_ms: self.retry_after_ms.or(other.retry_after_ms),
            resets_at: self.resets_at.or(other.resets_at),
            should_retry: self.should_retry.or(other.should_retry),
            now: self.now,
        }
    }
}

/// `Retry-After`: seconds, or a date.
fn wait_ms(raw: &str, now: Timestamp) -> Option<u64> {
    ms(raw, 1_000.0).or_else(|| {
        let date = httpdate::parse_http_date(raw.trim()).ok()?;
        let since = date.duration_since(std::time::UNIX_EPOCH).ok()?;
        let date = Timestamp(i64::try_from(since.as_millis()).ok()?);
        Some(date.ms_since(now))
    })
}

fn ms(raw: &str, unit_ms: f64) -> Option<u64> {
    let value: f64 = raw.trim().parse().ok()?;
    // A cast of a float saturates, so an absurd wait stays an absurd wait.
    (value.is_finite() && value >= 0.0).then(|| (value * unit_ms).ceil() as u64)
}

/// A reset time: milliseconds or seconds since 1970, or seconds from now.
fn moment(raw: &str, now: Timestamp) -> Option<Timestamp> {
    let value = ms(raw, 1.0)?;
    let value_ms = i64::try_from(value).ok()?;
    Some(match value {
        1_000_000_000_000.. => Timestamp(value_ms),
        1_000_000_000.. => Timestamp(value_ms.saturating_mul(1_000)),
        0.. => now.plus_ms(value.saturating_mul(1_000)),
    })
}
