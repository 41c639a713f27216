//! What is sent to an upstream, and which of a caller's headers may go with it.

use http::header::{
    AUTHORIZATION, CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, COOKIE, HOST, PROXY_AUTHORIZATION, TE, TRAILER,
    TRANSFER_ENCODING, UPGRADE,
};
use http::{HeaderMap, HeaderName, HeaderValue, Method};

use super::error::TransportError;
use super::rope::Body;

/// Set by the connection alone: a caller that sets them could smuggle a second request.
const FRAMING: [HeaderName; 7] = [
    HOST,
    CONTENT_LENGTH,
    TRANSFER_ENCODING,
    CONNECTION,
    UPGRADE,
    TRAILER,
    TE,
];

/// Never passed on from a caller, whatever the allow-list says.
const PRIVATE: [HeaderName; 3] = [AUTHORIZATION, PROXY_AUTHORIZATION, COOKIE];
const PRIVATE_NAMES: [&str; 8] = [
    "x-api-key",
    "api-key",
    "x-goog-api-key",
    "x-amz-security-token",
    "forwarded",
    "keep-alive",
    "proxy-connection",
    "x-real-ip",
];

/// A request to the upstream, relative to its base URL.
#[derive(Clone)]
#[must_use]
#[non_exhaustive]
pub struct OutgoingRequest {
    /// The method.
    pub method: Method,
    /// Path, and query if any, appended to the path of the base URL. Starts with `/` and is encoded already.
    pub path: String,
    /// Headers; those that belong to the connection (host, content-length …) are replaced.
    pub headers: HeaderMap,
    /// The content; its length is sent along.
    pub body: Body,
}

impl OutgoingRequest {
    /// A request without headers.
    pub fn new(method: Method, path: impl Into<String>, body: Body) -> Self {
        Self {
            method,
            path: path.into(),
            headers: HeaderMap::new(),
            body,
        }
    }

    /// A GET without a body.
    pub fn get(path: impl Into<String>) -> Self {
        Self::new(Method::GET, path, Body::empty())
    }

    /// A POST of JSON.
    pub fn post(path: impl Into<String>, body: Body) -> Self {
        let mut request = Self::new(Method::POST, path, body);
        request
            .headers
            .insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        request
    }

    /// Sets a header that is shown in no log and indexed by no HTTP/2 peer.
    ///
    /// # Errors
    /// [`TransportError::Request`] when the value holds a byte that no header may hold.
    pub fn secret_header(&mut self, name: HeaderName, value: &str) -> Result<(), TransportError> {
        let mut value = HeaderValue::from_str(value).map_err(|_| TransportError::Request {
            problem: "has a secret with a byte no header may hold",
        })?;
        value.set_sensitive(true);
        self.headers.insert(name, value);
        Ok(())
    }

    /// The headers as they go out.
    pub(super) fn take_headers(&mut self) -> HeaderMap {
        let mut headers = std::mem::take(&mut self.headers);
        for name in &FRAMING {
            headers.remove(name);
        }
        for (name, value) in &mut headers {
            if is_private(name) {
                value.set_sensitive(true);
            }
        }
        headers
    }
}

/// Shows names and sizes only: no header value, no query, no content.
impl std::fmt::Debug for OutgoingRequest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let path = self.path.split('?').next().unwrap_or_default();
        let headers: Vec<&str> = self.headers.keys().map(HeaderName::as_str).collect();
        f.debug_struct("OutgoingRequest")
            .field("method", &self.method)
            .field("path", &path)
            .field("headers", &headers)
            .field("body", &self.body)
            .finish()
    }
}

/// The headers of a caller that are in `names` (in any case) and may be passed on.
///
/// Credentials, cookies, `x-forwarded-*` and what belongs to the connection never pass, even when listed, and
/// neither does what the caller's `connection` header names.
#[must_use]
pub fn allow(from_caller: &HeaderMap, names: &[&str]) -> HeaderMap {
    let mut allowed = HeaderMap::new();
    for (name, value) in from_caller {
        let listed = names
            .iter()
            .any(|wanted| wanted.eq_ignore_ascii_case(name.as_str()));
        if listed && !is_private(name) && !FRAMING.contains(name) && !is_per_hop(from_caller, name) {
            allowed.append(name, value.clone());
        }
    }
    allowed
}

fn is_private(name: &HeaderName) -> bool {
    let text = name.as_str();
    PRIVATE.contains(name) || PRIVATE_NAMES.contains(&text) || text.starts_with("x-forwarded-")
}

fn is_per_hop(headers: &HeaderMap, name: &HeaderName) -> bool {
    let named = headers
        .get_all(CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok());
    named
        .flat_map(|list| list.split(','))
        .any(|token| token.trim().eq_ignore_ascii_case(name.as_str()))
}
