//! The pools, each of eight connections that are numbers and never break.

use async_trait::async_trait;
use benches::Result;
use std::convert::Infallible;
use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::yield_now;

/// A pool whose connections are taken and given back.
#[async_trait]
pub(crate) trait Contender: Send + Sync {
    /// So many times; with `busy` the others have a turn while a connection is held.
    async fn gets(&self, times: usize, busy: bool);
}

/// One loop for all of them: the pools have no trait in common.
macro_rules! contender {
    ($name:ident, $pool:ty, $get:ident) => {
        struct $name($pool);

        #[async_trait]
        impl Contender for $name {
            async fn gets(&self, times: usize, busy: bool) {
                for _ in 0..times {
                    let connection = black_box(self.0.$get().await);
                    if busy {
                        yield_now().await;
                    }
                    drop(black_box(connection));
                }
            }
        }
    };
}

contender!(Ours, exec_pool::Pool<Numbers>, get);
contender!(Deadpool, deadpool::managed::Pool<Numbers>, get);
contender!(Bb8, bb8::Pool<Numbers>, get);
contender!(Mobc, mobc::Pool<Numbers>, get);
contender!(Sqlx, sqlx::PgPool, acquire);

/// Makes numbers.
struct Numbers;

impl exec_pool::Manager for Numbers {
    type Connection = u64;
    type Error = Infallible;

    async fn create(&self) -> std::result::Result<u64, Infallible> {
        Ok(7)
    }

    async fn check(&self, _: &mut u64) -> std::result::Result<(), Infallible> {
        Ok(())
    }
}

impl deadpool::managed::Manager for Numbers {
    type Type = u64;
    type Error = Infallible;

    async fn create(&self) -> std::result::Result<u64, Infallible> {
        Ok(7)
    }

    async fn recycle(
        &self,
        _: &mut u64,
        _: &deadpool::managed::Metrics,
    ) -> deadpool::managed::RecycleResult<Infallible> {
        Ok(())
    }
}

impl bb8::ManageConnection for Numbers {
    type Connection = u64;
    type Error = Infallible;

    async fn connect(&self) -> std::result::Result<u64, Infallible> {
        Ok(7)
    }

    async fn is_valid(&self, _: &mut u64) -> std::result::Result<(), Infallible> {
        Ok(())
    }

    fn has_broken(&self, _: &mut u64) -> bool {
        false
    }
}

#[async_trait]
impl mobc::Manager for Numbers {
    type Connection = u64;
    type Error = Infallible;

    async fn connect(&self) -> std::result::Result<u64, Infallible> {
        Ok(7)
    }

    async fn check(&self, connection: u64) -> std::result::Result<u64, Infallible> {
        Ok(connection)
    }
}

/// Ours, with its limits as they are by default.
pub(crate) async fn ours(connections: usize) -> Result<Arc<dyn Contender>> {
    let pool = exec_pool::Pool::new(Numbers, exec_pool::Config::new(connections))?;
    drop(pool.get().await?);
    Ok(Arc::new(Ours(pool)))
}

/// The rivals by name; the first is the one to beat.
pub(crate) async fn all(connections: usize) -> Result<Vec<(&'static str, Arc<dyn Contender>)>> {
    let deadpool = deadpool::managed::Pool::builder(Numbers).max_size(connections).build()?;
    let most = u32::try_from(connections)?;
    let bb8 = bb8::Pool::builder().max_size(most).test_on_check_out(false).build(Numbers).await?;
    let mobc = mobc::Pool::builder().max_open(u64::from(most)).test_on_check_out(false).build(Numbers);
    let address = ready().await?;
    let sqlx = sqlx::postgres::PgPoolOptions::new().max_connections(most).test_before_acquire(false);
    let sqlx = sqlx.acquire_timeout(Duration::from_secs(30)).connect(&address).await?;
    Ok(vec![
        ("deadpool", Arc::new(Deadpool(deadpool))),
        ("bb8", Arc::new(Bb8(bb8))),
        ("mobc", Arc::new(Mobc(mobc))),
        ("sqlx", Arc::new(Sqlx(sqlx))),
    ])
}

/// Starts a server of PostgreSQL's protocol that knows one answer; it ends with the runtime. Returns its URL.
#[expect(
    clippy::disallowed_methods,
    reason = "the runtime of the bench owns the task, and ends with the case"
)]
async fn ready() -> Result<String> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(serve(stream));
        }
    });
    Ok(format!("postgres://bench@{address}/bench?sslmode=disable"))
}

/// `AuthenticationOk`, and then `ReadyForQuery` after every message.
async fn serve(mut stream: TcpStream) -> std::io::Result<()> {
    const OK: [u8; 9] = [b'R', 0, 0, 0, 8, 0, 0, 0, 0];
    const READY: [u8; 6] = [b'Z', 0, 0, 0, 5, b'I'];
    let mut length = [0; 4];
    stream.read_exact(&mut length).await?;
    skip(&mut stream, length).await?;
    stream.write_all(&[&OK[..], &READY[..]].concat()).await?;
    loop {
        let mut kind = [0];
        stream.read_exact(&mut kind).await?;
        stream.read_exact(&mut length).await?;
        skip(&mut stream, length).await?;
        stream.write_all(&READY).await?;
    }
}

async fn skip(stream: &mut TcpStream, length: [u8; 4]) -> std::io::Result<()> {
    let rest = u32::from_be_bytes(length).saturating_sub(4);
    let mut body = vec![0; rest as usize];
    stream.read_exact(&mut body).await.map(drop)
}
