//! Measuring the constants: this crate says what to run, the program runs it and says how long it took.

use std::time::Duration;

use super::CostModel;
use crate::schema::{Field, Kind, Schema};
use crate::statistics::{Ask, FieldStatistics, Statistics};
use crate::value::Value;

/// How many rows a measurement looks at.
const ROWS: i64 = 2_000;
/// How many times a text index is asked about one row.
const PROBES: i64 = 64;
/// Each is run so often, and the shortest time counts.
const TIMES: u8 = 3;
/// A constant further from its default than this was mismeasured.
const FURTHEST: f64 = 30.0;
/// A word that should occur nowhere.
const NOWHERE: &str = "xqzjvkwxqzjvkw";

/// What is measured; later ones subtract earlier ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum What {
    Statement,
    TableRow,
    IndexRow,
    Seek,
    Check,
    Substring,
    TextOpen,
    TextRow,
    Probe,
    Sort,
}

/// Measures a [`CostModel`]: some 30 short statements, together a few dozen milliseconds.
///
/// Run each statement to its end, with its values bound, and say how long it took without preparing it.
///
/// ```
/// use std::time::Duration;
/// use exec_query::{Calibration, Kind, Schema, Statistics};
/// let schema = Schema::builder("runs", "id").field("status", Kind::Text).index("by_status", ["status"]).build()?;
/// let mut calibration = Calibration::new(&schema, &Statistics::unknown(&schema, 100_000));
/// while let Some(ask) = calibration.next() {
///     assert!(ask.sql.starts_with("SELECT"));
///     calibration.answer(Duration::from_micros(500));
/// }
/// let model = calibration.finish();
/// assert!(model.statement > 0.0);
/// # Ok::<(), exec_query::Problems>(())
/// ```
#[derive(Clone, Debug)]
pub struct Calibration {
    /// What is still to be measured, last first.
    open: Vec<(What, Ask)>,
    rounds: u8,
    shortest: Duration,
    measured: Vec<(What, f64)>,
    /// Rows there are to look at, at most [`ROWS`].
    rows: f64,
    /// Bytes of prose in a row.
    bytes: f64,
}

impl Calibration {
    /// What to measure for a schema; the statistics say how many rows there are and which word is common.
    #[must_use]
    pub fn new(schema: &Schema, statistics: &Statistics) -> Self {
        let mut open: Vec<(What, Ask)> = Statements { schema, statistics }.all();
        open.reverse();
        let prose: f64 =
            schema.prose().filter_map(|field| statistics.field(field)).map(FieldStatistics::bytes).sum();
        Self {
            open,
            rounds: 0,
            shortest: Duration::MAX,
            measured: Vec::new(),
            rows: (statistics.rows() as f64).min(ROWS as f64),
            bytes: prose.max(1.0),
        }
    }

    /// What to run next; `None` when all is measured. The same until it has been answered.
    #[must_use]
    #[expect(clippy::should_implement_trait, reason = "an answer belongs between two of these")]
    pub fn next(&mut self) -> Option<Ask> {
        self.open.last().map(|(_, ask)| ask.clone())
    }

    /// How long the last [`next`](Self::next) took.
    pub fn answer(&mut self, took: Duration) {
        self.shortest = self.shortest.min(took);
        self.rounds += 1;
        if self.rounds < TIMES {
            return;
        }
        if let Some((what, _)) = self.open.pop() {
            self.measured.push((what, self.shortest.as_secs_f64() * 1e9));
        }
        (self.rounds, self.shortest) = (0, Duration::MAX);
    }

    /// The model; what was not measured keeps its default.
    #[must_use]
    pub fn finish(self) -> CostModel {
        let mut model = CostModel::default();
        // With hardly any rows every figure would be the statement's own.
        if self.rows < 200.0 {
            return model;
        }
        for (what, time) in &self.measured {
            self.set(&mut model, *what, *time);
        }
        let faster = model.index_row / CostModel::default().index_row;
        model.compare *= faster.clamp(0.2, 5.0);
        model
    }

    fn set(&self, model: &mut CostModel, what: What, time: f64) {
        let n = self.rows;
        let each = (time - model.statement) / n;
        let (place, value) = match what {
            What::Statement => (&mut model.statement, time.max(1_000.0)),
            What::TableRow => (&mut model.table_row, each),
            What::IndexRow => (&mut model.index_row, each),
            What::Seek => (&mut model.seek, each - model.index_row),
            What::Check => {
                // A call costs about as much as fifty bytes.
                let byte = (each - model.table_row) / (self.bytes + 50.0);
                keep(&mut model.check, byte * 50.0);
                (&mut model.check_byte, byte)
            }
            What::Substring => (&mut model.substring_byte, (each - model.table_row) / self.bytes),
            What::TextOpen => (&mut model.text_open, time - model.statement),
            What::TextRow => (&mut model.text_row, (time - model.statement - model.text_open) / n),
            What::Probe => (&mut model.probe, (time - model.statement) / (PROBES as f64).min(n)),
            What::Sort => (&mut model.sort_row, each - model.table_row),
        };
        keep(place, value);
    }
}

