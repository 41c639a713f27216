//! Queries: which rows, in which order, how many, and how much of each.

use crate::condition::Condition;
use crate::schema::Field;
use crate::value::Value;
use serde::{Deserialize, Serialize};

/// How much of a row is wanted. Each field says from which level on it is shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Detail {
    /// What identifies it.
    Name,
    /// What a list of results shows.
    #[default]
    Summary,
    /// Everything.
    Full,
}

/// A direction of sorting. Null is the smallest value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Direction {
    /// Smallest first.
    Ascending,
    /// Largest first.
    Descending,
}

impl Direction {
    /// The other one.
    #[must_use]
    pub fn reversed(self) -> Self {
        match self {
            Self::Ascending => Self::Descending,
            Self::Descending => Self::Ascending,
        }
    }
}

/// Where a page ended: what its last row holds in the fields of the sort, and its key.
///
/// The next page begins behind that row, even if rows came or went meanwhile, and costs no more than the first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cursor {
    /// One value for each field of the sort, in its order; `None` for null.
    pub values: Vec<Option<Value>>,
    /// The key of the row.
    pub key: i64,
}

/// A search.
///
/// ```
/// use exec_query::{Condition, Direction, Kind, Query, Schema};
/// let schema = Schema::builder("runs", "id")
///     .field("status", Kind::Text)
///     .field("cost", Kind::Real)
///     .build()?;
/// let query = Query::new(Condition::equals(schema.field("status")?, "failed"))
///     .sort(schema.field("cost")?, Direction::Descending)
///     .limit(20);
/// assert_eq!(query.render(&schema), "status:failed sort:-cost limit:20");
/// # Ok::<(), exec_query::Problems>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Query {
    /// Which rows.
    pub condition: Condition,
    /// In which order. Rows alike in all these fields are ordered by their key, in the direction of the last field;
    /// without fields the newest key comes first.
    pub sort: Vec<(Field, Direction)>,
    /// Only what comes behind this row.
    pub after: Option<Cursor>,
    /// At most so many rows; `None`: as many as the planner's [`Limits`](crate::Limits) allow.
    pub limit: Option<u32>,
    /// How much of each row.
    pub detail: Detail,
}

impl Query {
    /// Rows for which the condition is true, newest key first.
    #[must_use]
    pub fn new(condition: Condition) -> Self {
        Self { condition, sort: Vec::new(), after: None, limit: None, detail: Detail::default() }
    }

    /// Sorts by one more field.
    #[must_use]
    pub fn sort(mut self, field: Field, direction: Direction) -> Self {
        self.sort.push((field, direction));
        self
    }

    /// At most so many rows.
    #[must_use]
    pub fn limit(self, limit: u32) -> Self {
        Self { limit: Some(limit), ..self }
    }

    /// Only what comes behind this row.
    #[must_use]
    pub fn after(self, cursor: Cursor) -> Self {
        Self { after: Some(cursor), ..self }
    }

    /// How much of each row.
    #[must_use]
    pub fn detail(self, detail: Detail) -> Self {
        Self { detail, ..self }
    }

    /// The direction in which keys are ordered among rows that are alike.
    #[must_use]
    pub fn key_direction(&self) -> Direction {
        self.sort.last().map_or(Direction::Descending, |(_, direction)| *direction)
    }
}
