//! Plans: a way to find the rows of a query, what it is expected to cost, and why it was chosen.

use std::fmt;
use std::time::Duration;

use crate::cache::CacheKey;
use crate::evaluate::{Row, scan};
use crate::explain::Explanation;
use crate::rewrite::Normal;
use crate::schema::{Field, Schema};
use crate::sql::Statement;

/// How rows are found.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Strategy {
    /// There can be none: nothing is asked.
    Nothing,
    /// The rows are at hand from an earlier search.
    Cached,
    /// All rows of a catalogue in memory are looked at.
    Memory,
    /// The table is read by key, in its order.
    Table,
    /// An ordinary index is read from the first entry that can match to the last.
    Index(String),
    /// The text index gives all rows with the words.
    Words,
    /// The index of trigrams gives all rows that may hold the piece of text, which is then checked.
    Trigrams,
}

impl fmt::Display for Strategy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nothing => f.write_str("nothing"),
            Self::Cached => f.write_str("cached result"),
            Self::Memory => f.write_str("scan in memory"),
            Self::Table => f.write_str("table"),
            Self::Index(name) => write!(f, "index {name}"),
            Self::Words => f.write_str("words"),
            Self::Trigrams => f.write_str("trigrams"),
        }
    }
}

/// How the words of a row are checked that the strategy has not found already.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum WordCheck {
    /// There are none to check.
    None,
    /// On the row, by the function the program has registered.
    Row,
    /// By asking the text index about the row.
    Probe,
}

/// What is expected of a plan.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct Estimate {
    /// Rows or index entries that are looked at.
    pub examined: f64,
    /// Rows for which the condition holds.
    pub matching: f64,
    /// Rows that come back, after the limit.
    pub returned: f64,
    /// Time.
    pub micros: f64,
    /// At least 1: what matches may be so many times more or fewer.
    pub doubt: f64,
    /// Conditions nothing is known of: no statistics were gathered, or they cannot say.
    pub guesses: u32,
}

/// How much there is to a query.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Complexity {
    /// A score of at most 2.
    Simple,
    /// At most 6.
    Moderate,
    /// Above.
    Complex,
}

impl Complexity {
    pub(crate) fn of(score: usize) -> Self {
        match score {
            0..=2 => Self::Simple,
            3..=6 => Self::Moderate,
            _ => Self::Complex,
        }
    }
}

impl fmt::Display for Complexity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Simple => "simple",
            Self::Moderate => "moderate",
            Self::Complex => "complex",
        })
    }
}

/// A way to find the rows of one query. Made by a [`Planner`](crate::Planner) only.
#[derive(Clone, Debug)]
pub struct Plan {
    pub(crate) strategy: Strategy,
    pub(crate) check: WordCheck,
    pub(crate) ordered: bool,
    pub(crate) statement: Option<Statement>,
    pub(crate) estimate: Estimate,
    pub(crate) complexity: Complexity,
    pub(crate) confidence: f64,
    pub(crate) normal: Normal,
    pub(crate) shape: u64,
    /// The cost before corrections.
    pub(crate) plain_micros: f64,
    /// The matching rows before corrections.
    pub(crate) plain_matching: f64,
    pub(crate) others: Vec<Rejected>,
}

/// A way that was not taken.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Rejected {
    /// How it would have found rows.
    pub strategy: Strategy,
    /// How it would have checked words.
    pub check: WordCheck,
    /// What was expected of it.
    pub estimate: Estimate,
    /// Why it lost.
    pub why: String,
}

impl Plan {
    /// How rows are found.
    #[must_use]
    pub fn strategy(&self) -> &Strategy {
        &self.strategy
    }

    /// How words are checked that the strategy has not found already.
    #[must_use]
    pub fn check(&self) -> WordCheck {
        self.check
    }

    /// Whether rows are found in the order they are wanted in, so that it can stop early and nothing is sorted.
    #[must_use]
    pub fn is_ordered(&self) -> bool {
        self.ordered
    }

    /// What to run; `None` when nothing has to be asked of a store: [`Strategy::Nothing`], [`Strategy::Cached`] and
    /// [`Strategy::Memory`]. Its columns are those of [`fields`](Self::fields), its rows are in order.
    #[must_use]
    pub fn statement(&self) -> Option<&Statement> {
        self.statement.as_ref()
    }

    /// The fields of each row, in the order of columns: the key first, then what the level of detail shows and the sort
    /// needs.
    #[must_use]
    pub fn fields(&self) -> &[Field] {
        &self.normal.shown
    }

    /// What is expected of it.
    #[must_use]
    pub fn estimate(&self) -> Estimate {
        self.estimate
    }

    /// How much there is to the query: one for each condition, one more for each `or`, substring and level of nesting.
    #[must_use]
    pub fn complexity(&self) -> Complexity {
        self.complexity
    }

    /// How likely it is that no other way is cheaper, from 0 to 1: by how far the next best is behind, and how far the
    /// estimates may be off. Where there is a choice each guess halves it, so a plan of which statistics say more is
    /// never less sure; without guesses it is at least a half.
    #[must_use]
    pub fn confidence(&self) -> f64 {
        self.confidence
    }

    /// Under which the result can be kept; see [`ResultCache`](crate::ResultCache).
    #[must_use]
    pub fn key(&self, schema: &Schema) -> CacheKey {
        CacheKey::of(&self.normal, schema)
    }

    /// The ways that were not taken, the next best first.
    #[must_use]
    pub fn rejected(&self) -> &[Rejected] {
        &self.others
    }

    /// At most so many rows come back.
    #[must_use]
    pub fn limit(&self) -> u32 {
        self.normal.limit
    }

    /// Runs the plan over rows in memory, whatever its strategy: the same rows, in the same order. This is how a
    /// [`Strategy::Memory`] is run.
    pub fn scan<R: Row>(&self, schema: &Schema, rows: impl IntoIterator<Item = R>) -> Vec<R> {
        scan(&self.normal, schema, rows)
    }

    /// The plan for people: what it does, what is expected of it, and why the others lost.
    #[must_use]
    pub fn explain<'a>(&'a self, schema: &'a Schema) -> Explanation<'a> {
        Explanation { plan: self, schema }
    }
}

/// What really happened when a plan was run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Actual {
    /// Rows that came back.
    pub rows: u64,
    /// How long it took.
    pub took: Duration,
}
