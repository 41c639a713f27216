//! How a connection to an HTTP server is made.

use std::fmt;
use std::future::Future;
use std::io;
use std::marker::PhantomData;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use hyper::client::conn::{http1, http2};
use hyper::rt::{Executor as _, Read, Write};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::ClientConfig;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::{Body, HttpConnection, Sender};

/// Makes connections to one server. `B` is the body of its requests.
pub struct Http<B> {
    way: Way,
    http2: bool,
    streams: usize,
    max_buffer: Option<usize>,
    body: PhantomData<fn() -> B>,
}

/// How a socket is made.
enum Way {
    Tcp { host: String, port: u16 },
    Tls { host: String, port: u16, connector: TlsConnector, name: ServerName<'static> },
    Dial(Dial),
}

type Dial = Box<dyn Fn() -> Dialling + Send + Sync>;
type Dialling = Pin<Box<dyn Future<Output = io::Result<(BoxSocket, bool)>> + Send>>;
type BoxSocket = Box<dyn Socket>;

/// What a connection runs over.
trait Socket: Read + Write + Unpin + Send {}

impl<S: Read + Write + Unpin + Send> Socket for S {}

/// What is offered to the server, the preferred first.
const HTTP2: &[u8] = b"h2";
const HTTP1: &[u8] = b"http/1.1";

const STREAMS: usize = 100;
/// What one HTTP/2 stream may send ahead. The connection has room for all streams at once: one that is read slowly never
/// holds up another.
const STREAM_WINDOW: u32 = 256 * 1024;
/// The largest window of HTTP/2 (RFC 9113, section 6.9.1).
const MOST_WINDOW: u32 = (1 << 31) - 1;
const PING_EVERY: Duration = Duration::from_secs(20);

impl<B: Body> Http<B> {
    /// A server without TLS, which speaks HTTP/1.1.
    #[must_use]
    pub fn new(host: impl Into<String>, port: u16) -> Self {
        Self::by(Way::Tcp { host: host.into(), port })
    }

