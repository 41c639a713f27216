//! One TCP connection: bytes in, bytes out, and a peer that is watched while we write, wait or hang.
use bytes::BytesMut;
use std::io::ErrorKind;
use std::time::Duration;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio::time::Instant;

/// Bytes a client may send ahead while it is being answered; beyond this its leaving is seen only when we write.
const MAX_AHEAD: usize = 1 << 20;
/// Bytes gathered before a write.
const FLUSH_AT: usize = 64 << 10;

/// Why an answer ended early; also how the connection is then closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stop {
    /// The client closed.
    Left,
    /// We reset it.
    Reset,
    /// We closed it.
    Close,
    /// The body was ended before the answer was; the connection stays.
    Ended,
}

/// Going on, or not.
pub(super) type Flow = Result<(), Stop>;

#[derive(Debug)]
pub(super) struct Connection {
    stream: TcpStream,
    pub(super) inbox: BytesMut,
    /// Bytes to be sent by the next flush.
    pub(super) out: Vec<u8>,
    pub(super) last_write: Option<Instant>,
}

impl Connection {
    pub(super) fn new(stream: TcpStream) -> Self {
        Self {
            stream,
            inbox: BytesMut::with_capacity(8 << 10),
            out: Vec::with_capacity(8 << 10),
            last_write: None,
        }
    }

    /// Reads more into the inbox; false when the peer is gone.
    pub(super) async fn fill(&mut self) -> bool {
        loop {
            if self.inbox.capacity() - self.inbox.len() < 1024 {
                self.inbox.reserve(8 << 10);
            }
            match self.stream.try_read_buf(&mut self.inbox) {
                Ok(0) => return false,
                Ok(_) => return true,
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(_) => return false,
            }
            if self.stream.readable().await.is_err() {
                return false;
            }
        }
    }

    /// Sends what was gathered, while watching the peer.
    pub(super) async fn flush(&mut self) -> Flow {
        // A fast reader never makes the socket wait: without this one long answer would hold a worker.
        tokio::task::coop::consume_budget().await;
        let mut sent = 0;
        while sent < self.out.len() {
            match self.stream.try_write(&self.out[sent..]) {
                Ok(n) => sent += n,
                Err(error) if error.kind() == ErrorKind::WouldBlock => self.writable().await?,
                Err(_) => return Err(Stop::Left),
            }
        }
        if sent > 0 {
            self.out.clear();
            self.last_write = Some(Instant::now());
        }
        Ok(())
    }

    async fn writable(&mut self) -> Flow {
        tokio::select! {
            ready = self.stream.writable() => ready.map_err(|_| Stop::Left),
            stop = left(&self.stream, &mut self.inbox) => Err(stop),
        }
    }

    /// Flushes once enough was gathered.
    pub(super) async fn flush_if_full(&mut self) -> Flow {
        if self.out.len() < FLUSH_AT { Ok(()) } else { self.flush().await }
    }

    /// Flushes, then waits; no time at all does neither.
    pub(super) async fn pause(&mut self, time: Duration) -> Flow {
        if time.is_zero() {
            return Ok(());
        }
        self.flush().await?;
        tokio::select! {
            () = tokio::time::sleep(time) => Ok(()),
            stop = left(&self.stream, &mut self.inbox) => Err(stop),
        }
    }

    /// Flushes, then waits until the client leaves.
    pub(super) async fn hang(&mut self) -> Flow {
        self.flush().await?;
        Err(left(&self.stream, &mut self.inbox).await)
    }

    /// Closes the connection in the given way.
    pub(super) async fn close(mut self, how: Stop) {
        // A peer that is gone already cannot be told anything: both results carry no news.
        if how == Stop::Reset {
            drop(self.stream.set_zero_linger());
        } else {
            drop(self.stream.shutdown().await);
        }
    }
}

/// Resolves when the peer closes; what it sends meanwhile is kept for the next request.
async fn left(stream: &TcpStream, inbox: &mut BytesMut) -> Stop {
    loop {
        if inbox.len() >= MAX_AHEAD {
            std::future::pending::<()>().await;
        }
        if stream.readable().await.is_err() {
            return Stop::Left;
        }
        inbox.reserve(1024);
        match stream.try_read_buf(inbox) {
            Ok(0) => return Stop::Left,
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(_) => return Stop::Left,
        }
    }
}
