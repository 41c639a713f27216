//! An HTTP/2 connection with the task that drives it. Dropping it closes the socket.

use std::future::{Future as _, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use hyper::client::conn::http2;
use hyper_util::rt::TokioTimer;
use tokio::time::Instant;

use super::connector::Socket;
use super::gate::Gate;
use super::rope::Sending;
use super::tasks::Tasks;

/// The most streams we open on one HTTP/2 connection, even when the upstream allows more.
const MAX_STREAMS: usize = 100;
const STREAM_WINDOW: u32 = 256 * 1024;
/// Room for all streams at once: one that is read slowly never holds up another.
const CONNECTION_WINDOW: u32 = STREAM_WINDOW * 100;
const PING_EVERY: Duration = Duration::from_secs(20);

/// A connection for many requests; it closes when nobody refers to it any more.
#[derive(Debug)]
pub(super) struct Http2Connection {
    sender: http2::SendRequest<Sending>,
    streams: AtomicUsize,
    /// What the upstream allows; its settings arrive after the first requests may have left.
    max_streams: Arc<AtomicUsize>,
    idle_since: Mutex<Instant>,
    _tasks: Tasks,
}

impl Http2Connection {
    pub(super) async fn handshake(socket: Socket) -> hyper::Result<Arc<Self>> {
        let tasks = Tasks::default();
        let (sender, mut connection) = http2::Builder::new(tasks.spawner())
            .timer(TokioTimer::new())
            .initial_stream_window_size(STREAM_WINDOW)
            .initial_connection_window_size(CONNECTION_WINDOW)
            .keep_alive_interval(PING_EVERY)
            .keep_alive_timeout(PING_EVERY)
            .handshake(socket)
            .await?;
        let max_streams = Arc::new(AtomicUsize::new(connection.current_max_send_streams()));
        let published = max_streams.clone();
        let drive = poll_fn(move |cx| {
            let end = Pin::new(&mut connection).poll(cx);
            published.store(connection.current_max_send_streams(), Ordering::Release);
            end
        });
        tasks.spawn(async move { note_end(drive.await) });
        let (streams, idle_since) = (AtomicUsize::new(0), Mutex::new(Instant::now()));
        Ok(Arc::new(Self { sender, streams, max_streams, idle_since, _tasks: tasks }))
    }

    pub(super) fn is_closed(&self) -> bool {
        self.sender.is_closed()
    }

    pub(super) fn streams(&self) -> usize {
        self.streams.load(Ordering::Acquire)
    }

    /// Whether nothing has used it for that long.
    pub(super) fn unused_for(&self, limit: Duration) -> bool {
        let since = *self.idle_since.lock().unwrap_or_else(PoisonError::into_inner);
        self.streams() == 0 && since.elapsed() >= limit
    }

    pub(super) fn try_stream(self: &Arc<Self>, gate: &Arc<Gate>) -> Option<Http2Stream> {
        let max = self.max_streams.load(Ordering::Acquire).min(MAX_STREAMS);
        let more = |now| (now < max).then_some(now + 1);
        self.streams.fetch_update(Ordering::AcqRel, Ordering::Acquire, more).ok()?;
        Some(Http2Stream { sender: self.sender.clone(), connection: self.clone(), gate: gate.clone() })
    }
}

/// The right to one stream of a connection.
#[derive(Debug)]
pub(super) struct Http2Stream {
    pub(super) sender: http2::SendRequest<Sending>,
    connection: Arc<Http2Connection>,
    gate: Arc<Gate>,
}

impl Drop for Http2Stream {
    fn drop(&mut self) {
        let mut since = self.connection.idle_since.lock().unwrap_or_else(PoisonError::into_inner);
        *since = Instant::now();
        drop(since);
        self.connection.streams.fetch_sub(1, Ordering::AcqRel);
        self.gate.bell().notify_one();
    }
}

/// The request that was under way gets the error too, so this is only worth a trace.
fn note_end(end: hyper::Result<()>) {
    if let Err(error) = end {
        tracing::trace!(%error, "upstream connection ended");
    }
}
