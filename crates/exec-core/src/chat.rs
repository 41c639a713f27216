//! The canonical conversation: what every provider's chat format is translated to and from.
//!
//! Nothing a caller sends is lost on the way: fields we have no name for are kept as [`Extra`], parts we have no
//! name for as [`Part::Opaque`]. Sent on in the format they came from they are there again; in another format they
//! cannot be expressed, and whoever leaves them out says so in the [`Report`](crate::Report).

mod part;
mod tool;

use serde::{Deserialize, Serialize};

pub use self::part::{Extra, Opaque, Part, Reasoning, Source, ToolCall, ToolResult};
pub use self::tool::{Function, Tool, ToolChoice};
use crate::fingerprint::NOT_ASKED;
use crate::{Text, Wire};

/// A conversation to be continued, with tools and sampling.
///
/// ```
/// use exec_core::Chat;
/// let chat = Chat::user("How high is the Zugspitze?").with_system("Answer in one word.");
/// assert_eq!(chat.messages.len(), 2);
/// assert_eq!(chat.messages[0].text(), "Answer in one word.");
/// ```
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Chat {
    /// The turns, oldest first. System messages come where they stand.
    pub messages: Vec<Message>,
    /// What the model may call.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tools: Vec<Tool>,
    /// Whether it must.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tool_choice: Option<ToolChoice>,
    /// Whether it may make several calls in one turn.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parallel_tool_calls: Option<bool>,
    /// How the next token is chosen, and when to end.
    #[serde(flatten)]
    pub sampling: Sampling,
    /// Every field we have no name for, and the format it means something in.
    #[serde(flatten)]
    pub extra: Extra,
}

/// How the next token is chosen, and when to end. What is absent is left to the provider.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Sampling {
    /// Spread of the choice; 0 takes the likeliest token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub temperature: Option<f64>,
    /// Share of probability the choice is made from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub top_p: Option<f64>,
    /// Number of tokens the choice is made from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub top_k: Option<u64>,
    /// The most tokens the answer may have.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_tokens: Option<u64>,
    /// Texts at which the answer ends.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub stop: Vec<String>,
    /// For providers that can repeat themselves.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seed: Option<i64>,
    /// Penalty for tokens by how often they were used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub frequency_penalty: Option<f64>,
    /// Penalty for tokens that were used at all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub presence_penalty: Option<f64>,
}

/// Who speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// The operator of the application.
    System,
    /// The same, by its newer name in some formats.
    Developer,
    /// The person.
    User,
    /// The model.
    Assistant,
    /// A tool that was called.
    Tool,
}

/// One turn.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Message {
    /// Who speaks.
    pub role: Role,
    /// What is said, in order.
    pub parts: Vec<Part>,
    /// Which of several people with one role.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Every field we have no name for.
    #[serde(flatten)]
    pub extra: Extra,
}

impl Message {
    /// A turn of one text.
    pub fn new(role: Role, text: impl Into<Text>) -> Self {
        Self { role, parts: vec![Part::text(text)], name: None, extra: Extra::default() }
    }

    /// The text parts, joined without a separator.
    #[must_use]
    pub fn text(&self) -> String {
        self.parts
            .iter()
            .filter_map(|part| match part {
                Part::Text { text, .. } => Some(text.to_str()),
                _ => None,
            })
            .collect()
    }
}

impl Chat {
    /// A conversation that begins with one turn of the user.
    pub fn user(text: impl Into<Text>) -> Self {
        Self { messages: vec![Message::new(Role::User, text)], ..Self::default() }
    }

    /// Puts a system message in front.
    #[must_use]
    pub fn with_system(mut self, text: impl Into<Text>) -> Self {
        self.messages.insert(0, Message::new(Role::System, text));
        self
    }

    /// Adds a turn at the end.
    #[must_use]
    pub fn with_message(mut self, message: Message) -> Self {
        self.messages.push(message);
        self
    }

    /// The names of the top-level fields and of the parts that mean nothing in the format `wire`, each once.
    ///
    /// Whoever translates the conversation into `wire` leaves exactly these out. Fields that say how to answer and not
    /// what is asked (`stream_options`) are not among them: whoever writes the answer heeds them in any case.
    #[must_use]
    pub fn inexpressible_in(&self, wire: Wire) -> Vec<String> {
        let asked = |name: &&str| !NOT_ASKED.contains(name);
        let mut names: Vec<String> = self.extra.foreign_to(wire).filter(asked).map(str::to_owned).collect();
        for message in &self.messages {
            names.extend(message.extra.foreign_to(wire).map(|name| format!("messages[].{name}")));
            for part in &message.parts {
                names.extend(part.foreign_to(wire));
            }
        }
        for tool in &self.tools {
            names.extend(tool.foreign_to(wire));
        }
        names.sort_unstable();
        names.dedup();
        names
    }
}

impl From<&str> for Chat {
    fn from(prompt: &str) -> Self {
        Self::user(prompt)
    }
}

impl From<String> for Chat {
    fn from(prompt: String) -> Self {
        Self::user(prompt)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn unknown_fields_survive_the_canonical_form() {
        let value = json!({
            "messages": [
                {"role": "user", "parts": [{"type": "text", "text": "hi", "weight": 2}], "mood": "good"},
                {"role": "assistant", "parts": [
                    {"type": "tool_call", "id": "c1", "name": "f", "arguments": "{}", "x": [1]},
                    {"type": "opaque", "wire": "w", "kind": "k", "value": {"signed": "abc="}}
                ]}
            ],
            "tools": [{"type": "function", "name": "f", "parameters": {"type": "object"}, "strict": true}],
            "temperature": 0.5,
            "future_option": {"deep": [1, 2]}
        });
        let chat: Chat = serde_json::from_value(value.clone()).unwrap();
        assert_eq!(serde_json::to_value(&chat).unwrap(), value);
        assert_eq!(chat.extra.get("future_option").unwrap().get(), r#"{"deep":[1,2]}"#);
    }

    #[test]
    fn what_another_format_cannot_say_is_named_once() {
        let wire = Wire::new("a");
        let mut chat = Chat::user("x");
        chat.extra = Extra::of(wire);
        chat.extra.insert("logit_bias", json!({}).into());
        chat.extra.insert("stream_options", json!({}).into());
        chat.messages[0].parts.push(Part::Opaque(Opaque::new(wire, "audio", json!({}).into())));
        chat.messages.push(chat.messages[0].clone());
        assert_eq!(chat.inexpressible_in(Wire::new("b")), ["audio", "logit_bias"]);
        assert!(chat.inexpressible_in(wire).is_empty());
    }
}
