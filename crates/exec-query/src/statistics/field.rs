//! What one field holds, from a sample: how often null, how many values, the common ones, and a histogram of the rest.

use std::ops::Bound::{Excluded, Included, Unbounded};

use super::{GUESS, UNKNOWN_BYTES};
use crate::spans::{Span, Spans};
use crate::value::Value;

/// The most common values that are kept one by one.
const MOST_COMMON: usize = 64;
/// The steps of the histogram.
const STEPS: usize = 64;
/// Assumed of a field nobody has looked at.
const UNKNOWN_DISTINCT: f64 = 100.0;

/// What one field holds.
#[derive(Clone, Debug)]
pub(crate) struct FieldStatistics {
    sampled: usize,
    /// The share of nulls.
    nulls: f64,
    /// How many values there are.
    distinct: f64,
    /// Common values and their shares, by value.
    common: Vec<(Value, f64)>,
    /// What the common values do not cover.
    rest: f64,
    /// Steps of equal share over the rest.
    steps: Vec<Value>,
    /// The mean of what is a number, such as the length of prose.
    mean: f64,
}

/// A share of rows, and how far it may be off.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Share {
    pub(crate) of: f64,
    /// At least 1.
    pub(crate) doubt: f64,
}

impl FieldStatistics {
    pub(super) fn of<'a>(sample: impl Iterator<Item = Option<&'a Value>>, rows: u64) -> Self {
        let (mut values, mut sampled) = (Vec::new(), 0_usize);
        for value in sample {
            sampled += 1;
            values.extend(value);
        }
        values.sort_unstable();
        let runs = runs(&values);
        let distinct = distinct(&runs, values.len(), rows as f64 * share(values.len(), sampled));
        let common = common(&runs, sampled, distinct);
        let is_common = |value: &Value| common.binary_search_by(|(known, _)| known.cmp(value)).is_ok();
        let rest: Vec<&Value> = values.iter().copied().filter(|value| !is_common(value)).collect();
        Self {
            nulls: if sampled == 0 { 0.1 } else { 1.0 - share(values.len(), sampled) },
            rest: if sampled == 0 { 0.9 } else { share(rest.len(), sampled) },
            steps: steps(&rest),
            mean: mean(&values),
            sampled,
            distinct,
            common,
        }
    }

    /// The share of rows that have a value.
    pub(crate) fn present(&self) -> Share {
        if self.sampled == 0 { Self::guess_present() } else { Share { of: 1.0 - self.nulls, doubt: 1.2 } }
    }

    /// The same when nothing is known.
    pub(crate) fn guess_present() -> Share {
        Share { of: 0.9, doubt: GUESS }
    }

    /// The bytes of prose in a row, with those that have none.
    pub(crate) fn bytes(&self) -> f64 {
        if self.mean > 0.0 { self.mean * (1.0 - self.nulls) } else { UNKNOWN_BYTES }
    }

    /// The share of rows whose value is in a set.
    pub(crate) fn within(&self, spans: &Spans) -> Share {
        if self.sampled == 0 {
            return Self::guess(spans);
        }
        let common: f64 = self
            .common
            .iter()
            .filter(|(value, _)| spans.contains(&value.as_cell()))
            .map(|(_, share)| share)
            .sum();
        let mut rare = 0.0;
        let mut doubt: f64 = 1.1;
        for span in spans.spans() {
            match span.as_point() {
                Some(value) if self.common_share(value).is_some() => {}
                Some(_) => {
                    rare += self.one_of_the_rest();
                    doubt = doubt.max(2.0);
                }
                None => {
                    rare += self.rest * self.part(span);
                    doubt = doubt.max(1.5);
                }
            }
        }
        // What the sample has never seen can still be there.
        let least = 0.5 / (self.sampled as f64 + 1.0);
        let of = common + rare.min(self.rest.max(least));
        Share { of: of.clamp(least * 0.01, 1.0), doubt: if of < least { 4.0 } else { doubt } }
    }

    /// The share when nothing is known.
    pub(crate) fn guess(spans: &Spans) -> Share {
        let one = |span: &Span| match (&span.low, &span.high) {
            _ if span.as_point().is_some() => 1.0 / UNKNOWN_DISTINCT,
            (Unbounded, Unbounded) => 0.9,
            (Unbounded, _) | (_, Unbounded) => 0.3,
            _ => 0.1,
        };
        Share { of: spans.spans().iter().map(one).sum::<f64>().min(0.9), doubt: GUESS }
    }

    fn common_share(&self, value: &Value) -> Option<f64> {
        let at = self.common.binary_search_by(|(known, _)| known.cmp(value)).ok()?;
        self.common.get(at).map(|(_, share)| *share)
    }

    /// The share of one value that is not common.
    fn one_of_the_rest(&self) -> f64 {
        let others = (self.distinct - self.common.len() as f64).max(1.0);
        // A value the sample has hardly seen is no more frequent than one row of it.
        (self.rest / others).max(0.05 / (self.sampled as f64 + 1.0))
    }

    /// The part of the histogram that a span covers.
    fn part(&self, span: &Span) -> f64 {
        let low = match &span.low {
            Unbounded => 0.0,
            Included(value) | Excluded(value) => self.below(value),
        };
        let high = match &span.high {
            Unbounded => 1.0,
            Included(value) | Excluded(value) => self.below(value),
        };
        (high - low).max(0.25 / (self.sampled as f64 + 1.0))
    }

    /// The part of the histogram below a value, interpolated inside a step.
    fn below(&self, value: &Value) -> f64 {
        let Some(last) = self.steps.len().checked_sub(1).filter(|last| *last > 0) else { return 0.5 };
        let at = self.steps.partition_point(|step| step < value);
        if at == 0 {
            return 0.0;
        }
        let inside = match (self.steps.get(at - 1), self.steps.get(at)) {
            (Some(low), Some(high)) => between(low, value, high),
            _ => 0.0,
        };
        ((at - 1) as f64 + inside) / last as f64
    }
}

