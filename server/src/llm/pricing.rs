//! What a model costs by list: usual prices, those that hold for long prompts or at some hours, and the
//! fee of a request. Before a call the dearest that may hold is taken, behind it what was used is priced
//! as the list says.

use std::{collections::HashMap, sync::Arc};

use domain::{money::MicroUsd, time::Timestamp};
use serde_json::Value;

use super::{
    Usage,
    cost::Dollars,
    wire::{count, number},
};

/// Most entries that one model may have beside its usual prices.
const MAX_SPECIAL: usize = 64;

/// Prices of a million tokens, and of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Prices {
    /// Tokens read.
    pub prompt: MicroUsd,
    /// Of those read the ones that the provider had kept; as dear as the others where nobody says.
    pub cached: Option<MicroUsd>,
    /// Tokens written.
    pub completion: MicroUsd,
    /// The request itself.
    pub request: MicroUsd,
}

impl Prices {
    fn cost(&self, read: u64, cached: u64, written: u64) -> MicroUsd {
        let cached = cached.min(read);
        let part = |price: MicroUsd, tokens: u64| u128::from(price.0) * u128::from(tokens);
        let millionths = part(self.prompt, read - cached)
            .saturating_add(part(self.cached.unwrap_or(self.prompt), cached))
            .saturating_add(part(self.completion, written));
        let tokens = u64::try_from(millionths.div_ceil(1_000_000)).unwrap_or(u64::MAX);
        MicroUsd(tokens) + self.request
    }
}

/// All prices of one model.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Pricing {
    /// Those that hold where nothing else does.
    pub usual: Prices,
    special: Vec<Special>,
}

/// Prices in the place of others, for some calls.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Special {
    prompt: Option<MicroUsd>,
    cached: Option<MicroUsd>,
    completion: Option<MicroUsd>,
    request: Option<MicroUsd>,
    /// Only for prompts with more tokens than that.
    above: Option<u64>,
    hours: Hours,
}

/// When special prices hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Hours {
    Always,
    /// Between these minutes of the day (UTC); the first may be the later one.
    Between(u32, u32),
    /// Nobody understands when.
    Unknown,
}

impl Special {
    fn read(value: &Value) -> Self {
        let minute = |name: &str| {
            let raw = value.get(name).and_then(number)?;
            let clock: u32 = raw.replace(':', "").parse().ok()?;
            Some(clock / 100 * 60 + clock % 100)
        };
        Self {
            prompt: token(value, "prompt"),
            cached: token(value, "input_cache_read"),
            completion: token(value, "completion"),
            request: amount(value, "request").map(Dollars::micro_usd),
            above: value.get("min_prompt_tokens").and_then(count),
            hours: match (value.get("utc_start"), value.get("utc_end")) {
                (None, None) => Hours::Always,
                (_, _) => match (minute("utc_start"), minute("utc_end")) {
                    (Some(from), Some(to)) => Hours::Between(from, to),
                    (_, _) => Hours::Unknown,
                },
            },
        }
    }

    fn fits(&self, read: u64, minute: u32) -> bool {
        let now = match self.hours {
            Hours::Always => true,
            Hours::Between(from, to) if from <= to => (from..to).contains(&minute),
            Hours::Between(from, to) => minute >= from || minute < to,
            Hours::Unknown => false,
        };
        now && self.above.is_none_or(|least| read > least)
    }

    fn over(&self, prices: Prices) -> Prices {
        Prices {
            prompt: self.prompt.unwrap_or(prices.prompt),
            cached: self.cached.or(prices.cached),
            completion: self.completion.unwrap_or(prices.completion),
            request: self.request.unwrap_or(prices.request),
        }
    }
}

impl From<Prices> for Pricing {
    fn from(usual: Prices) -> Self {
        Self {
            usual,
            special: Vec::new(),
        }
    }
}

impl Pricing {
    /// Reads the `pricing` of a catalogue's entry; `None` where it names no price of tokens.
    pub fn read(value: &Value) -> Option<Self> {
        let usual = Prices {
            prompt: token(value, "prompt")?,
            cached: token(value, "input_cache_read"),
            completion: token(value, "completion")?,
            request: amount(value, "request").map_or(MicroUsd(0), Dollars::micro_usd),
        };
        let special = value.get("overrides").and_then(Value::as_array);
        let special = special.into_iter().flatten().take(MAX_SPECIAL);
        Some(Self {
            usual,
            special: special.map(Special::read).collect(),
        })
    }

    /// The most that a call can cost which reads and writes so many tokens at most, at any hour. Discounts
    /// for what the provider had kept may not come, so they do not count.
    pub fn most(&self, read: u64, written: u64) -> MicroUsd {
        let may_hold = self
            .special
            .iter()
            .filter(|special| special.above.is_none_or(|least| read > least));
        // Several may hold together, each for another price.
        let dearest = may_hold.fold(self.usual, |dearest, special| {
            let then = special.over(dearest);
            Prices {
                prompt: then.prompt.max(dearest.prompt),
                cached: None,
                completion: then.completion.max(dearest.completion),
                request: then.request.max(dearest.request),
            }
        });
        dearest.cost(read, 0, written)
    }

