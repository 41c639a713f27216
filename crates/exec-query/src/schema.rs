//! What can be searched: fields, their kinds, and the indexes a store has over them.

mod builder;

use serde::{Deserialize, Serialize};

use crate::problem::{Problem, Problems};
use crate::query::Detail;
use crate::token::Tokenizer;
use crate::value::Value;

pub use builder::SchemaBuilder;

/// A field of one schema.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Field(u16);

impl Field {
    /// The key of the rows, which every schema has.
    pub const KEY: Self = Self(0);

    /// Its place among the fields of its schema, in the order they were declared; the key's is 0.
    #[must_use]
    pub fn number(self) -> u16 {
        self.0
    }

    fn position(self) -> usize {
        usize::from(self.0)
    }
}

/// What an integer that stands for an instant counts, since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TimeUnit {
    /// Seconds.
    Seconds,
    /// Thousandths of a second.
    Millis,
    /// Millionths of a second.
    Micros,
}

impl TimeUnit {
    pub(crate) fn per_second(self) -> i64 {
        match self {
            Self::Seconds => 1,
            Self::Millis => 1_000,
            Self::Micros => 1_000_000,
        }
    }
}

/// What a field's values mean, and how the store keeps them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A name or a word that is compared as a whole; `TEXT`.
    Text,
    /// Text that is searched for words and pieces, never compared as a whole; `TEXT`.
    Prose,
    /// `INTEGER`.
    Integer,
    /// `REAL`.
    Real,
    /// An exact amount, such as money: an `INTEGER` of units of 10^-digits. At most 18 digits.
    Decimal {
        /// How many digits stand behind the point.
        digits: u8,
    },
    /// An instant: an `INTEGER`.
    Time(TimeUnit),
    /// `INTEGER` 0 or 1.
    Bool,
}

impl Kind {
    /// Whether a value is one of this kind.
    #[must_use]
    pub fn takes(self, value: &Value) -> bool {
        match (self, value) {
            (Self::Text, Value::Text(_))
            | (Self::Integer | Self::Decimal { .. } | Self::Time(_), Value::Integer(_)) => true,
            (Self::Bool, Value::Integer(value)) => matches!(value, 0 | 1),
            (Self::Real, Value::Real(value)) => value.is_finite(),
            _ => false,
        }
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Prose => "prose",
            Self::Integer => "a whole number",
            Self::Real => "a number",
            Self::Decimal { .. } => "an amount",
            Self::Time(_) => "a time",
            Self::Bool => "true or false",
        }
    }
}

/// A field, described.
#[derive(Clone, Debug)]
pub struct FieldSpec {
    pub(crate) name: String,
    pub(crate) column: String,
    pub(crate) kind: Kind,
    pub(crate) required: bool,
    pub(crate) detail: Detail,
}

impl FieldSpec {
    /// A field that may be null, is shown from [`Detail::Summary`] on, and whose column has its name.
    #[must_use]
    pub fn new(name: impl Into<String>, kind: Kind) -> Self {
        let name = name.into();
        Self { column: name.clone(), name, kind, required: false, detail: Detail::default() }
    }

    /// The column, if its name differs.
    #[must_use]
    pub fn column(self, column: impl Into<String>) -> Self {
        Self { column: column.into(), ..self }
    }

    /// The field is never null: `NOT NULL`. Rows that break this promise may be left out or found wrongly.
    #[must_use]
    pub fn required(self) -> Self {
        Self { required: true, ..self }
    }

    /// The level from which on it is shown.
    #[must_use]
    pub fn detail(self, detail: Detail) -> Self {
        Self { detail, ..self }
    }
}

/// An ordinary index; its last column is, as always in SQLite, the key.
#[derive(Clone, Debug)]
pub(crate) struct Index {
    pub(crate) name: String,
    pub(crate) fields: Vec<Field>,
}

