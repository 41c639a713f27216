//! How a program drives exec-query with rusqlite: binding values, reading rows, the function that checks words, asking
//! for statistics, measuring costs. The examples, the tests and the benches share it.

use std::error::Error;
use std::time::Instant;

use exec_query::{
    Ask, Calibration, CostModel, Gather, Phrase, Schema, Statement, Statistics, Tokenizer, Value,
};
use rusqlite::config::DbConfig;
use rusqlite::functions::FunctionFlags;
use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{Connection, ToSql};

/// One row: the values of its columns, `None` for null.
pub(crate) type Values = Vec<Option<Value>>;

/// A value on its way into SQLite.
#[derive(Debug)]
pub(crate) struct Bound<'a>(pub(crate) &'a Value);

impl ToSql for Bound<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self.0 {
            Value::Integer(value) => ValueRef::Integer(*value),
            Value::Real(value) => ValueRef::Real(*value),
            Value::Text(value) => ValueRef::Text(value.as_bytes()),
        }))
    }
}

/// Makes a connection ready for plans.
///
/// The function that checks words on a row is registered under the name the schema knows. And SQLite is told that a
/// statement is planned once and not again for each value that is bound, which takes longer than a short search.
pub(crate) fn set_up(db: &Connection, name: &str, tokenizer: &Tokenizer) -> rusqlite::Result<()> {
    db.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    let tokenizer = tokenizer.clone();
    let flags = FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_DETERMINISTIC;
    db.create_scalar_function(name, 2, flags, move |context| {
        // The phrase is the same for all rows of a statement, so it is read once.
        let phrase = context.get_or_create_aux(0, |value| -> rusqlite::Result<_> {
            Ok(Phrase::new(&tokenizer, value.as_str()?))
        })?;
        Ok(context.get_raw(1).as_str_or_null()?.is_some_and(|text| phrase.is_in(text)))
    })
}

/// Runs a statement, prepared once for each text, and reads all its rows.
pub(crate) fn rows(db: &Connection, sql: &str, values: &[Value]) -> rusqlite::Result<Vec<Values>> {
    let mut statement = db.prepare_cached(sql)?;
    let columns = statement.column_count();
    let read = |row: &rusqlite::Row<'_>| (0..columns).map(|at| value(row.get_ref(at)?)).collect();
    let found = statement.query_map(rusqlite::params_from_iter(values.iter().map(Bound)), read)?;
    found.collect()
}

/// Runs a plan's statement.
pub(crate) fn run(db: &Connection, statement: &Statement) -> rusqlite::Result<Vec<Values>> {
    rows(db, &statement.sql, &statement.values)
}

fn value(value: ValueRef<'_>) -> rusqlite::Result<Option<Value>> {
    Ok(match value {
        ValueRef::Integer(value) => Some(Value::Integer(value)),
        ValueRef::Real(value) => Some(Value::Real(value)),
        text @ ValueRef::Text(_) => Some(Value::from(text.as_str()?)),
        ValueRef::Null | ValueRef::Blob(_) => None,
    })
}

/// Asks for all the statistics.
pub(crate) fn gather(
    db: &Connection,
    mut gather: Gather<'_>,
) -> Result<Statistics, Box<dyn Error + Send + Sync>> {
    while let Some(Ask { sql, values }) = gather.next() {
        gather.answer(rows(db, &sql, &values)?)?;
    }
    Ok(gather.finish())
}

/// Measures what things cost here.
#[expect(clippy::disallowed_methods, reason = "real time is what is measured")]
pub(crate) fn calibrate(
    db: &Connection,
    schema: &Schema,
    statistics: &Statistics,
) -> rusqlite::Result<CostModel> {
    let mut calibration = Calibration::new(schema, statistics);
    while let Some(Ask { sql, values }) = calibration.next() {
        db.prepare_cached(&sql)?;
        let start = Instant::now();
        rows(db, &sql, &values)?;
        calibration.answer(start.elapsed());
    }
    Ok(calibration.finish())
}
