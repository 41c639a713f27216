//! A pool of TCP connections to an echo server: 20 callers, 3 connections, and what the pool says afterwards.
//!
//! `cargo run -p exec-pool --example echo`

#![expect(clippy::print_stdout, reason = "an example shows what it did")]

use std::error::Error;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use exec_pool::{Config, Manager, Pool};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

struct Tcp(SocketAddr);

impl Manager for Tcp {
    type Connection = TcpStream;
    type Error = io::Error;

    async fn create(&self) -> io::Result<TcpStream> {
        let stream = TcpStream::connect(self.0).await?;
        stream.set_nodelay(true)?;
        Ok(stream)
    }

    /// Between two uses there is nothing to read, neither bytes nor the end.
    async fn check(&self, stream: &mut TcpStream) -> io::Result<()> {
        match stream.try_read(&mut [0]) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(()),
            Err(error) => Err(error),
            Ok(_) => Err(io::ErrorKind::UnexpectedEof.into()),
        }
    }
}

/// Echoes whatever comes, for as long as it is polled.
async fn echo(listener: TcpListener) -> io::Result<()> {
    let mut connections = JoinSet::new();
    loop {
        let (mut stream, _) = listener.accept().await?;
        connections.spawn(async move {
            let (mut from, mut to) = stream.split();
            tokio::io::copy(&mut from, &mut to).await
        });
    }
}

async fn ask(pool: &Pool<Tcp>, number: u8) -> Result<u8, Box<dyn Error + Send + Sync>> {
    let mut stream = pool.get().await?;
    // Whoever is stopped between the two leaves a byte in the connection: so it is broken until both are done.
    stream.mark_broken();
    stream.write_all(&[number]).await?;
    let answer = stream.read_u8().await?;
    stream.mark_sound();
    Ok(answer)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error + Send + Sync>> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let pool = Pool::new(Tcp(listener.local_addr()?), Config { min_idle: 1, ..Config::new(3) })?;
    let mut server = JoinSet::new();
    server.spawn(echo(listener));

    let mut callers = JoinSet::new();
    for number in 0..20 {
        let pool = pool.clone();
        callers.spawn(async move { ask(&pool, number).await });
    }
    for answer in callers.join_all().await {
        answer?;
    }

    let stats = pool.stats();
    println!("{} leases over {} connections", stats.lent, stats.created);
    println!("mean wait {:?}, 99 % within {:?}", stats.waits.mean(), stats.waits.percentile(99.0));
    pool.close(Duration::from_secs(1)).await?;
    Ok(())
}
