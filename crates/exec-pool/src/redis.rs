//! Connections to Redis, by redis-rs.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use redis::aio::{ConnectionLike, MultiplexedConnection};
use redis::{AsyncConnectionConfig, Client, Cmd, Pipeline, RedisError, RedisFuture, Value};

use crate::manager::Manager;

/// Makes connections to one server.
///
/// Commands of one connection are answered in order, also those whose callers have left, so leaving costs no connection.
///
/// ```no_run
/// use exec_pool::{Config, Pool, redis::Redis};
/// use redis::AsyncCommands;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let client = redis::Client::open("redis://127.0.0.1/")?;
/// let pool = Pool::new(Redis::new(client), Config::new(10))?;
/// let _: () = pool.get().await?.set("word", "pool").await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Redis {
    client: Client,
    streams: usize,
}

impl Redis {
    /// One lease a connection: right for commands that block, watch or subscribe.
    #[must_use]
    pub fn new(client: Client) -> Self {
        Self { client, streams: 1 }
    }

    /// So many leases share a connection, whose commands are sent without waiting for each other.
    #[must_use]
    pub fn shared(self, streams: usize) -> Self {
        Self { streams: streams.max(1), ..self }
    }
}

/// A connection that knows when it is dead. All of redis-rs's commands work on it.
#[derive(Clone, Debug)]
pub struct RedisConnection {
    inner: MultiplexedConnection,
    dead: Arc<AtomicBool>,
}

impl RedisConnection {
    /// Notes that the server is gone, if the error says so.
    fn noted<T>(dead: &AtomicBool, result: Result<T, RedisError>) -> Result<T, RedisError> {
        if result.as_ref().is_err_and(|error| error.is_unrecoverable_error() || error.is_connection_dropped())
        {
            dead.store(true, Ordering::SeqCst);
        }
        result
    }
}

impl ConnectionLike for RedisConnection {
    fn req_packed_command<'a>(&'a mut self, command: &'a Cmd) -> RedisFuture<'a, Value> {
        Box::pin(async move { Self::noted(&self.dead, self.inner.req_packed_command(command).await) })
    }

    fn req_packed_commands<'a>(
        &'a mut self,
        commands: &'a Pipeline,
        offset: usize,
        count: usize,
    ) -> RedisFuture<'a, Vec<Value>> {
        Box::pin(async move {
            Self::noted(&self.dead, self.inner.req_packed_commands(commands, offset, count).await)
        })
    }

    fn get_db(&self) -> i64 {
        self.inner.get_db()
    }
}

impl Manager for Redis {
    type Connection = RedisConnection;
    type Error = RedisError;

    async fn create(&self) -> Result<RedisConnection, RedisError> {
        // The pool has the limits in time, and a command may block for as long as its caller likes.
        let limits = AsyncConnectionConfig::new().set_connection_timeout(None).set_response_timeout(None);
        let inner = self.client.get_multiplexed_async_connection_with_config(&limits).await?;
        Ok(RedisConnection { inner, dead: Arc::default() })
    }

    async fn check(&self, connection: &mut RedisConnection) -> Result<(), RedisError> {
        redis::cmd("PING").query_async(connection).await
    }

    fn is_open(&self, connection: &RedisConnection) -> bool {
        !connection.dead.load(Ordering::SeqCst)
    }

    fn streams(&self, _: &RedisConnection) -> usize {
        self.streams
    }

    fn share(&self, connection: &RedisConnection) -> Option<RedisConnection> {
        Some(connection.clone())
    }
}
