//! Conversations that end with a turn of the assistant, which a model goes on from, or refuses.
use super::error::{Failure, Format};
use super::fault::Faults;
use serde::Deserialize;
use serde_json::Value;

#[derive(Debug, Deserialize)]
struct Conversation {
    messages: Vec<Turn>,
}

#[derive(Debug, Deserialize)]
struct Turn {
    role: String,
    #[serde(default)]
    content: Value,
}

/// What the assistant has already said at the end of a conversation. Only a body that names the assistant is read for it.
pub(super) fn prefill(body: &[u8]) -> Option<String> {
    memchr::memmem::find(body, b"\"assistant\"")?;
    let conversation: Conversation = serde_json::from_slice(body).ok()?;
    let last = conversation.messages.last().filter(|turn| turn.role == "assistant")?;
    Some(match &last.content {
        Value::String(text) => text.clone(),
        Value::Array(parts) => parts.iter().filter_map(|part| part.get("text")?.as_str()).collect(),
        _ => String::new(),
    })
}

/// The failures of a model that takes no such turn, and of one that ends in white space.
pub(super) fn check_prefill(format: Format, said: Option<&str>, faults: &Faults) -> Result<(), Failure> {
    match said {
        Some(_) if faults.no_prefill => Err(Failure::named(format, "prefill_rejected", "")),
        Some(said) if format == Format::Anthropic && said.ends_with(char::is_whitespace) => {
            let message = "messages: final assistant content cannot end with trailing whitespace";
            Err(Failure::invalid(message, None))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::prefill;

    #[test]
    fn only_the_last_turn_counts() {
        let of = |body: &str| prefill(body.as_bytes());
        assert_eq!(of(r#"{"messages":[{"role":"assistant","content":"so"}]}"#).as_deref(), Some("so"));
        let parts =
            r#"{"messages":[{"role":"assistant","content":[{"type":"text","text":"a"},{"text":"b"}]}]}"#;
        assert_eq!(of(parts).as_deref(), Some("ab"));
        assert!(
            of(r#"{"messages":[{"role":"assistant","content":"so"},{"role":"user","content":"x"}]}"#)
                .is_none()
        );
        assert!(of(r#"{"messages":[{"role":"user","content":"x"}]}"#).is_none());
    }
}
