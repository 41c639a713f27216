//! What is wrong with a query or a schema: everything at once, each with its place and what to do.

use std::fmt;

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Where in the text, in bytes; `None` where there is no text.
    pub at: Option<std::ops::Range<usize>>,
    /// What is wrong, as a fragment in lower case.
    pub message: String,
    /// What to do about it; may be empty.
    pub hint: String,
}

impl Problem {
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self { at: None, message: message.into(), hint: String::new() }
    }

    pub(crate) fn at(at: std::ops::Range<usize>, message: impl Into<String>) -> Self {
        Self { at: Some(at), ..Self::new(message) }
    }

    pub(crate) fn hint(self, hint: impl Into<String>) -> Self {
        Self { hint: hint.into(), ..self }
    }

    /// The column, counted in characters from one, at which it begins in `text`.
    #[must_use]
    pub fn column(&self, text: &str) -> Option<usize> {
        let start = self.at.as_ref()?.start;
        Some(1 + text.char_indices().take_while(|(at, _)| *at < start).count())
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        if self.hint.is_empty() { Ok(()) } else { write!(f, "; {}", self.hint) }
    }
}

/// Everything that is wrong; never empty, and at most 16.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", joined(.0))]
pub struct Problems(pub Vec<Problem>);

/// The most that are named at once.
pub(crate) const MOST_PROBLEMS: usize = 16;
/// How much of a text is shown around a problem, on each side.
const SHOWN: usize = 48;

impl From<Problem> for Problems {
    fn from(problem: Problem) -> Self {
        Self(vec![problem])
    }
}

impl Problems {
    pub(crate) fn none_or(mut problems: Vec<Problem>) -> Result<(), Self> {
        problems.truncate(MOST_PROBLEMS);
        if problems.is_empty() { Ok(()) } else { Err(Self(problems)) }
    }

    /// Each problem under the text it is in, with carets.
    ///
    /// ```
    /// use std::time::SystemTime;
    /// use exec_query::{Kind, Language, Schema};
    /// let schema = Schema::builder("runs", "id").field("status", Kind::Text).build()?;
    /// let text = "statsu:failed";
    /// let problems = Language::new(&schema, SystemTime::UNIX_EPOCH).parse(text).unwrap_err();
    /// assert_eq!(
    ///     problems.show(text),
    ///     "statsu:failed\n^^^^^^ column 1: there is no field `statsu`; did you mean `status`?\n"
    /// );
    /// # Ok::<(), exec_query::Problems>(())
    /// ```
    #[must_use]
    pub fn show(&self, text: &str) -> String {
        let mut shown = String::new();
        for problem in &self.0 {
            let (Some(at), Some(column)) = (&problem.at, problem.column(text)) else {
                shown.push_str(&format!("{problem}\n"));
                continue;
            };
            let skipped = column.saturating_sub(1 + SHOWN);
            // Carets must stand under their characters, so line ends and the like are shown as blanks.
            let part = text.chars().skip(skipped).take(2 * SHOWN).enumerate();
            shown.extend(part.map(|(at, c)| match c {
                _ if at == 0 && skipped > 0 => '…',
                c if c.is_control() => ' ',
                c => c,
            }));
            let width = text.get(at.clone()).map_or(1, |part| part.chars().count()).clamp(1, SHOWN);
            let indent = " ".repeat(column - 1 - skipped);
            shown.push_str(&format!("\n{indent}{} column {column}: {problem}\n", "^".repeat(width)));
        }
        shown
    }
}

fn joined(problems: &[Problem]) -> String {
    problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}
