//! A typed, cost-based planner for searches over a SQLite and FTS5 store.
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
