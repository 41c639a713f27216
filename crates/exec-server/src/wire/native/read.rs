//! Reading the body of `POST /api/v2/execution`, with every error in it.

use std::sync::Arc;

use bytes::Bytes;
use exec_core::{Chat, Error, ErrorKind, FieldError, Input, Options, Priority, Raw, Request, Result};
use serde_json::{Map, Value};

use super::STREAMING;
use crate::config::LimitsConfig;

const FIELDS: &str = "prompt, systemPrompt, model, temperature, maxTokens, stream, provider, strategy, priority, fallback, metadata";

pub(super) fn request(body: &Bytes, limits: LimitsConfig) -> Result<Request> {
    let Value::Object(members) = parse(body)? else {
        return Err(Error::invalid(vec![FieldError::new("body", "invalid_type", "must be a JSON object")]));
    };
    let mut fields = Fields { members, errors: Vec::new() };
    let chat = fields.chat(limits);
    let options = fields.options();
    let model: Option<Arc<str>> = fields.text("model").map(Into::into);
    let strategy = fields.text("strategy");
    for unknown in std::mem::take(&mut fields.members).into_iter().map(|(name, _)| name) {
        fields.wrong(&unknown, "unknown_field", format!("is no field of this document; there are: {FIELDS}"));
    }
    if !fields.errors.is_empty() {
        return Err(Error::invalid(fields.errors));
    }
    known_strategy(strategy.as_deref())?;
    let request = Request::new(exec_core::Operation::CHAT, Input::from(chat)).with_options(options);
    Ok(Request { model, ..request })
}

fn parse(body: &Bytes) -> Result<Value> {
    if let Err(error) = std::str::from_utf8(body) {
        let message = format!("must be UTF-8; byte {} is not", error.valid_up_to());
        return Err(Error::invalid(vec![FieldError::new("body", "invalid_utf8", message)]));
    }
    serde_json::from_slice(body).map_err(|error| {
        Error::invalid(vec![FieldError::new("body", "invalid_json", format!("is not JSON: {error}"))])
    })
}

/// A strategy that is not built is refused, not replaced by another.
fn known_strategy(strategy: Option<&str>) -> Result<()> {
    match strategy {
        None | Some("auto" | STREAMING) => Ok(()),
        Some(other) => {
            let message = format!("there is no strategy `{other}` yet; there are: auto, {STREAMING}");
            Err(Error::new(ErrorKind::Unsupported, message).with_code("unknown_strategy"))
        }
    }
}

/// The members of the body that were not read yet, and what is wrong with those that were.
struct Fields {
    members: Map<String, Value>,
    errors: Vec<FieldError>,
}

impl Fields {
    fn chat(&mut self, limits: LimitsConfig) -> Chat {
        let prompt = match self.text("prompt") {
            Some(prompt) => self.prompt(prompt, limits),
            None => {
                if !self.errors.iter().any(|error| error.path == "prompt") {
                    self.wrong("prompt", "required", "Prompt is required");
                }
                String::new()
            }
        };
        let mut chat = Chat::user(prompt);
        if let Some(system) = self.text("systemPrompt") {
            chat = chat.with_system(system);
        }
        chat.sampling.temperature = self.number("temperature", 0.0, 2.0);
        chat.sampling.max_tokens = self.whole("maxTokens", limits.max_tokens);
        chat
    }

    fn prompt(&mut self, prompt: String, limits: LimitsConfig) -> String {
        if prompt.is_empty() {
            self.wrong("prompt", "required", "Prompt is required");
        } else if prompt.chars().nth(limits.prompt_chars).is_some() {
            let message = format!("Prompt too long: at most {} characters", limits.prompt_chars);
            self.wrong("prompt", "too_long", message);
        }
        prompt
    }

    fn options(&mut self) -> Options {
        let provider = self.text("provider");
        if provider.as_deref() == Some("") {
            self.wrong("provider", "required", "name a provider, or leave it out for the default one");
        }
        Options {
            stream: self.flag("stream").unwrap_or(false),
            priority: self.priority(),
            provider: provider.map(Into::into),
            metadata: self.metadata(),
            no_fallback: self.flag("fallback") == Some(false),
            restartable: true,
            ..Options::default()
        }
    }

    fn priority(&mut self) -> Priority {
        match self.text("priority").map(Value::String).map(serde_json::from_value) {
            None => Priority::default(),
            Some(Ok(priority)) => priority,
            Some(Err(_)) => {
                self.wrong("priority", "invalid_value", "must be low, normal, high or urgent");
                Priority::default()
            }
        }
    }

