//! The rules that hold for every provider: what a conversation and an embedding need to be worth sending.

use exec_core::chat::{Chat, Message, Part, Role, Sampling};
use exec_core::{FieldError, Operation, Request};

pub(super) fn conversation(request: &Request, errors: &mut Vec<FieldError>) {
    if request.operation != Operation::CHAT {
        return;
    }
    match request.input.chat() {
        Ok(chat) => check_chat(chat, errors),
        Err(error) => errors.push(FieldError::new("input", "invalid", error.message())),
    }
}

fn check_chat(chat: &Chat, errors: &mut Vec<FieldError>) {
    if chat.messages.is_empty() {
        errors.push(FieldError::new("messages", "empty", "give at least one message"));
    }
    for (i, message) in chat.messages.iter().enumerate() {
        check_message(i, message, errors);
    }
    check_sampling(&chat.sampling, errors);
}

fn check_message(i: usize, message: &Message, errors: &mut Vec<FieldError>) {
    let calls = message.parts.iter().any(|part| matches!(part, Part::ToolCall(_)));
    let results = message.parts.iter().any(|part| matches!(part, Part::ToolResult(_)));
    if calls && message.role != Role::Assistant {
        let text = "only an assistant message can hold tool calls";
        errors.push(FieldError::new(format!("messages[{i}]"), "invalid", text));
    }
    if results && !matches!(message.role, Role::Tool | Role::User) {
        let text = "only a tool or user message can hold tool results";
        errors.push(FieldError::new(format!("messages[{i}]"), "invalid", text));
    }
}

fn check_sampling(sampling: &Sampling, errors: &mut Vec<FieldError>) {
    let ranges = [
        ("temperature", sampling.temperature, 0.0, 2.0),
        ("top_p", sampling.top_p, 0.0, 1.0),
        ("frequency_penalty", sampling.frequency_penalty, -2.0, 2.0),
        ("presence_penalty", sampling.presence_penalty, -2.0, 2.0),
    ];
    for (name, value, low, high) in ranges {
        // Not a number is in no range either.
        if value.is_some_and(|value| !(low..=high).contains(&value)) {
            let text = format!("must be between {low} and {high}");
            errors.push(FieldError::new(name, "out_of_range", text));
        }
    }
    if sampling.max_tokens == Some(0) {
        errors.push(FieldError::new("max_tokens", "out_of_range", "must be at least 1"));
    }
}

pub(super) fn embedding(request: &Request, errors: &mut Vec<FieldError>) {
    if request.operation != Operation::EMBED {
        return;
    }
    let Ok(value) = request.input.value() else {
        return errors.push(FieldError::new(
            "input",
            "invalid",
            "must be a JSON object with a member `input`",
        ));
    };
    match value.get("input") {
        Some(serde_json::Value::String(text)) if !text.is_empty() => {}
        Some(serde_json::Value::Array(items)) if !items.is_empty() => {}
        _ => errors.push(FieldError::new("input", "required", "give a text or a list of texts")),
    }
}

/// Not wrong, but whoever answers then chooses.
pub(super) fn unnamed_model(request: &Request, warnings: &mut Vec<FieldError>) {
    let asks_a_model = [Operation::CHAT, Operation::EMBED].contains(&request.operation);
    if asks_a_model && request.model.is_none() {
        warnings.push(FieldError::new(
            "model",
            "required",
            "name a model, or the provider's default answers",
        ));
    }
}
