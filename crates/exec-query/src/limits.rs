//! How large a query may be. Everything is checked before any work is done for it.

use serde::{Deserialize, Serialize};

use crate::condition::{Condition, Mode};
use crate::problem::{Problem, Problems};
use crate::query::Query;
use crate::schema::{Field, Kind, Schema};
use crate::spans::Spans;
use crate::value::Value;
use std::ops::Bound::{Excluded, Included};

/// The longest text a condition can have whatever the limits say, in bytes: FTS5 cuts words at this length.
const LONGEST_TEXT: usize = 32_768;

/// How large a query may be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Bytes of a query as text, and of all text in conditions together.
    pub bytes: usize,
    /// How deep `and`, `or` and `not` may nest.
    pub depth: usize,
    /// Conditions, counting `and`, `or` and `not`.
    pub terms: usize,
    /// Values in all conditions together.
    pub values: usize,
    /// Rows of one page; also what a query without a limit gets.
    pub rows: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self { bytes: 8_192, depth: 16, terms: 128, values: 256, rows: 1_000 }
    }
}

impl Limits {
    /// Whether a query is within the limits and fits the schema. O(size), iterative, and stops where a limit is passed.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub fn check(&self, query: &Query, schema: &Schema) -> Result<(), Problems> {
        let mut check = Check { limits: self, schema, problems: Vec::new(), terms: 0, bytes: 0, values: 0 };
        check.condition(&query.condition);
        check.rest(query);
        Problems::none_or(check.problems)
    }
}

#[derive(Debug)]
struct Check<'a> {
    limits: &'a Limits,
    schema: &'a Schema,
    problems: Vec<Problem>,
    terms: usize,
    bytes: usize,
    values: usize,
}

impl Check<'_> {
    fn condition(&mut self, condition: &Condition) {
        let mut open = vec![(condition, 1)];
        while let Some((condition, depth)) = open.pop() {
            self.terms += 1;
            if self.terms > self.limits.terms || depth > self.limits.depth || self.bytes > self.limits.bytes {
                return self.too_large();
            }
            self.one(condition);
            if condition.parts().len() > self.limits.terms {
                return self.too_large();
            }
            open.extend(condition.parts().iter().map(|part| (part, depth + 1)));
        }
        if self.bytes > self.limits.bytes {
            self.too_large();
        }
    }

    fn too_large(&mut self) {
        let Limits { bytes, depth, terms, .. } = self.limits;
        let message = format!(
            "the query is too large: {terms} terms, a depth of {depth} and {bytes} bytes are the most"
        );
        self.problems.push(Problem::new(message).hint("search for less at once"));
    }

    fn one(&mut self, condition: &Condition) {
        match condition {
            Condition::Within(field, spans) if self.known(*field) => self.spans(*field, spans),
            Condition::Present(field) => {
                self.known(*field);
            }
            Condition::Text(text) => {
                self.bytes = self.bytes.saturating_add(text.text.len());
                self.text(text);
            }
            _ => {}
        }
    }

    fn known(&mut self, field: Field) -> bool {
        let known = self.schema.has(field);
        if !known {
            self.problems.push(Problem::new("a field is not one of this schema"));
        }
        known
    }

    fn spans(&mut self, field: Field, spans: &Spans) {
        self.values += spans.spans().len();
        if self.values > self.limits.values {
            let message = format!("more than {} values", self.limits.values);
            return self.problems.push(Problem::new(message).hint("search for fewer at once"));
        }
        for span in spans.spans() {
            for bound in [&span.low, &span.high] {
                if let Included(value) | Excluded(value) = bound {
                    self.value(field, value, true);
                }
            }
        }
    }

    fn value(&mut self, field: Field, value: &Value, is_bound: bool) {
        if let Value::Text(text) = value {
            self.bytes = self.bytes.saturating_add(text.len());
        }
        let kind = self.schema.kind(field);
        // What is left out of a truth value has bounds beside 0 and 1.
        let outside = kind == Kind::Bool && is_bound && matches!(value, Value::Integer(-1..=2));
        if !kind.takes(value) && !outside {
            let message =
                format!("{} is {}, and is compared with another kind", self.schema.name(field), kind.name());
            self.problems.push(Problem::new(message));
        }
    }

    fn text(&mut self, text: &crate::condition::Text) {
        if text.text.is_empty() || text.text.len() > LONGEST_TEXT {
            let message = format!("text to look for has 1 to {LONGEST_TEXT} bytes");
            self.problems.push(Problem::new(message));
        }
        if text.field.is_some_and(|field| !self.known(field)) {
            return;
        }
        let kind = text.field.map_or(Kind::Prose, |field| self.schema.kind(field));
        let name = text.field.map_or("text", |field| self.schema.name(field));
        match text.mode {
            Mode::Words if kind != Kind::Prose => {
                let message = format!("{name} is {}: it cannot be searched for words", kind.name());
                self.problems.push(Problem::new(message));
            }
            Mode::Substring if !matches!(kind, Kind::Prose | Kind::Text) => {
                let message = format!("{name} is {}: it has no substrings", kind.name());
                self.problems.push(Problem::new(message));
            }
            Mode::Words if !self.can_check_words() => {
                self.problems.push(Problem::new("there is no text index to search for words"));
            }
            _ if self.schema.prose().next().is_none() && text.field.is_none() => {
                let hint = "name a field";
                self.problems.push(Problem::new("there is no prose to search").hint(hint));
            }
            _ => {}
        }
    }

    fn can_check_words(&self) -> bool {
        self.schema.in_memory || self.schema.words.is_some() || self.schema.check_function.is_some()
    }

    fn rest(&mut self, query: &Query) {
        if query.limit.is_some_and(|limit| limit > self.limits.rows) {
            let message = format!("a page has at most {} rows", self.limits.rows);
            self.problems.push(Problem::new(message).hint("go on behind its last row instead"));
        }
        if query.sort.len() > self.schema.fields.len() {
            return self.problems.push(Problem::new("sorted by more fields than there are"));
        }
        for (field, _) in &query.sort {
            if self.known(*field) && self.schema.kind(*field) == Kind::Prose {
                let message = format!("{} is prose: it has no order", self.schema.name(*field));
                self.problems.push(Problem::new(message));
            }
        }
        let Some(cursor) = &query.after else { return };
        if cursor.values.len() != query.sort.len() {
            let message = format!(
                "the cursor has {} values and the sort {} fields",
                cursor.values.len(),
                query.sort.len()
            );
            let hint = "go on with the same sort";
            return self.problems.push(Problem::new(message).hint(hint));
        }
        for ((field, _), value) in query.sort.iter().zip(&cursor.values) {
            if let (true, Some(value)) = (self.schema.has(*field), value) {
                self.value(*field, value, false);
            }
        }
    }
}
