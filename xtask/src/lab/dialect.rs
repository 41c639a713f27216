//! The three formats a caller can speak: where to send what.

use serde_json::{Value, json};

/// What every conversation asks.
pub(crate) const PROMPT: &str = "Say your sixty words.";

/// A caller's format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Dialect {
    OpenAi,
    Anthropic,
    Native,
}

impl Dialect {
    pub(crate) const ALL: [Self; 3] = [Self::OpenAi, Self::Anthropic, Self::Native];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::OpenAi => "openai",
            Self::Anthropic => "anthropic",
            Self::Native => "native",
        }
    }

    pub(crate) fn path(self) -> &'static str {
        match self {
            Self::OpenAi => "/v1/chat/completions",
            Self::Anthropic => "/v1/messages",
            Self::Native => "/api/v2/execution",
        }
    }

    /// A request for [`PROMPT`], with usage in streams where that must be asked for.
    pub(crate) fn ask(self, model: &str, stream: bool) -> Value {
        let messages = json!([{"role": "user", "content": PROMPT}]);
        match self {
            Self::OpenAi if stream => {
                json!({"model": model, "stream": true, "messages": messages, "stream_options": {"include_usage": true}})
            }
            Self::OpenAi => json!({"model": model, "messages": messages}),
            Self::Anthropic => {
                json!({"model": model, "stream": stream, "max_tokens": 500, "messages": messages})
            }
            Self::Native => json!({"model": model, "stream": stream, "prompt": PROMPT}),
        }
    }

    /// The same with a tool that may be called; `None` where the format has no tools.
    pub(crate) fn ask_with_tool(self, model: &str, stream: bool) -> Option<Value> {
        let schema = json!({"type": "object", "properties": {"query": {"type": "string"}}});
        let mut body = self.ask(model, stream);
        body["tools"] = match self {
            Self::OpenAi => json!([{"type": "function", "function": {"name": "look", "parameters": schema}}]),
            Self::Anthropic => json!([{"name": "look", "input_schema": schema}]),
            Self::Native => return None,
        };
        Some(body)
    }
}
