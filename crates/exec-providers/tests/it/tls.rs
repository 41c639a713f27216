//! The transport over TLS and HTTP/2: negotiation, sharing, limits of the handshake, and what a drop does.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use exec_providers::http::{
    Body, Http2, OutgoingRequest, Pooling, Transport, TransportConfig, TransportError,
};
use http::{Response, Version};
use http_body_util::{BodyExt, Full};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::pki_types::PrivatePkcs8KeyDer;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;

use super::POOL;
use super::support::{BOUND, Peak, config, listen, post, serve_http, until, upstream};

/// A certificate authority in a file, and a server certificate signed by it.
struct Authority {
    ca_file: PathBuf,
    acceptor: TlsAcceptor,
}

impl Drop for Authority {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.ca_file);
    }
}

fn authority(name: &str, alpn: &[&str]) -> Authority {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let ca = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let leaf = CertificateParams::new(vec!["localhost".to_owned()]).unwrap().signed_by(&key, &ca).unwrap();
    let ca_file =
        std::env::temp_dir().join(format!("exec-transport-{}-{POOL:?}-{name}.pem", std::process::id()));
    std::fs::write(&ca_file, ca.pem()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let key = PrivatePkcs8KeyDer::from(key.serialize_der());
    let mut server = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![leaf.der().clone()], key.into())
        .unwrap();
    server.alpn_protocols = alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
    Authority { ca_file, acceptor: TlsAcceptor::from(Arc::new(server)) }
}

/// A TLS upstream that answers with the protocol version it was asked in, after `delay`.
async fn secure(
    name: &str,
    alpn: &[&str],
    delay: Duration,
) -> (TransportConfig, Arc<Peak>, Authority, JoinSet<()>) {
    let authority = authority(name, alpn);
    let (listener, address) = listen().await;
    let peak = Arc::new(Peak::default());
    let (acceptor, seen) = (authority.acceptor.clone(), peak.clone());
    let owner = upstream(listener, move |socket| {
        let (acceptor, inside) = (acceptor.clone(), seen.enter());
        async move {
            let _inside = inside;
            let Ok(socket) = acceptor.accept(socket).await else {
                return;
            };
            let answer = move |request: http::Request<_>| async move {
                tokio::time::sleep(delay).await;
                Response::new(Full::new(Bytes::from(format!("{:?}", request.version()))))
            };
            serve_http(socket, answer).await;
        }
    });
    let mut config = TransportConfig::new(format!("https://localhost:{}", address.port()));
    config.pool = POOL;
    config.ca_file = Some(authority.ca_file.clone());
    (config, peak, authority, owner)
}

async fn version(transport: &Transport) -> Bytes {
    transport.send(post("x"), Some(BOUND)).await.unwrap().bytes(20).await.unwrap()
}

#[tokio::test]
async fn http2_is_spoken_when_offered_and_one_connection_is_shared() {
    let (config, peak, _authority, _owner) =
        secure("h2", &["h2", "http/1.1"], Duration::from_millis(20)).await;
    let transport = Arc::new(Transport::new(&config).unwrap());
    let calls: JoinSet<Bytes> = (0..50)
        .map(|_| {
            let transport = transport.clone();
            async move { version(&transport).await }
        })
        .collect();
    let versions = timeout(BOUND, calls.join_all()).await.unwrap();
    let expected = format!("{:?}", Version::HTTP_2);
    assert!(versions.iter().all(|version| version == &expected), "{versions:?}");
    assert_eq!((peak.most(), transport.stats().open), (1, 1));
    until(&transport, |stats| stats.in_use == 0 && stats.waiting == 0).await;
}

#[tokio::test]
async fn http1_is_spoken_when_asked_for_or_all_there_is() {
    let (mut config, _peak, _authority, _owner) = secure("h1", &["http/1.1"], Duration::ZERO).await;
    assert_eq!(version(&Transport::new(&config).unwrap()).await, "HTTP/1.1");
    let (other, _peak, _authority, _owner) = secure("never", &["h2", "http/1.1"], Duration::ZERO).await;
    config = other;
    config.http2 = Http2::Never;
    assert_eq!(version(&Transport::new(&config).unwrap()).await, "HTTP/1.1");
}

#[tokio::test]
async fn an_unknown_authority_is_refused_unsent() {
    let (mut config, _peak, _authority, _owner) = secure("unknown", &["h2"], Duration::ZERO).await;
    config.ca_file = None;
    let transport = Transport::new(&config).unwrap();
    let error = transport.send(post("x"), Some(BOUND)).await.unwrap_err();
    assert!(matches!(error, TransportError::Connect { timed_out: false, .. }) && error.unsent(), "{error:?}");
    until(&transport, |stats| stats.open == 0).await;
}

