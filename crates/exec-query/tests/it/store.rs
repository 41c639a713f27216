//! A real SQLite database, and how programs drive this crate with it.

use std::time::Instant;

use exec_query::{
    Ask, Calibration, CostModel, Gather, Phrase, Schema, Statement, Statistics, Tokenizer, Value,
};
use rusqlite::functions::FunctionFlags;
use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{Connection, ToSql};

/// A value on its way into SQLite.
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

pub(crate) fn read(value: ValueRef<'_>) -> Option<Value> {
    match value {
        ValueRef::Integer(value) => Some(Value::Integer(value)),
        ValueRef::Real(value) => Some(Value::Real(value)),
        ValueRef::Text(value) => Some(Value::from(std::str::from_utf8(value).unwrap())),
        ValueRef::Null | ValueRef::Blob(_) => None,
    }
}

/// Registers the function that checks words on a row.
pub(crate) fn register(db: &Connection, name: &str, tokenizer: &Tokenizer) {
    let tokenizer = tokenizer.clone();
    let flags = FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_DETERMINISTIC;
    db.create_scalar_function(name, 2, flags, move |context| {
        let phrase = context.get_or_create_aux(0, |value| -> rusqlite::Result<_> {
            Ok(Phrase::new(&tokenizer, value.as_str()?))
        })?;
        Ok(context.get_raw(1).as_str_or_null()?.is_some_and(|text| phrase.is_in(text)))
    })
    .unwrap();
}

/// All rows of a statement.
pub(crate) fn rows(db: &Connection, sql: &str, values: &[Value]) -> Vec<Vec<Option<Value>>> {
    let mut statement = db.prepare_cached(sql).unwrap_or_else(|error| panic!("{error}: {sql}"));
    let columns = statement.column_count();
    let values = rusqlite::params_from_iter(values.iter().map(Bound));
    let read = |row: &rusqlite::Row<'_>| (0..columns).map(|at| Ok(read(row.get_ref(at)?))).collect();
    let rows: rusqlite::Result<_> = statement.query_map(values, read).and_then(Iterator::collect);
    rows.unwrap_or_else(|error| panic!("{error}: {sql}"))
}

pub(crate) fn run(db: &Connection, statement: &Statement) -> Vec<Vec<Option<Value>>> {
    rows(db, &statement.sql, &statement.values)
}

/// The keys a statement gives, in order.
pub(crate) fn keys(db: &Connection, statement: &Statement) -> Vec<i64> {
    let key = |row: Vec<Option<Value>>| match row.first() {
        Some(Some(Value::Integer(key))) => *key,
        other => panic!("no key: {other:?}"),
    };
    run(db, statement).into_iter().map(key).collect()
}

pub(crate) fn answer(db: &Connection, mut gather: Gather<'_>) -> Statistics {
    while let Some(Ask { sql, values }) = gather.next() {
        gather.answer(rows(db, &sql, &values)).unwrap();
    }
    gather.finish()
}

pub(crate) fn gather(db: &Connection, schema: &Schema) -> Statistics {
    answer(db, Gather::new(schema))
}

/// The constants of this machine.
#[expect(clippy::disallowed_methods, reason = "a measurement of real time")]
pub(crate) fn calibrate(db: &Connection, schema: &Schema, statistics: &Statistics) -> CostModel {
    let mut calibration = Calibration::new(schema, statistics);
    while let Some(Ask { sql, values }) = calibration.next() {
        let start = Instant::now();
        rows(db, &sql, &values);
        calibration.answer(start.elapsed());
    }
    calibration.finish()
}
