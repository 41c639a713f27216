//! Conditions on rows in memory: the meaning of queries, and the plan for small catalogues.

use std::cmp::Ordering;

use crate::condition::{Condition, Mode, Text};
use crate::query::Direction;
use crate::rewrite::Normal;
use crate::schema::{Field, Schema};
use crate::spans::Spans;
use crate::token::Phrase;
use crate::value::Cell;

/// A row in memory.
pub trait Row {
    /// What a field holds. The key is an integer that no other row has.
    fn cell(&self, field: Field) -> Cell<'_>;
}

impl<R: Row + ?Sized> Row for &R {
    fn cell(&self, field: Field) -> Cell<'_> {
        (**self).cell(field)
    }
}

/// A condition, ready to be asked of many rows.
#[derive(Clone, Debug)]
pub struct Matcher(Node);

#[derive(Clone, Debug)]
enum Node {
    Constant(bool),
    Within(Field, Spans),
    Present(Field),
    Words(Vec<Field>, Phrase),
    Substring(Vec<Field>, String),
    And(Vec<Node>),
    Or(Vec<Node>),
    Not(Box<Node>),
}

impl Matcher {
    /// Prepares a condition that is within the limits.
    #[must_use]
    pub fn new(condition: &Condition, schema: &Schema) -> Self {
        Self(Node::new(condition, schema))
    }

    /// Whether the condition is true for the row; `None`: it is unknown, because of a null.
    #[must_use]
    pub fn matches(&self, row: &impl Row) -> Option<bool> {
        self.0.holds(row)
    }
}

impl Node {
    fn new(condition: &Condition, schema: &Schema) -> Self {
        let each = |parts: &[Condition]| parts.iter().map(|part| Self::new(part, schema)).collect();
        match condition {
            Condition::Always => Self::Constant(true),
            Condition::Never => Self::Constant(false),
            Condition::Within(field, spans) => Self::Within(*field, spans.clone()),
            Condition::Present(field) => Self::Present(*field),
            Condition::Text(text) => Self::text(text, schema),
            Condition::And(parts) => Self::And(each(parts)),
            Condition::Or(parts) => Self::Or(each(parts)),
            Condition::Not(inner) => Self::Not(Box::new(Self::new(inner, schema))),
        }
    }

    fn text(text: &Text, schema: &Schema) -> Self {
        let fields = schema.scope(text.field).collect();
        match text.mode {
            Mode::Words => Self::Words(fields, Phrase::new(schema.tokenizer(), &text.text)),
            Mode::Substring => Self::Substring(fields, text.text.to_ascii_lowercase()),
        }
    }

    fn holds(&self, row: &impl Row) -> Option<bool> {
        match self {
            Self::Constant(constant) => Some(*constant),
            Self::Within(field, spans) => match row.cell(*field) {
                Cell::Null => None,
                cell => Some(spans.contains(&cell)),
            },
            Self::Present(field) => Some(row.cell(*field) != Cell::Null),
            Self::Words(fields, phrase) => Some(any_text(row, fields, |text| phrase.is_in(text))),
            Self::Substring(fields, piece) => {
                Some(any_text(row, fields, |text| text.to_ascii_lowercase().contains(piece.as_str())))
            }
            Self::And(parts) => decided(parts, row, false),
            Self::Or(parts) => decided(parts, row, true),
            Self::Not(inner) => inner.holds(row).map(|holds| !holds),
        }
    }
}

fn any_text(row: &impl Row, fields: &[Field], mut found: impl FnMut(&str) -> bool) -> bool {
    fields.iter().any(|field| row.cell(*field).text().is_some_and(&mut found))
}

/// One part decides; otherwise one that is unknown makes all unknown.
fn decided(parts: &[Node], row: &impl Row, decisive: bool) -> Option<bool> {
    let mut whole = Some(!decisive);
    for part in parts {
        match part.holds(row) {
            Some(holds) if holds == decisive => return Some(decisive),
            None => whole = None,
            Some(_) => {}
        }
    }
    whole
}

/// The order of a query.
fn order(a: &impl Row, b: &impl Row, sort: &[(Field, Direction)], key: Direction) -> Ordering {
    let by = |field: Field, direction: Direction| {
        let order = a.cell(field).order(&b.cell(field));
        if direction == Direction::Descending { order.reverse() } else { order }
    };
    let fields = sort.iter().copied().chain([(Field::KEY, key)]);
    fields
        .map(|(field, direction)| by(field, direction))
        .find(|order| order.is_ne())
        .unwrap_or(Ordering::Equal)
}

/// The rows of a query in normal form, in its order. O(n) matches, and O(n + k log k) comparisons for k matches; holds
/// at most twice as many rows as the limit at a time.
pub(crate) fn scan<R: Row>(normal: &Normal, schema: &Schema, rows: impl IntoIterator<Item = R>) -> Vec<R> {
    let limit = usize::try_from(normal.limit).unwrap_or(usize::MAX);
    let mut kept: Vec<R> = Vec::new();
    if normal.condition == Condition::Never || limit == 0 {
        return kept;
    }
    let matcher = Matcher::new(&normal.condition, schema);
    let by = |a: &R, b: &R| order(a, b, &normal.sort, normal.key_direction);
    for row in rows {
        if matcher.matches(&row) == Some(true) {
            kept.push(row);
        }
        if kept.len() >= limit.saturating_mul(2) {
            kept.select_nth_unstable_by(limit - 1, by);
            kept.truncate(limit);
        }
    }
    kept.sort_unstable_by(by);
    kept.truncate(limit);
    kept
}
