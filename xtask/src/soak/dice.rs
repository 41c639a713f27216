//! Randomness that can be repeated: the same seed gives the same operations.

/// SplitMix64 (Steele, Lea, Flood, 2014): small, fast, and good enough to choose among faults.
#[derive(Clone, Debug)]
pub(super) struct Dice(u64);

impl Dice {
    /// The dice of operation `number` of a run with `seed`.
    pub(super) fn of(seed: u64, number: u64) -> Self {
        let mut dice = Self(seed);
        let mixed = dice.next() ^ number;
        Self(mixed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `end`, which must not be 0.
    pub(super) fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    /// True in so many of a hundred cases.
    pub(super) fn percent(&mut self, share: u64) -> bool {
        self.below(100) < share
    }

    /// One of them. There must be one.
    pub(super) fn pick<T: Copy>(&mut self, all: &[T]) -> T {
        let at = self.below(all.len() as u64);
        all[usize::try_from(at).unwrap_or(0)]
    }
}

#[cfg(test)]
mod tests {
    use super::Dice;

    #[test]
    fn the_same_seed_gives_the_same_and_shares_are_met() {
        let roll = |seed| (0..1000).map(|n| Dice::of(seed, n).below(1000)).collect::<Vec<_>>();
        assert_eq!(roll(1), roll(1));
        assert_ne!(roll(1), roll(2));
        let hits = (0..10_000).filter(|n| Dice::of(7, *n).percent(10)).count();
        assert!((900..1100).contains(&hits), "{hits}");
    }
}