fn share(part: usize, all: usize) -> f64 {
    if all == 0 { 0.0 } else { part as f64 / all as f64 }
}

fn mean(values: &[&Value]) -> f64 {
    let number = |value: &&Value| match value {
        Value::Integer(value) => *value as f64,
        Value::Real(value) => *value,
        Value::Text(text) => text.len() as f64,
    };
    if values.is_empty() { 0.0 } else { values.iter().map(number).sum::<f64>() / values.len() as f64 }
}

/// How far a value is from the lower to the higher one.
fn between(low: &Value, value: &Value, high: &Value) -> f64 {
    let (low, value, high) = match (low, value, high) {
        (Value::Integer(low), Value::Integer(value), Value::Integer(high)) => {
            (*low as f64, *value as f64, *high as f64)
        }
        (Value::Real(low), Value::Real(value), Value::Real(high)) => (*low, *value, *high),
        _ => return 0.5,
    };
    if high > low { ((value - low) / (high - low)).clamp(0.0, 1.0) } else { 0.5 }
}

/// Each value of a sorted list with how often it is there.
fn runs<'a>(values: &[&'a Value]) -> Vec<(&'a Value, usize)> {
    let mut runs: Vec<(&Value, usize)> = Vec::new();
    for value in values {
        match runs.last_mut() {
            Some((last, count)) if last == value => *count += 1,
            _ => runs.push((value, 1)),
        }
    }
    runs
}

/// How many values there are, from how many the sample has and how many of these only once: the estimator of Haas and
/// Stokes (IBM RJ 10025, 1996) that PostgreSQL uses.
fn distinct(runs: &[(&Value, usize)], sampled: usize, rows: f64) -> f64 {
    if sampled == 0 {
        return UNKNOWN_DISTINCT;
    }
    let (n, d) = (sampled as f64, runs.len() as f64);
    let once = runs.iter().filter(|(_, count)| *count == 1).count() as f64;
    let below = n - once + once * n / rows.max(n);
    if below <= 0.0 { rows } else { (n * d / below).clamp(d, rows.max(d)) }
}

/// The values that are clearly more frequent than the average, by value.
fn common(runs: &[(&Value, usize)], sampled: usize, distinct: f64) -> Vec<(Value, f64)> {
    let average = sampled as f64 / distinct.max(1.0);
    let is_common =
        |count: usize| count >= 2 && (count as f64 >= 1.25 * average || distinct <= MOST_COMMON as f64);
    let mut common: Vec<(&Value, usize)> =
        runs.iter().copied().filter(|(_, count)| is_common(*count)).collect();
    common.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    common.truncate(MOST_COMMON);
    common.sort_unstable_by_key(|(value, _)| *value);
    common.into_iter().map(|(value, count)| (value.clone(), share(count, sampled))).collect()
}

/// Values at equal distances in the sorted rest, the first and the last included.
fn steps(rest: &[&Value]) -> Vec<Value> {
    let Some(last) = rest.len().checked_sub(1) else { return Vec::new() };
    let count = STEPS.min(rest.len() - 1).max(1);
    (0..=count).filter_map(|step| rest.get(last * step / count)).map(|value| (*value).clone()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(values: impl Iterator<Item = i64>, rows: u64) -> FieldStatistics {
        let values: Vec<Value> = values.map(Value::from).collect();
        FieldStatistics::of(values.iter().map(Some), rows)
    }

    fn assert_near(share: Share, wanted: f64) {
        let off = (share.of / wanted).max(wanted / share.of);
        assert!(off < 1.5, "{} instead of {wanted}", share.of);
    }

    #[test]
    fn shares_of_common_values_rare_ones_and_ranges() {
        // Half of all is 7; the rest is spread evenly from 0 to 999,000.
        let field = of((0..2_000).map(|n| if n % 2 == 0 { 7 } else { n * 500 }), 200_000);
        assert_near(field.within(&Spans::points([7.into()])), 0.5);
        assert_near(field.within(&Spans::at_least(500_000.into())), 0.25);
        assert_near(field.within(&Spans::points([7.into()]).complement()), 0.5);
        assert!(field.within(&Spans::points([8.into()])).of < 0.001);
    }

    #[test]
    fn nulls_are_in_no_set() {
        let value = Value::from(1_i64);
        let field = FieldStatistics::of((0..100).map(|n| (n % 4 == 0).then_some(&value)), 100);
        assert_near(field.present(), 0.25);
        assert_near(field.within(&Spans::all()), 0.25);
    }

    #[test]
    fn few_values_are_not_taken_for_many_and_keys_not_for_few() {
        assert!((of((0..2_000).map(|n| n % 9), 1_000_000).distinct - 9.0).abs() < 1.0);
        assert!(of(0..2_000, 1_000_000).distinct > 500_000.0);
    }
}
