//! A pool of connections, or of anything else that is costly to make and can break, that keeps its promises when callers
//! leave, servers die and everybody comes at once.
//!
//! - **Leaving is free.** A dropped `get` loses no capacity and destroys no connection: what was being made or checked
//!   goes on and serves the next caller.
//! - **One limit.** Waiting, connecting, checking and replacing a dead connection share one time limit; an error says
//!   which of them it ended in, or what the server said.
//! - **Fair.** First come, first served; whoever gives a connection back and asks again goes to the end.
//! - **Spikes** are served by returned or new connections, whichever come first, and only so many are made at once.
//! - **True figures**, leaks with the line of code that took the lease, and an end with a deadline.
//!
//! ```
//! use exec_pool::{Config, Manager, Pool};
//! use tokio::net::TcpStream;
//!
//! struct Tcp(std::net::SocketAddr);
//!
//! impl Manager for Tcp {
//!     type Connection = TcpStream;
//!     type Error = std::io::Error;
//!
//!     async fn create(&self) -> Result<TcpStream, Self::Error> {
//!         TcpStream::connect(self.0).await
//!     }
//!
//!     async fn check(&self, stream: &mut TcpStream) -> Result<(), Self::Error> {
//!         stream.writable().await
//!     }
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let server = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
//! # let address = server.local_addr()?;
//! let pool = Pool::new(Tcp(address), Config { min_idle: 1, ..Config::new(8) })?;
//! let stream = pool.get().await?;
//! stream.set_nodelay(true)?;
//! drop(stream);
//! assert_eq!(pool.stats().lent, 1);
//! # Ok(())
//! # }
//! ```
//!
//! It is a leaf: it knows nothing of executions, so a database driver can use it alone.

mod config;
mod duration;
mod error;
mod hooks;
#[cfg(feature = "http")]
pub mod http;
mod lease;
mod manager;
mod pool;
mod pools;
#[cfg(feature = "postgres")]
pub mod postgres;
mod random;
#[cfg(feature = "redis")]
pub mod redis;
mod slots;
#[cfg(feature = "sqlite")]
pub mod sqlite;
mod stats;
mod sync;
#[cfg(any(feature = "postgres", feature = "http"))]
pub mod tls;

pub use config::{Config, OnConnectError, Problem};
pub use error::{ConfigError, ConnectError, LeaseInfo, NotDrained, PoolError, Stage};
pub use hooks::Event;
pub use lease::Lease;
pub use manager::Manager;
pub use pool::{Builder, Pool};
pub use pools::{Pools, PoolsError, SecondConfig};
pub use stats::{Closed, Reason, Stats, Timeouts, Waits};

/// Runs the code of the page about pools.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/pooling.md")]
struct PoolingPage;
