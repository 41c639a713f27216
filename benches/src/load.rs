//! A closed-loop HTTP/1.1 client: each connection sends its next request when the last answer is read to its end.

use crate::Result;
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::{self, SendRequest};
use hyper::{Request, StatusCode};
use hyper_util::rt::TokioIo;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};

/// What every request of a run asks, and how a whole answer ends.
#[derive(Clone, Debug)]
pub struct Ask {
    /// The path of the POST.
    pub path: &'static str,
    /// The JSON document.
    pub body: Bytes,
    /// The last bytes of every good answer. Anything else ends the run with an error.
    pub ending: &'static [u8],
}

/// How many connections at once, and for how long.
#[derive(Clone, Copy, Debug)]
pub struct Load {
    /// Connections, each with one request at a time.
    pub connections: usize,
    /// No request starts after this time.
    pub time: Duration,
}

/// What a run saw. The first request of each connection is left out: it pays for the connection.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    whole: Vec<Duration>,
    first: Vec<Duration>,
    requests: usize,
    took: Duration,
}

impl Seen {
    /// How many requests were answered, the left-out ones too.
    #[must_use]
    pub fn requests(&self) -> usize {
        self.requests
    }

    /// Requests per second.
    #[must_use]
    pub fn rate(&self) -> f64 {
        self.requests as f64 / self.took.as_secs_f64()
    }

    /// Microseconds until the answer was read to its end, at a percentile of 0 to 100.
    #[must_use]
    pub fn whole(&self, percentile: usize) -> f64 {
        at(&self.whole, percentile)
    }

    /// Microseconds until the first bytes of the body.
    #[must_use]
    pub fn first(&self, percentile: usize) -> f64 {
        at(&self.first, percentile)
    }

    fn add(&mut self, mut other: Self) {
        self.whole.append(&mut other.whole);
        self.first.append(&mut other.first);
        self.requests += other.requests;
    }
}

fn at(times: &[Duration], percentile: usize) -> f64 {
    let mut sorted = times.to_vec();
    sorted.sort_unstable();
    let index = (sorted.len() * percentile / 100).min(sorted.len().saturating_sub(1));
    sorted.get(index).map_or(f64::NAN, |time| time.as_secs_f64() * 1e6)
}

/// Loads the server at `addr`. Dropping the future closes the connections.
///
/// # Errors
/// The first request that fails or whose answer is not whole; an answer that takes 10 s longer than the run.
pub async fn run(addr: SocketAddr, ask: &Ask, load: Load) -> Result<Seen> {
    let ask = Arc::new(ask.clone());
    let start = Instant::now();
    let mut workers = JoinSet::new();
    for _ in 0..load.connections {
        let work = worker(addr, Arc::clone(&ask), start + load.time);
        workers.spawn(timeout(load.time + Duration::from_secs(10), work));
    }
    let mut seen = Seen::default();
    while let Some(worker) = workers.join_next().await {
        seen.add(worker???);
    }
    seen.took = start.elapsed();
    Ok(seen)
}

async fn worker(addr: SocketAddr, ask: Arc<Ask>, until: Instant) -> Result<Seen> {
    let stream = TcpStream::connect(addr).await?;
    stream.set_nodelay(true)?;
    let (sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    tokio::select! {
        seen = ask_until(sender, addr, &ask, until) => seen,
        closed = connection => Err(format!("{addr} closed a connection in use: {closed:?}").into()),
    }
}

async fn ask_until(
    mut sender: SendRequest<Full<Bytes>>,
    addr: SocketAddr,
    ask: &Ask,
    until: Instant,
) -> Result<Seen> {
    let mut seen = Seen::default();
    while Instant::now() < until {
        sender.ready().await?;
        let start = Instant::now();
        let first = once(&mut sender, addr, ask).await?;
        if seen.requests > 0 {
            seen.first.push(first - start);
            seen.whole.push(start.elapsed());
        }
        seen.requests += 1;
    }
    Ok(seen)
}

/// One request; says when the first bytes of its body came.
async fn once(sender: &mut SendRequest<Full<Bytes>>, addr: SocketAddr, ask: &Ask) -> Result<Instant> {
    let request = Request::post(ask.path)
        .header("host", addr.to_string())
        .header("authorization", "Bearer good-key")
        .header("content-type", "application/json")
        .body(Full::new(ask.body.clone()))?;
    let response = sender.send_request(request).await?;
    let status = response.status();
    let (mut body, mut first, mut tail) = (response.into_body(), None, Vec::new());
    while let Some(frame) = body.frame().await {
        first.get_or_insert_with(Instant::now);
        if let Ok(data) = frame?.into_data() {
            tail.extend_from_slice(&data);
            tail.drain(..tail.len().saturating_sub(200));
        }
    }
    if status != StatusCode::OK || !tail.ends_with(ask.ending) {
        return Err(
            format!("{addr} answered {status}, ending in {:?}", tail.escape_ascii().to_string()).into()
        );
    }
    first.ok_or_else(|| "an answer without a body".into())
}
