//! Queries written in the language. What is written is read as the same query.

use std::fmt::Write;
use std::ops::Bound::{Excluded, Included, Unbounded};

use super::literal;
use crate::condition::{Condition, Mode, Text};
use crate::query::{Detail, Direction, Query};
use crate::schema::{Field, Kind, Schema};
use crate::spans::{Span, Spans};
use crate::value::{Cell, Value};

impl Query {
    /// The query in the language. Reading it gives the same query; times are written as instants.
    ///
    /// An `and` or `or` of fewer than two conditions, which nobody would write, is read back as what it means.
    #[must_use]
    pub fn render(&self, schema: &Schema) -> String {
        let mut text = String::new();
        let has_rest = !self.sort.is_empty()
            || self.limit.is_some()
            || self.after.is_some()
            || self.detail != Detail::default();
        match &self.condition {
            Condition::Always if has_rest => {}
            condition @ Condition::And(all) if all.len() > 1 => {
                write(&mut text, schema, condition, Place::Top);
            }
            condition @ Condition::Or(any) if any.len() > 1 && !has_rest => {
                write(&mut text, schema, condition, Place::Top);
            }
            condition => write(&mut text, schema, condition, Place::Inside),
        }
        let mut rest = Vec::new();
        if !self.sort.is_empty() {
            let sign = |direction: &Direction| if *direction == Direction::Descending { "-" } else { "" };
            let field =
                |(field, direction): &(Field, Direction)| sign(direction).to_owned() + schema.name(*field);
            rest.push(format!("sort:{}", self.sort.iter().map(field).collect::<Vec<_>>().join(",")));
        }
        if let Some(limit) = self.limit {
            rest.push(format!("limit:{limit}"));
        }
        match self.detail {
            Detail::Summary => {}
            Detail::Name => rest.push("show:name".to_owned()),
            Detail::Full => rest.push("show:full".to_owned()),
        }
        if let Some(cursor) = &self.after {
            let mut places: Vec<String> = Vec::new();
            for ((field, _), value) in self.sort.iter().zip(&cursor.values) {
                places.push(value.as_ref().map_or("null".to_owned(), |value| atom(schema, *field, value)));
            }
            places.push(cursor.key.to_string());
            rest.push(format!("after:{}", places.join(",")));
        }
        if !text.is_empty() {
            rest.insert(0, text);
        }
        rest.join(" ")
    }
}

/// Where a condition stands: parts of others need parentheses.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Top,
    Inside,
}

/// A condition alone, for explanations.
pub(crate) fn condition(schema: &Schema, condition: &Condition) -> String {
    let mut text = String::new();
    write(&mut text, schema, condition, Place::Top);
    text
}

fn write(text: &mut String, schema: &Schema, condition: &Condition, place: Place) {
    match condition {
        Condition::Always => text.push('*'),
        Condition::Never => text.push_str("-*"),
        Condition::Within(field, spans) => within(text, schema, *field, spans),
        Condition::Present(field) => {
            text.push_str("has:");
            text.push_str(schema.name(*field));
        }
        Condition::Text(wanted) => words(text, schema, wanted),
        Condition::And(parts) if parts.is_empty() => text.push('*'),
        Condition::Or(parts) if parts.is_empty() => text.push_str("-*"),
        Condition::And(parts) => list(text, schema, parts, " ", place),
        Condition::Or(parts) => list(text, schema, parts, " OR ", place),
        Condition::Not(inner) => {
            text.push('-');
            let bare = !matches!(**inner, Condition::Always | Condition::Never | Condition::Not(_));
            if !bare {
                text.push('(');
            }
            write(text, schema, inner, Place::Inside);
            if !bare {
                text.push(')');
            }
        }
    }
}

fn list(text: &mut String, schema: &Schema, parts: &[Condition], between: &str, place: Place) {
    if place == Place::Inside {
        text.push('(');
    }
    for (at, part) in parts.iter().enumerate() {
        if at > 0 {
            text.push_str(between);
        }
        write(text, schema, part, Place::Inside);
    }
    if place == Place::Inside {
        text.push(')');
    }
}

