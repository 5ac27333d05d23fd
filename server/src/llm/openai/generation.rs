//! What OpenRouter says of a call after its end. Every field may be missing; amounts may be numbers or
//! texts.

use domain::money::MicroUsd;
use serde_json::Value;

use crate::llm::{LateAnswer, cost::Dollars, wire::number};

/// Reads the answer of `GET /generation`; `None` while the cost is not in it.
pub fn read(body: &[u8]) -> Option<LateAnswer> {
    let value: Value = serde_json::from_slice(body).ok()?;
    let data = value.get("data").unwrap_or(&value);
    let amount = |name: &str| -> Option<MicroUsd> {
        let raw = data.get(name).and_then(number)?;
        Dollars::parse(&raw).map(Dollars::micro_usd)
    };
    // Charged are the tokens of the model itself; the others are counted by a common measure.
    let tokens = |native: &str, common: &str| {
        let raw = |name: &str| data.get(name).and_then(number);
        let raw = raw(native).or_else(|| raw(common))?;
        raw.parse().ok()
    };
    // With a key of one's own at the model's server, that one charges beside the fee.
    let upstream = match data.get("is_byok").and_then(Value::as_bool) {
        Some(true) => amount("upstream_inference_cost").unwrap_or_default(),
        Some(false) | None => MicroUsd::default(),
    };
    Some(LateAnswer {
        cost: amount("total_cost").or_else(|| amount("usage"))? + upstream,
        model: data.get("model").and_then(Value::as_str).map(str::to_owned),
        prompt_tokens: tokens("native_tokens_prompt", "tokens_prompt"),
        completion_tokens: tokens("native_tokens_completion", "tokens_completion"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cost_and_tokens_are_read_and_native_tokens_come_first() {
        let body = br#"{"data":{"id":"gen-1","model":"acme/echo-2","total_cost":0.00123,"tokens_prompt":10,
            "native_tokens_prompt":12,"tokens_completion":"20","native_tokens_completion":null,"cancelled":true}}"#;
        let late = read(body).expect("a cost");
        assert_eq!(late.cost, MicroUsd(1_230));
        assert_eq!(late.model.as_deref(), Some("acme/echo-2"));
        assert_eq!(
            (late.prompt_tokens, late.completion_tokens),
            (Some(12), Some(20))
        );
    }

    #[test]
    fn without_a_cost_it_is_not_there_yet() {
        for odd in [
            br#"{"data":{"id":"gen-1","total_cost":null}}"#.as_slice(),
            b"{}",
            b"",
            b"<html>",
            br#"{"data":{"total_cost":"much"}}"#,
        ] {
            assert_eq!(read(odd), None);
        }
    }

    #[test]
    fn with_a_key_of_ones_own_the_fee_and_the_charge_are_added() {
        let cost = |is_byok: bool| {
            let body = format!(
                r#"{{"data":{{"total_cost":0.0001,"is_byok":{is_byok},"upstream_inference_cost":0.002}}}}"#
            );
            read(body.as_bytes()).expect("a cost").cost
        };
        assert_eq!((cost(true), cost(false)), (MicroUsd(2_100), MicroUsd(100)));
    }
}
