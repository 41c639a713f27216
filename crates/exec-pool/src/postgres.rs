//! Connections to PostgreSQL, by tokio-postgres over rustls.

use std::future::Future;
use std::io;
use std::ops::Deref;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::task::JoinSet;
use tokio_postgres::tls::{ChannelBinding, MakeTlsConnect, TlsConnect, TlsStream};
use tokio_postgres::{Client, Config, Error, NoTls, Socket};
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::ClientConfig;
use tokio_rustls::rustls::pki_types::ServerName;

use crate::manager::Manager;

/// Makes connections to one database.
///
/// The driver sends one query after the other and takes the answers to those whose callers have left, so leaving costs no
/// connection; a transaction that is dropped is rolled back by the server.
///
/// ```no_run
/// use exec_pool::{Config, Pool, postgres::Postgres};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let server = "host=127.0.0.1 user=me dbname=words".parse()?;
/// let pool = Pool::new(Postgres::new(server), Config::database())?;
/// let row = pool.get().await?.query_one("SELECT count(*) FROM word", &[]).await?;
/// println!("{} words", row.get::<_, i64>(0));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Postgres {
    config: Config,
    tls: Option<Tls>,
}

impl Postgres {
    /// The server of this configuration, without TLS: for sockets and networks that are trusted.
    #[must_use]
    pub fn new(config: Config) -> Self {
        Self { config, tls: None }
    }

    /// The same over TLS, see [`tls::client_config`](crate::tls::client_config). Without `sslmode=require` the server
    /// may still refuse it. Channel binding is not used.
    #[must_use]
    pub fn with_tls(self, config: ClientConfig) -> Self {
        Self { tls: Some(Tls(Arc::new(config))), ..self }
    }
}

/// A client, with the task that moves its connection along.
#[derive(Debug)]
pub struct PostgresConnection {
    client: Client,
    /// Stops the task when the connection is dropped.
    _driver: JoinSet<()>,
}

impl Deref for PostgresConnection {
    type Target = Client;

    fn deref(&self) -> &Client {
        &self.client
    }
}

impl PostgresConnection {
    /// The client, for what needs it alone, like transactions.
    pub fn client(&mut self) -> &mut Client {
        &mut self.client
    }

    fn new<S, T>(client: Client, connection: tokio_postgres::Connection<S, T>) -> Self
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
        T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let mut driver = JoinSet::new();
        driver.spawn(async move {
            // The queries that are cut off say so to their callers.
            let _ended = connection.await;
        });
        Self { client, _driver: driver }
    }
}

impl Manager for Postgres {
    type Connection = PostgresConnection;
    type Error = Error;

    async fn create(&self) -> Result<PostgresConnection, Error> {
        match &self.tls {
            None => {
                let (client, connection) = self.config.connect(NoTls).await?;
                Ok(PostgresConnection::new(client, connection))
            }
            Some(tls) => {
                let (client, connection) = self.config.connect(tls.clone()).await?;
                Ok(PostgresConnection::new(client, connection))
            }
        }
    }

    async fn check(&self, connection: &mut PostgresConnection) -> Result<(), Error> {
        connection.client.check_connection().await
    }

    fn is_open(&self, connection: &PostgresConnection) -> bool {
        !connection.client.is_closed()
    }
}

/// rustls, as the driver wants it.
#[derive(Clone, Debug)]
struct Tls(Arc<ClientConfig>);

/// A handshake with this host.
struct Handshake(TlsConnector, ServerName<'static>);

struct Secured(tokio_rustls::client::TlsStream<Socket>);

type Securing = Pin<Box<dyn Future<Output = io::Result<Secured>> + Send>>;

impl MakeTlsConnect<Socket> for Tls {
    type Stream = Secured;
    type TlsConnect = Handshake;
    type Error = io::Error;

    fn make_tls_connect(&mut self, domain: &str) -> io::Result<Handshake> {
        let name = ServerName::try_from(domain.to_owned()).map_err(io::Error::other)?;
        Ok(Handshake(TlsConnector::from(self.0.clone()), name))
    }
}

impl TlsConnect<Socket> for Handshake {
    type Stream = Secured;
    type Error = io::Error;
    type Future = Securing;

    fn connect(self, stream: Socket) -> Securing {
        Box::pin(async move { self.0.connect(self.1, stream).await.map(Secured) })
    }
}

impl TlsStream for Secured {
    fn channel_binding(&self) -> ChannelBinding {
        ChannelBinding::none()
    }
}

impl AsyncRead for Secured {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, to: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().0).poll_read(cx, to)
    }
}

impl AsyncWrite for Secured {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, from: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().0).poll_write(cx, from)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().0).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().0).poll_shutdown(cx)
    }
}
