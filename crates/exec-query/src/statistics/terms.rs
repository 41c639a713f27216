//! How often terms of a text index occur: exactly for the frequent ones, with a bound for the rest.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use super::GUESS;

/// The most terms that are kept.
pub(super) const MOST_TERMS: usize = 4_096;

/// The frequent terms of a text index.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Terms {
    /// In how many rows each occurs.
    frequent: HashMap<String, u64>,
    /// No other term occurs in more rows.
    rest: u64,
    /// The list was read from the index, and not made up.
    known: bool,
}

/// In how many rows something occurs, and how far that may be off.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Frequency {
    pub(crate) rows: f64,
    /// At least 1: the true figure may be so many times larger or smaller.
    pub(crate) doubt: f64,
}

impl Terms {
    /// From the most frequent terms, most frequent first.
    pub(super) fn of(terms: impl IntoIterator<Item = (String, u64)>) -> Self {
        let mut all = Self { known: true, ..Self::default() };
        for (term, rows) in terms.into_iter().take(MOST_TERMS) {
            all.rest = rows;
            all.frequent.insert(term, rows);
        }
        if all.frequent.len() < MOST_TERMS {
            // All terms there are: any other is new.
            all.rest = 0;
        }
        all
    }

    pub(super) fn frequency(&self, term: &str) -> Option<u64> {
        self.frequent.get(term).copied()
    }

    pub(super) fn learn(&mut self, term: &str, rows: u64) {
        if self.frequent.len() < 2 * MOST_TERMS || self.frequent.contains_key(term) {
            self.frequent.insert(term.to_owned(), rows);
        }
    }

    /// As many times more rows as there are now.
    pub(super) fn scale(&mut self, times: f64) {
        for rows in self.frequent.values_mut() {
            *rows = (*rows as f64 * times).round() as u64;
        }
        self.rest = (self.rest as f64 * times).round() as u64;
    }

    pub(super) fn is_known(&self) -> bool {
        self.known
    }

    /// The most frequent term.
    pub(crate) fn top(&self) -> Option<(&str, u64)> {
        self.frequent
            .iter()
            .max_by_key(|(term, rows)| (**rows, *term))
            .map(|(term, rows)| (term.as_str(), *rows))
    }

    /// In how many of `all` rows a term occurs.
    pub(crate) fn estimate(&self, term: &[u8], all: f64) -> Frequency {
        let known = std::str::from_utf8(term).ok().and_then(|term| self.frequency(term));
        match known {
            Some(rows) => Frequency { rows: (rows as f64).max(0.5), doubt: 1.1 },
            // Frequencies fall off steeply, so most of the rest is far below the bound.
            None if self.known => Frequency { rows: (self.rest as f64 / 4.0).max(0.5), doubt: 3.0 },
            None => Frequency { rows: (all * 0.01).max(0.5), doubt: GUESS },
        }
    }
}