/// What can be searched: one table with an integer key, or a catalogue in memory.
///
/// The names of tables, columns and indexes are the program's own; they are checked to be plain identifiers and are the
/// only part of SQL text that comes from outside this crate.
///
/// ```
/// use exec_query::{Detail, FieldSpec, Kind, Schema, TimeUnit, Tokenizer};
/// let schema = Schema::builder("runs", "id")
///     .field("provider", Kind::Text)
///     .with(FieldSpec::new("started", Kind::Time(TimeUnit::Millis)).required())
///     .with(FieldSpec::new("prompt", Kind::Prose).detail(Detail::Full))
///     .index("runs_by_provider", ["provider", "started"])
///     .index("runs_by_start", ["started"])
///     .words("runs_words", Tokenizer::porter())
///     .recency("started")
///     .build()?;
/// assert_eq!(schema.name(schema.field("prompt")?), "prompt");
/// # Ok::<(), exec_query::Problems>(())
/// ```
#[derive(Clone, Debug)]
pub struct Schema {
    pub(crate) table: String,
    pub(crate) fields: Vec<FieldSpec>,
    pub(crate) indexes: Vec<Index>,
    pub(crate) tokenizer: Tokenizer,
    pub(crate) words: Option<String>,
    pub(crate) trigrams: Option<String>,
    pub(crate) check_function: Option<String>,
    pub(crate) recency: Option<Field>,
    pub(crate) in_memory: bool,
}

impl Schema {
    /// Begins the description of a table and its integer primary key, which is also a field.
    pub fn builder(table: impl Into<String>, key: impl Into<String>) -> SchemaBuilder {
        SchemaBuilder::new(table.into(), key.into())
    }

    /// Begins the description of a catalogue that is held in memory; its rows have a unique integer key.
    pub fn catalogue(key: impl Into<String>) -> SchemaBuilder {
        SchemaBuilder::new("catalogue".to_owned(), key.into()).in_memory()
    }

    /// The field of this name.
    ///
    /// # Errors
    /// When there is none, with the nearest name there is.
    pub fn field(&self, name: &str) -> Result<Field, Problems> {
        self.find(name).ok_or_else(|| self.unknown(name).into())
    }

    pub(crate) fn find(&self, name: &str) -> Option<Field> {
        let at = self.fields.iter().position(|field| field.name == name)?;
        u16::try_from(at).ok().map(Field)
    }

    pub(crate) fn unknown(&self, name: &str) -> Problem {
        let shown: String = name.chars().take(40).collect();
        let names = self.fields.iter().map(|field| field.name.as_str());
        let hint = match crate::language::nearest(name, names.clone()) {
            Some(nearest) => format!("did you mean `{nearest}`?"),
            None => format!("there are {}", names.collect::<Vec<_>>().join(", ")),
        };
        Problem::new(format!("there is no field `{shown}`")).hint(hint)
    }

    /// Every field, the key first.
    pub fn fields(&self) -> impl Iterator<Item = Field> + use<'_> {
        (0..self.fields.len()).filter_map(|at| u16::try_from(at).ok().map(Field))
    }

    /// The name of a field.
    ///
    /// A field of another schema has the name of whatever stands in its place here, or none: use fields only with
    /// their own schema.
    #[must_use]
    pub fn name(&self, field: Field) -> &str {
        self.fields.get(field.position()).map_or("", |spec| spec.name.as_str())
    }

    /// What a field's values mean.
    #[must_use]
    pub fn kind(&self, field: Field) -> Kind {
        self.fields.get(field.position()).map_or(Kind::Integer, |spec| spec.kind)
    }

    /// Whether it is never null.
    #[must_use]
    pub fn is_required(&self, field: Field) -> bool {
        self.fields.get(field.position()).is_some_and(|spec| spec.required)
    }

    /// How the text index parts words.
    #[must_use]
    pub fn tokenizer(&self) -> &Tokenizer {
        &self.tokenizer
    }

    pub(crate) fn column(&self, field: Field) -> &str {
        self.fields.get(field.position()).map_or("", |spec| spec.column.as_str())
    }

    pub(crate) fn has(&self, field: Field) -> bool {
        field.position() < self.fields.len()
    }

    pub(crate) fn prose(&self) -> impl Iterator<Item = Field> + use<'_> {
        self.fields().filter(|field| self.kind(*field) == Kind::Prose)
    }

    /// The fields that a text condition looks in.
    pub(crate) fn scope(&self, field: Option<Field>) -> impl Iterator<Item = Field> + use<'_> {
        self.fields().filter(move |each| match field {
            Some(field) => *each == field,
            None => self.kind(*each) == Kind::Prose,
        })
    }

    /// The fields shown at a level, and those the rows are sorted by, which the next cursor needs; the key first.
    pub(crate) fn shown(&self, detail: Detail, sort: &[(Field, crate::query::Direction)]) -> Vec<Field> {
        let wanted = |field: &Field| {
            *field == Field::KEY
                || self.fields.get(field.position()).is_some_and(|spec| spec.detail <= detail)
                || sort.iter().any(|(sorted, _)| sorted == field)
        };
        self.fields().filter(wanted).collect()
    }
}
