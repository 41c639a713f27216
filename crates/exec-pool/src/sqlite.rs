//! Connections to a SQLite database, each with a thread of its own, so that no query blocks a runtime.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use rusqlite::{Connection, InterruptHandle};
use tokio::sync::{mpsc, oneshot};

use crate::manager::Manager;

/// Makes connections to one file: write-ahead log, foreign keys, prepared statements kept.
///
/// A pool of them has as many threads as connections. SQLite lets many read and one write; a second writer waits up to
/// [`busy`](Self::busy).
///
/// ```
/// use exec_pool::{Config, Pool, sqlite::Sqlite};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path().join("words.db");
/// let pool = Pool::new(Sqlite::new(path), Config::new(4))?;
/// let mut connection = pool.get().await?;
/// let words = connection
///     .call(|db| {
///         db.execute_batch("CREATE TABLE word (text TEXT); INSERT INTO word VALUES ('a'), ('b')")?;
///         db.prepare_cached("SELECT count(*) FROM word")?.query_row([], |row| row.get::<_, i64>(0))
///     })
///     .await?;
/// assert_eq!(words, 2);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Sqlite {
    path: PathBuf,
    statements: usize,
    busy: Duration,
}

/// Why a call gave nothing.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SqliteError {
    /// SQLite said no.
    #[error(transparent)]
    Sqlite(#[from] rusqlite::Error),
    /// The thread of the connection has ended: a call of before panicked, or the system has no thread left.
    #[error("the thread of the connection has ended")]
    Gone,
}

impl Sqlite {
    /// The database at `path`, which is made if it is not there. 64 statements are kept; a writer waits up to 5 s.
    #[must_use]
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into(), statements: 64, busy: Duration::from_secs(5) }
    }

    /// How many prepared statements each connection keeps.
    #[must_use]
    pub fn statements(self, statements: usize) -> Self {
        Self { statements, ..self }
    }

    /// How long one waits for another's write to end, at most a day.
    #[must_use]
    pub fn busy(self, busy: Duration) -> Self {
        Self { busy: busy.min(Duration::from_secs(24 * 3600)), ..self }
    }

    fn open(&self) -> rusqlite::Result<Connection> {
        let connection = Connection::open(&self.path)?;
        connection.busy_timeout(self.busy)?;
        connection.set_prepared_statement_cache_capacity(self.statements);
        // The mode is the answer of a query; a file that cannot have it keeps its own.
        connection.query_row("PRAGMA journal_mode = WAL", [], |_| Ok(()))?;
        connection.execute_batch("PRAGMA synchronous = NORMAL; PRAGMA foreign_keys = ON")?;
        Ok(connection)
    }
}

type Job = Box<dyn FnOnce(&mut Connection) + Send>;

/// A connection, which lives in its thread.
pub struct SqliteConnection {
    /// One job at a time; the thread ends when this is dropped.
    jobs: mpsc::Sender<Job>,
    interrupt: Arc<InterruptHandle>,
    /// A call left a transaction open, or the thread has ended.
    spoilt: Arc<AtomicBool>,
}

impl fmt::Debug for SqliteConnection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SqliteConnection")
    }
}

impl SqliteConnection {
    /// Runs `work` in the thread of the connection.
    ///
    /// Dropping the future interrupts the query that runs; what it changed is rolled back, unless it was committed. A
    /// connection that is given back inside a transaction is closed, which rolls it back.
    ///
    /// # Errors
    /// What `work` says; [`Gone`](SqliteError::Gone) when it panicked.
    pub async fn call<T: Send + 'static>(
        &mut self,
        work: impl FnOnce(&mut Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, SqliteError> {
        let (tell, told) = oneshot::channel();
        let (transaction, left) = (self.spoilt.clone(), Arc::new(AtomicBool::new(false)));
        let caller = left.clone();
        let job: Job = Box::new(move |connection| {
            if caller.load(Ordering::SeqCst) {
                return;
            }
            let result = work(connection);
            transaction.store(!connection.is_autocommit(), Ordering::SeqCst);
            if tell.send(result).is_err() && !connection.is_autocommit() {
                // Nobody is there to end the transaction; the next one must not be inside of it.
                let ended = connection.execute_batch("ROLLBACK");
                transaction.store(ended.is_err(), Ordering::SeqCst);
            }
        });
        self.jobs.send(job).await.map_err(|_| SqliteError::Gone)?;
        let mut caller = Caller { left, interrupt: Some(self.interrupt.clone()) };
        let result = told.await;
        caller.interrupt = None;
        match result {
            Ok(result) => Ok(result?),
            Err(_) => {
                self.spoilt.store(true, Ordering::SeqCst);
                Err(SqliteError::Gone)
            }
        }
    }
}

/// Stops the query of a caller who leaves.
struct Caller {
    left: Arc<AtomicBool>,
    interrupt: Option<Arc<InterruptHandle>>,
}

impl Drop for Caller {
    fn drop(&mut self) {
        if let Some(interrupt) = self.interrupt.take() {
            self.left.store(true, Ordering::SeqCst);
            interrupt.interrupt();
        }
    }
}

impl Manager for Sqlite {
    type Connection = SqliteConnection;
    type Error = SqliteError;

    async fn create(&self) -> Result<SqliteConnection, SqliteError> {
        let manager = self.clone();
        let (tell, told) = oneshot::channel();
        let (jobs, mut queue) = mpsc::channel::<Job>(1);
        let run = move || {
            let mut connection = match manager.open() {
                Ok(connection) => connection,
                Err(error) => return drop(tell.send(Err(error))),
            };
            if tell.send(Ok(connection.get_interrupt_handle())).is_ok() {
                while let Some(job) = queue.blocking_recv() {
                    job(&mut connection);
                }
            }
        };
        thread::Builder::new().name("sqlite".into()).spawn(run).map_err(|_| SqliteError::Gone)?;
        let interrupt = told.await.map_err(|_| SqliteError::Gone)??;
        Ok(SqliteConnection { jobs, interrupt: Arc::new(interrupt), spoilt: Arc::default() })
    }

    async fn check(&self, connection: &mut SqliteConnection) -> Result<(), SqliteError> {
        connection.call(|db| db.query_row("SELECT 1", [], |_| Ok(()))).await
    }

    fn is_open(&self, connection: &SqliteConnection) -> bool {
        !connection.jobs.is_closed() && !connection.spoilt.load(Ordering::SeqCst)
    }
}
