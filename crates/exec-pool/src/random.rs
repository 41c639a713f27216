//! The randomness of jitter, seeded from outside. Not for secrets.

use std::time::Duration;

/// How far the state goes with every number.
const STEP: u64 = 0x9e37_79b9_7f4a_7c15;

/// Shares in 0..1, one after the other.
#[derive(Debug)]
pub(crate) struct Jitter {
    phase: u64,
    random: u64,
}

impl Jitter {
    pub(crate) fn new(seed: u64) -> Self {
        Self { phase: mix(seed), random: seed }
    }

    /// The next share of a sequence that is spread evenly however short a stretch of it is: connections made together
    /// must not end together, which independent numbers allow now and then.
    ///
    /// Weyl's sequence of the golden ratio: any stretch of n shares leaves no gap above 3/n.
    pub(crate) fn even(&mut self) -> f64 {
        self.phase = self.phase.wrapping_add(STEP);
        share(self.phase)
    }

    /// The next share of a sequence that looks random: SplitMix64, by Steele, Lea and Flood, OOPSLA 2014.
    pub(crate) fn random(&mut self) -> f64 {
        self.random = self.random.wrapping_add(STEP);
        share(mix(self.random))
    }
}

/// `whole` without the share `part` of its share `jitter`.
pub(crate) fn shortened(whole: Duration, jitter: f64, part: f64) -> Duration {
    whole.mul_f64((1.0 - jitter * part).clamp(0.0, 1.0))
}

fn mix(state: u64) -> u64 {
    let z = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// The upper 53 bits as a fraction: a double holds no more.
fn share(bits: u64) -> f64 {
    (bits >> 11) as f64 / (1_u64 << 53) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hundred_lives_end_in_no_one_percent_more_than_ten_at_once() {
        for seed in 0..200 {
            let mut jitter = Jitter::new(seed);
            let mut ends: Vec<_> = (0..100)
                .map(|_| shortened(Duration::from_secs(10_000), 0.2, jitter.even()).as_secs())
                .collect();
            ends.sort_unstable();
            let most =
                ends.iter().map(|from| ends.iter().filter(|end| (from..&(from + 100)).contains(end)).count());
            assert!(most.max() <= Some(10), "seed {seed}");
            assert!(ends[0] >= 8000 && ends[99] <= 10_000);
        }
    }

    #[test]
    fn seeds_differ_and_repeat() {
        let numbers = |seed| {
            let mut jitter = Jitter::new(seed);
            (0..8).map(|_| jitter.random()).collect::<Vec<_>>()
        };
        assert_eq!(numbers(7), numbers(7));
        assert!(numbers(7) != numbers(8) && numbers(7).iter().all(|n| (0.0..1.0).contains(n)));
    }
}
