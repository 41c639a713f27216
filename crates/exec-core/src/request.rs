//! What is asked: data only, so that it can be cached, replayed and sent again.

use std::fmt;
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{Chat, Error, ErrorKind, Operation, Raw, Result, Wire};

/// One call: a verb, a model, an input and options. 56 bytes; a clone is four refcounts.
///
/// ```
/// use exec_core::{Chat, Request};
/// let request = Request::chat(Chat::user("Hello")).with_model("gpt-4o");
/// assert_eq!(request.operation.as_str(), "chat");
/// ```
#[derive(Clone, Debug)]
pub struct Request {
    /// The verb.
    pub operation: Operation,
    /// The model, by the caller's name for it. A provider maps it to its own.
    pub model: Option<Arc<str>>,
    /// What the verb is applied to.
    pub input: Input,
    /// How the caller wants it done.
    pub options: Arc<Options>,
}

impl Request {
    /// A request without model and with default options.
    pub fn new(operation: Operation, input: impl Into<Input>) -> Self {
        Self { operation, model: None, input: input.into(), options: Arc::default() }
    }

    /// A conversation.
    pub fn chat(chat: impl Into<Chat>) -> Self {
        Self::new(Operation::CHAT, chat.into())
    }

    /// Sets the model.
    #[must_use]
    pub fn with_model(mut self, model: impl Into<Arc<str>>) -> Self {
        self.model = Some(model.into());
        self
    }

    /// Sets the options.
    #[must_use]
    pub fn with_options(mut self, options: Options) -> Self {
        self.options = Arc::new(options);
        self
    }
}

/// How urgent a call is, from least to most.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Priority {
    /// May wait.
    Low,
    /// As usual.
    #[default]
    Normal,
    /// Before the others.
    High,
    /// A person is waiting right now.
    Urgent,
}

/// What a cache may do for a call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CachePolicy {
    /// Read and fill, where a cache is configured.
    #[default]
    Default,
    /// Neither read nor fill.
    Off,
    /// Read, never fill.
    Read,
    /// Fill, never read.
    Refresh,
}

/// How the caller wants a call done. None of it is part of what is asked, except where its docs say so.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Options {
    /// Whether the caller wants the answer in pieces.
    pub stream: bool,
    /// How urgent it is.
    pub priority: Priority,
    /// The strategy the caller names, instead of the engine's choice.
    pub strategy: Option<Arc<str>>,
    /// The provider the caller names, instead of the engine's choice. Part of what is asked.
    pub provider: Option<Arc<str>>,
    /// What a cache may do.
    pub cache: CachePolicy,
    /// Equal keys mean the same call, sent again.
    pub idempotency_key: Option<Arc<str>>,
    /// Headers of the caller that change the answer and may go to the provider (`anthropic-beta`). Part of what is
    /// asked. Never credentials: whoever fills this in works from an allow-list.
    pub headers: Vec<(Arc<str>, Arc<str>)>,
    /// Whether only the first choice may be asked: no other provider, and no stand-in for an answer.
    pub no_fallback: bool,
    /// Whether the caller can be told that what it has of an answer is void and the answer begins anew.
    pub restartable: bool,
    /// What the caller wants to find again with this call.
    pub metadata: Option<Raw>,
}

impl Options {
    /// Whether an answer that has begun may begin anew: the caller can be told, or sees none of it before its end.
    #[must_use]
    pub fn can_begin_anew(&self) -> bool {
        self.restartable || !self.stream
    }
}

/// What a verb is applied to: bytes as received, a parsed value, a conversation, or several of them at once.
///
/// It is parsed at most once, when somebody looks, and shared by every clone. When the format the caller speaks is
/// the format the provider speaks, the bytes are sent on and nothing is encoded again.
#[derive(Clone)]
pub struct Input(Arc<Inner>);

#[derive(Default)]
struct Inner {
    received: Option<(Wire, Bytes)>,
    value: OnceLock<Value>,
    chat: OnceLock<Chat>,
}

impl Input {
    /// A conversation together with the bytes it was read from and their format.
    #[must_use]
    pub fn received(wire: Wire, bytes: Bytes, chat: Chat) -> Self {
        Self(Arc::new(Inner { received: Some((wire, bytes)), chat: chat.into(), ..Inner::default() }))
    }

    /// JSON as it was received, not parsed until somebody looks.
    #[must_use]
    pub fn json(wire: Wire, bytes: Bytes) -> Self {
        Self(Arc::new(Inner { received: Some((wire, bytes)), ..Inner::default() }))
    }

    /// No input.
    #[must_use]
    pub fn none() -> Self {
        Value::Null.into()
    }

