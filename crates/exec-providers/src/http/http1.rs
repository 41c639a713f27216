//! An HTTP/1 connection. It has no task: who sends a request or reads an answer moves it along, so that what has
//! arrived is passed on in one go. Dropping it closes the socket.

use std::future::Future as _;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};

use http::{Request, Response};
use hyper::body::Incoming;
use hyper::client::conn::{TrySendError, http1};
use tokio::time::Instant;

use super::connector::Socket;
use super::rope::Sending;
use super::rounds::Rounds;

type Connection = http1::Connection<Socket, Sending>;

/// A connection for one request at a time.
#[derive(Debug)]
pub(super) struct Http1 {
    sender: http1::SendRequest<Sending>,
    pub(super) idle_since: Instant,
    driver: Driver,
}

/// The side of a connection that has to be polled.
#[derive(Debug)]
pub(super) struct Driver {
    /// Gone, and the socket with it, when it has ended.
    connection: Option<Box<Connection>>,
    rounds: Rounds,
}

impl Http1 {
    pub(super) async fn handshake(socket: Socket, max_buffer: usize) -> hyper::Result<Self> {
        let (sender, connection) = http1::Builder::new().max_buf_size(max_buffer).handshake(socket).await?;
        Ok(Self { sender, idle_since: Instant::now(), driver: Driver::new(connection) })
    }

    /// Sends the request and waits for the head of the answer.
    pub(super) async fn send(
        &mut self,
        request: Request<Sending>,
    ) -> Result<Response<Incoming>, TrySendError<Request<Sending>>> {
        // Handing over the request calls; that is not for the owner before.
        self.driver.rounds.watch();
        let mut answer = pin!(self.sender.try_send_request(request));
        self.driver.run(|cx| answer.as_mut().poll(cx)).await
    }

    pub(super) fn driver(&mut self) -> &mut Driver {
        &mut self.driver
    }

    pub(super) fn is_closed(&self) -> bool {
        self.driver.connection.is_none() || self.sender.is_closed()
    }

    /// Leaves the connection alone; `owner` is woken when it wants something. False when it has ended.
    pub(super) fn rest(&mut self, owner: &Waker) -> bool {
        let _ = self.driver.poll(&mut Context::from_waker(owner), |_| Poll::<()>::Pending);
        !self.is_closed()
    }

    /// Looks after a connection that rests and wants something. False when it has ended.
    pub(super) fn look_after(&mut self, owner: &Waker) -> bool {
        if self.driver.rounds.called() { self.rest(owner) } else { !self.is_closed() }
    }

    /// Waits until the exchange before is over, which it is nearly always. False when the connection has ended.
    pub(super) async fn ready(&mut self) -> bool {
        let Self { sender, driver, .. } = self;
        sender.is_ready() || driver.run(|cx| sender.poll_ready(cx)).await.is_ok()
    }
}

impl Driver {
    fn new(connection: Connection) -> Self {
        Self { connection: Some(Box::new(connection)), rounds: Rounds::default() }
    }

    /// Does `work`, which waits for the connection, and moves the connection along meanwhile.
    pub(super) async fn run<T>(&mut self, mut work: impl FnMut(&mut Context<'_>) -> Poll<T>) -> T {
        std::future::poll_fn(|cx| self.poll(cx, &mut work)).await
    }

    /// One poll of `work`, with as many steps of the connection as it takes. When it returns `Pending`, the connection
    /// waits for its socket, or the task is woken at once.
    pub(super) fn poll<T>(
        &mut self,
        cx: &mut Context<'_>,
        mut work: impl FnMut(&mut Context<'_>) -> Poll<T>,
    ) -> Poll<T> {
        let Self { connection, rounds } = self;
        rounds.poll(cx, |cx| {
            let done = work(cx);
            if done.is_pending() {
                step(connection, cx);
            }
            done
        })
    }
}

fn step(connection: &mut Option<Box<Connection>>, cx: &mut Context<'_>) {
    let Some(Poll::Ready(end)) = connection.as_mut().map(|connection| Pin::new(&mut **connection).poll(cx))
    else {
        return;
    };
    // The request that was under way gets the error too, so this is only worth a trace.
    if let Err(error) = end {
        tracing::trace!(%error, "upstream connection ended");
    }
    *connection = None;
    // Whoever waits for the connection hears of its end.
    cx.waker().wake_by_ref();
}
