//! The connections of one upstream: which are free, when a new one may be made, who waits.
//!
//! Every connection holds a permit inside its socket, so the cap is exact, and a connection is only ever made by
//! the request that needs it: dropping that request stops the attempt. Waiting is first come, first served.

use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Wake, Waker};
use std::time::Duration;

use hyper_util::client::legacy::connect::Connection as _;
use tokio::sync::Notify;
use tokio::time::{Instant, timeout};
use tower_service::Service as _;

use super::config::{Base, Http2, TransportConfig};
use super::connector::{Connector, Permitted, connector};
use super::error::TransportError;
use super::gate::{Gate, OpenPermit, TransportStats};
use super::http1::Http1;
use super::http2::{Http2Connection, Http2Stream};
use super::lease::{Held, Lease};
use super::tasks::Tasks;

#[derive(Debug)]
pub(super) struct Pool {
    config: TransportConfig,
    origin: http::Uri,
    connector: Connector,
    gate: Arc<Gate>,
    state: Mutex<State>,
    janitor: Tasks,
    janitor_runs: AtomicBool,
    /// Rung by an unused connection that wants something: most often its upstream closed it.
    call: Arc<Call>,
    caller: Waker,
}

/// Wakes the janitor.
#[derive(Debug, Default)]
struct Call(Notify);

impl Wake for Call {
    fn wake(self: Arc<Self>) {
        self.0.notify_one();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.0.notify_one();
    }
}

#[derive(Debug)]
struct State {
    /// Newest last: it is used first, so that the rest can grow old and be closed.
    idle: Vec<Http1>,
    shared: Vec<Arc<Http2Connection>>,
    protocol: Protocol,
    /// Someone makes a connection that others may be able to share.
    dialing: bool,
}

/// What the upstream spoke last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Protocol {
    Unknown,
    Http1,
    Http2,
}

/// What a request may do next.
enum Ticket {
    Reuse(Box<Http1>),
    Share(Http2Stream),
    Dial(OpenPermit, Option<Turn>),
}

/// The right to be the only one who dials while the answer may be a connection for all.
struct Turn(Arc<Pool>);

impl Drop for Turn {
    fn drop(&mut self) {
        self.0.state().dialing = false;
        self.0.gate.bell().notify_waiters();
    }
}

impl Pool {
    pub(super) fn new(config: TransportConfig, base: &Base) -> Result<Arc<Self>, TransportError> {
        let protocol = match config.http2 {
            Http2::PriorKnowledge => Protocol::Http2,
            Http2::Auto if base.is_tls() => Protocol::Unknown,
            Http2::Auto | Http2::Never => Protocol::Http1,
        };
        let call = Arc::new(Call::default());
        Ok(Arc::new(Self {
            caller: call.clone().into(),
            call,
            origin: base.origin()?,
            connector: connector(&config, base.is_tls())?,
            gate: Gate::new(config.max_connections, config.max_waiting),
            state: Mutex::new(State { idle: Vec::new(), shared: Vec::new(), protocol, dialing: false }),
            janitor: Tasks::default(),
            janitor_runs: AtomicBool::new(false),
            config,
        }))
    }

    pub(super) fn stats(&self) -> TransportStats {
        self.gate.stats()
    }

    /// A connection for one request. Dropping the future leaves the queue, or closes what it was opening.
    pub(super) async fn checkout(self: &Arc<Self>) -> Result<Lease, TransportError> {
        loop {
            let held = match self.ticket().await? {
                Ticket::Share(stream) => Some(Held::Http2(stream)),
                Ticket::Reuse(connection) => self.revive(*connection).await,
                // Rare and large: no request should carry the room for it.
                Ticket::Dial(permit, turn) => Box::pin(self.dial(permit, turn)).await?,
            };
            if let Some(held) = held {
                return Ok(Lease::new(held, self.clone(), self.gate.using()));
            }
        }
    }

    async fn ticket(self: &Arc<Self>) -> Result<Ticket, TransportError> {
        if self.gate.nobody_waits()
            && let Some(ticket) = self.try_ticket()
        {
            return Ok(ticket);
        }
        let _place = self.gate.wait()?;
        let _first = self.gate.first().await;
        loop {
            let mut rung = pin!(self.gate.bell().notified());
            // From here on no ring is missed. Whoever is first next looks for itself, so none is of use to it.
            rung.as_mut().enable();
            if let Some(ticket) = self.try_ticket() {
                return Ok(ticket);
            }
            rung.await;
        }
    }

