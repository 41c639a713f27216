//! How a socket to the upstream is made: TCP settings, TLS roots, and the permit that lives as long as the socket.

use std::io;
use std::path::Path;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};
use std::time::Duration;

use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder, MaybeHttpsStream};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioIo;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};
use tokio::net::TcpStream;

use super::config::{Http2, TransportConfig};
use super::error::TransportError;
use super::gate::OpenPermit;

const TCP_KEEPALIVE: Duration = Duration::from_secs(30);

pub(super) type Connector = HttpsConnector<HttpConnector>;
pub(super) type Socket = Permitted<MaybeHttpsStream<TokioIo<TcpStream>>>;

/// A connector for this upstream. Reads the certificate files, so it blocks for a moment.
pub(super) fn connector(config: &TransportConfig, tls: bool) -> Result<Connector, TransportError> {
    let mut tcp = HttpConnector::new();
    tcp.enforce_http(false);
    tcp.set_nodelay(true);
    tcp.set_keepalive(Some(TCP_KEEPALIVE));
    tcp.set_keepalive_interval(Some(TCP_KEEPALIVE));
    let roots = if tls {
        roots(config.ca_file.as_deref())?
    } else {
        RootCertStore::empty()
    };
    let builder = HttpsConnectorBuilder::new()
        .with_tls_config(tls_config(roots)?)
        .https_or_http();
    Ok(match config.http2 {
        Http2::Auto => builder.enable_all_versions().wrap_connector(tcp),
        Http2::Never => builder.enable_http1().wrap_connector(tcp),
        Http2::PriorKnowledge => builder.enable_http2().wrap_connector(tcp),
    })
}

/// The cipher suites are named here, so that no process-wide default is needed or changed.
fn tls_config(roots: RootCertStore) -> Result<ClientConfig, TransportError> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let versions = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|_| TransportError::Config {
            field: "tls",
            problem: "has no usable protocol version",
        })?;
    Ok(versions.with_root_certificates(roots).with_no_client_auth())
}

fn roots(ca_file: Option<&Path>) -> Result<RootCertStore, TransportError> {
    // Reading the system's store takes milliseconds, and every upstream wants it.
    static SYSTEM: OnceLock<RootCertStore> = OnceLock::new();
    let mut roots = SYSTEM.get_or_init(system_roots).clone();
    if let Some(path) = ca_file {
        add_file(&mut roots, path).map_err(|problem| TransportError::Config {
            field: "ca_file",
            problem,
        })?;
    }
    Ok(roots)
}

fn system_roots() -> RootCertStore {
    let mut roots = RootCertStore::empty();
    let (added, _) = roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if added == 0 {
        tracing::warn!("no certificate authorities found on this system, using the bundled ones");
        roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    }
    roots
}

fn add_file(roots: &mut RootCertStore, path: &Path) -> Result<(), &'static str> {
    let mut found = false;
    for certificate in CertificateDer::pem_file_iter(path).map_err(|_| "cannot be read")? {
        let certificate = certificate.map_err(|_| "is not a valid pem file")?;
        roots
            .add(certificate)
            .map_err(|_| "holds a certificate that cannot be trusted")?;
        found = true;
    }
    if found {
        Ok(())
    } else {
        Err("holds no certificate")
    }
}

/// A socket that gives its permit back when it is closed, not earlier.
#[derive(Debug)]
pub(super) struct Permitted<S> {
    // The order matters: the socket closes before the permit is free.
    socket: S,
    _permit: OpenPermit,
}

impl<S> Permitted<S> {
    pub(super) fn new(socket: S, permit: OpenPermit) -> Self {
        Self {
            socket,
            _permit: permit,
        }
    }
}

impl<S: Read + Unpin> Read for Permitted<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_read(cx, buffer)
    }
}

impl<S: Write + Unpin> Write for Permitted<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.socket).poll_write(cx, buffer)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_shutdown(cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.socket.is_write_vectored()
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffers: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.socket).poll_write_vectored(cx, buffers)
    }
}
