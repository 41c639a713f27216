//! Order, place and limit, pushed down: a cursor becomes a condition, a sort loses what cannot change the order, and a
//! limit shrinks to what can be there.

use crate::condition::Condition;
use crate::query::{Cursor, Direction, Query};
use crate::schema::Field;
use crate::spans::Spans;
use crate::value::Value;

/// The rows behind a place, as a condition.
///
/// Rows are ordered by the fields of the sort and then by key: a row is behind if it is alike in some of the first
/// fields and beyond in the next. That it is not before in the first field follows, and is said as well, as an index
/// can start there.
pub(super) fn behind(cursor: &Cursor, query: &Query) -> Condition {
    let mut places: Vec<(Field, Direction, Option<Value>)> = query
        .sort
        .iter()
        .zip(&cursor.values)
        .map(|((field, direction), value)| (*field, *direction, value.clone()))
        .collect();
    places.push((Field::KEY, query.key_direction(), Some(Value::Integer(cursor.key))));
    let first =
        places.first().map(|(field, direction, value)| not_before(*field, *direction, value.as_ref()));
    let mut alike: Vec<Condition> = Vec::new();
    let mut any = Vec::with_capacity(places.len());
    for (field, direction, value) in &places {
        let mut all = alike.clone();
        all.push(beyond(*field, *direction, value.as_ref()));
        any.push(Condition::And(all));
        alike.push(match value {
            Some(value) => Condition::equals(*field, value.clone()),
            None => !Condition::Present(*field),
        });
    }
    Condition::And(first.into_iter().chain([Condition::Or(any)]).collect())
}

fn beyond(field: Field, direction: Direction, value: Option<&Value>) -> Condition {
    match (value.cloned(), direction) {
        (Some(value), Direction::Ascending) => Condition::Within(field, Spans::above(value)),
        (Some(value), Direction::Descending) => {
            Condition::Within(field, Spans::below(value)).or(!Condition::Present(field))
        }
        (None, Direction::Ascending) => Condition::Present(field),
        (None, Direction::Descending) => Condition::Never,
    }
}

fn not_before(field: Field, direction: Direction, value: Option<&Value>) -> Condition {
    match (value.cloned(), direction) {
        (Some(value), Direction::Ascending) => Condition::Within(field, Spans::at_least(value)),
        (Some(value), Direction::Descending) => {
            Condition::Within(field, Spans::at_most(value)).or(!Condition::Present(field))
        }
        (None, Direction::Ascending) => Condition::Always,
        (None, Direction::Descending) => !Condition::Present(field),
    }
}

/// What is left of an order.
#[derive(Debug)]
pub(super) struct Ordered {
    pub(super) sort: Vec<(Field, Direction)>,
    pub(super) key_direction: Direction,
    /// How many rows there can be at most.
    pub(super) most_rows: u32,
}

pub(super) fn reduced(query: &Query, condition: &Condition) -> Ordered {
    let fixed: Vec<(Field, usize)> = condition
        .conjuncts()
        .iter()
        .filter_map(|part| match part {
            Condition::Within(field, spans) => Some((*field, spans.point_count()?)),
            _ => None,
        })
        .collect();
    let is_fixed = |field: Field| fixed.contains(&(field, 1));
    let mut sort: Vec<(Field, Direction)> = Vec::with_capacity(query.sort.len());
    let mut key_direction = query.key_direction();
    for (field, direction) in &query.sort {
        if *field == Field::KEY {
            // Keys are unique: nothing behind them matters.
            key_direction = *direction;
            break;
        }
        if !is_fixed(*field) && !sort.iter().any(|(seen, _)| seen == field) {
            sort.push((*field, *direction));
        }
    }
    let keys = fixed.iter().find(|(field, _)| *field == Field::KEY).map(|(_, count)| *count);
    let most_rows = keys.map_or(u32::MAX, |keys| u32::try_from(keys).unwrap_or(u32::MAX));
    if most_rows <= 1 {
        sort.clear();
    }
    Ordered { sort, key_direction, most_rows }
}
