//! Accepting connections, and stopping.

use std::convert::Infallible;
use std::future::{Future, poll_fn};
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use exec_core::EventSink;
use exec_providers::http::Rounds;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep, timeout, timeout_at};
use tokio_util::task::TaskTracker;
use tower::ServiceExt;

use crate::assemble;
use crate::config::{Config, ConfigError};
use crate::metrics;
use crate::routes::{self, App};
use crate::shutdown::Drain;

/// How long a cancelled execution has to tell its caller, and a connection to close.
const FAREWELL: Duration = Duration::from_secs(2);

/// How long the server still listens when nothing is under way any more, and how long whoever has connected by then has to
/// say what for. Behind a balancer that was told, nobody comes in that time; who was on the way is told as well.
const LAST_CALL: Duration = Duration::from_millis(200);

/// A timer that ends before nearly every limit does. Who sets a limit that would be the next to end has to wake the
/// thread that waits for the next one, which costs more than a small answer does.
const PULSE: Duration = Duration::from_secs(1);

/// How much of a request's head, and of its body at a time, is kept for one connection.
const BUFFER_BYTES: usize = 64 << 10;

/// How many headers a request may have before the connection refuses it; the routes refuse earlier, in words. Every
/// request pays for this room, used or not.
const MAX_HEADERS: usize = 200;

/// Why a server cannot start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The configuration cannot be used.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The address cannot be listened on.
    #[error("cannot listen on {address}: {source}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// Why.
        source: std::io::Error,
    },
}

/// A server that listens.
#[derive(Debug)]
pub struct Server {
    listener: TcpListener,
    address: SocketAddr,
    app: App,
    connections: Arc<Semaphore>,
}

impl Server {
    /// Builds the engine and listens. Requests are answered once [`run`](Self::run) runs; until then they wait.
    ///
    /// # Errors
    /// When the configuration cannot be used, or the address is taken.
    pub async fn bind(config: &Config) -> Result<Self, StartError> {
        let engine = assemble::engine(config)?;
        let address = config.server.listen;
        let failed = |source| StartError::Listen { address, source };
        let listener = TcpListener::bind(address).await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        let app = App::new(engine, config);
        let connections = Arc::new(Semaphore::new(config.server.max_connections.min(Semaphore::MAX_PERMITS)));
        Ok(Self { listener, address, app, connections })
    }

    /// Tells the events of every execution to `events` instead of the log.
    #[must_use]
    pub fn with_events(mut self, events: Arc<dyn EventSink>) -> Self {
        self.app = self.app.with_events(events);
        self
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Tells what is under way, and can tell the server to stop.
    #[must_use]
    pub fn drain(&self) -> Drain {
        self.app.drain.clone()
    }

    /// Answers requests until `stop` resolves, then drains: it is no longer ready at once, executions finish within the
    /// grace, and what is left is cancelled with an error its caller sees. For a moment more it listens, so that whoever
    /// was on the way is told. Answers how many were cancelled.
    pub async fn run(self, stop: impl Future<Output = ()>) -> usize {
        let Self { listener, app, connections, .. } = self;
        let app = Arc::new(app);
        let (tasks, graceful) = (TaskTracker::new(), GracefulShutdown::new());
        let router = routes::router(app.clone());
        let drain = app.drain.clone();
        let grace = app.settings.grace;
        let drained = async {
            stop.await;
            drain.stop();
            drain.drain(grace, FAREWELL).await
        };
        tokio::pin!(drained);
        let mut pulse = interval(PULSE);
        pulse.set_missed_tick_behavior(MissedTickBehavior::Delay);
        // Connections are accepted while draining as well, so that whoever asks is told.
        let cancelled = loop {
            tokio::select! {
                cancelled = &mut drained => break cancelled,
                _ = pulse.tick() => metrics::upkeep(),
                (stream, permit) = accept(&listener, &connections) => {
                    serve(stream, permit, &router, &app, graceful.watcher(), &tasks);
                }
            }
        };
        let last = Instant::now() + LAST_CALL;
        while let Ok((stream, permit)) = timeout_at(last, accept(&listener, &connections)).await {
            serve(stream, permit, &router, &app, graceful.watcher(), &tasks);
        }
        drop(listener);
        tasks.close();
        sleep(LAST_CALL).await;
        // What does not close in time is dropped with the runtime.
        let _ = timeout(FAREWELL, graceful.shutdown()).await;
        cancelled
    }
}

/// The next connection, once there is room for it.
async fn accept(listener: &TcpListener, connections: &Arc<Semaphore>) -> (TcpStream, OwnedSemaphorePermit) {
    loop {
        let Ok(permit) = connections.clone().acquire_owned().await else {
            // Nobody closes the semaphore.
            std::future::pending().await
        };
        match listener.accept().await {
            Ok((stream, _)) => {
                // A stream without this option works, only slower.
                let _ = stream.set_nodelay(true);
                return (stream, permit);
            }
            Err(error) => {
                // Out of file handles, most likely: trying again at once would only spin.
                tracing::warn!(%error, "a connection could not be accepted");
                sleep(Duration::from_millis(50)).await;
            }
        }
    }
}

fn serve(
    stream: TcpStream,
    permit: OwnedSemaphorePermit,
    router: &Router,
    app: &Arc<App>,
    watcher: Watcher,
    tasks: &TaskTracker,
) {
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(app.settings.head_timeout)
        .max_buf_size(BUFFER_BYTES)
        .max_headers(MAX_HEADERS);
    builder.http2().timer(TokioTimer::new()).keep_alive_interval(Some(Duration::from_secs(30)));
    let router = router.clone();
    let service = service_fn(move |request: hyper::Request<Incoming>| {
        let router = router.clone();
        async move {
            Ok::<_, Infallible>(
                router.oneshot(request.map(Body::new)).await.unwrap_or_else(|never| match never {}),
            )
        }
    });
    let connection =
        watcher.watch(builder.serve_connection_with_upgrades(TokioIo::new(stream), service).into_owned());
    tasks.spawn(async move {
        // A request and its answer call the connection that carries them, which is this task.
        let (mut connection, mut rounds) = (pin!(connection), Rounds::default());
        let end = poll_fn(|cx| rounds.poll(cx, |cx| connection.as_mut().poll(cx)));
        if let Err(error) = end.await {
            tracing::debug!(%error, "a connection ended early");
        }
        drop(permit);
    });
}
