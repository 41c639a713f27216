//! Plans as SQL text. Values are bound, never written; names come from the schema, which has checked them.

use std::fmt::Write;
use std::ops::Bound::{Excluded, Included, Unbounded};

use crate::condition::{Condition, Mode, Text};
use crate::schema::{Field, Schema};
use crate::spans::{Span, Spans};
use crate::value::Value;

/// One statement to prepare and run.
///
/// Statements of one shape have the same text: keep them prepared under it, or under [`shape`](Self::shape).
#[derive(Clone, Debug, PartialEq)]
pub struct Statement {
    /// The text, with numbered parameters.
    pub sql: String,
    /// What is bound to them, in order from `?1`.
    pub values: Vec<Value>,
}

impl Statement {
    /// A key of the text that stays the same between runs and releases (FNV-1a, 64 bits).
    #[must_use]
    pub fn shape(&self) -> u64 {
        fnv(self.sql.as_bytes())
    }
}

pub(crate) fn fnv(bytes: &[u8]) -> u64 {
    let step = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, step)
}

/// How words of a row are checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Check {
    /// There are none to check.
    None,
    /// By the program's own function, on the row.
    Row,
    /// By asking the text index about the row.
    Probe,
}

/// A text as FTS5 strings: whatever is in it, it is no syntax. NUL would end the expression; it parts words, so the text
/// is parted there.
pub(crate) fn quoted(text: &str) -> String {
    text.split('\0').map(|part| format!("\"{}\"", part.replace('"', "\"\""))).collect::<Vec<_>>().join(" + ")
}

/// A trigram index leaves NUL out.
pub(crate) fn quoted_trigrams(text: &str) -> String {
    format!("\"{}\"", text.replace('\0', "").replace('"', "\"\""))
}

/// SQL text that is being written, and the values bound in it.
#[derive(Debug)]
pub(crate) struct Sql<'a> {
    pub(crate) schema: &'a Schema,
    pub(crate) text: String,
    pub(crate) values: Vec<Value>,
}

impl<'a> Sql<'a> {
    pub(crate) fn new(schema: &'a Schema) -> Self {
        Self { schema, text: String::with_capacity(256), values: Vec::new() }
    }

    pub(crate) fn push(&mut self, text: &str) {
        self.text.push_str(text);
    }

    pub(crate) fn column(&mut self, field: Field) {
        self.push("r.");
        self.push(self.schema.column(field));
    }

    /// Binds a value and writes its place.
    pub(crate) fn bind(&mut self, value: Value) {
        self.values.push(value);
        self.again(self.values.len());
    }

    /// Writes the place of a value that is bound already.
    fn again(&mut self, place: usize) {
        // Writing to a string cannot fail.
        let _ = write!(self.text, "?{place}");
    }

    /// Parts with something between them.
    pub(crate) fn list<T>(
        &mut self,
        parts: impl IntoIterator<Item = T>,
        between: &str,
        each: impl Fn(&mut Self, T),
    ) {
        for (at, part) in parts.into_iter().enumerate() {
            if at > 0 {
                self.push(between);
            }
            each(self, part);
        }
    }

    /// A condition that SQLite must not take for a way into an index: columns have a plus before them.
    pub(crate) fn condition(&mut self, condition: &Condition, check: Check) {
        match condition {
            Condition::Always => self.push("1"),
            Condition::Never => self.push("0"),
            Condition::Within(field, spans) => self.within(*field, spans, "+"),
            Condition::Present(field) => {
                self.push("+");
                self.column(*field);
                self.push(" IS NOT NULL");
            }
            Condition::Text(text) => self.holds(text, check, true),
            Condition::Not(inner) => match &**inner {
                Condition::Text(text) => self.holds(text, check, false),
                inner => {
                    self.push("NOT (");
                    self.condition(inner, check);
                    self.push(")");
                }
            },
            Condition::And(parts) | Condition::Or(parts) => {
                let is_and = matches!(condition, Condition::And(_));
                self.push("(");
                self.list(parts, if is_and { " AND " } else { " OR " }, |sql, part| {
                    sql.condition(part, check);
                });
                self.push(")");
            }
        }
    }

    /// A field in a set; `plus` is `+` or nothing.
    pub(crate) fn within(&mut self, field: Field, spans: &Spans, plus: &str) {
        let points: Option<Vec<&Value>> = spans.spans().iter().map(Span::as_point).collect();
        if let Some(points) = points {
            return self.points(field, &points, plus);
        }
        let others = spans.complement();
        if let Some(left_out @ 1..) = others.point_count() {
            return self.left_out(field, &others, left_out, plus);
        }
        let several = spans.spans().len() > 1;
        if several {
            self.push("(");
        }
        self.list(spans.spans(), " OR ", |sql, span| sql.span(field, span, plus));
        if several {
            self.push(")");
        }
    }

