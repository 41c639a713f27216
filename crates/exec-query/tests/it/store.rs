//! A real SQLite database, driven as the examples drive it.

use exec_query::{Gather, Schema, Statement, Statistics, Value};
use rusqlite::Connection;

#[path = "../../examples/sqlite/mod.rs"]
pub(crate) mod sqlite;

pub(crate) fn gather(db: &Connection, schema: &Schema) -> Statistics {
    sqlite::gather(db, Gather::new(schema)).unwrap()
}

/// The keys a statement gives, in order.
pub(crate) fn keys(db: &Connection, statement: &Statement) -> Vec<i64> {
    let key = |row: sqlite::Values| match row.first() {
        Some(Some(Value::Integer(key))) => *key,
        other => panic!("no key: {other:?}"),
    };
    let rows = sqlite::run(db, statement).unwrap_or_else(|error| panic!("{error}: {}", statement.sql));
    rows.into_iter().map(key).collect()
}
