//! What a way costs.

use super::ways::{Access, Outline, Part, Way};
use crate::condition::{Condition, Mode};
use crate::estimate::{Matches, READ_AROUND};
use crate::schema::Kind;
use crate::sql::Check;

/// Two conditions together may hold so many times more or less often than if they were independent.
const DEPENDENCE: f64 = 1.3;
/// An entry that one list has and another has not costs this much of one that is found: it is passed over inside FTS5.
const PASSED_OVER: f64 = 0.25;

/// What is expected of a way.
#[derive(Clone, Copy, Debug)]
pub(super) struct Price {
    /// Entries that are looked at.
    pub(super) examined: f64,
    /// Nanoseconds.
    pub(super) cost: f64,
}

/// What an access reads when it is read to the end.
#[derive(Clone, Copy, Debug)]
struct Reading {
    /// Entries.
    entries: f64,
    /// Rows that the access gives.
    rows: f64,
    /// Nanoseconds before the first entry.
    start: f64,
    /// Nanoseconds for each entry.
    each: f64,
    /// Nanoseconds for each row.
    fetch: f64,
}

impl Outline<'_> {
    /// Rows for which all conditions hold, and by how much that may be off. Conditions are taken to be independent, and
    /// so are the errors of their estimates, which are taken to be log-normal.
    pub(super) fn matching(&self) -> (f64, f64) {
        let share: f64 = self.parts.iter().map(|(_, expected)| expected.share).product();
        let errors: f64 = self.parts.iter().map(|(_, expected)| expected.doubt.ln().powi(2)).sum();
        let dependence = DEPENDENCE.ln().powi(2) * self.parts.len().saturating_sub(1) as f64;
        (self.estimator.rows() * share, (errors + dependence).sqrt().exp())
    }

    /// The price of a way, if so many rows match.
    pub(super) fn price(&self, way: &Way, matching: f64, doubt: f64) -> Price {
        let model = self.estimator.model;
        let reading = self.reading(&way.access);
        let limit = f64::from(self.normal.limit);
        // The mean of how long to wait for enough matches, when how many there are is log-normal; a deviation is added.
        let wait = (limit + limit.sqrt()) / matching.max(0.1) * (doubt.ln().powi(2) / 2.0).exp();
        let part = if way.ordered { wait.min(1.0) } else { 1.0 };
        let examined = reading.rows * part;
        let found = matching.min(reading.rows) * part;
        let mut cost = model.statement
            + reading.start
            + reading.entries * part * reading.each
            + examined * self.checking(way, reading.fetch);
        if !way.ordered {
            cost += found * model.sort_row;
            if self.fetches_late() {
                cost += found.min(limit) * (model.seek + model.sort_row);
            }
        }
        // What a row's columns cost is the same for all ways.
        cost += found.min(limit) * model.compare * self.normal.shown.len() as f64;
        Price { examined, cost }
    }

    /// Whether what is shown is too much to be carried through a sort.
    pub(super) fn fetches_late(&self) -> bool {
        self.normal.shown.iter().any(|field| self.estimator.schema.kind(*field) == Kind::Prose)
    }

    /// Nanoseconds to check the rest of the conditions on an entry that is at hand. SQLite fetches the row only when the
    /// entry of an index can say no more.
    fn checking(&self, way: &Way, fetch: f64) -> f64 {
        let (mut cost, mut left, mut fetch) = (0.0, 1.0, Some(fetch));
        for part in &way.rest {
            let expected = self.expected(*part);
            if !self.is_covered(&way.access, *part) {
                cost += left * fetch.take().unwrap_or(0.0);
            }
            let each = if way.check == Check::Probe { expected.probe_cost } else { expected.row_cost };
            cost += left * each;
            left *= expected.share;
        }
        cost + left * fetch.unwrap_or(0.0)
    }

    /// Nanoseconds to fetch a row, when so many are fetched and so much of their order is that of the keys: rows that lie
    /// on one page, or nearly, are found as fast as one reads on.
    fn fetch(&self, rows: f64, in_order: f64) -> f64 {
        let model = self.estimator.model;
        let near = in_order * (rows / self.estimator.pages()).min(1.0);
        model.seek * (1.0 - near) + model.table_row.min(model.seek) * near
    }

    fn reading(&self, access: &Access) -> Reading {
        let model = self.estimator.model;
        let all = self.estimator.rows();
        let share = |parts: &[Part]| parts.iter().map(|part| self.expected(*part).share).product::<f64>();
        match access {
            Access::Table { keys } => {
                let rows = all * keys.map_or(1.0, |part| self.expected(part).share);
                Reading { entries: rows, rows, start: 0.0, each: model.table_row, fetch: 0.0 }
            }
            Access::Index { number, equal, range } => {
                let rows = all * share(equal) * range.map_or(1.0, |part| self.expected(part).share);
                let lookups: f64 = equal.iter().map(|part| self.count(*part)).product();
                Reading {
                    entries: rows,
                    rows,
                    start: lookups * model.seek,
                    each: model.index_row,
                    fetch: self.fetch(rows, self.index_order(*number, equal)),
                }
            }
            Access::Words(parts) => {
                let matches: Vec<Matches> =
                    parts.iter().filter_map(|part| self.part(*part)).map(|part| self.words(part)).collect();
                let least = matches.iter().map(|found| found.rows).fold(f64::MAX, f64::min);
                let entries: f64 = matches.iter().map(|found| found.entries.min(least * READ_AROUND)).sum();
                let rows = (all * share(parts)).min(least);
                let start = model.text_open * matches.len() as f64;
                Reading {
                    entries: found_and_passed_over(rows, entries),
                    rows,
                    start,
                    each: model.text_row,
                    fetch: self.fetch(rows, 1.0),
                }
            }
            Access::Trigrams(part) => {
                let found = match self.part(*part) {
                    Some(Condition::Text(text)) => self.estimator.substring(text),
                    _ => Matches { rows: all, entries: all, doubt: 1.0 },
                };
                let start = model.text_open;
                Reading {
                    entries: found_and_passed_over(found.rows, found.entries),
                    rows: found.rows,
                    start,
                    each: model.text_row,
                    fetch: self.fetch(found.rows, 1.0),
                }
            }
        }
    }

    /// How much of the order of an index, behind what is fixed, is that of the keys.
    fn index_order(&self, number: usize, equal: &[Part]) -> f64 {
        let index = self.estimator.schema.indexes.get(number);
        let next = index.and_then(|index| index.fields.get(equal.len()));
        next.map_or(1.0, |field| self.estimator.statistics.follows_key(*field))
    }

    fn count(&self, part: Part) -> f64 {
        self.spans(part).map_or(1.0, |spans| spans.spans().len() as f64)
    }

    fn words(&self, condition: &Condition) -> Matches {
        match condition {
            Condition::Text(text) if text.mode == Mode::Words => self.estimator.words(text),
            other => {
                let each = other.parts().iter().map(|part| self.words(part));
                let none = Matches { rows: 0.0, entries: 0.0, doubt: 1.0 };
                each.fold(none, |all, part| Matches {
                    rows: all.rows + part.rows,
                    entries: all.entries + part.entries,
                    doubt: all.doubt.max(part.doubt),
                })
            }
        }
    }
}

/// How many entries that are found cost as much as these.
fn found_and_passed_over(found: f64, entries: f64) -> f64 {
    found + (entries - found).max(0.0) * PASSED_OVER
}
