//! Gathering statistics: this crate says what to ask, the program asks its store, and hands the answers back.

use super::terms::{MOST_TERMS, Terms};
use super::{Statistics, Stored};
use crate::problem::{Problem, Problems};
use crate::schema::{Kind, Schema};
use crate::value::Value;

/// How many rows are looked at.
const SAMPLE: u64 = 2_000;
/// Vocabularies are read again when the rows have become this much more or fewer.
const GROWN: f64 = 1.1;

/// One statement to run, with its values; each row of the answer is a list of values, `None` for null.
#[derive(Clone, Debug, PartialEq)]
pub struct Ask {
    /// The statement, with numbered parameters.
    pub sql: String,
    /// What is bound to them, in order.
    pub values: Vec<Value>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Size,
    Sample,
    Open(Index),
    Read(Index),
    Close(Index),
    Done,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Index {
    Words,
    Trigrams,
}

/// Asks for all that [`Statistics`] need, one statement at a time.
///
/// A first run reads 2,000 rows by key and each vocabulary once. A [`refresh`](Self::refresh) looks only at rows behind
/// the greatest key of last time, and reads vocabularies again only when a tenth has been added; what was changed or
/// deleted meanwhile is not noticed before the next first run.
///
/// Vocabularies are read through temporary `fts5vocab` tables, which are dropped again.
///
/// ```
/// use exec_query::{Gather, Kind, Schema, Value};
/// let schema = Schema::builder("runs", "id").field("status", Kind::Text).build()?;
/// let mut gather = Gather::new(&schema);
/// while let Some(ask) = gather.next() {
///     // A program would run `ask.sql` with `ask.values` here.
///     let rows = match ask.sql.starts_with("SELECT (SELECT count(*)") {
///         true => vec![vec![Some(Value::from(2_i64)), Some(Value::from(1_i64)), Some(Value::from(2_i64))]],
///         false => vec![vec![Some(Value::from(1_i64)), Some(Value::from("ok"))], vec![Some(Value::from(2_i64)), None]],
///     };
///     gather.answer(rows)?;
/// }
/// assert_eq!(gather.finish().rows(), 2);
/// # Ok::<(), exec_query::Problems>(())
/// ```
#[derive(Clone, Debug)]
pub struct Gather<'a> {
    schema: &'a Schema,
    step: Step,
    before: Stored,
    found: Stored,
}

impl<'a> Gather<'a> {
    /// Gathers everything anew.
    #[must_use]
    pub fn new(schema: &'a Schema) -> Self {
        let names = schema.fields().map(|field| schema.name(field).to_owned()).collect();
        let found = Stored { names, ..Stored::default() };
        Self { schema, step: Step::Size, before: Stored::default(), found }
    }

    /// Looks only at what was added since.
    ///
    /// # Errors
    /// When the statistics are of another schema.
    pub fn refresh(schema: &'a Schema, statistics: Statistics) -> Result<Self, Problems> {
        statistics.check(schema)?;
        Ok(Self { before: statistics.stored, ..Self::new(schema) })
    }

    /// What to ask next; `None` when everything is known. The same until it has been answered.
    #[must_use]
    #[expect(clippy::should_implement_trait, reason = "an answer belongs between two of these")]
    pub fn next(&mut self) -> Option<Ask> {
        let Schema { table, .. } = self.schema;
        let key = self.schema.column(crate::Field::KEY);
        let plain = |sql: String| Some(Ask { sql, values: Vec::new() });
        match self.step {
            Step::Done => None,
            Step::Size => plain(format!(
                "SELECT (SELECT count(*) FROM {table}), (SELECT min({key}) FROM {table}), \
                 (SELECT max({key}) FROM {table})"
            )),
            Step::Sample => Some(self.sample()),
            Step::Open(index) => {
                let (name, of) = self.vocabulary(index);
                plain(format!(
                    "CREATE VIRTUAL TABLE IF NOT EXISTS temp.{name} USING fts5vocab('main', '{of}', 'row')"
                ))
            }
            Step::Read(index) => {
                let name = self.vocabulary(index).0;
                let values = vec![Value::Integer(MOST_TERMS as i64)];
                Some(Ask {
                    sql: format!("SELECT term, doc FROM temp.{name} ORDER BY doc DESC LIMIT ?1"),
                    values,
                })
            }
            Step::Close(index) => plain(format!("DROP TABLE IF EXISTS temp.{}", self.vocabulary(index).0)),
        }
    }

    fn vocabulary(&self, index: Index) -> (String, &str) {
        let of = match index {
            Index::Words => self.schema.words.as_deref(),
            Index::Trigrams => self.schema.trigrams.as_deref(),
        };
        let of = of.unwrap_or_default();
        (format!("exec_query_vocabulary_{of}"), of)
    }

    /// Rows at keys that are spread evenly, but not regularly: data often has a period.
    fn sample(&self) -> Ask {
        let Schema { table, .. } = self.schema;
        let key = self.schema.column(crate::Field::KEY);
        let column = |field| {
            let column = self.schema.column(field);
            if self.schema.kind(field) == Kind::Prose {
                format!("length(r.{column})")
            } else {
                format!("r.{column}")
            }
        };
        let columns = self.schema.fields().map(column).collect::<Vec<_>>().join(", ");
        let (low, high) = self.unseen();
        if self.found.rows <= SAMPLE {
            let sql = format!("SELECT {columns} FROM {table} AS r WHERE r.{key} >= ?1");
            return Ask { sql, values: vec![Value::Integer(low)] };
        }
        let wanted = self.wanted();
        let step = high.saturating_sub(low).saturating_add(1) / wanted.max(1);
        let sql = format!(
            "WITH RECURSIVE pick(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM pick WHERE n + 1 < ?1) \
             SELECT {columns} FROM pick CROSS JOIN {table} AS r ON r.{key} = (SELECT k.{key} FROM {table} AS k \
             WHERE k.{key} >= ?2 + n * ?3 + (n * 2654435761) % ?3 ORDER BY k.{key} LIMIT 1)"
        );
        Ask { sql, values: vec![wanted.into(), low.into(), step.max(1).into()] }
    }

