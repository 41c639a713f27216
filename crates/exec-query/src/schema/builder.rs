//! Describing a schema, with everything that is wrong with it at the end.

use super::{FieldSpec, Index, Kind, Schema};
use crate::problem::{Problem, Problems};
use crate::query::Detail;
use crate::token::Tokenizer;

/// The most fields a schema can have.
const MOST_FIELDS: usize = 64;
/// The most indexes.
const MOST_INDEXES: usize = 64;
/// The longest name, in bytes.
const LONGEST_NAME: usize = 64;

/// Describes a [`Schema`].
#[derive(Clone, Debug)]
#[must_use]
pub struct SchemaBuilder {
    table: String,
    fields: Vec<FieldSpec>,
    indexes: Vec<(String, Vec<String>)>,
    tokenizer: Tokenizer,
    words: Option<String>,
    trigrams: Option<String>,
    check_function: Option<String>,
    recency: Option<String>,
    in_memory: bool,
}

impl SchemaBuilder {
    pub(super) fn new(table: String, key: String) -> Self {
        let key = FieldSpec::new(key, Kind::Integer).required().detail(Detail::Name);
        Self {
            table,
            fields: vec![key],
            indexes: Vec::new(),
            tokenizer: Tokenizer::default(),
            words: None,
            trigrams: None,
            check_function: None,
            recency: None,
            in_memory: false,
        }
    }

    pub(super) fn in_memory(self) -> Self {
        Self { in_memory: true, ..self }
    }

    /// Adds a field as [`FieldSpec::new`] makes it.
    pub fn field(self, name: impl Into<String>, kind: Kind) -> Self {
        self.with(FieldSpec::new(name, kind))
    }

    /// Adds a field.
    pub fn with(mut self, field: FieldSpec) -> Self {
        self.fields.push(field);
        self
    }

    /// Adds an ordinary index over these fields, in this order.
    pub fn index<'a>(mut self, name: impl Into<String>, fields: impl IntoIterator<Item = &'a str>) -> Self {
        self.indexes.push((name.into(), fields.into_iter().map(str::to_owned).collect()));
        self
    }

    /// The FTS5 table of words. Its indexed columns are all fields of prose, under the names of their columns; its
    /// rowid is the key; it has `detail=full`; and it holds the same text as the table.
    pub fn words(self, table: impl Into<String>, tokenizer: Tokenizer) -> Self {
        Self { words: Some(table.into()), tokenizer, ..self }
    }

    /// The FTS5 table with `tokenize = 'trigram'` over the same columns as that of words, for substrings.
    pub fn trigrams(self, table: impl Into<String>) -> Self {
        Self { trigrams: Some(table.into()), ..self }
    }

    /// How words are parted where there is no FTS5 table.
    pub fn tokenizer(self, tokenizer: Tokenizer) -> Self {
        Self { tokenizer, ..self }
    }

    /// The name under which the program has registered an SQL function of two arguments, a phrase and a text, that
    /// answers 1 or 0 as [`Phrase::is_in`](crate::Phrase::is_in) does with [`Schema::tokenizer`]; 0 for a null text.
    ///
    /// With it plans can check the words of a row at hand, which is often a thousand times cheaper than reading the
    /// text index; without it they ask the text index row by row.
    pub fn check_function(self, name: impl Into<String>) -> Self {
        Self { check_function: Some(name.into()), ..self }
    }

    /// The field of time that `since:` and `until:` speak of.
    pub fn recency(self, field: impl Into<String>) -> Self {
        Self { recency: Some(field.into()), ..self }
    }

    /// The schema.
    ///
    /// # Errors
    /// Everything that is wrong, at once.
    pub fn build(self) -> Result<Schema, Problems> {
        let mut problems = Vec::new();
        self.check_names(&mut problems);
        self.check_fields(&mut problems);
        let mut schema = Schema {
            table: self.table,
            fields: self.fields,
            indexes: Vec::new(),
            tokenizer: self.tokenizer,
            words: self.words,
            trigrams: self.trigrams,
            check_function: self.check_function,
            recency: None,
            in_memory: self.in_memory,
        };
        if self.indexes.len() > MOST_INDEXES {
            problems.push(Problem::new(format!("more than {MOST_INDEXES} indexes")));
        }
        for (name, fields) in self.indexes {
            let found: Result<Vec<_>, _> = fields.iter().map(|field| schema.field(field)).collect();
            match found {
                Ok(fields) if !fields.is_empty() => schema.indexes.push(Index { name, fields }),
                Ok(_) => problems.push(Problem::new(format!("index {name}: no fields"))),
                Err(error) => problems.push(Problem::new(format!("index {name}: {error}"))),
            }
        }
        match self.recency.map(|name| schema.field(&name)).transpose() {
            Ok(Some(field)) if !matches!(schema.kind(field), Kind::Time(_)) => {
                problems.push(Problem::new(format!("recency: {} is not a time", schema.name(field))));
            }
            Ok(field) => schema.recency = field,
            Err(error) => problems.push(Problem::new(format!("recency: {error}"))),
        }
        Problems::none_or(problems)?;
        Ok(schema)
    }

    fn check_names(&self, problems: &mut Vec<Problem>) {
        let tables = [Some(&self.table), self.words.as_ref(), self.trigrams.as_ref()];
        let names = tables.into_iter().chain([self.check_function.as_ref()]).flatten();
        let indexes = self.indexes.iter().map(|(name, _)| name);
        for name in names.chain(indexes).chain(self.fields.iter().map(|field| &field.column)) {
            if !is_identifier(name) {
                let hint = "use letters, digits and underscores";
                problems.push(Problem::new(format!("`{name}` is no plain identifier")).hint(hint));
            }
        }
        for name in self.fields.iter().map(|field| &field.name) {
            if !is_identifier(name) || name.chars().any(|c| c.is_ascii_uppercase()) {
                let message = format!("a field cannot be called `{name}`");
                let hint = "use lower-case letters, digits and underscores";
                problems.push(Problem::new(message).hint(hint));
            } else if crate::language::RESERVED.contains(&name.as_str()) {
                let message = format!("a field cannot be called `{name}`");
                problems.push(Problem::new(message).hint("the language has a meaning for it"));
            }
        }
    }

    fn check_fields(&self, problems: &mut Vec<Problem>) {
        if self.fields.len() > MOST_FIELDS {
            problems.push(Problem::new(format!("more than {MOST_FIELDS} fields")));
        }
        for (at, field) in self.fields.iter().enumerate() {
            if self.fields.iter().take(at).any(|other| other.name == field.name) {
                problems.push(Problem::new(format!("two fields are called `{}`", field.name)));
            }
            if matches!(field.kind, Kind::Decimal { digits } if digits > 18) {
                problems.push(Problem::new(format!("`{}` has more than 18 digits", field.name)));
            }
        }
        let has_prose = self.fields.iter().any(|field| field.kind == Kind::Prose);
        if !has_prose && (self.words.is_some() || self.trigrams.is_some()) {
            problems.push(Problem::new("there is a text index, but no field of prose"));
        }
    }
}

fn is_identifier(name: &str) -> bool {
    let starts = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    let inside = name.bytes().all(|c| c.is_ascii_alphanumeric() || c == b'_');
    starts && inside && name.len() <= LONGEST_NAME
}
