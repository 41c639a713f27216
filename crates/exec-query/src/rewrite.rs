//! Rewrites: the same rows, said in a way that is cheaper to find.
//!
//! Each is a law: the rows for which a condition is true are the same before and after, and a second time changes
//! nothing. Text that is looked for is never touched. Negations come first: without them above other conditions, what
//! is unknown can be treated as false, since `and` and `or` never make truth of it.

mod order;
mod rules;

use crate::condition::Condition;
use crate::query::{Detail, Direction, Query};
use crate::schema::{Field, Schema};

pub use rules::{
    constants, contradictions, duplicates, flatten, merge_ranges, negations_inward, sets_from_alternatives,
};

/// A query in its normal form, ready to be planned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Normal {
    pub(crate) condition: Condition,
    /// What the rows are sorted by, without what cannot change their order.
    pub(crate) sort: Vec<(Field, Direction)>,
    pub(crate) key_direction: Direction,
    pub(crate) limit: u32,
    pub(crate) shown: Vec<Field>,
    pub(crate) detail: Detail,
}

/// All rewrites of a condition, each until it changes nothing any more. O(n log n) in its size.
///
/// ```
/// use exec_query::{Condition, Kind, Schema, normalise};
/// let schema = Schema::builder("runs", "id").field("status", Kind::Text).build()?;
/// let status = schema.field("status")?;
/// let either = Condition::equals(status, "failed").or(Condition::equals(status, "cancelled"));
/// assert_eq!(normalise(either, &schema), Condition::one_of(status, ["cancelled", "failed"]));
/// let both = Condition::equals(status, "failed").and(Condition::equals(status, "cancelled"));
/// assert_eq!(normalise(both, &schema), Condition::Never);
/// # Ok::<(), exec_query::Problems>(())
/// ```
#[must_use]
pub fn normalise(condition: Condition, schema: &Schema) -> Condition {
    let condition = rules::push(condition, false);
    rules::bottom_up(condition, &|node| {
        let node = rules::flat(node);
        let node = rules::united(rules::merged(node));
        let node = rules::folded(node, schema);
        let node = rules::folded(rules::contradicted(node), schema);
        rules::flat(rules::distinct(node))
    })
}

/// The normal form of a query that is within the limits.
pub(crate) fn normal(query: &Query, schema: &Schema, most_rows: u32) -> Normal {
    let mut condition = query.condition.clone();
    if let Some(cursor) = &query.after {
        condition = order::behind(cursor, query).and(condition);
    }
    let condition = normalise(condition, schema);
    let ordered = order::reduced(query, &condition);
    let limit = query.limit.unwrap_or(most_rows).min(ordered.most_rows);
    Normal {
        condition: if limit == 0 { Condition::Never } else { condition },
        shown: schema.shown(query.detail, &query.sort),
        sort: ordered.sort,
        key_direction: ordered.key_direction,
        limit,
        detail: query.detail,
    }
}
