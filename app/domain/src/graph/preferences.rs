//! What a step or an agent wants of the servers that stand behind its provider, in the words of
//! OpenRouter's `provider` object. That object is closed there: an unknown key has the whole request
//! refused, so only what is known gets in here.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// Checked preferences, as they are sent.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(try_from = "Value", into = "Value")]
pub struct Preferences(Map<String, Value>);

/// Most names in one list.
const MAX_NAMES: usize = 32;

const PRICES: [&str; 5] = ["prompt", "completion", "request", "image", "audio"];

impl Preferences {
    /// Reads them; the error says what is wrong, for people.
    pub fn parse(value: &Value) -> Result<Self, String> {
        let keys = value
            .as_object()
            .ok_or("write an object, like {\"sort\": \"price\"}")?;
        for (key, value) in keys {
            check(key, value)?;
        }
        Ok(Self(keys.clone()))
    }

    /// Whether nothing is wanted.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// As they are sent.
    pub fn to_value(&self) -> Value {
        Value::Object(self.0.clone())
    }
}

fn check(key: &str, value: &Value) -> Result<(), String> {
    let one_of = |words: &[&str]| {
        let fits = value.as_str().is_some_and(|word| words.contains(&word));
        fits.then_some(())
            .ok_or_else(|| format!("`{key}` is one of {}", words.join(", ")))
    };
    match key {
        "sort" => one_of(&["price", "throughput", "latency", "exacto"]),
        "data_collection" => one_of(&["allow", "deny"]),
        "allow_fallbacks" | "require_parameters" | "zdr" | "enforce_distillable_text" => value
            .is_boolean()
            .then_some(())
            .ok_or_else(|| format!("`{key}` is true or false")),
        "order" | "only" | "ignore" | "quantizations" => {
            let names = value.as_array().is_some_and(|names| {
                names.len() <= MAX_NAMES
                    && names
                        .iter()
                        .all(|name| name.as_str().is_some_and(|name| name.len() <= 100))
            });
            names
                .then_some(())
                .ok_or_else(|| format!("`{key}` is a list of names"))
        }
        "max_price" => {
            let prices = value.as_object().is_some_and(|prices| {
                prices.iter().all(|(what, price)| {
                    PRICES.contains(&what.as_str()) && price.as_f64().is_some_and(|usd| usd >= 0.0)
                })
            });
            prices.then_some(()).ok_or_else(|| {
                "`max_price` holds dollars per million, like {\"prompt\": 1, \"completion\": 2}"
                    .to_owned()
            })
        }
        "preferred_min_throughput" | "preferred_max_latency" => value
            .as_f64()
            .is_some_and(|number| number >= 0.0)
            .then_some(())
            .ok_or_else(|| format!("`{key}` is a number")),
        unknown => Err(format!(
            "`{unknown}` is not known; there are sort, max_price, data_collection, order, only, ignore, \
             allow_fallbacks, require_parameters, quantizations, zdr"
        )),
    }
}

impl TryFrom<Value> for Preferences {
    type Error = String;

    fn try_from(value: Value) -> Result<Self, String> {
        Self::parse(&value)
    }
}

impl From<Preferences> for Value {
    fn from(preferences: Preferences) -> Self {
        Value::Object(preferences.0)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_openrouter_knows_gets_in_and_nothing_else() {
        let good = json!({"sort": "price", "max_price": {"prompt": 1, "completion": 2.5}, "data_collection": "deny", "only": ["acme"]});
        assert_eq!(Preferences::parse(&good).map(Value::from), Ok(good));
        for bad in [
            json!([]),
            json!({"sort": "beauty"}),
            json!({"max_price": {"prompt": "1"}}),
            json!({"max_price": {"soul": 1}}),
            json!({"data_collection": true}),
            json!({"order": "acme"}),
            json!({"speed": 1}),
        ] {
            assert!(Preferences::parse(&bad).is_err(), "{bad}");
        }
    }
}
