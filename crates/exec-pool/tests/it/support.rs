//! A manager that asserts what a pool promises: no connection in two hands, and never more than the maximum.

use std::collections::HashSet;
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use exec_pool::{Config, Lease, Manager, Pool};

/// What a step of a manager does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Act {
    Ok,
    Error,
    /// Takes 100 ms.
    Slow,
    Never,
    Panic,
}

pub(crate) const SLOW: Duration = Duration::from_millis(100);

#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Failure(pub(crate) &'static str);

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl std::error::Error for Failure {}

impl Act {
    async fn run(self, what: &'static str) -> Result<(), Failure> {
        match self {
            Self::Ok => Ok(()),
            Self::Error => Err(Failure(what)),
            Self::Slow => {
                tokio::time::sleep(SLOW).await;
                Ok(())
            }
            Self::Never => std::future::pending().await,
            Self::Panic => panic!("{what}"),
        }
    }
}

/// What all clones of a manager see.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) create: Mutex<Act>,
    pub(crate) check: Mutex<Act>,
    pub(crate) close: Mutex<Act>,
    /// How long it takes to make one that can be made.
    pub(crate) connect: Mutex<Duration>,
    /// How many leases share a connection.
    pub(crate) streams: AtomicUsize,
    most: AtomicUsize,
    /// Connections that are there or being made.
    live: AtomicUsize,
    pub(crate) made: AtomicUsize,
    pub(crate) dropped: AtomicUsize,
    pub(crate) checks: AtomicUsize,
    /// Those that are lent.
    held: Mutex<HashSet<usize>>,
}

#[derive(Clone, Debug)]
pub(crate) struct Mock(pub(crate) Arc<World>);

impl Mock {
    pub(crate) fn new(most: usize) -> Self {
        Self(Arc::new(World {
            create: Mutex::new(Act::Ok),
            check: Mutex::new(Act::Ok),
            close: Mutex::new(Act::Ok),
            connect: Mutex::new(Duration::ZERO),
            streams: AtomicUsize::new(1),
            most: AtomicUsize::new(most),
            live: AtomicUsize::new(0),
            made: AtomicUsize::new(0),
            dropped: AtomicUsize::new(0),
            checks: AtomicUsize::new(0),
            held: Mutex::default(),
        }))
    }

    pub(crate) fn set_create(&self, act: Act) {
        *self.0.create.lock().unwrap() = act;
    }

    pub(crate) fn set_check(&self, act: Act) {
        *self.0.check.lock().unwrap() = act;
    }

    pub(crate) fn set_most(&self, most: usize) {
        self.0.most.store(most, Ordering::SeqCst);
    }

    pub(crate) fn live(&self) -> usize {
        self.0.live.load(Ordering::SeqCst)
    }

    pub(crate) fn made(&self) -> usize {
        self.0.made.load(Ordering::SeqCst)
    }

    pub(crate) fn checks(&self) -> usize {
        self.0.checks.load(Ordering::SeqCst)
    }
}

/// Counts as live until it is dropped.
#[derive(Debug)]
struct Live(Arc<World>);

impl Live {
    fn new(world: &Arc<World>) -> Self {
        let live = world.live.fetch_add(1, Ordering::SeqCst) + 1;
        let most = world.most.load(Ordering::SeqCst);
        assert!(live <= most, "{live} connections, and {most} are the most");
        Self(world.clone())
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        self.0.live.fetch_sub(1, Ordering::SeqCst);
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Connection {
    pub(crate) id: usize,
    pub(crate) open: Arc<AtomicBool>,
    _live: Arc<Live>,
}

impl Connection {
    pub(crate) fn break_it(&self) {
        self.open.store(false, Ordering::SeqCst);
    }
}

impl Manager for Mock {
    type Connection = Connection;
    type Error = Failure;

    async fn create(&self) -> Result<Connection, Failure> {
        let live = Arc::new(Live::new(&self.0));
        let (act, connect) = (*self.0.create.lock().unwrap(), *self.0.connect.lock().unwrap());
        if !connect.is_zero() {
            tokio::time::sleep(connect).await;
        }
        act.run("create").await?;
        let id = self.0.made.fetch_add(1, Ordering::SeqCst);
        Ok(Connection { id, open: Arc::new(AtomicBool::new(true)), _live: live })
    }

    async fn check(&self, connection: &mut Connection) -> Result<(), Failure> {
        self.0.checks.fetch_add(1, Ordering::SeqCst);
        let held = Held::new(&self.0, connection.id);
        let act = *self.0.check.lock().unwrap();
        act.run("check").await?;
        drop(held);
        Ok(())
    }

    async fn close(&self, connection: Connection) {
        let act = *self.0.close.lock().unwrap();
        let _ended = act.run("close").await;
        self.0.dropped.fetch_add(1, Ordering::SeqCst);
        drop(connection);
    }

    fn is_open(&self, connection: &Connection) -> bool {
        connection.open.load(Ordering::SeqCst)
    }

    fn streams(&self, _: &Connection) -> usize {
        self.0.streams.load(Ordering::SeqCst)
    }

    fn share(&self, connection: &Connection) -> Option<Connection> {
        Some(connection.clone())
    }
}

/// Notes that somebody has the connection; two at once are a panic.
pub(crate) struct Held(Arc<World>, usize);

impl Held {
    pub(crate) fn new(world: &Arc<World>, id: usize) -> Self {
        assert!(world.held.lock().unwrap().insert(id), "connection {id} is in two hands");
        Self(world.clone(), id)
    }

    pub(crate) fn of(mock: &Mock, lease: &Lease<Mock>) -> Self {
        Self::new(&mock.0, lease.id)
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.0.held.lock().unwrap().remove(&self.1);
    }
}

pub(crate) fn pool(mock: &Mock, config: Config) -> Pool<Mock> {
    Pool::new(mock.clone(), config).unwrap()
}

/// Lets every task that can run do so, without moving the clock.
pub(crate) async fn settle() {
    for _ in 0..50 {
        tokio::task::yield_now().await;
    }
}

/// What is true whenever somebody looks.
pub(crate) fn assert_true(pool: &Pool<Mock>) {
    let stats = pool.stats();
    assert_eq!(stats.total, stats.idle + stats.in_use + stats.connecting, "{stats:?}");
    assert_eq!(stats.created, (stats.total - stats.connecting) as u64 + stats.closed.total(), "{stats:?}");
}

pub(crate) fn config(change: impl FnOnce(&mut Config)) -> Config {
    let mut config = Config::default();
    change(&mut config);
    config
}