/// A measured constant, unless it cannot be true.
fn keep(place: &mut f64, measured: f64) {
    let default = *place;
    *place = measured.clamp(default / FURTHEST, default * FURTHEST);
}

/// The statements for one schema.
#[derive(Clone, Copy, Debug)]
struct Statements<'a> {
    schema: &'a Schema,
    statistics: &'a Statistics,
}

impl Statements<'_> {
    fn all(self) -> Vec<(What, Ask)> {
        let mut all = vec![(What::Statement, ask("SELECT ?1", vec![Value::Integer(1)]))];
        let table = &self.schema.table;
        let key = self.schema.column(Field::KEY);
        let plain = self.schema.fields().filter(|field| self.schema.kind(*field) != Kind::Prose).last();
        let column = self.schema.column(plain.unwrap_or(Field::KEY));
        let limit = vec![Value::Integer(ROWS)];
        let counted = |rows: String| format!("SELECT count(x) FROM (SELECT {rows} LIMIT ?1)");
        let table_rows = counted(format!("r.{column} AS x FROM {table} AS r NOT INDEXED"));
        all.push((What::TableRow, ask(&table_rows, limit.clone())));
        if let Some(index) = self.schema.indexes.first() {
            let first = index.fields.first().map_or(key, |field| self.schema.column(*field));
            let from = format!("FROM {table} AS r INDEXED BY {}", index.name);
            all.push((What::IndexRow, ask(&counted(format!("r.{first} AS x {from}")), limit.clone())));
            let outside = |field: &Field| *field != Field::KEY && !index.fields.contains(field);
            if let Some(other) = self.schema.fields().find(outside) {
                let other = self.schema.column(other);
                all.push((What::Seek, ask(&counted(format!("r.{other} AS x {from}")), limit.clone())));
            }
        }
        all.extend(self.text());
        let sorted = format!(
            "SELECT count(key) FROM (SELECT key FROM (SELECT r.{key} AS key, r.{column} AS x FROM {table} AS r \
             NOT INDEXED LIMIT ?1) ORDER BY x DESC, key DESC LIMIT 20)"
        );
        all.push((What::Sort, ask(&sorted, limit)));
        all
    }

    fn text(self) -> Vec<(What, Ask)> {
        let mut all = Vec::new();
        let table = &self.schema.table;
        let key = self.schema.column(Field::KEY);
        let Some(prose) = self.schema.prose().next().map(|field| self.schema.column(field)) else {
            return all;
        };
        let of = |what: &dyn Fn(&str) -> String| {
            let each: Vec<_> = self
                .schema
                .prose()
                .map(|field| format!("total({})", what(self.schema.column(field))))
                .collect();
            let columns: Vec<_> =
                self.schema.prose().map(|field| format!("r.{0}", self.schema.column(field))).collect();
            let columns = columns.join(", ");
            format!(
                "SELECT {} FROM (SELECT {columns} FROM {table} AS r NOT INDEXED LIMIT ?1)",
                each.join(" + ")
            )
        };
        let with = |text: &str| vec![Value::Integer(ROWS), Value::from(text)];
        if let Some(check) = &self.schema.check_function {
            all.push((What::Check, ask(&of(&|column| format!("{check}(?2, {column})")), with(NOWHERE))));
        }
        all.push((What::Substring, ask(&of(&|column| format!("instr(lower({column}), ?2)")), with(NOWHERE))));
        let Some(words) = &self.schema.words else { return all };
        let matching =
            format!("SELECT count(x) FROM (SELECT rowid AS x FROM {words} WHERE {words} MATCH ?2 LIMIT ?1)");
        all.push((What::TextOpen, ask(&matching, with(&crate::sql::quoted(NOWHERE)))));
        let enough = |(_, rows): &(&str, u64)| *rows >= ROWS as u64;
        if let Some((top, _)) = self.statistics.words().top().filter(enough) {
            let top = crate::sql::quoted(top);
            all.push((What::TextRow, ask(&matching, with(&top))));
            let probes = format!(
                "SELECT count(k.{key}) FROM (SELECT r.{key}, r.{prose} FROM {table} AS r NOT INDEXED \
                 ORDER BY r.{key} DESC LIMIT ?1) AS k \
                 WHERE (SELECT 1 FROM {words} WHERE {words} MATCH ?2 AND rowid = k.{key}) IS NOT NULL"
            );
            all.push((What::Probe, ask(&probes, vec![Value::Integer(PROBES), Value::from(top)])));
        }
        all
    }
}

fn ask(sql: &str, values: Vec<Value>) -> Ask {
    Ask { sql: sql.to_owned(), values }
}
