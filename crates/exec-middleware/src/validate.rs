//! A request that cannot work is refused before it costs anything, with every reason at once.
//!
//! This is about what a request means. Whether a body is well-formed is checked where it is read.

use std::sync::Arc;

use async_trait::async_trait;
use exec_core::chat::{Chat, Message, Part, Role, Sampling};
use exec_core::{Context, Error, FieldError, Middleware, Next, Operation, Request, Response, Result};

/// Something a request must fulfil.
pub trait Rule: Send + Sync + 'static {
    /// Adds what is wrong with `request` to `errors`.
    fn check(&self, request: &Request, errors: &mut Vec<FieldError>);
}

impl<F: Fn(&Request, &mut Vec<FieldError>) + Send + Sync + 'static> Rule for F {
    fn check(&self, request: &Request, errors: &mut Vec<FieldError>) {
        self(request, errors);
    }
}

/// Checks every request against rules. The default has the rules for conversations and embeddings.
///
/// ```
/// use exec_core::{FieldError, Request};
/// use exec_middleware::Validate;
/// let validate = Validate::default().with(|request: &Request, errors: &mut Vec<FieldError>| {
///     if request.model.is_none() {
///         errors.push(FieldError::new("model", "required", "name a model"));
///     }
/// });
/// ```
#[derive(Clone)]
pub struct Validate {
    rules: Vec<Arc<dyn Rule>>,
}

impl Default for Validate {
    fn default() -> Self {
        Self { rules: vec![Arc::new(conversation), Arc::new(embedding)] }
    }
}

impl Validate {
    /// Adds a rule.
    #[must_use]
    pub fn with(mut self, rule: impl Rule) -> Self {
        self.rules.push(Arc::new(rule));
        self
    }

    /// Checks `request` against every rule.
    ///
    /// # Errors
    /// `InvalidRequest` with everything that is wrong.
    pub fn check(&self, request: &Request) -> Result<()> {
        let mut errors = Vec::new();
        self.rules.iter().for_each(|rule| rule.check(request, &mut errors));
        if errors.is_empty() { Ok(()) } else { Err(Error::invalid(errors)) }
    }
}

#[async_trait]
impl Middleware for Validate {
    async fn handle(&self, request: Request, context: &Context, next: Next<'_>) -> Result<Response> {
        self.check(&request)?;
        next.run(request, context).await
    }

    fn name(&self) -> &'static str {
        "validate"
    }
}

impl std::fmt::Debug for Validate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Validate({} rules)", self.rules.len())
    }
}

fn conversation(request: &Request, errors: &mut Vec<FieldError>) {
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

fn embedding(request: &Request, errors: &mut Vec<FieldError>) {
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
