//! How a connection to an HTTP server is made.

use std::fmt;
use std::future::Future;
use std::io;
use std::marker::PhantomData;
use std::sync::Arc;

use hyper::client::conn::{http1, http2};
use hyper::rt::Executor as _;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::ClientConfig;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_util::sync::CancellationToken;

use super::{Body, HttpConnection, Sender};

/// Makes connections to one server. `B` is the body of its requests.
pub struct Http<B> {
    host: String,
    port: u16,
    tls: Option<(TlsConnector, ServerName<'static>)>,
    http2: bool,
    streams: usize,
    body: PhantomData<fn() -> B>,
}

/// What is offered to the server, the preferred first.
const HTTP2: &[u8] = b"h2";
const HTTP1: &[u8] = b"http/1.1";

impl<B: Body> Http<B> {
    /// A server without TLS, which speaks HTTP/1.1.
    #[must_use]
    pub fn new(host: impl Into<String>, port: u16) -> Self {
        Self { host: host.into(), port, tls: None, http2: false, streams: 100, body: PhantomData }
    }

    /// A server with TLS, which chooses between HTTP/2 and HTTP/1.1; see
    /// [`tls::client_config`](crate::tls::client_config).
    ///
    /// # Errors
    /// When the host is no name that a certificate can be for.
    pub fn with_tls(self, mut config: ClientConfig) -> io::Result<Self> {
        config.alpn_protocols = vec![HTTP2.to_vec(), HTTP1.to_vec()];
        let name = ServerName::try_from(self.host.clone()).map_err(io::Error::other)?;
        Ok(Self { tls: Some((TlsConnector::from(Arc::new(config)), name)), ..self })
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

    pub(super) fn most_streams(&self) -> usize {
        self.streams
    }

    pub(super) async fn connect(&self) -> io::Result<HttpConnection<B>> {
        let tcp = TcpStream::connect((self.host.as_str(), self.port)).await?;
        tcp.set_nodelay(true)?;
        let Some((tls, name)) = &self.tls else {
            return handshake(tcp, self.http2).await;
        };
        let secured = tls.connect(name.clone(), tcp).await?;
        let http2 = secured.get_ref().1.alpn_protocol() == Some(HTTP2);
        handshake(secured, http2 || self.http2).await
    }
}

async fn handshake<B: Body>(
    socket: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    http2: bool,
) -> io::Result<HttpConnection<B>> {
    let (socket, driver) = (TokioIo::new(socket), Driver::default());
    let sender = if http2 {
        let (sender, connection) =
            http2::handshake(driver.spawner(), socket).await.map_err(io::Error::other)?;
        // Errors of a connection reach whoever uses it.
        driver.spawner().execute(async move { drop(connection.await) });
        Sender::Http2(sender)
    } else {
        let (sender, connection) = http1::handshake(socket).await.map_err(io::Error::other)?;
        driver.spawner().execute(async move { drop(connection.await) });
        Sender::Http1(sender)
    };
    Ok(HttpConnection { sender, driver: Arc::new(driver) })
}

/// The owner of the tasks of one connection: they end when the last handle of it is dropped.
#[derive(Debug, Default)]
pub(super) struct Driver(CancellationToken);

impl Driver {
    fn spawner(&self) -> Spawner {
        Spawner(self.0.clone())
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        self.0.cancel();
    }
}

/// Spawns for a [`Driver`], and is what hyper gets.
#[derive(Clone, Debug)]
struct Spawner(CancellationToken);

impl<F: Future<Output = ()> + Send + 'static> hyper::rt::Executor<F> for Spawner {
    #[expect(clippy::disallowed_methods, reason = "the token of the driver ends the task")]
    fn execute(&self, work: F) {
        tokio::spawn(self.0.clone().run_until_cancelled_owned(work));
    }
}

impl<B> fmt::Debug for Http<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let tls = self.tls.is_some();
        f.debug_struct("Http").field("host", &self.host).field("port", &self.port).field("tls", &tls).finish()
    }
}
