//! Dice that fall the same way for the same texts, on every machine and in every version.

/// A small generator of numbers (SplitMix64), seeded by a hash of texts (FNV-1a).
#[derive(Debug, Clone)]
pub struct Dice {
    seed: u64,
    state: u64,
}

impl Dice {
    /// Dice for these texts in this order.
    pub fn of<'a>(texts: impl IntoIterator<Item = &'a str>) -> Self {
        let mut hash = 0xcbf2_9ce4_8422_2325_u64;
        for text in texts {
            // 0xff stands in no UTF-8 text, so it keeps neighbours apart.
            for byte in text.bytes().chain([0xff]) {
                hash = (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
            }
        }
        Self {
            seed: hash,
            state: hash,
        }
    }

    /// The number that stands for the texts.
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// A number below `sides`; 0 when there are none.
    pub fn roll(&mut self, sides: usize) -> usize {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^= mixed >> 31;
        let sides = u64::try_from(sides).unwrap_or(u64::MAX);
        usize::try_from(mixed % sides.max(1)).unwrap_or(0)
    }

    /// So many of the texts, none twice.
    pub fn deal<'a>(&mut self, texts: &[&'a str], count: usize) -> Vec<&'a str> {
        let mut left = texts.to_vec();
        let mut dealt = Vec::new();
        while dealt.len() < count && !left.is_empty() {
            dealt.push(left.swap_remove(self.roll(left.len())));
        }
        dealt
    }

    /// One of the texts.
    pub fn pick<'a>(&mut self, texts: &[&'a str]) -> &'a str {
        texts
            .get(self.roll(texts.len()))
            .copied()
            .unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_texts_give_the_same_rolls() {
        let rolls = |text| {
            let mut dice = Dice::of([text, "more"]);
            (0..8).map(|_| dice.roll(6)).collect::<Vec<_>>()
        };
        assert_eq!(rolls("a"), rolls("a"));
        assert_ne!(rolls("a"), rolls("b"));
    }

    #[test]
    fn neighbours_are_kept_apart() {
        assert_ne!(Dice::of(["ab", "c"]).seed(), Dice::of(["a", "bc"]).seed());
    }

    #[test]
    fn dice_without_sides_show_nothing() {
        assert_eq!(Dice::of([]).roll(0), 0);
        assert_eq!(Dice::of([]).pick(&[]), "");
    }
}
