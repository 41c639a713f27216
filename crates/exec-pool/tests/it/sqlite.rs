//! A real SQLite file.

use std::sync::mpsc;
use std::time::Duration;

use exec_pool::sqlite::{Sqlite, SqliteError};
use exec_pool::{Config, Pool};
use tokio::task::JoinSet;

fn pool(folder: &tempfile::TempDir, max: usize) -> Pool<Sqlite> {
    let trust = Duration::ZERO;
    Pool::new(Sqlite::new(folder.path().join("a.db")), Config { trust, ..Config::new(max) }).unwrap()
}

#[tokio::test]
async fn many_write_and_read_and_none_is_lost() {
    let folder = tempfile::tempdir().unwrap();
    let pool = pool(&folder, 4);
    let mut db = pool.get().await.unwrap();
    db.call(|db| db.execute_batch("CREATE TABLE n (n INTEGER PRIMARY KEY)")).await.unwrap();
    drop(db);
    let mut tasks = JoinSet::new();
    for number in 0..32_i64 {
        let pool = pool.clone();
        tasks.spawn(async move {
            let mut db = pool.get().await.unwrap();
            db.call(move |db| db.prepare_cached("INSERT INTO n VALUES (?)")?.execute([number]))
                .await
                .unwrap();
            db.call(|db| db.query_row("SELECT count(*) FROM n", [], |row| row.get::<_, i64>(0)))
                .await
                .unwrap()
        });
    }
    let most = tasks.join_all().await.into_iter().max();
    assert_eq!((most, pool.stats().created <= 4, pool.stats().leases), (Some(32), true, 0));
    let mut db = pool.get().await.unwrap();
    let mode = db.call(|db| db.query_row("PRAGMA journal_mode", [], |row| row.get::<_, String>(0))).await;
    assert_eq!(mode.unwrap(), "wal");
}

#[tokio::test]
async fn one_who_leaves_stops_the_query_and_keeps_the_connection() {
    let folder = tempfile::tempdir().unwrap();
    let pool = pool(&folder, 1);
    let (begun, begins) = mpsc::channel();
    let (ended, ends) = mpsc::channel();
    let endless = "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT max(x) FROM c";
    let mut db = pool.get().await.unwrap();
    let call = db.call(move |db| {
        begun.send(()).unwrap();
        let result = db.query_row(endless, [], |_| Ok(()));
        ended.send(result.is_err()).unwrap();
        result
    });
    let mut call = Box::pin(call);
    // Sends the job; then it runs in its thread.
    let pending = std::future::poll_fn(|cx| std::task::Poll::Ready(call.as_mut().poll(cx).is_pending()));
    assert!(pending.await);
    begins.recv_timeout(Duration::from_secs(10)).unwrap();
    // The query itself begins a moment later, and only what runs can be interrupted.
    tokio::time::sleep(Duration::from_millis(100)).await;
    drop(call);
    assert!(ends.recv_timeout(Duration::from_secs(10)).unwrap(), "it was interrupted");
    drop(db);
    drop(pool.get().await.unwrap());
    assert_eq!(pool.stats().created, 1);
}

#[tokio::test]
async fn a_transaction_left_open_closes_the_connection_and_so_does_a_panic() {
    let folder = tempfile::tempdir().unwrap();
    let pool = pool(&folder, 1);
    let mut db = pool.get().await.unwrap();
    db.call(|db| db.execute_batch("CREATE TABLE n (n); BEGIN; INSERT INTO n VALUES (1)")).await.unwrap();
    drop(db);
    let mut db = pool.get().await.unwrap();
    let rows = db.call(|db| db.query_row("SELECT count(*) FROM n", [], |row| row.get::<_, i64>(0))).await;
    assert_eq!((rows.unwrap(), pool.stats().closed.broken), (0, 1));
    let panicked = db.call(|_| -> rusqlite::Result<()> { panic!("in the thread") }).await;
    assert!(matches!(panicked, Err(SqliteError::Gone)));
    drop(db);
    drop(pool.get().await.unwrap());
    assert_eq!((pool.stats().closed.broken, pool.stats().created), (2, 3));
}

#[tokio::test]
async fn a_file_that_cannot_be_is_the_error_of_the_caller() {
    let folder = tempfile::tempdir().unwrap();
    let manager = Sqlite::new(folder.path().join("no/such/folder.db"));
    let pool = Pool::new(manager, Config::new(1)).unwrap();
    let error = pool.get().await.unwrap_err();
    assert!(std::error::Error::source(&error).unwrap().to_string().contains("unable to open"), "{error:?}");
}