    fn points(&mut self, field: Field, points: &[&Value], plus: &str) {
        self.push(plus);
        self.column(field);
        if let [only] = points {
            self.push(" = ");
            return self.bind((*only).clone());
        }
        self.push(" IN (");
        self.padded(points.iter().copied());
        self.push(")");
    }

    fn left_out(&mut self, field: Field, others: &Spans, count: usize, plus: &str) {
        self.push(plus);
        self.column(field);
        let values = others.spans().iter().filter_map(Span::as_point);
        self.push(if count == 1 { " <> " } else { " NOT IN (" });
        self.padded(values);
        if count > 1 {
            self.push(")");
        }
    }

    /// Values, the last repeated until there are as many as a power of two: lists of like lengths share a statement.
    fn padded<'v>(&mut self, values: impl Iterator<Item = &'v Value>) {
        let first = self.values.len() + 1;
        self.list(values, ",", |sql, value| sql.bind(value.clone()));
        let count = self.values.len() + 1 - first;
        for _ in count..count.next_power_of_two() {
            self.push(",");
            let last = self.values.last().cloned().unwrap_or(Value::Integer(0));
            self.bind(last);
        }
    }

    /// One span without gaps.
    pub(crate) fn span(&mut self, field: Field, span: &Span, plus: &str) {
        if let Some(point) = span.as_point() {
            return self.points(field, &[point], plus);
        }
        let low = match &span.low {
            Unbounded => None,
            Included(value) => Some((" >= ", value)),
            Excluded(value) => Some((" > ", value)),
        };
        let high = match &span.high {
            Unbounded => None,
            Included(value) => Some((" <= ", value)),
            Excluded(value) => Some((" < ", value)),
        };
        if low.is_none() && high.is_none() {
            self.push("+");
            self.column(field);
            return self.push(" IS NOT NULL");
        }
        let both = low.is_some() && high.is_some();
        self.push(if both { "(" } else { "" });
        self.list([low, high].into_iter().flatten(), " AND ", |sql, (sign, value)| {
            sql.push(plus);
            sql.column(field);
            sql.push(sign);
            sql.bind(value.clone());
        });
        self.push(if both { ")" } else { "" });
    }

    fn holds(&mut self, text: &Text, check: Check, wanted: bool) {
        match (text.mode, check) {
            (Mode::Words, Check::Probe | Check::None) => self.probe(text, wanted),
            (mode, _) => {
                let needle = match mode {
                    Mode::Words => text.text.clone(),
                    // SQLite's `lower` knows ASCII letters only, and so does this.
                    Mode::Substring => text.text.to_ascii_lowercase(),
                };
                self.values.push(Value::Text(needle));
                let place = self.values.len();
                self.push(if wanted { "(" } else { "NOT (" });
                let schema = self.schema;
                self.list(schema.scope(text.field), " OR ", |sql, field| sql.holds_in(field, mode, place));
                self.push(")");
            }
        }
    }

    fn holds_in(&mut self, field: Field, mode: Mode, place: usize) {
        match mode {
            Mode::Words => {
                self.push("ifnull(");
                self.push(self.schema.check_function.as_deref().unwrap_or_default());
                self.push("(");
                self.again(place);
                self.push(", ");
                self.column(field);
                self.push("), 0)");
            }
            Mode::Substring => {
                self.push("ifnull(instr(lower(");
                self.column(field);
                self.push("), ");
                self.again(place);
                self.push("), 0)");
            }
        }
    }

    /// Asks the text index about the row. A subquery for one value cannot be turned into a join.
    fn probe(&mut self, text: &Text, wanted: bool) {
        let words = self.schema.words.as_deref().unwrap_or_default();
        let key = self.schema.column(Field::KEY);
        self.push(&format!("(SELECT 1 FROM {words} WHERE {words} MATCH "));
        let expression = match_expression(self.schema, &Condition::Text(text.clone()));
        self.bind(Value::Text(expression));
        self.push(&format!(" AND rowid = r.{key})"));
        self.push(if wanted { " IS NOT NULL" } else { " IS NULL" });
    }
}

/// The FTS5 expression of texts and their `and` and `or`.
pub(crate) fn match_expression(schema: &Schema, condition: &Condition) -> String {
    match condition {
        Condition::Text(text) => {
            let phrase = match text.mode {
                Mode::Words => quoted(&text.text),
                Mode::Substring => quoted_trigrams(&text.text),
            };
            match text.field {
                Some(field) => format!("{{{}}} : {phrase}", schema.column(field)),
                None => phrase,
            }
        }
        Condition::And(parts) => joined(schema, parts, " AND "),
        Condition::Or(parts) => joined(schema, parts, " OR "),
        _ => String::new(),
    }
}

fn joined(schema: &Schema, parts: &[Condition], between: &str) -> String {
    parts.iter().map(|part| format!("({})", match_expression(schema, part))).collect::<Vec<_>>().join(between)
}
