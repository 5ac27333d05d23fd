//! Money as integers. A float is never summed; a price that is not known is `None`, never zero.

use std::{fmt, iter::Sum, ops::Add, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// An amount in millionths of a US dollar. In JSON it is a decimal string in dollars (`"0.0042"`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct MicroUsd(pub u64);

/// A text that is no amount of money.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no amount: write dollars like 0.50, with at most six digits after the point")]
pub struct BadAmount(pub String);

impl fmt::Display for MicroUsd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, part) = (self.0 / 1_000_000, self.0 % 1_000_000);
        let digits = format!("{part:06}");
        let digits = digits.trim_end_matches('0');
        if digits.is_empty() {
            write!(f, "{whole}")
        } else {
            write!(f, "{whole}.{digits}")
        }
    }
}

impl FromStr for MicroUsd {
    type Err = BadAmount;

    fn from_str(raw: &str) -> Result<Self, BadAmount> {
        let bad = || BadAmount(raw.chars().take(40).collect());
        let (whole, part) = raw.trim().split_once('.').unwrap_or((raw.trim(), ""));
        let digits = |text: &str| text.chars().all(|c| c.is_ascii_digit());
        if whole.is_empty() || part.len() > 6 || !digits(whole) || !digits(part) {
            return Err(bad());
        }
        let whole: u64 = whole.parse().map_err(|_| bad())?;
        let part: u64 = format!("{part:0<6}").parse().map_err(|_| bad())?;
        whole
            .checked_mul(1_000_000)
            .and_then(|micros| micros.checked_add(part))
            .map(Self)
            .ok_or_else(bad)
    }
}

impl Add for MicroUsd {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

impl Sum for MicroUsd {
    fn sum<I: Iterator<Item = Self>>(amounts: I) -> Self {
        amounts.fold(Self::default(), Add::add)
    }
}

impl Serialize for MicroUsd {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for MicroUsd {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = String::deserialize(deserializer)?;
        raw.parse().map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_survive_the_round_trip() {
        for (raw, micros) in [
            ("0", 0),
            ("0.5", 500_000),
            ("12.000001", 12_000_001),
            ("3", 3_000_000),
        ] {
            assert_eq!(raw.parse(), Ok(MicroUsd(micros)));
            assert_eq!(MicroUsd(micros).to_string(), raw);
        }
    }

    #[test]
    fn what_is_no_amount_is_refused() {
        for raw in [
            "",
            ".5",
            "-1",
            "1e3",
            "0.0000001",
            "abc",
            "99999999999999999999",
            "1.2.3",
            "+1",
        ] {
            assert!(raw.parse::<MicroUsd>().is_err(), "{raw}");
        }
    }
}