    /// The bytes as received, if they are in the format `wire`.
    #[must_use]
    pub fn bytes_in(&self, wire: Wire) -> Option<&Bytes> {
        self.0.received.as_ref().filter(|(w, _)| *w == wire).map(|(_, bytes)| bytes)
    }

    /// The format and bytes as received, if there are any.
    #[must_use]
    pub fn as_received(&self) -> Option<(Wire, &Bytes)> {
        self.0.received.as_ref().map(|(wire, bytes)| (*wire, bytes))
    }

    /// The cheapest thing here that says all of it.
    pub(crate) fn form(&self) -> Form<'_> {
        match (&self.0.received, self.0.value.get(), self.0.chat.get()) {
            (Some((_, bytes)), ..) => Form::Received(bytes),
            (None, Some(value), _) => Form::Value(value),
            (None, None, Some(chat)) => Form::Chat(chat),
            (None, None, None) => Form::Nothing,
        }
    }

    /// The conversation, parsed from the canonical JSON form if it was not given as one.
    ///
    /// # Errors
    /// `InvalidRequest` when the input is no conversation.
    pub fn chat(&self) -> Result<&Chat> {
        if let Some(chat) = self.0.chat.get() {
            return Ok(chat);
        }
        let chat = serde_json::from_value(self.value()?.clone()).map_err(|e| not_a("conversation", &e))?;
        Ok(self.0.chat.get_or_init(|| chat))
    }

    /// The input as a JSON value: what was received, or the canonical form of the conversation.
    ///
    /// # Errors
    /// `InvalidRequest` when the received bytes are not JSON.
    pub fn value(&self) -> Result<&Value> {
        if let Some(value) = self.0.value.get() {
            return Ok(value);
        }
        let value = match (&self.0.received, self.0.chat.get()) {
            (Some((_, bytes)), _) => serde_json::from_slice(bytes).map_err(|e| not_a("JSON value", &e))?,
            (None, Some(chat)) => serde_json::to_value(chat).map_err(|e| not_a("JSON value", &e))?,
            (None, None) => Value::Null,
        };
        Ok(self.0.value.get_or_init(|| value))
    }
}

/// What an [`Input`] is made of.
pub(crate) enum Form<'a> {
    Received(&'a [u8]),
    Value(&'a Value),
    Chat(&'a Chat),
    Nothing,
}

impl Form<'_> {
    /// So many bytes of text, where that is known.
    pub(crate) fn size(&self) -> usize {
        if let Self::Received(bytes) = self { bytes.len() } else { 0 }
    }
}

pub(crate) fn not_a(what: &str, error: &dyn fmt::Display) -> Error {
    Error::new(ErrorKind::InvalidRequest, format!("the input is no {what}: {error}"))
}

impl From<Value> for Input {
    fn from(value: Value) -> Self {
        Self(Arc::new(Inner { value: value.into(), ..Inner::default() }))
    }
}

impl From<Chat> for Input {
    fn from(chat: Chat) -> Self {
        Self(Arc::new(Inner { chat: chat.into(), ..Inner::default() }))
    }
}

/// Says what is there, never what it holds: a prompt does not belong in a log.
impl fmt::Debug for Input {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = f.debug_struct("Input");
        if let Some((wire, bytes)) = &self.0.received {
            out.field("wire", wire).field("bytes", &bytes.len());
        }
        out.field("chat", &self.0.chat.get().is_some()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const WIRE: Wire = Wire::new("test.chat");

    #[test]
    fn a_request_stays_small() {
        assert_eq!(size_of::<Request>(), 56);
    }

    #[test]
    fn received_bytes_are_parsed_once_and_only_when_asked_for() {
        let input = Input::json(WIRE, Bytes::from_static(b"{\"a\": 1}"));
        assert!(input.0.value.get().is_none());
        let twin = input.clone();
        assert_eq!(input.value().unwrap(), &json!({"a": 1}));
        assert!(std::ptr::eq(input.value().unwrap(), twin.value().unwrap()));
        assert_eq!(input.bytes_in(WIRE).unwrap().len(), 8);
        assert!(input.bytes_in(Wire::new("other")).is_none());
    }

    #[test]
    fn a_value_becomes_a_conversation_and_back() {
        let chat = Chat::user("hello").with_system("be brief");
        let value = Input::from(chat.clone()).value().unwrap().clone();
        assert_eq!(Input::from(value).chat().unwrap(), &chat);
        assert_eq!(Input::none().chat().unwrap_err().kind(), ErrorKind::InvalidRequest);
    }

    #[test]
    fn debug_shows_no_prompt() {
        let request = Request::chat(Chat::user("my secret plan"));
        assert!(!format!("{request:?}").contains("secret"));
    }
}
