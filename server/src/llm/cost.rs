//! Amounts of money as providers write them (numbers, strings, `3.6e-06`) turned into whole
//! micro-dollars. Every digit is read as it is written, nothing passes through a float, and what does
//! not fit is rounded up: a budget would rather stop a hair early.

use domain::money::MicroUsd;

/// An amount of dollars in units of 10⁻¹⁸, exact for every price seen in the field.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Dollars(u128);

const PLACES: i32 = 18;
const MICRO: u128 = 1_000_000_000_000;

impl Dollars {
    /// Reads a decimal number, with or without exponent. Negative amounts ("-1": price varies) and
    /// everything else that is no amount are `None`.
    pub fn parse(raw: &str) -> Option<Self> {
        let raw = raw.trim();
        let (number, exponent) = match raw.split_once(['e', 'E']) {
            Some((number, exponent)) => (number, exponent.parse::<i32>().ok()?),
            None => (raw, 0),
        };
        let number = number.strip_prefix('+').unwrap_or(number);
        let (whole, part) = number.split_once('.').unwrap_or((number, ""));
        let is_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        if (whole.is_empty() && part.is_empty()) || !is_digits(whole) || !is_digits(part) {
            return None;
        }
        let part = part.trim_end_matches('0');
        let mut value: u128 = 0;
        for digit in whole.bytes().chain(part.bytes()) {
            value = value
                .checked_mul(10)?
                .checked_add(u128::from(digit - b'0'))?;
        }
        let shift = exponent
            .checked_add(PLACES)?
            .checked_sub(i32::try_from(part.len()).ok()?)?;
        if value == 0 {
            return Some(Self(0));
        }
        let power = 10u128.checked_pow(shift.unsigned_abs());
        match (shift >= 0, power) {
            (true, power) => value.checked_mul(power?).map(Self),
            (false, Some(power)) => Some(Self(value.div_ceil(power))),
            // Smaller than the smallest unit, and still not nothing.
            (false, None) => Some(Self(1)),
        }
    }

    /// The sum, or the largest amount there is.
    pub fn plus(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }

    /// Whole micro-dollars, rounded up.
    pub fn micro_usd(self) -> MicroUsd {
        MicroUsd(u64::try_from(self.0.div_ceil(MICRO)).unwrap_or(u64::MAX))
    }

    /// What a million of them costs.
    pub fn per_million(self) -> MicroUsd {
        Self(self.0.saturating_mul(1_000_000)).micro_usd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn costs_are_read_digit_by_digit_and_rounded_up() {
        for (raw, micros) in [
            ("0.000123", 123),
            ("3.6e-06", 4),
            ("3.6E-6", 4),
            ("0", 0),
            ("0.0", 0),
            ("1", 1_000_000),
            ("1.5e2", 150_000_000),
            ("0.0000001", 1),
            ("1e-30", 1),
            ("1e-60", 1),
            ("0.100000000000000000000000", 100_000),
            (".5", 500_000),
            ("+2", 2_000_000),
        ] {
            assert_eq!(
                Dollars::parse(raw).map(Dollars::micro_usd),
                Some(MicroUsd(micros)),
                "{raw}"
            );
        }
    }

    #[test]
    fn what_is_no_amount_is_unknown() {
        for raw in [
            "",
            "-1",
            "-0.5",
            "NaN",
            "inf",
            "1e99",
            "e5",
            ".",
            "1,5",
            "0x1",
            "1e99999999999",
        ] {
            assert_eq!(Dollars::parse(raw), None, "{raw}");
        }
    }

    #[test]
    fn fractions_are_summed_before_rounding() {
        let half = Dollars::parse("0.0000005").expect("an amount");
        assert_eq!(half.plus(half).micro_usd(), MicroUsd(1));
    }
}