    /// A server that is reached in a way of one's own. `dial` makes a socket, with TLS if there is any, and says whether
    /// HTTP/2 was agreed on. It is stopped after [`Config::connect`](crate::Config::connect).
    #[must_use]
    pub fn over<S, F>(dial: impl Fn() -> F + Send + Sync + 'static) -> Self
    where
        S: Read + Write + Unpin + Send + 'static,
        F: Future<Output = io::Result<(S, bool)>> + Send + 'static,
    {
        Self::by(Way::Dial(Box::new(move || {
            let dialling = dial();
            Box::pin(async move {
                let (socket, http2) = dialling.await?;
                Ok((Box::new(socket) as BoxSocket, http2))
            })
        })))
    }

    fn by(way: Way) -> Self {
        Self { way, http2: false, streams: STREAMS, max_buffer: None, body: PhantomData }
    }

    /// A server with TLS, which chooses between HTTP/2 and HTTP/1.1; see
    /// [`tls::client_config`](crate::tls::client_config). A [way of one's own](Self::over) is left as it is.
    ///
    /// # Errors
    /// When the host is no name that a certificate can be for.
    pub fn with_tls(self, mut config: ClientConfig) -> io::Result<Self> {
        config.alpn_protocols = vec![HTTP2.to_vec(), HTTP1.to_vec()];
        let way = match self.way {
            Way::Tcp { host, port } | Way::Tls { host, port, .. } => {
                let name = ServerName::try_from(host.clone()).map_err(io::Error::other)?;
                Way::Tls { host, port, connector: TlsConnector::from(Arc::new(config)), name }
            }
            own @ Way::Dial(_) => own,
        };
        Ok(Self { way, ..self })
    }

    /// Speaks HTTP/2 without asking, where there is no TLS to ask by.
    #[must_use]
    pub fn prior_knowledge(self) -> Self {
        Self { http2: true, ..self }
    }

    /// How many requests at once share an HTTP/2 connection; 100 if nothing is said. What the server allows less waits
    /// inside the connection.
    #[must_use]
    pub fn streams(self, streams: usize) -> Self {
        Self { streams: streams.max(1), ..self }
    }

    /// The most bytes that an HTTP/1.1 connection buffers in each direction, from 8192; hyper's default if nothing is said.
    #[must_use]
    pub fn max_buffer(self, bytes: usize) -> Self {
        Self { max_buffer: Some(bytes.max(8192)), ..self }
    }

    /// Whether a connection may turn out to be HTTP/2.
    pub(super) fn may_share(&self) -> bool {
        self.http2 || !matches!(self.way, Way::Tcp { .. })
    }

    pub(super) fn most_streams(&self) -> usize {
        self.streams
    }

    pub(super) async fn connect(&self) -> io::Result<HttpConnection<B>> {
        match &self.way {
            Way::Tcp { host, port } => self.handshake(TokioIo::new(tcp(host, *port).await?), false).await,
            Way::Tls { host, port, connector, name } => {
                let secured = connector.connect(name.clone(), tcp(host, *port).await?).await?;
                let http2 = secured.get_ref().1.alpn_protocol() == Some(HTTP2);
                self.handshake(TokioIo::new(secured), http2).await
            }
            Way::Dial(dial) => {
                let (socket, http2) = dial().await?;
                self.handshake(socket, http2).await
            }
        }
    }

    async fn handshake(
        &self,
        socket: impl Read + Write + Unpin + Send + 'static,
        http2: bool,
    ) -> io::Result<HttpConnection<B>> {
        let driver = Driver::default();
        // Errors of a connection reach whoever uses it.
        let sender = if http2 || self.http2 {
            let room = u32::try_from(self.streams).unwrap_or(u32::MAX).saturating_mul(STREAM_WINDOW);
            let (sender, connection) = http2::Builder::new(driver.spawner())
                .timer(TokioTimer::new())
                .initial_stream_window_size(STREAM_WINDOW)
                .initial_connection_window_size(room.min(MOST_WINDOW))
                .keep_alive_interval(PING_EVERY)
                .keep_alive_timeout(PING_EVERY)
                .handshake(socket)
                .await
                .map_err(io::Error::other)?;
            driver.spawner().execute(async move { drop(connection.await) });
            Sender::Http2(sender)
        } else {
            let mut builder = http1::Builder::new();
            if let Some(bytes) = self.max_buffer {
                builder.max_buf_size(bytes);
            }
            let (sender, connection) = builder.handshake(socket).await.map_err(io::Error::other)?;
            driver.spawner().execute(async move { drop(connection.await) });
            Sender::Http1(sender)
        };
        Ok(HttpConnection { sender, driver: Arc::new(driver), taken: Arc::default() })
    }
}

async fn tcp(host: &str, port: u16) -> io::Result<TcpStream> {
    let tcp = TcpStream::connect((host, port)).await?;
    tcp.set_nodelay(true)?;
    Ok(tcp)
}

/// The owner of the tasks of one connection: they end when the last handle of it is dropped.
#[derive(Debug, Default)]
pub(super) struct Driver {
    stop: CancellationToken,
    tasks: TaskTracker,
}

impl Driver {
    fn spawner(&self) -> Spawner {
        Spawner { stop: self.stop.clone(), tasks: self.tasks.clone() }
    }

    /// Gives up a handle, and waits until the tasks have ended: the socket is closed then.
    pub(super) async fn ended(handle: Arc<Self>) {
        let tasks = handle.tasks.clone();
        drop(handle);
        tasks.close();
        tasks.wait().await;
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// Spawns for a [`Driver`], and is what hyper gets.
#[derive(Clone, Debug)]
struct Spawner {
    stop: CancellationToken,
    tasks: TaskTracker,
}

impl<F: Future<Output = ()> + Send + 'static> hyper::rt::Executor<F> for Spawner {
    fn execute(&self, work: F) {
        self.tasks.spawn(self.stop.clone().run_until_cancelled_owned(work));
    }
}

impl<B> fmt::Debug for Http<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("Http");
        match &self.way {
            Way::Tcp { host, port } => shown.field("host", host).field("port", port).field("tls", &false),
            Way::Tls { host, port, .. } => shown.field("host", host).field("port", port).field("tls", &true),
            Way::Dial(_) => shown.field("host", &"reached in a way of its own"),
        };
        shown.finish()
    }
}