fn words(text: &mut String, schema: &Schema, wanted: &Text) {
    let sign = match (wanted.field, wanted.mode) {
        (None, Mode::Words) => "",
        (Some(_), Mode::Words) => ":",
        (_, Mode::Substring) => "~",
    };
    text.push_str(wanted.field.map_or("", |field| schema.name(field)));
    text.push_str(sign);
    let plain = is_plain(&wanted.text) && !matches!(wanted.text.as_str(), "AND" | "OR" | "NOT");
    quote(text, &wanted.text, plain);
}

/// Whether a text means itself without quotes.
fn is_plain(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_alphanumeric() || c == '_')
}

fn quote(text: &mut String, value: &str, plain: bool) {
    if plain {
        return text.push_str(value);
    }
    text.push('"');
    for c in value.chars() {
        if matches!(c, '"' | '\\') {
            text.push('\\');
        }
        text.push(c);
    }
    text.push('"');
}

fn within(text: &mut String, schema: &Schema, field: Field, spans: &Spans) {
    text.push_str(schema.name(field));
    let kind = schema.kind(field);
    if kind == Kind::Bool {
        return text.push_str(truth(spans));
    }
    let one = |value: &Value| atom(schema, field, value);
    let sign = match spans.spans() {
        [Span { low: Excluded(low), high: Unbounded }] => Some((">", one(low))),
        [Span { low: Included(low), high: Unbounded }] => Some(shorter(low, -1, ">", ">=", kind, one)),
        [Span { low: Unbounded, high: Excluded(high) }] => Some(("<", one(high))),
        [Span { low: Unbounded, high: Included(high) }] => Some(shorter(high, 1, "<", "<=", kind, one)),
        _ => None,
    };
    if let Some((sign, value)) = sign {
        // Writing to a string cannot fail.
        let _ = write!(text, "{sign}{value}");
        return;
    }
    let others = spans.complement();
    let negated = spans.is_none() || (others.point_count().is_some() && !others.is_none());
    text.push_str(if negated { "!=" } else { ":" });
    for (at, span) in if negated { &others } else { spans }.spans().iter().enumerate() {
        if at > 0 {
            text.push(',');
        }
        item(text, span, one);
    }
}

/// Of whole numbers `>0.01` and `>=0.010001` are the same: whichever is shorter, or for times the first or last that is
/// in it where both are as long.
fn shorter<'s>(
    bound: &Value,
    beside: i64,
    open: &'s str,
    closed: &'s str,
    kind: Kind,
    one: impl Fn(&Value) -> String,
) -> (&'s str, String) {
    let with = one(bound);
    let without = match bound {
        Value::Integer(value) => value.checked_add(beside).map(|value| one(&Value::Integer(value))),
        _ => None,
    };
    // The sign itself is shorter without the bound.
    let spare = usize::from(!matches!(kind, Kind::Time(_)));
    match without {
        Some(without) if without.len() < with.len() + spare => (open, without),
        _ => (closed, with),
    }
}

/// Which of true and false a set holds.
fn truth(spans: &Spans) -> &'static str {
    let has = |value: i64| spans.contains(&Cell::Integer(value));
    match (has(0), has(1)) {
        (true, true) => ":true,false",
        (true, false) => ":false",
        (false, true) => ":true",
        (false, false) => "!=true,false",
    }
}

fn item(text: &mut String, span: &Span, one: impl Fn(&Value) -> String) {
    if let Some(point) = span.as_point() {
        return text.push_str(&one(point));
    }
    match &span.low {
        Unbounded => text.push_str(".."),
        Included(low) => text.push_str(&(one(low) + "..")),
        Excluded(low) => text.push_str(&(one(low) + ">..")),
    }
    match &span.high {
        Unbounded => {}
        Included(high) => text.push_str(&one(high)),
        Excluded(high) => text.push_str(&("<".to_owned() + &one(high))),
    }
}

/// A value, quoted if it has to be.
fn atom(schema: &Schema, field: Field, value: &Value) -> String {
    let kind = schema.kind(field);
    let written = literal::write(value, kind);
    let mut text = String::new();
    quote(&mut text, &written, kind != Kind::Text || (is_plain(&written) && written != "null"));
    text
}
