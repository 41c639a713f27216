//! Conditions: which rows are wanted.

use crate::schema::Field;
use crate::spans::Spans;
use crate::value::Value;

/// How text is looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Mode {
    /// As words one after the other, as the text index's tokenizer parts them.
    Words,
    /// As a piece anywhere, with ASCII letters alike in both cases.
    Substring,
}

/// Text that a row must hold. It is true or false, never unknown: null holds no text.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Text {
    /// The field to look in; `None`: any field of prose.
    pub field: Option<Field>,
    /// How.
    pub mode: Mode,
    /// What to look for, word for word. It is never changed.
    pub text: String,
}

/// Which rows are wanted.
///
/// The logic is SQL's, with three values: a comparison with null is unknown, `not` leaves it unknown, and only rows for
/// which the whole is true are found. Hence `not status = failed` does not find rows without a status.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Condition {
    /// Every row.
    Always,
    /// No row.
    Never,
    /// The field's value is in the set; unknown when it is null, whatever the set.
    Within(Field, Spans),
    /// The field is not null.
    Present(Field),
    /// The row holds the text.
    Text(Text),
    /// All of these; of none, every row.
    And(Vec<Condition>),
    /// Any of these; of none, no row.
    Or(Vec<Condition>),
    /// The opposite.
    Not(Box<Condition>),
}

impl Condition {
    /// `field = value`
    #[must_use]
    pub fn equals(field: Field, value: impl Into<Value>) -> Self {
        Self::Within(field, Spans::points([value.into()]))
    }

    /// `field in values`
    #[must_use]
    pub fn one_of<V: Into<Value>>(field: Field, values: impl IntoIterator<Item = V>) -> Self {
        Self::Within(field, Spans::points(values.into_iter().map(Into::into)))
    }

    /// `field >= value`
    #[must_use]
    pub fn at_least(field: Field, value: impl Into<Value>) -> Self {
        Self::Within(field, Spans::at_least(value.into()))
    }

    /// `field > value`
    #[must_use]
    pub fn above(field: Field, value: impl Into<Value>) -> Self {
        Self::Within(field, Spans::above(value.into()))
    }

    /// `field <= value`
    #[must_use]
    pub fn at_most(field: Field, value: impl Into<Value>) -> Self {
        Self::Within(field, Spans::at_most(value.into()))
    }

    /// `field < value`
    #[must_use]
    pub fn below(field: Field, value: impl Into<Value>) -> Self {
        Self::Within(field, Spans::below(value.into()))
    }

    /// Words in any field of prose.
    #[must_use]
    pub fn words(text: impl Into<String>) -> Self {
        Self::Text(Text { field: None, mode: Mode::Words, text: text.into() })
    }

    /// Words in one field of prose.
    #[must_use]
    pub fn words_in(field: Field, text: impl Into<String>) -> Self {
        Self::Text(Text { field: Some(field), mode: Mode::Words, text: text.into() })
    }

    /// A piece of text in any field of prose.
    #[must_use]
    pub fn substring(text: impl Into<String>) -> Self {
        Self::Text(Text { field: None, mode: Mode::Substring, text: text.into() })
    }

    /// A piece of text in one field.
    #[must_use]
    pub fn substring_in(field: Field, text: impl Into<String>) -> Self {
        Self::Text(Text { field: Some(field), mode: Mode::Substring, text: text.into() })
    }

    /// Both.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        match self {
            Self::And(mut all) => {
                all.push(other);
                Self::And(all)
            }
            one => Self::And(vec![one, other]),
        }
    }

    /// Either.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        match self {
            Self::Or(mut any) => {
                any.push(other);
                Self::Or(any)
            }
            one => Self::Or(vec![one, other]),
        }
    }

    /// The conditions that must all hold.
    pub(crate) fn conjuncts(&self) -> &[Self] {
        match self {
            Self::And(all) => all,
            Self::Always => &[],
            one => std::slice::from_ref(one),
        }
    }

    /// What it is made of, one level down.
    pub(crate) fn parts(&self) -> &[Self] {
        match self {
            Self::And(parts) | Self::Or(parts) => parts,
            Self::Not(part) => std::slice::from_ref(part),
            _ => &[],
        }
    }
}

impl std::ops::Not for Condition {
    type Output = Self;

    fn not(self) -> Self {
        Self::Not(Box::new(self))
    }
}
