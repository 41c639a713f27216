//! What is known about the rows: how many there are, what their fields hold, how often words occur.

mod field;
mod gather;
mod order;
mod terms;

use serde::{Deserialize, Serialize};

use crate::problem::{Problem, Problems};
use crate::schema::{Field, Schema};
use crate::value::Value;

pub(crate) use field::{FieldStatistics, Share};
pub use gather::{Ask, Gather};
pub(crate) use terms::{Frequency, Terms};

/// What is known about the rows of a schema, from a sample of them and from the vocabulary of the text indexes.
///
/// Made by [`Gather`]; can be kept as JSON or the like between runs. Its size is bounded: 2,000 sampled rows, without
/// their prose, and the 4,096 most frequent terms of each text index.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(from = "Stored", into = "Stored")]
pub struct Statistics {
    stored: Stored,
    fields: Vec<FieldStatistics>,
    /// How much of each field's order is that of the keys.
    orders: Vec<f64>,
}

/// Prose of which nothing is known has this many bytes.
pub(crate) const UNKNOWN_BYTES: f64 = 200.0;
/// The doubt of what nobody has looked at.
pub(crate) const GUESS: f64 = 10.0;

/// What is kept; the rest is worked out from it.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Stored {
    rows: u64,
    /// The least and the greatest key.
    keys: Option<(i64, i64)>,
    names: Vec<String>,
    /// One list of fields for each sampled row; of prose only the length.
    sample: Vec<Vec<Option<Value>>>,
    words: Terms,
    trigrams: Terms,
}

impl From<Stored> for Statistics {
    fn from(stored: Stored) -> Self {
        let column = |at: usize| stored.sample.iter().map(move |row| row.get(at).and_then(Option::as_ref));
        let all = 0..stored.names.len();
        let fields = all.clone().map(|at| FieldStatistics::of(column(at), stored.rows)).collect();
        let orders = all.map(|at| order::follows_key(column(0).zip(column(at)))).collect();
        Self { stored, fields, orders }
    }
}

impl From<Statistics> for Stored {
    fn from(statistics: Statistics) -> Self {
        statistics.stored
    }
}

impl Statistics {
    /// Knowing nothing but the number of rows. Plans made with it are right, but seldom the best.
    #[must_use]
    pub fn unknown(schema: &Schema, rows: u64) -> Self {
        let names = schema.fields().map(|field| schema.name(field).to_owned()).collect();
        Self::from(Stored { rows, names, ..Stored::default() })
    }

    /// How many rows there are.
    #[must_use]
    pub fn rows(&self) -> u64 {
        self.stored.rows
    }

    /// How many rows were looked at.
    #[must_use]
    pub fn sampled(&self) -> usize {
        self.stored.sample.len()
    }

    /// In how many rows a word occurs, as far as is known, in the form the tokenizer gives it. `None`: it is not one
    /// of the frequent ones.
    #[must_use]
    pub fn word_frequency(&self, word: &str) -> Option<u64> {
        self.stored.words.frequency(word)
    }

    /// Notes in how many rows a word really occurs, for example because a search for it was complete.
    pub fn learn_word(&mut self, word: &str, rows: u64) {
        self.stored.words.learn(word, rows);
    }

    /// Whether they are of this schema.
    ///
    /// # Errors
    /// When the fields are not the same, in the same order.
    pub fn check(&self, schema: &Schema) -> Result<(), Problems> {
        let same = schema.fields().map(|field| schema.name(field)).eq(self.stored.names.iter());
        let problem = || Problem::new("these statistics are of another schema").hint("gather them again");
        if same { Ok(()) } else { Err(problem().into()) }
    }

    pub(crate) fn field(&self, field: Field) -> Option<&FieldStatistics> {
        self.fields.get(usize::from(field.number()))
    }

    /// How much of a field's order is that of the keys, from 0 to 1.
    pub(crate) fn follows_key(&self, field: Field) -> f64 {
        if field == Field::KEY {
            return 1.0;
        }
        self.orders.get(usize::from(field.number())).copied().unwrap_or(0.0)
    }

    pub(crate) fn words(&self) -> &Terms {
        &self.stored.words
    }

    pub(crate) fn trigrams(&self) -> &Terms {
        &self.stored.trigrams
    }
}