    /// The keys nobody has looked at.
    fn unseen(&self) -> (i64, i64) {
        let (low, high) = self.found.keys.unwrap_or((0, 0));
        match self.before.keys {
            Some((_, seen)) if self.is_growth() => (seen.saturating_add(1).min(high), high),
            _ => (low, high),
        }
    }

    /// Whether there are new rows behind the old ones, and nothing else is known to have happened.
    fn is_growth(&self) -> bool {
        !self.before.sample.is_empty() && self.found.rows >= self.before.rows && self.before.rows > SAMPLE
    }

    /// How many rows to look at: of the new ones as large a share as of the old ones.
    fn wanted(&self) -> i64 {
        let new = if self.is_growth() { self.found.rows - self.before.rows } else { self.found.rows };
        let wanted = u128::from(SAMPLE) * u128::from(new) / u128::from(self.found.rows.max(1));
        i64::try_from(wanted).unwrap_or(i64::MAX).max(1)
    }

    /// Takes the rows that the last [`next`](Self::next) asked for.
    ///
    /// # Errors
    /// When they are not what was asked for.
    pub fn answer(&mut self, rows: Vec<Vec<Option<Value>>>) -> Result<(), Problems> {
        match self.step {
            Step::Size => self.size(&rows)?,
            Step::Sample => self.merge(rows),
            Step::Read(index) => self.read(index, rows),
            Step::Open(_) | Step::Close(_) | Step::Done => {}
        }
        self.step = self.following();
        Ok(())
    }

    fn size(&mut self, rows: &[Vec<Option<Value>>]) -> Result<(), Problems> {
        let Some([Some(Value::Integer(count)), keys @ ..]) = rows.first().map(Vec::as_slice) else {
            return Err(Problem::new("the number of rows is missing").into());
        };
        self.found.rows = u64::try_from(*count).unwrap_or(0);
        if let [Some(Value::Integer(low)), Some(Value::Integer(high))] = keys {
            self.found.keys = Some((*low, *high));
        }
        Ok(())
    }

    /// New rows take the places of old ones, evenly.
    fn merge(&mut self, new: Vec<Vec<Option<Value>>>) {
        let fields = self.found.names.len();
        let new = new.into_iter().take(SAMPLE as usize).filter(|row| row.len() == fields);
        if !self.is_growth() {
            return self.found.sample = new.collect();
        }
        let mut sample = std::mem::take(&mut self.before.sample);
        let new: Vec<_> = new.collect();
        let (old_len, count) = (sample.len(), new.len());
        for (at, row) in new.into_iter().enumerate() {
            if let Some(place) = sample.get_mut(at * old_len / count) {
                *place = row;
            }
        }
        self.found.sample = sample;
    }

    fn read(&mut self, index: Index, rows: Vec<Vec<Option<Value>>>) {
        let term = |row: Vec<Option<Value>>| match <[Option<Value>; 2]>::try_from(row) {
            Ok([Some(Value::Text(term)), Some(Value::Integer(rows))]) => {
                Some((term, u64::try_from(rows).ok()?))
            }
            _ => None,
        };
        let terms = Terms::of(rows.into_iter().filter_map(term));
        match index {
            Index::Words => self.found.words = terms,
            Index::Trigrams => self.found.trigrams = terms,
        }
    }

    fn following(&mut self) -> Step {
        match self.step {
            Step::Size if self.has_nothing_new() => {
                self.found.sample = std::mem::take(&mut self.before.sample);
                self.index(Index::Words)
            }
            Step::Size => Step::Sample,
            Step::Sample => self.index(Index::Words),
            Step::Open(index) => Step::Read(index),
            Step::Read(index) => Step::Close(index),
            Step::Close(Index::Words) => self.index(Index::Trigrams),
            Step::Close(Index::Trigrams) | Step::Done => Step::Done,
        }
    }

    fn has_nothing_new(&self) -> bool {
        self.is_growth() && self.found.rows == self.before.rows && self.found.keys == self.before.keys
    }

    /// The step for a vocabulary: none when there is no index, or when what is known of it is still good.
    fn index(&mut self, index: Index) -> Step {
        let times = self.found.rows as f64 / (self.before.rows as f64).max(1.0);
        let (exists, known, found) = match index {
            Index::Words => (self.schema.words.is_some(), &mut self.before.words, &mut self.found.words),
            Index::Trigrams => {
                (self.schema.trigrams.is_some(), &mut self.before.trigrams, &mut self.found.trigrams)
            }
        };
        if !exists {
            return self.after(index);
        }
        if known.is_known() && (1.0 / GROWN..GROWN).contains(&times) {
            *found = std::mem::take(known);
            found.scale(times);
            return self.after(index);
        }
        Step::Open(index)
    }

    fn after(&mut self, index: Index) -> Step {
        match index {
            Index::Words => self.index(Index::Trigrams),
            Index::Trigrams => Step::Done,
        }
    }

    /// The statistics, as far as was asked and answered.
    #[must_use]
    pub fn finish(self) -> Statistics {
        Statistics::from(self.found)
    }
}