    fn try_ticket(self: &Arc<Self>) -> Option<Ticket> {
        let mut state = self.state();
        if let Some(stream) = state.least_busy(&self.gate) {
            return Some(Ticket::Share(stream));
        }
        if let Some(connection) = state.newest(self.config.idle, &self.caller) {
            return Some(Ticket::Reuse(Box::new(connection)));
        }
        let alone = state.protocol != Protocol::Http1;
        if alone && state.dialing {
            return None;
        }
        let permit = self.gate.try_open()?;
        state.dialing |= alone;
        drop(state);
        Some(Ticket::Dial(permit, alone.then(|| Turn(self.clone()))))
    }

    /// Waits for the end of the exchange before.
    async fn revive(&self, mut connection: Http1) -> Option<Held> {
        let ready = timeout(self.config.connect, connection.ready()).await.is_ok_and(|ready| ready);
        ready.then_some(Held::Http1(connection))
    }

    /// `None` when the new connection is full already, which sends the caller back to the queue.
    async fn dial(
        self: &Arc<Self>,
        permit: OpenPermit,
        turn: Option<Turn>,
    ) -> Result<Option<Held>, TransportError> {
        let limit = self.config.connect;
        let made =
            timeout(limit, self.connect(permit)).await.map_err(|_| TransportError::connect_timeout())??;
        self.start_janitor();
        let held = match made {
            Made::Http1(connection) => {
                self.state().protocol = Protocol::Http1;
                Some(Held::Http1(connection))
            }
            Made::Http2(connection) => {
                let stream = connection.try_stream(&self.gate);
                let mut state = self.state();
                state.protocol = Protocol::Http2;
                state.shared.push(connection);
                stream.map(Held::Http2)
            }
        };
        drop(turn);
        Ok(held)
    }

    async fn connect(&self, permit: OpenPermit) -> Result<Made, TransportError> {
        let mut connector = self.connector.clone();
        let socket = connector.call(self.origin.clone()).await.map_err(TransportError::connect)?;
        let http2 = self.config.http2 == Http2::PriorKnowledge || socket.connected().is_negotiated_h2();
        let socket = Permitted::new(socket, permit);
        if http2 {
            return Http2Connection::handshake(socket)
                .await
                .map(Made::Http2)
                .map_err(TransportError::connect);
        }
        let made = Http1::handshake(socket, self.config.http1_max_buf_size).await;
        made.map(Made::Http1).map_err(TransportError::connect)
    }

    /// Keeps a connection whose exchange ended well.
    pub(super) fn put_back(&self, mut connection: Http1) {
        if self.config.idle.is_zero() || !connection.rest(&self.caller) {
            return;
        }
        connection.idle_since = Instant::now();
        let mut state = self.state();
        if state.idle.len() >= self.config.max_connections {
            // More than the cap means that some of them are closed.
            state.idle.retain_mut(|idle| idle.look_after(&self.caller));
        }
        state.idle.push(connection);
        drop(state);
        self.gate.bell().notify_one();
    }

    fn start_janitor(self: &Arc<Self>) {
        if self.janitor_runs.swap(true, Ordering::AcqRel) {
            return;
        }
        let (pool, call) = (Arc::downgrade(self), self.call.clone());
        let idle = self.config.idle;
        let pause =
            if idle.is_zero() { Duration::from_secs(1) } else { (idle / 2).max(Duration::from_millis(10)) };
        self.janitor.spawn(async move {
            loop {
                // An early call is welcome, a pause that passes is no failure.
                let _ = timeout(pause, call.0.notified()).await;
                let Some(pool) = pool.upgrade() else { return };
                pool.close_old();
            }
        });
    }

    fn close_old(&self) {
        let limit = self.config.idle;
        let mut state = self.state();
        state.idle.retain_mut(|idle| idle.look_after(&self.caller) && idle.idle_since.elapsed() < limit);
        state.shared.retain(|shared| !shared.is_closed() && !shared.unused_for(limit));
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // No code panics while it holds the lock; a poisoned one is still consistent.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

enum Made {
    Http1(Http1),
    Http2(Arc<Http2Connection>),
}

impl State {
    fn least_busy(&mut self, gate: &Arc<Gate>) -> Option<Http2Stream> {
        self.shared.retain(|shared| !shared.is_closed());
        let free = self.shared.iter().min_by_key(|shared| shared.streams())?;
        free.try_stream(gate)
    }

    fn newest(&mut self, limit: Duration, caller: &Waker) -> Option<Http1> {
        while let Some(mut connection) = self.idle.pop() {
            if connection.look_after(caller) && connection.idle_since.elapsed() < limit {
                return Some(connection);
            }
        }
        None
    }
}
