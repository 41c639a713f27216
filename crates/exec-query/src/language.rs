//! The little language people write queries in.

mod clock;
mod directive;
mod lexer;
mod literal;
mod nearest;
mod parser;
pub(crate) mod render;
mod term;

use std::time::SystemTime;

use crate::limits::Limits;
use crate::problem::{Problem, Problems};
use crate::query::Query;
use crate::schema::Schema;

pub(crate) use nearest::nearest;

/// Words with a meaning of their own, which no field can be called.
pub(crate) const RESERVED: [&str; 10] =
    ["sort", "limit", "show", "after", "since", "until", "has", "and", "or", "not"];

/// Reads queries as people write them: `provider:openai cost>0.01 "time out" -tag:test since:2h`.
///
/// The whole language is described in `docs/search.md`. Reading takes time linear in the text. What is wrong is said
/// with its column, everything at once; text over the limits is refused before it is read.
///
/// ```
/// use std::time::SystemTime;
/// use exec_query::{Kind, Language, Schema};
/// let schema = Schema::builder("runs", "id")
///     .field("status", Kind::Text)
///     .field("cost", Kind::Decimal { digits: 6 })
///     .build()?;
/// let language = Language::new(&schema, SystemTime::now());
/// let query = language.parse("status:failed,cancelled cost>0.01 limit:20")?;
/// assert_eq!(query.render(&schema), "status:cancelled,failed cost>0.01 limit:20");
/// # Ok::<(), exec_query::Problems>(())
/// ```
#[derive(Clone, Debug)]
pub struct Language<'a> {
    schema: &'a Schema,
    limits: Limits,
    /// Microseconds since 1970.
    now: i64,
}

impl<'a> Language<'a> {
    /// The language over a schema; `now` is what relative times such as `2h` count back from.
    #[must_use]
    pub fn new(schema: &'a Schema, now: SystemTime) -> Self {
        Self { schema, limits: Limits::default(), now: clock::micros(now) }
    }

    /// Other limits than the default ones.
    #[must_use]
    pub fn limits(self, limits: Limits) -> Self {
        Self { limits, ..self }
    }

    /// Reads a query.
    ///
    /// # Errors
    /// Everything that is wrong, each with its place in `text`; see [`Problems::show`].
    pub fn parse(&self, text: &str) -> Result<Query, Problems> {
        self.parse_counted(text).0
    }

    /// Also says how many steps reading took.
    fn parse_counted(&self, text: &str) -> (Result<Query, Problems>, usize) {
        if text.len() > self.limits.bytes {
            let message =
                format!("the query has {} bytes, and {} are the most", text.len(), self.limits.bytes);
            return (Err(Problem::new(message).hint("search for less at once").into()), 0);
        }
        let mut parser = parser::Parser::new(self, text);
        let query = parser.query();
        let steps = parser.steps();
        (query.and_then(|query| self.limits.check(&query, self.schema).map(|()| query)), steps)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Kind;

    #[test]
    fn reading_takes_steps_linear_in_the_text() {
        let schema = Schema::builder("runs", "id").field("status", Kind::Text).build().unwrap();
        let limits = Limits { bytes: 1 << 24, terms: 1 << 20, values: 1 << 20, ..Limits::default() };
        let language = Language::new(&schema, SystemTime::UNIX_EPOCH).limits(limits);
        let pieces = [
            "a ",
            "status:x ",
            "status:a,b,c,",
            "\"",
            "\\",
            "(",
            ")",
            "-",
            "..",
            "~",
            "é",
            ":",
            "a..",
            "x:y ",
        ];
        for piece in pieces {
            for text in [piece.repeat(100), piece.repeat(100_000)] {
                let steps = language.parse_counted(&text).1;
                assert!(steps <= 4 * text.len() + 4_000, "{piece:?}: {steps} steps for {} bytes", text.len());
            }
        }
    }
}
