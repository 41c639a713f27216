//! The format as a provider speaks it.

use std::sync::Arc;
use std::time::SystemTime;

use bytes::Bytes;
use exec_core::{Capabilities, Error, ErrorKind, Operation, Provider, RateLimitHint, Request, Result, Wire};
use http::{HeaderMap, HeaderName, HeaderValue, header};
use secrecy::SecretString;

use super::stream::Stream;
use super::{MESSAGES, decode, encode, error, reset};
use crate::format::{Answer, Decode, Encoded, Format};
use crate::http::{OutgoingRequest, TransportError};
use crate::key::Key;
use crate::remote::{Endpoint, Remote};

const VERSION: HeaderName = HeaderName::from_static("anthropic-version");
const BETA: HeaderName = HeaderName::from_static("anthropic-beta");
const API_KEY: HeaderName = HeaderName::from_static("x-api-key");

/// What a token of a signed-in person begins with, unlike a key of an account.
const OAUTH_TOKEN: &str = "sk-ant-oat";
const OAUTH_BETA: &str = "oauth-2025-04-20";

/// How to speak to a provider of the Messages format: the credentials, and what is said when the caller says nothing.
#[derive(Clone, Debug)]
#[must_use]
pub struct Anthropic {
    key: Key,
    version: String,
    max_tokens: u64,
    prefill: bool,
}

impl Default for Anthropic {
    fn default() -> Self {
        Self { key: Key::default(), version: "2023-06-01".to_owned(), max_tokens: 4096, prefill: true }
    }
}

impl Anthropic {
    /// Without credentials, version `2023-06-01`, and 4096 tokens for callers who do not say how many.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the credentials: an API key, or an OAuth token, which begins with `sk-ant-oat` and is sent as one.
    pub fn with_key(mut self, key: SecretString) -> Self {
        self.key = Key::new(Some(key));
        self
    }

    /// Sets the version of the API.
    pub fn with_version(mut self, version: impl Into<String>) -> Self {
        self.version = version.into();
        self
    }

    /// Sets how many tokens an answer may have when the caller does not say: the format must be told.
    pub fn with_default_max_tokens(mut self, max_tokens: u64) -> Self {
        self.max_tokens = max_tokens;
        self
    }

    /// Whether its models go on from a turn of the assistant at the end of a conversation. Most do and the newest refuse,
    /// which costs whoever asks for it one call that is not billed.
    pub fn with_prefill(mut self, prefill: bool) -> Self {
        self.prefill = prefill;
        self
    }

    /// The provider `name` that speaks this format at `endpoint`. Opens no connection.
    ///
    /// # Errors
    /// When the endpoint cannot be used; the error names the setting.
    pub fn connect(self, name: &str, endpoint: Endpoint) -> Result<Arc<dyn Provider>, TransportError> {
        Ok(Arc::new(Remote::new(name, self, endpoint)?))
    }

    fn authorize(&self, outgoing: &mut OutgoingRequest) -> Result<bool> {
        let Some(key) = self.key.expose() else { return Ok(false) };
        let oauth = key.starts_with(OAUTH_TOKEN);
        let done = if oauth {
            outgoing.secret_header(header::AUTHORIZATION, &format!("Bearer {key}"))
        } else {
            outgoing.secret_header(API_KEY, key)
        };
        done.map_err(|_| {
            Error::new(ErrorKind::Internal, "the configured api key cannot be sent in a header")
        })?;
        Ok(oauth)
    }
}

impl Format for Anthropic {
    fn wire(&self, _: &Operation) -> Wire {
        MESSAGES
    }

    fn capabilities(&self) -> Capabilities {
        let operations = [Operation::CHAT, Operation::MODELS];
        Capabilities { streaming: true, prefill: self.prefill, ..Capabilities::of(operations) }
    }

    fn encode(&self, request: &Request, model: &str) -> Result<Encoded> {
        encode::encode(request, model, self.max_tokens)
    }

    fn headers(&self, request: &Request, outgoing: &mut OutgoingRequest) -> Result<()> {
        let oauth = self.authorize(outgoing)?;
        let version = HeaderValue::from_str(&self.version)
            .map_err(|_| Error::new(ErrorKind::Internal, "the configured api version cannot be a header"))?;
        outgoing.headers.insert(VERSION, version);
        let of_caller =
            request.options.headers.iter().filter(|(name, _)| name.eq_ignore_ascii_case(BETA.as_str()));
        let mut betas: Vec<&str> = of_caller.flat_map(|(_, value)| value.split(',')).map(str::trim).collect();
        betas.retain(|beta| !beta.is_empty());
        if oauth && !betas.contains(&OAUTH_BETA) {
            betas.push(OAUTH_BETA);
        }
        if !betas.is_empty() {
            let betas = HeaderValue::from_str(&betas.join(","))
                .map_err(|_| Error::new(ErrorKind::InvalidRequest, "anthropic-beta cannot be a header"))?;
            outgoing.headers.insert(BETA, betas);
        }
        Ok(())
    }

    fn decode(&self, operation: &Operation, body: &Bytes) -> Result<Answer> {
        decode::decode(operation, body, &self.key)
    }

    fn decoder(&self, encoded: &Encoded) -> Box<dyn Decode> {
        Box::new(Stream::new(encoded.verbatim, self.key.clone()))
    }

    fn error(&self, status: u16, headers: &HeaderMap, body: &Bytes) -> Error {
        error::of_status(status, headers, body, &self.key, SystemTime::now())
    }

    fn limits(&self, headers: &HeaderMap) -> Option<RateLimitHint> {
        reset::hint(headers, SystemTime::now())
    }

    fn models_path(&self) -> &'static str {
        "/v1/models?limit=1000"
    }

    fn models(&self, body: &Bytes) -> Result<Vec<Arc<str>>> {
        decode::models(body)
    }
}
