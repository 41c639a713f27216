//! A pool over a SQLite file: one writes while many read, and no query blocks the runtime.
//!
//! `cargo run -p exec-pool --features sqlite --example sqlite`

#![expect(clippy::print_stdout, reason = "an example shows what it did")]

use std::error::Error;
use std::time::Duration;

use exec_pool::sqlite::Sqlite;
use exec_pool::{Config, Pool};
use tokio::task::JoinSet;

type Result<T = ()> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

async fn write(pool: Pool<Sqlite>) -> Result<i64> {
    let mut connection = pool.get().await?;
    let written = connection.call(|db| {
        let transaction = db.transaction()?;
        for number in 0..1000 {
            transaction.prepare_cached("INSERT INTO reading (value) VALUES (?)")?.execute([number])?;
        }
        transaction.commit()?;
        Ok(1000)
    });
    Ok(written.await?)
}

async fn read(pool: Pool<Sqlite>) -> Result<i64> {
    let mut connection = pool.get().await?;
    let sum = "SELECT coalesce(sum(value), 0) FROM reading";
    Ok(connection.call(move |db| db.prepare_cached(sum)?.query_row([], |row| row.get(0))).await?)
}

#[tokio::main]
async fn main() -> Result {
    let folder = tempfile::tempdir()?;
    let pool = Pool::new(Sqlite::new(folder.path().join("readings.db")), Config::new(4))?;
    let schema = "CREATE TABLE reading (id INTEGER PRIMARY KEY, value INTEGER)";
    pool.get().await?.call(move |db| db.execute_batch(schema)).await?;

    let mut tasks = JoinSet::new();
    tasks.spawn(write(pool.clone()));
    for _ in 0..10 {
        tasks.spawn(read(pool.clone()));
    }
    for result in tasks.join_all().await {
        result?;
    }
    println!("sum {}, over {} connections", read(pool.clone()).await?, pool.stats().created);
    pool.close(Duration::from_secs(1)).await?;
    Ok(())
}
