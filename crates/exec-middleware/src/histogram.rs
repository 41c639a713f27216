//! How long things take, lately: a histogram of bounded size whose past fades.
//!
//! Buckets as in HdrHistogram: each power of two of microseconds is cut into equal parts. Every so many samples all
//! counts are halved, so that what is older by that many counts half.

use std::fmt;
use std::time::Duration;

/// Each power of two is cut into so many parts, so that a quantile is at most one in so many too high.
const PARTS: u64 = 32;
/// Longer than 2^32 microseconds, over an hour, counts as that.
const POWERS: u64 = 32;
const BUCKETS: usize = ((POWERS - PARTS.ilog2() as u64 + 1) * PARTS) as usize;

/// Durations of which old ones fade. About 4 KiB.
#[derive(Clone)]
pub(crate) struct Histogram {
    counts: Box<[f32]>,
    total: f32,
    half_life: u32,
    since_halved: u32,
}

impl Histogram {
    /// An empty one, whose samples count half after `half_life` more of them.
    pub(crate) fn new(half_life: u32) -> Self {
        let half_life = half_life.clamp(1, 1 << 20);
        Self { counts: vec![0.0; BUCKETS].into(), total: 0.0, half_life, since_halved: 0 }
    }

    pub(crate) fn record(&mut self, took: Duration) {
        if self.since_halved >= self.half_life {
            self.counts.iter_mut().for_each(|count| *count *= 0.5);
            self.total *= 0.5;
            self.since_halved = 0;
        }
        if let Some(count) = self.counts.get_mut(bucket(took)) {
            *count += 1.0;
        }
        self.total += 1.0;
        self.since_halved += 1;
    }

    /// The time in which the share `q` of all was done, at most 1/32 too high; `None` when nothing is known.
    pub(crate) fn quantile(&self, q: f64) -> Option<Duration> {
        let wanted = f64::from(self.total) * q.clamp(0.0, 1.0);
        let mut seen = 0.0;
        let mut last = None;
        for (at, count) in self.counts.iter().enumerate().filter(|(_, count)| **count > 0.0) {
            seen += f64::from(*count);
            last = Some(at);
            if seen >= wanted {
                break;
            }
        }
        last.map(|at| Duration::from_micros(upper(at as u64)))
    }
}

impl fmt::Debug for Histogram {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Histogram(about {} samples)", self.total)
    }
}

/// Below [`PARTS`] microseconds each has a bucket of its own; from there on each power of two has `PARTS` of them.
fn bucket(took: Duration) -> usize {
    let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX).min((1 << POWERS) - 1);
    let shift = u64::from((micros | PARTS).ilog2() - PARTS.ilog2());
    // Of what is left after the shift the highest bit is the power's, which the shift counts already.
    (shift * PARTS + (micros >> shift)) as usize
}

/// The largest number of microseconds in a bucket.
fn upper(bucket: u64) -> u64 {
    let shift = (bucket / PARTS).saturating_sub(1);
    let part = bucket - shift * PARTS;
    ((part + 1) << shift) - 1
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn of(micros: impl IntoIterator<Item = u64>, half_life: u32) -> Histogram {
        let mut histogram = Histogram::new(half_life);
        micros.into_iter().for_each(|micros| histogram.record(Duration::from_micros(micros)));
        histogram
    }

    #[test]
    fn nothing_is_known_about_nothing() {
        assert_eq!(of([], 10).quantile(0.5), None);
    }

    #[test]
    fn the_past_fades() {
        let mut histogram = of((0..1000).map(|_| 1_000), 100);
        (0..150).for_each(|_| histogram.record(Duration::from_millis(9)));
        assert!(histogram.quantile(0.5).unwrap() >= Duration::from_millis(9));
        let (few, many) = (of((0..100).map(|_| 7), 100), of((0..100_000).map(|_| 7), 100));
        assert!(few.total <= 100.0 && many.total <= 200.0, "{few:?} {many:?}");
    }

    #[test]
    fn the_longest_time_fits() {
        let longest = of([u64::MAX], 10).quantile(1.0).unwrap();
        assert!(longest > Duration::from_secs(4000) && bucket(Duration::MAX) < BUCKETS);
    }

    proptest! {
        #[test]
        fn a_bucket_is_at_most_a_part_too_high(micros in prop_oneof![0u64..5_000, 0u64..(1 << 32)]) {
            let upper = upper(bucket(Duration::from_micros(micros)) as u64);
            prop_assert!(micros <= upper && upper <= micros + micros / PARTS, "{micros} {upper}");
        }

        #[test]
        fn a_quantile_is_that_of_the_sorted_samples(
            mut samples in prop::collection::vec(0u64..10_000_000, 1..200),
            q in 0.0f64..=1.0,
        ) {
            let found = of(samples.iter().copied(), 1000).quantile(q).unwrap().as_micros();
            samples.sort_unstable();
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "an index")]
            let rank = ((samples.len() as f64 * q).ceil() as usize).clamp(1, samples.len());
            let exact = u128::from(samples[rank - 1]);
            prop_assert!(exact <= found && found <= exact + exact / u128::from(PARTS), "{exact} {found}");
        }
    }
}