    fn metadata(&mut self) -> Option<Raw> {
        match self.take("metadata")? {
            object @ Value::Object(_) => Some(object.into()),
            _ => {
                self.wrong("metadata", "invalid_type", "must be an object");
                None
            }
        }
    }

    fn text(&mut self, name: &str) -> Option<String> {
        match self.take(name)? {
            Value::String(text) => Some(text),
            _ => {
                self.wrong(name, "invalid_type", "must be a string");
                None
            }
        }
    }

    fn flag(&mut self, name: &str) -> Option<bool> {
        let flag = self.take(name)?.as_bool();
        if flag.is_none() {
            self.wrong(name, "invalid_type", "must be true or false");
        }
        flag
    }

    fn number(&mut self, name: &str, low: f64, high: f64) -> Option<f64> {
        let Some(number) = self.take(name)?.as_f64() else {
            self.wrong(name, "invalid_type", "must be a number");
            return None;
        };
        if !(low..=high).contains(&number) {
            self.wrong(name, "out_of_range", format!("must be between {low} and {high}"));
        }
        Some(number)
    }

    fn whole(&mut self, name: &str, high: u64) -> Option<u64> {
        let value = self.take(name)?;
        match value.as_u64() {
            Some(number) if (1..=high).contains(&number) => Some(number),
            _ if value.is_number() => {
                self.wrong(name, "out_of_range", format!("must be a whole number between 1 and {high}"));
                None
            }
            _ => {
                self.wrong(name, "invalid_type", "must be a number");
                None
            }
        }
    }

    /// The member, read once; null counts as absent.
    fn take(&mut self, name: &str) -> Option<Value> {
        self.members.remove(name).filter(|value| !value.is_null())
    }

    fn wrong(&mut self, path: &str, code: &'static str, message: impl Into<String>) {
        self.errors.push(FieldError::new(path, code, message));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(body: &str) -> Result<Request> {
        request(&Bytes::copy_from_slice(body.as_bytes()), LimitsConfig::default())
    }

    fn wrong(body: &str) -> Vec<String> {
        read(body).unwrap_err().fields().iter().map(|f| format!("{} {}", f.path, f.code)).collect()
    }

    #[test]
    fn a_whole_document_is_read() {
        let request = read(
            r#"{"prompt": "hi", "systemPrompt": "be brief", "temperature": 2, "maxTokens": 8000, "stream": true,
                "provider": "p", "strategy": "auto", "priority": "urgent", "metadata": {"a": {"b": 1}}, "model": "m"}"#,
        )
        .unwrap();
        let chat = request.input.chat().unwrap();
        assert_eq!((chat.messages.len(), chat.sampling.max_tokens), (2, Some(8000)));
        assert_eq!((request.options.priority, request.options.stream), (Priority::Urgent, true));
        assert_eq!(request.options.provider.as_deref(), Some("p"));
        assert_eq!(request.options.metadata.as_ref().unwrap().get(), r#"{"a":{"b":1}}"#);
    }

    #[test]
    fn everything_wrong_is_said_at_once() {
        let body = r#"{"temperature": 2.1, "maxTokens": 1.5, "stream": "yes", "provider": "", "priority": "asap",
            "metadata": [], "max_tokens": 5, "systemPrompt": 1, "strategy": null}"#;
        assert_eq!(
            wrong(body),
            [
                "prompt required",
                "systemPrompt invalid_type",
                "temperature out_of_range",
                "maxTokens out_of_range",
                "provider required",
                "stream invalid_type",
                "priority invalid_value",
                "metadata invalid_type",
                "max_tokens unknown_field"
            ]
        );
        assert_eq!(wrong(r#"{"prompt": 1}"#), ["prompt invalid_type"]);
        assert_eq!(wrong(&format!(r#"{{"prompt": "{}"}}"#, "ä".repeat(10_001))), ["prompt too_long"]);
        assert!(read(&format!(r#"{{"prompt": "{}"}}"#, "ä".repeat(10_000))).is_ok());
        assert_eq!(wrong("[]"), ["body invalid_type"]);
        assert_eq!(wrong("{\"prompt\": "), ["body invalid_json"]);
    }

    #[test]
    fn bytes_that_are_no_text_are_named_by_their_place() {
        let error =
            request(&Bytes::from_static(b"{\"prompt\": \"\xff\"}"), LimitsConfig::default()).unwrap_err();
        assert!(error.message().contains("byte 12"), "{error}");
    }

    #[test]
    fn a_strategy_that_is_not_built_is_refused() {
        let error = read(r#"{"prompt": "x", "strategy": "batch"}"#).unwrap_err();
        assert_eq!((error.kind(), error.code()), (ErrorKind::Unsupported, "unknown_strategy"));
    }
}
