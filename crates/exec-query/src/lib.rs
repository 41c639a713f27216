//! Searches over SQLite and FTS5 that take the fast way: a typed query, a little language for people, and a planner that
//! knows what words cost.
//!
//! - **SQLite cannot know how rare a word is**, so it always begins with the text index. This planner knows, and walks an
//!   index, checks the words of a row at hand, or begins with the words: whichever is cheapest.
//! - **A language people can write**: `status:failed cost>0.01 "time out" -provider:ollama since:2h`. What is wrong is said
//!   at its column, everything at once.
//! - **Every way finds the same rows** in the same order: held against a naive filter over random rows and queries.
//! - **Nobody's text is ever SQL or FTS5 syntax.** Values are bound, names come from the schema, sizes are limited before
//!   any work.
//! - **Plans explain themselves**: what is read, what is expected, why each other way lost, and how sure the choice is.
//! - **It learns**: statistics by SQL that it writes itself, constants measured on your store, estimates that were far off
//!   corrected.
//! - **Pages by place**: the ten-thousandth page costs what the first does.
//! - **In memory too**: the same queries over a small catalogue, without any store.
//! - **Pure**: no I/O, no driver, no clock. It says what to run; the program runs it.
//!
//! ```
//! use std::time::SystemTime;
//! use exec_query::{FieldSpec, Kind, Language, Planner, Schema, Statistics, TimeUnit, Tokenizer};
//!
//! let schema = Schema::builder("runs", "id")
//!     .with(FieldSpec::new("status", Kind::Text).required())
//!     .with(FieldSpec::new("started", Kind::Time(TimeUnit::Millis)).required())
//!     .with(FieldSpec::new("prompt", Kind::Prose))
//!     .index("runs_by_start", ["started"])
//!     .words("runs_words", Tokenizer::unicode61())
//!     .check_function("text_has")
//!     .build()?;
//! let mut statistics = Statistics::unknown(&schema, 200_000);
//! statistics.learn_word("hello", 100_000);
//! statistics.learn_word("zymurgy", 20);
//! let planner = Planner::new(schema.clone(), statistics)?;
//! let language = Language::new(&schema, SystemTime::now());
//!
//! let common = planner.plan(&language.parse("hello sort:-started limit:20")?)?;
//! assert_eq!(common.strategy().to_string(), "index runs_by_start");
//! let rare = planner.plan(&language.parse("zymurgy sort:-started limit:20")?)?;
//! assert_eq!(rare.strategy().to_string(), "words");
//! # Ok::<(), exec_query::Problems>(())
//! ```
//!
//! `examples/search.rs` runs plans on a real store, `examples/catalogue.rs` in memory. It is a leaf: it knows nothing of
//! executions.

mod cache;
mod condition;
mod cost;
mod estimate;
mod evaluate;
mod explain;
mod feedback;
mod language;
mod limits;
mod plan;
mod planner;
mod problem;
mod query;
mod rewrite;
mod schema;
mod spans;
mod sql;
mod statistics;
mod token;
mod value;

pub use cache::{CacheKey, ResultCache};
pub use condition::{Condition, Mode, Text};
pub use cost::{Calibration, CostModel};
pub use evaluate::{Matcher, Row};
pub use explain::Explanation;
pub use feedback::{Feedback, Verdict};
pub use language::Language;
pub use limits::Limits;
pub use plan::{Actual, Complexity, Estimate, Plan, Rejected, Strategy, WordCheck};
pub use planner::Planner;
pub use problem::{Problem, Problems};
pub use query::{Cursor, Detail, Direction, Query};
pub use rewrite::{
    constants, contradictions, duplicates, flatten, merge_ranges, negations_inward, normalise,
    sets_from_alternatives,
};
pub use schema::{Field, FieldSpec, Kind, Schema, SchemaBuilder, TimeUnit};
pub use spans::{Span, Spans};
pub use sql::Statement;
pub use statistics::{Ask, Gather, Statistics};
pub use token::{Diacritics, Phrase, Tokenizer};
pub use value::{Cell, Value};

/// Runs the code of the page about searches.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/search.md")]
struct SearchPage;
