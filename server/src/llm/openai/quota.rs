//! What OpenRouter says of a key. Every field may be missing; amounts may be numbers or texts.

use domain::money::MicroUsd;
use serde_json::Value;

use crate::llm::{Quota, cost::Dollars, wire::number};

/// Reads the answer of `GET /key`; what cannot be understood is not known.
pub fn read(body: &[u8]) -> Quota {
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
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_there_is_read_and_the_rest_is_not_known() {
        let body = br#"{"data":{"label":"sk-or-v1-abc...xyz","limit":10,"limit_remaining":"9.5","limit_reset":"monthly","usage":5e-1}}"#;
        let quota = read(body);
        assert_eq!(quota.limit_usd, Some(MicroUsd(10_000_000)));
        assert_eq!(quota.remaining_usd, Some(MicroUsd(9_500_000)));
        assert_eq!(quota.used_usd, Some(MicroUsd(500_000)));
        assert_eq!(quota.resets.as_deref(), Some("monthly"));
        let free = read(br#"{"data":{"limit":null,"limit_remaining":null,"usage":0}}"#);
        assert_eq!((free.limit_usd, free.used_usd), (None, Some(MicroUsd(0))));
        for odd in [b"".as_slice(), b"<html>", b"[]", b"null"] {
            assert_eq!(read(odd), Quota::default());
        }
    }
}
