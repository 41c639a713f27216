//! The simulator's randomness: SplitMix64, seeded and written out here so that a seed means the same for ever.
//!
//! The algorithm is from Steele, Lea and Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014. It is
//! not for secrets.

/// A stream of numbers that is a pure function of what it was seeded with.
#[derive(Clone, Debug)]
pub(super) struct Rng(u64);

impl Rng {
    /// A stream for `words`: another word, or another order of them, is another stream.
    pub(super) fn of(words: &[u64]) -> Self {
        Self(words.iter().fold(0, |state, word| Self(state ^ word).next()))
    }

    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number from 0 up to and without 1.
    #[expect(clippy::cast_precision_loss, reason = "53 bits are what a float holds exactly")]
    pub(super) fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// One of `items`, or `None` when there are none. The bias is below 2^-50 for any list that fits in memory.
    pub(super) fn pick<'a, T>(&mut self, items: &'a [T]) -> Option<&'a T> {
        let at = self.next().checked_rem(items.len() as u64)?;
        items.get(usize::try_from(at).unwrap_or(0))
    }
}

/// A number for `bytes`: FNV-1a, put through the generator so that near texts get far numbers.
pub(super) fn hash(bytes: &[u8]) -> u64 {
    let fnv = bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    });
    Rng(fnv).next()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_numbers_are_those_of_the_paper() {
        let mut rng = Rng(1_234_567);
        let first: Vec<u64> = (0..3).map(|_| rng.next()).collect();
        assert_eq!(first, [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423]);
    }

    #[test]
    fn order_and_number_of_words_matter() {
        let first = |words: &[u64]| Rng::of(words).next();
        assert_eq!(first(&[1, 2]), first(&[1, 2]));
        assert_ne!(first(&[1, 2]), first(&[2, 1]));
        assert_ne!(first(&[1]), first(&[1, 0]));
        assert_ne!(hash(b"a"), hash(b"b"));
    }

    #[test]
    fn units_stay_in_their_range_and_spread() {
        let mut rng = Rng::of(&[7]);
        let units: Vec<f64> = (0..10_000).map(|_| rng.unit()).collect();
        assert!(units.iter().all(|u| (0.0..1.0).contains(u)));
        let mean = units.iter().sum::<f64>() / 10_000.0;
        assert!((0.48..0.52).contains(&mean), "{mean}");
        assert!(rng.pick::<u8>(&[]).is_none());
    }
}
