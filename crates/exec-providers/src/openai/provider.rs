//! The format towards a provider.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use exec_core::{Capabilities, Error, ErrorKind, Operation, Provider, RateLimitHint, Request, Result, Wire};
use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderName, HeaderValue};
use secrecy::{ExposeSecret as _, SecretString};

use super::error::ErrorReader;
use super::stream::Decoder;
use super::{CHAT, EMBEDDINGS, decode, embed, encode, limits, models};
use crate::format::{Answer, Decode, Encoded, Format};
use crate::http::{OutgoingRequest, TransportError};
use crate::key::Key;
use crate::remote::{Endpoint, Remote};

const ORGANIZATION: HeaderName = HeaderName::from_static("openai-organization");
const PROJECT: HeaderName = HeaderName::from_static("openai-project");
/// The headers of a caller that may reach the provider.
const PASSED_ON: [&str; 1] = ["openai-beta"];

/// A provider that speaks chat completions and embeddings: OpenAI, or a server compatible with it.
///
/// Shows its key to nobody: not in its debug output, not in an error, even if the provider repeats it.
#[derive(Clone, Default)]
#[must_use]
pub struct OpenAi {
    errors: Arc<ErrorReader>,
    organization: Option<String>,
    project: Option<String>,
    newer_limit: bool,
    prefill: bool,
}

impl OpenAi {
    /// A provider that is called with `api_key`, or without one: many compatible servers ask for none.
    pub fn new(api_key: Option<SecretString>) -> Self {
        Self { errors: Arc::new(ErrorReader { key: Key::new(api_key) }), ..Self::default() }
    }

    /// Says which organization is billed.
    pub fn with_organization(mut self, organization: impl Into<String>) -> Self {
        self.organization = Some(organization.into());
        self
    }

    /// Says which project is billed.
    pub fn with_project(mut self, project: impl Into<String>) -> Self {
        self.project = Some(project.into());
        self
    }

    /// Whether the limit of tokens is written as `max_completion_tokens`, which newer models of OpenAI demand and most
    /// compatible servers do not know. Requests received in this format are sent on as they are either way.
    pub fn with_max_completion_tokens(mut self, newer: bool) -> Self {
        self.newer_limit = newer;
        self
    }

    /// Whether it goes on from a turn of the assistant at the end of a conversation. OpenAI's own models begin a new turn
    /// there; some compatible servers go on.
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
}

impl fmt::Debug for OpenAi {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OpenAi")
            .field("has_key", &self.errors.key.expose().is_some())
            .field("organization", &self.organization)
            .field("project", &self.project)
            .finish_non_exhaustive()
    }
}

impl Format for OpenAi {
    fn wire(&self, operation: &Operation) -> Wire {
        if *operation == Operation::EMBED { EMBEDDINGS } else { CHAT }
    }

    fn capabilities(&self) -> Capabilities {
        let operations = [Operation::CHAT, Operation::EMBED, Operation::MODELS];
        Capabilities { streaming: true, prefill: self.prefill, ..Capabilities::of(operations) }
    }

    fn encode(&self, request: &Request, model: &str) -> Result<Encoded> {
        if request.operation == Operation::CHAT {
            encode::chat(request, model, self.newer_limit)
        } else if request.operation == Operation::EMBED {
            embed::encode(request, model)
        } else {
            let message = format!("the OpenAI format has no operation `{}`", request.operation);
            Err(Error::new(ErrorKind::Unsupported, message))
        }
    }

    fn headers(&self, request: &Request, outgoing: &mut OutgoingRequest) -> Result<()> {
        if let Some(key) = self.errors.key.expose() {
            let value = SecretString::from(format!("Bearer {key}"));
            let set = outgoing.secret_header(AUTHORIZATION, value.expose_secret());
            set.map_err(|_| unusable("api key"))?;
        }
        for (name, value) in [(ORGANIZATION, &self.organization), (PROJECT, &self.project)] {
            if let Some(value) = value {
                let value = HeaderValue::from_str(value).map_err(|_| unusable(name.as_str()))?;
                outgoing.headers.insert(name, value);
            }
        }
        for (name, value) in &request.options.headers {
            let known = PASSED_ON.iter().find(|known| name.eq_ignore_ascii_case(known));
            if let (Some(known), Ok(value)) = (known, HeaderValue::from_str(value)) {
                outgoing.headers.append(HeaderName::from_static(known), value);
            }
        }
        Ok(())
    }

    fn decode(&self, operation: &Operation, body: &Bytes) -> Result<Answer> {
        if *operation == Operation::EMBED {
            embed::decode(body, &self.errors)
        } else {
            decode::chat(body, &self.errors)
        }
    }

    fn decoder(&self, encoded: &Encoded) -> Box<dyn Decode> {
        Box::new(Decoder::new(encoded, self.errors.clone()))
    }

    fn error(&self, status: u16, headers: &HeaderMap, body: &Bytes) -> Error {
        self.errors.http(status, headers, body)
    }

    fn limits(&self, headers: &HeaderMap) -> Option<RateLimitHint> {
        limits::hint(headers)
    }

    fn models_path(&self) -> &'static str {
        "/models"
    }

    fn models(&self, body: &Bytes) -> Result<Vec<Arc<str>>> {
        models::names(body, &self.errors)
    }
}

fn unusable(what: &str) -> Error {
    Error::new(ErrorKind::Internal, format!("the configured {what} holds a byte that no header may hold"))
}
