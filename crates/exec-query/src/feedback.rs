//! What really happened, fed back: where an estimate was off by more than ten times, the next one is corrected.

use std::collections::{HashMap, VecDeque};

use serde::{Deserialize, Serialize};

use crate::condition::Condition;
use crate::plan::{Actual, Plan, Strategy};
use crate::schema::Schema;
use crate::sql::fnv;
use std::ops::Bound::{Excluded, Included};

/// An estimate within this factor of the truth is good enough.
const GOOD_ENOUGH: f64 = 10.0;
/// No correction is larger.
const LARGEST: f64 = 10_000.0;
/// Shorter differences of time say nothing.
const SHORTEST_MICROS: f64 = 200.0;
/// The most corrections that are kept; the oldest leave first.
const MOST: usize = 1_024;

/// Corrections of estimates, learnt from what really happened. Bounded; can be kept between runs.
///
/// A correction belongs to a shape of condition: the fields, the single values and the text, but not the ends of
/// ranges, so that `since:2h` of now is that of an hour ago.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Feedback {
    rows: Corrections,
    times: Corrections,
    /// Plans of which was said what happened.
    pub plans: u64,
    /// Those whose rows or time were off by more than ten times.
    pub off: u64,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Corrections {
    factors: HashMap<u64, f64>,
    order: VecDeque<u64>,
}

impl Corrections {
    fn get(&self, key: u64) -> f64 {
        self.factors.get(&key).copied().unwrap_or(1.0)
    }

    fn set(&mut self, key: u64, factor: f64) {
        let factor = factor.clamp(1.0 / LARGEST, LARGEST);
        if self.factors.insert(key, factor).is_none() {
            self.order.push_back(key);
        }
        if self.order.len() > MOST
            && let Some(oldest) = self.order.pop_front()
        {
            self.factors.remove(&oldest);
        }
    }
}

/// How an estimate compared with what happened.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct Verdict {
    /// Matching rows there were for each that was expected; `None` when the limit hid how many there are.
    pub rows: Option<f64>,
    /// Time it took for each microsecond that was expected.
    pub time: f64,
    /// Either was off by more than ten times, and is corrected from now on.
    pub corrected: bool,
}

impl Feedback {
    /// By how much to multiply an estimate of matching rows.
    pub(crate) fn rows(&self, shape: u64) -> f64 {
        self.rows.get(shape)
    }

    /// By how much to multiply the cost of a strategy.
    pub(crate) fn time(&self, shape: u64, strategy: &Strategy) -> f64 {
        if self.times.factors.is_empty() { 1.0 } else { self.times.get(with_strategy(shape, strategy)) }
    }

    pub(crate) fn learn(&mut self, plan: &Plan, actual: &Actual) -> Verdict {
        self.plans += 1;
        let found = actual.rows as f64;
        let complete = actual.rows < u64::from(plan.limit());
        let off = |factor: f64| !(1.0 / GOOD_ENOUGH..=GOOD_ENOUGH).contains(&factor);
        // Nought of nought is as expected; one row more or less says nothing.
        let rows = (found + 1.0) / (plan.estimate.matching + 1.0);
        let rows = if complete || rows > 1.0 { Some(rows) } else { None };
        let micros = actual.took.as_secs_f64() * 1e6;
        let time = micros / plan.estimate.micros.max(0.1);
        let rows_off = rows.is_some_and(off);
        let time_off = off(time) && (micros - plan.estimate.micros).abs() > SHORTEST_MICROS;
        if rows_off {
            self.rows.set(plan.shape, (found + 0.5) / plan.plain_matching.max(0.1));
        } else if time_off {
            // Of rows that were wrong the time is wrong too; only what is left is corrected.
            self.times.set(with_strategy(plan.shape, &plan.strategy), micros / plan.plain_micros.max(0.1));
        }
        self.off += u64::from(rows_off || time_off);
        Verdict { rows, time, corrected: rows_off || time_off }
    }
}

fn with_strategy(shape: u64, strategy: &Strategy) -> u64 {
    shape ^ fnv(strategy.to_string().as_bytes())
}

/// The shape of a condition.
pub(crate) fn shape(condition: &Condition, schema: &Schema) -> u64 {
    let mut bytes = Vec::with_capacity(64);
    write(&mut bytes, condition, schema);
    fnv(&bytes)
}

fn write(bytes: &mut Vec<u8>, condition: &Condition, schema: &Schema) {
    match condition {
        Condition::Within(field, spans) => {
            bytes.extend_from_slice(schema.name(*field).as_bytes());
            for span in spans.spans() {
                bytes.push(match (&span.low, &span.high) {
                    (Included(_) | Excluded(_), Included(_) | Excluded(_)) => b'|',
                    (Included(_) | Excluded(_), _) => b'>',
                    _ => b'<',
                });
                if let Some(point) = span.as_point() {
                    bytes.extend_from_slice(format!("{point:?}").as_bytes());
                }
            }
        }
        Condition::Present(field) => {
            bytes.push(b'?');
            bytes.extend_from_slice(schema.name(*field).as_bytes());
        }
        Condition::Text(text) => bytes.extend_from_slice(format!("{text:?}").as_bytes()),
        Condition::Always => bytes.push(b'*'),
        Condition::Never => bytes.push(b'0'),
        Condition::And(_) => bytes.push(b'&'),
        Condition::Or(_) => bytes.push(b'/'),
        Condition::Not(_) => bytes.push(b'!'),
    }
    for part in condition.parts() {
        bytes.push(b'(');
        write(bytes, part, schema);
        bytes.push(b')');
    }
}