#[tokio::test]
async fn a_handshake_that_is_never_answered_ends_at_the_limit() {
    let (listener, address) = listen().await;
    let _owner = upstream(listener, |socket| async move {
        // Holds the socket open and says nothing.
        let _socket = socket;
        std::future::pending::<()>().await;
    });
    let mut config = TransportConfig::new(format!("https://localhost:{}", address.port()));
    config.pool = POOL;
    for own_limit in [false, true] {
        config.connect = if own_limit { Duration::from_millis(50) } else { BOUND };
        let transport = Transport::new(&config).unwrap();
        let limit = (!own_limit).then_some(Duration::from_millis(50));
        let error = timeout(BOUND, transport.send(post("x"), limit)).await.unwrap().unwrap_err();
        assert!(matches!(error, TransportError::Connect { timed_out: true, .. }), "{error:?}");
        assert!(error.unsent() && error.is_timeout());
        let stats = transport.stats();
        // Theirs goes on with the connection, for the next, until its own limit.
        let goes_on = POOL == Pooling::ExecPool && !own_limit;
        assert_eq!((stats.open, stats.in_use, stats.waiting), (usize::from(goes_on), 0, 0));
    }
}

#[tokio::test]
async fn a_dropped_http2_call_resets_its_stream_and_keeps_the_connection() {
    let (listener, address) = listen().await;
    let (events, mut seen) = mpsc::unbounded_channel();
    let _owner = upstream(listener, move |socket| {
        let events = events.clone();
        serve_http(socket, move |request| {
            let events = events.clone();
            async move {
                if request.uri().path() == "/v1/silent" {
                    let _told = Told(events);
                    std::future::pending::<()>().await;
                }
                Response::new(Full::new(Bytes::from_static(b"ok")))
            }
        })
    });
    let mut config = config(address);
    config.http2 = Http2::PriorKnowledge;
    let transport = Transport::new(&config).unwrap();
    assert_eq!(version(&transport).await, "ok");
    let mut call = Box::pin(transport.send(OutgoingRequest::get("/silent"), None));
    let early = timeout(Duration::from_millis(50), &mut call).await;
    assert!(early.is_err() && transport.stats().in_use == 1);
    drop(call);
    let reset = timeout(Duration::from_millis(100), seen.recv()).await;
    assert_eq!(reset, Ok(Some(())), "the upstream dropped its handler");
    assert_eq!(version(&transport).await, "ok");
    assert_eq!((transport.stats().open, transport.stats().in_use), (1, 0));
    drop(transport);
}

struct Told(mpsc::UnboundedSender<()>);

impl Drop for Told {
    fn drop(&mut self) {
        let _ = self.0.send(());
    }
}

#[tokio::test]
async fn streams_over_the_upstreams_limit_wait_or_take_another_connection() {
    let (listener, address) = listen().await;
    let (peak, streams) = (Arc::new(Peak::default()), Arc::new(Peak::default()));
    let (connections, running) = (peak.clone(), streams.clone());
    let _owner = upstream(listener, move |socket| {
        let (inside, running) = (connections.enter(), running.clone());
        async move {
            let _inside = inside;
            let service = service_fn(move |request: http::Request<hyper::body::Incoming>| {
                let running = running.enter();
                async move {
                    let body = request.into_body().collect().await?.to_bytes();
                    tokio::time::sleep(Duration::from_millis(5)).await;
                    drop(running);
                    Ok::<_, hyper::Error>(Response::new(Full::new(body)))
                }
            });
            let mut server = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
            server.max_concurrent_streams(3);
            let _ = server.serve_connection(TokioIo::new(socket), service).await;
        }
    });
    let mut config = config(address);
    (config.http2, config.max_connections) = (Http2::PriorKnowledge, 2);
    let transport = Arc::new(Transport::new(&config).unwrap());
    assert_eq!(version(&transport).await, "x");
    let content = Bytes::from(vec![b'u'; 300_000]);
    let calls: JoinSet<Bytes> = (0..40)
        .map(|_| {
            let (transport, content) = (transport.clone(), content.clone());
            async move {
                let request = OutgoingRequest::post("/echo", Body::from(content));
                transport.send(request, None).await.unwrap().bytes(1 << 20).await.unwrap()
            }
        })
        .collect();
    let bodies = timeout(BOUND, calls.join_all()).await.unwrap();
    assert!(bodies.len() == 40 && bodies.iter().all(|body| body == &content));
    assert!(peak.most() <= 2 && streams.most() <= 6, "{peak:?} {streams:?}");
    until(&transport, |stats| stats.in_use == 0 && stats.waiting == 0).await;
}
