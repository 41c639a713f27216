//! What is let through, what is shown, and which settings are refused.

use bytes::Bytes;
use exec_providers::http::{
    Body, OutgoingRequest, Pooling, Transport, TransportConfig, TransportError, allow,
};
use http::header::{AUTHORIZATION, HeaderMap, HeaderValue};

#[test]
fn only_listed_headers_pass_and_some_never() {
    let never = [
        "authorization",
        "proxy-authorization",
        "cookie",
        "x-api-key",
        "api-key",
        "x-goog-api-key",
        "host",
        "content-length",
        "transfer-encoding",
        "connection",
        "keep-alive",
        "te",
        "trailer",
        "upgrade",
        "x-forwarded-for",
        "x-forwarded-host",
        "forwarded",
        "x-hop",
    ];
    let mut headers = HeaderMap::new();
    for name in never.iter().chain(&["x-request-id", "x-other"]) {
        headers.insert(*name, HeaderValue::from_static("v"));
    }
    headers.insert("connection", HeaderValue::from_static("close, X-Hop"));
    let mut names = never.to_vec();
    names.push("X-Request-Id");
    let passed = allow(&headers, &names);
    assert_eq!(passed.keys().collect::<Vec<_>>(), ["x-request-id"]);
}

#[test]
fn a_request_shows_no_secret() {
    let mut request = OutgoingRequest::post("/chat?key=secret", Body::from(Bytes::from_static(b"secret")));
    request.secret_header(AUTHORIZATION, "Bearer secret").unwrap();
    request.headers.insert("x-note", HeaderValue::from_static("secret"));
    let shown = format!("{request:?}");
    assert!(
        !shown.contains("secret") && shown.contains("authorization") && shown.contains("/chat"),
        "{shown}"
    );
    let error = request.secret_header(AUTHORIZATION, "se\ncret").unwrap_err();
    assert!(error.unsent() && !format!("{error} {error:?}").contains("cret\""));
}

#[test]
fn a_wrong_base_url_is_named_but_not_shown() {
    let wrong = [
        "",
        "secret",
        "ftp://secret.example",
        "https://user:secret@host/",
        "https://host/?key=secret",
        "https://host/#secret",
        "https://",
        "https://ho st/secret",
    ];
    for url in wrong {
        let config = TransportConfig::new(url);
        let error = Transport::new(&config).unwrap_err();
        assert!(matches!(error, TransportError::Config { field: "base_url", .. }), "{url}: {error:?}");
        assert!(!format!("{error} {error:?} {config:?}").contains("secret"), "{url}");
        assert!(error.unsent() && !error.is_timeout());
    }
}

#[test]
fn settings_are_read_and_unknown_ones_refused() {
    let text = r#"{"base_url":"http://h","connect":"250ms","http2":"prior_knowledge","max_connections":2}"#;
    let config: TransportConfig = serde_json::from_str(text).unwrap();
    assert_eq!((config.connect.as_millis(), config.max_connections, config.max_waiting), (250, 2, 1024));
    assert!(serde_json::from_str::<TransportConfig>(r#"{"base_ur":"http://h"}"#).is_err());
    assert!(serde_json::from_str::<TransportConfig>(r#"{"connect":5}"#).is_err());
    let mut none = TransportConfig::new("http://h");
    none.max_connections = 0;
    assert!(matches!(Transport::new(&none), Err(TransportError::Config { field: "max_connections", .. })));
    let mut missing = TransportConfig::new("https://h");
    missing.ca_file = Some("/nonexistent/ca.pem".into());
    assert!(matches!(Transport::new(&missing), Err(TransportError::Config { field: "ca_file", .. })));
}

#[test]
fn a_pool_that_this_build_has_not_is_refused_by_name() {
    let config = r#"{"base_url":"http://h","pool":"exec_pool"}"#;
    let config = serde_json::from_str::<TransportConfig>(config).unwrap();
    match (cfg!(feature = "exec-pool"), config.validate()) {
        (true, Ok(())) => assert!(Transport::new(&config).is_ok()),
        (false, Err(error)) => {
            assert_eq!(error.to_string(), "pool \"exec_pool\" needs a build with the feature exec-pool");
        }
        (_, other) => panic!("{other:?}"),
    }
    assert_eq!(TransportConfig::default().pool, Pooling::Own);
    assert!(serde_json::from_str::<TransportConfig>(r#"{"pool":"exec-pool"}"#).is_err());
}

#[cfg(feature = "exec-pool")]
#[test]
fn a_cap_that_no_pool_has_is_refused() {
    let mut config = TransportConfig::new("http://h");
    (config.pool, config.max_connections) = (Pooling::ExecPool, 100_001);
    let error = Transport::new(&config).unwrap_err();
    assert!(matches!(error, TransportError::Config { field: "max_connections", .. }), "{error}");
}

#[test]
fn only_failures_before_sending_are_unsent() {
    let connect = |timed_out| TransportError::Connect { timed_out, source: None };
    let table = [
        (TransportError::Busy, true, false),
        (connect(true), true, true),
        (connect(false), true, false),
        (TransportError::Closed { sent: false }, true, false),
        (TransportError::Closed { sent: true }, false, false),
        (TransportError::Config { field: "f", problem: "p" }, true, false),
        (TransportError::Request { problem: "p" }, true, false),
        (TransportError::Reset, false, false),
        (TransportError::Incomplete, false, false),
        (TransportError::TimedOut, false, true),
        (TransportError::Protocol, false, false),
        (TransportError::TooLarge { limit: 1 }, false, false),
    ];
    for (error, unsent, timeout) in table {
        assert_eq!((error.unsent(), error.is_timeout()), (unsent, timeout), "{error}");
    }
}