    /// What a call of that moment costs by list; `None` where it is not known what it read or wrote.
    pub fn estimate(&self, usage: &Usage, at: Timestamp) -> Option<MicroUsd> {
        let (read, written) = (usage.prompt_tokens?, usage.completion_tokens?);
        let minute = at.0.div_euclid(60_000).rem_euclid(24 * 60);
        let minute = u32::try_from(minute).unwrap_or(0);
        let fitting = self.special.iter().filter(|it| it.fits(read, minute));
        let prices = fitting.fold(self.usual, |prices, special| special.over(prices));
        Some(prices.cost(read, usage.cached_tokens.unwrap_or(0), written))
    }
}

/// The prices of a catalogue, by each name that a model goes by.
#[derive(Debug, Clone, Default)]
pub struct PriceList(Arc<HashMap<String, Pricing>>);

impl PriceList {
    /// A list of these.
    pub fn of(prices: impl IntoIterator<Item = (String, Pricing)>) -> Self {
        Self(Arc::new(prices.into_iter().collect()))
    }

    /// The prices of a model, where the list has it.
    pub fn get(&self, model: &str) -> Option<&Pricing> {
        self.0.get(model)
    }
}

fn amount(value: &Value, name: &str) -> Option<Dollars> {
    value
        .get(name)
        .and_then(number)
        .and_then(|raw| Dollars::parse(&raw))
}

fn token(value: &Value, name: &str) -> Option<MicroUsd> {
    amount(value, name).map(Dollars::per_million)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn usage(read: u64, cached: u64, written: u64) -> Usage {
        Usage {
            prompt_tokens: Some(read),
            cached_tokens: Some(cached),
            completion_tokens: Some(written),
            reasoning_tokens: None,
        }
    }

    const NOON: Timestamp = Timestamp(12 * 3_600_000);

    #[test]
    fn tokens_kept_tokens_and_the_request_have_prices_of_their_own() {
        let pricing = Pricing::read(&json!({"prompt": "0.000003", "completion": "0.000015",
            "input_cache_read": "0.0000003", "request": "0.01"}))
        .expect("prices");
        let cost = |read, cached, written| pricing.estimate(&usage(read, cached, written), NOON);
        assert_eq!(cost(1_000, 0, 100), Some(MicroUsd(3_000 + 1_500 + 10_000)));
        assert_eq!(cost(1_000, 900, 0), Some(MicroUsd(300 + 270 + 10_000)));
        assert_eq!(pricing.most(1_000, 100), MicroUsd(14_500), "no discount");
        let nobody_said = Usage {
            prompt_tokens: Some(1),
            ..Usage::default()
        };
        assert_eq!(pricing.estimate(&nobody_said, NOON), None);
    }

    #[test]
    fn long_prompts_and_hours_of_the_day_may_cost_more_and_the_last_that_fits_counts() {
        let pricing = Pricing::read(
            &json!({"prompt": "0.000001", "completion": "0.000002", "overrides": [
                {"min_prompt_tokens": 1000, "prompt": "0.000004"},
                {"utc_start": "2200", "utc_end": "0600", "completion": "0.000001"},
                {"utc_start": "0900", "utc_end": "1700", "prompt": "0.000005"},
            ]}),
        )
        .expect("prices");
        let at = |hour: i64| Timestamp(hour * 3_600_000);
        let read = |tokens, hour| pricing.estimate(&usage(tokens, 0, 0), at(hour));
        assert_eq!(read(1_000, 20), Some(MicroUsd(1_000)), "strictly more");
        assert_eq!(read(1_001, 20), Some(MicroUsd(4_004)));
        assert_eq!(read(1_001, 9), Some(MicroUsd(5_005)));
        assert_eq!(
            read(1_000, 17),
            Some(MicroUsd(1_000)),
            "the end is not in it"
        );
        let written = |hour| pricing.estimate(&usage(0, 0, 1_000), at(hour));
        assert_eq!(written(23), Some(MicroUsd(1_000)));
        assert_eq!(written(5), Some(MicroUsd(1_000)));
        assert_eq!(written(6), Some(MicroUsd(2_000)));
        // Nobody knows at what hour a call will be counted.
        assert_eq!(pricing.most(1_000, 1_000), MicroUsd(5_000 + 2_000));
    }

    #[test]
    fn special_prices_of_unknown_hours_may_hold_and_are_not_taken_to() {
        let pricing = Pricing::read(
            &json!({"prompt": "0.000001", "completion": "0", "overrides": [
            {"utc_start": "late", "utc_end": "0600", "prompt": "0.000009"}]}),
        )
        .expect("prices");
        assert_eq!(pricing.most(1_000, 0), MicroUsd(9_000));
        let took = pricing.estimate(&usage(1_000, 0, 0), NOON);
        assert_eq!(took, Some(MicroUsd(1_000)));
    }

    #[test]
    fn what_has_no_price_is_not_free() {
        for odd in [
            json!({}),
            json!({"prompt": "-1", "completion": "-1"}),
            json!({"prompt": "0.1"}),
            json!("free"),
        ] {
            assert_eq!(Pricing::read(&odd), None, "{odd}");
        }
        let odd = json!({"prompt": 0, "completion": "0", "overrides": [7, {"utc_start": "x"}]});
        assert_eq!(
            Pricing::read(&odd).map(|it| it.most(9, 9)),
            Some(MicroUsd(0))
        );
    }
}
