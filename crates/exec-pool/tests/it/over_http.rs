//! A real HTTP server, over HTTP/1.1, HTTP/2 and TLS.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use exec_pool::http::{Http, HttpConnection, send};
use exec_pool::{Config, Pool, tls};
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;
use tokio_rustls::rustls::{ServerConfig, crypto};

type Body = Full<Bytes>;

/// A server that answers with 100 KB, and knows how many connections and handshakes there were.
struct Server {
    address: SocketAddr,
    accepted: Arc<AtomicUsize>,
    _tasks: JoinSet<()>,
}

async fn answer(_: Request<hyper::body::Incoming>) -> Result<Response<Body>, Infallible> {
    tokio::time::sleep(Duration::from_millis(5)).await;
    Ok(Response::new(Full::new(Bytes::from(vec![7; 100_000]))))
}

async fn server(tls: Option<TlsAcceptor>) -> Server {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (address, accepted) = (listener.local_addr().unwrap(), Arc::new(AtomicUsize::new(0)));
    let (count, mut tasks) = (accepted.clone(), JoinSet::new());
    tasks.spawn(async move {
        let mut connections = JoinSet::new();
        while let Ok((stream, _)) = listener.accept().await {
            let (tls, count) = (tls.clone(), count.clone());
            connections.spawn(async move {
                let builder = auto::Builder::new(TokioExecutor::new());
                let service = service_fn(answer);
                if let Some(tls) = tls {
                    let stream = tls.accept(stream).await.unwrap();
                    count.fetch_add(1, Ordering::SeqCst);
                    drop(builder.serve_connection(TokioIo::new(stream), service).await);
                } else {
                    count.fetch_add(1, Ordering::SeqCst);
                    drop(builder.serve_connection(TokioIo::new(stream), service).await);
                }
            });
        }
    });
    Server { address, accepted, _tasks: tasks }
}

fn request(connection: &HttpConnection<Body>) -> Request<Body> {
    let uri = if connection.is_http2() { "https://localhost/a" } else { "/a" };
    Request::get(uri).header("host", "localhost").body(Full::default()).unwrap()
}

/// 20 requests at once, each read to its end.
async fn crowd(pool: &Pool<Http<Body>>) {
    let mut tasks = JoinSet::new();
    for _ in 0..20 {
        let pool = pool.clone();
        tasks.spawn(async move {
            let answer = send(&pool, request).await.unwrap();
            answer.into_body().collect().await.unwrap().to_bytes().len()
        });
    }
    assert!(tasks.join_all().await.iter().all(|length| *length == 100_000));
}

#[tokio::test]
async fn over_http1_a_connection_has_one_request_at_a_time_and_is_used_again() {
    let server = server(None).await;
    let manager = Http::new("127.0.0.1", server.address.port());
    let pool = Pool::new(manager, Config::new(3)).unwrap();
    crowd(&pool).await;
    let stats = pool.stats();
    assert_eq!((stats.created, stats.peak_in_use, stats.closed.total()), (3, 3, 0), "{stats:?}");
    assert_eq!((server.accepted.load(Ordering::SeqCst), stats.leases), (3, 0));
}

#[tokio::test]
async fn over_http1_a_lease_lasts_until_the_end_of_the_body() {
    let server = server(None).await;
    let pool = Pool::new(Http::new("127.0.0.1", server.address.port()), Config::new(1)).unwrap();
    let mut answer = send(&pool, request).await.unwrap();
    answer.body_mut().frame().await.unwrap().unwrap();
    assert_eq!((pool.stats().leases, pool.try_get().is_none()), (1, true));
    drop(answer);
    crowd(&pool).await;
    assert_eq!((pool.stats().closed.broken, pool.stats().created), (1, 2), "one was left in the middle");
}

#[tokio::test]
async fn over_http2_all_share_one_connection_and_leaving_costs_none() {
    let server = server(None).await;
    let manager = Http::new("127.0.0.1", server.address.port()).prior_knowledge().streams(50);
    let pool = Pool::new(manager, Config { max_connecting: 1, ..Config::new(3) }).unwrap();
    crowd(&pool).await;
    drop(send(&pool, request).await.unwrap());
    crowd(&pool).await;
    assert_eq!((pool.stats().created, server.accepted.load(Ordering::SeqCst)), (1, 1));
    assert_eq!((pool.stats().idle, pool.stats().leases), (1, 0));
}

#[tokio::test]
async fn a_handshake_is_done_ahead() {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let certificate = made.cert.der().clone();
    let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
    let versions = ServerConfig::builder_with_provider(Arc::new(crypto::ring::default_provider()));
    let versions = versions.with_safe_default_protocol_versions().unwrap().with_no_client_auth();
    let mut config = versions.with_single_cert(vec![certificate.clone()], key).unwrap();
    config.alpn_protocols = vec![b"h2".to_vec()];
    let server = server(Some(TlsAcceptor::from(Arc::new(config)))).await;
    let mut roots = tls::RootCertStore::empty();
    roots.add(certificate).unwrap();
    let client = tls::client_config(roots).unwrap();
    let manager = Http::new("localhost", server.address.port()).with_tls(client).unwrap();
    let pool = Pool::new(manager, Config { min_idle: 2, ..Config::new(4) }).unwrap();
    let ready = async {
        while pool.stats().idle < 2 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), ready).await.unwrap();
    assert_eq!(pool.stats().created, 2);
    assert!(pool.try_get().unwrap().is_http2());
    crowd(&pool).await;
}
