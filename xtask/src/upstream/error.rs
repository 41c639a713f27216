//! Failures in the exact shape of each format, by status and by name.
use super::json::{put, quote, quote_or_null};
use std::borrow::Cow;

/// Names that `error=` takes.
pub(super) const NAMES: [&str; 9] = [
    "context_length",
    "content_filter",
    "insufficient_quota",
    "rate_limit",
    "overloaded",
    "model_not_found",
    "bad_json",
    "billing",
    "prefill_rejected",
];

/// Whose wire format an answer has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    OpenAi,
    Anthropic,
}

/// A failure before it has a shape.
#[derive(Clone, Debug)]
pub(super) struct Failure {
    pub(super) status: u16,
    pub(super) kind: &'static str,
    pub(super) code: Option<&'static str>,
    pub(super) param: Option<&'static str>,
    pub(super) message: Cow<'static, str>,
}

impl Failure {
    fn new(status: u16, kind: &'static str, message: impl Into<Cow<'static, str>>) -> Self {
        Self { status, kind, code: None, param: None, message: message.into() }
    }

    pub(super) fn code(mut self, code: &'static str) -> Self {
        self.code = Some(code);
        self
    }

    fn param(mut self, param: &'static str) -> Self {
        self.param = Some(param);
        self
    }

    /// A request that is wrong in itself; `param` is the field to blame.
    pub(super) fn invalid(message: impl Into<Cow<'static, str>>, param: Option<&'static str>) -> Self {
        Self { param, ..Self::new(400, "invalid_request_error", message) }
    }

    /// No key, or the key `bad-key`.
    pub(super) fn unauthorized(format: Format, key: Option<&str>) -> Self {
        match (format, key) {
            (Format::Anthropic, None) => Self::new(401, "authentication_error", "x-api-key header is required"),
            (Format::Anthropic, Some(_)) => Self::new(401, "authentication_error", "invalid x-api-key"),
            (Format::OpenAi, None) => Self::new(
                401,
                "invalid_request_error",
                "You didn't provide an API key. You need to provide your API key in an Authorization header using Bearer auth (i.e. Authorization: Bearer YOUR_KEY).",
            ),
            (Format::OpenAi, Some(key)) => Self::new(
                401,
                "invalid_request_error",
                format!("Incorrect API key provided: {key}. You can find your API key at https://platform.openai.com/account/api-keys."),
            )
            .code("invalid_api_key"),
        }
    }

    /// A model whose name starts with `missing`.
    pub(super) fn no_model(format: Format, model: &str) -> Self {
        match format {
            Format::Anthropic => Self::new(404, "not_found_error", format!("model: {model}")),
            Format::OpenAi => Self::new(
                404,
                "invalid_request_error",
                format!("The model `{model}` does not exist or you do not have access to it."),
            )
            .code("model_not_found"),
        }
    }

    /// A path nobody serves.
    pub(super) fn no_path(format: Format, method: &str, path: &str) -> Self {
        match format {
            Format::Anthropic => Self::new(404, "not_found_error", "Not found"),
            Format::OpenAi => {
                Self::new(404, "invalid_request_error", format!("Invalid URL ({method} {path})"))
            }
        }
    }

    /// A known path with another method.
    pub(super) fn no_method(format: Format, method: &str, path: &str) -> Self {
        match format {
            Format::Anthropic => Self::new(405, "invalid_request_error", "Method Not Allowed"),
            Format::OpenAi => Self::new(
                405,
                "invalid_request_error",
                format!(
                    "Not allowed to {method} on {path}. (HINT: Perhaps you meant to use a different HTTP method?)"
                ),
            ),
        }
    }

    /// The failure that usually has this status.
    pub(super) fn of_status(format: Format, status: u16, model: &str) -> Self {
        match (format, status) {
            (_, 404) => Self::no_model(format, model),
            (_, 401) => Self::unauthorized(format, Some("bad-key")),
            (Format::OpenAi, _) => openai_status(status),
            (Format::Anthropic, _) => anthropic_status(status),
        }
    }

    /// The failure of an `error=` name; `bad_json` has no shape and is not here.
    pub(super) fn named(format: Format, name: &str, model: &str) -> Self {
        match (format, name) {
            (_, "model_not_found") => Self::no_model(format, model),
            (Format::OpenAi, _) => openai_named(name),
            (Format::Anthropic, _) => anthropic_named(name),
        }
    }

    /// Without the words that say when to come back.
    pub(super) fn without_hint(self) -> Self {
        let message = self.message.replace(" Please try again in 20s.", "");
        Self { message: message.into(), ..self }
    }

    /// The JSON body.
    pub(super) fn render(&self, format: Format, request: u64) -> Vec<u8> {
        let mut out = Vec::with_capacity(256);
        match format {
            Format::OpenAi => self.render_openai(&mut out),
            Format::Anthropic => self.render_anthropic(&mut out, request),
        }
        out
    }

    fn render_openai(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"{\"error\":{\"message\":");
        quote(out, &self.message);
        out.extend_from_slice(b",\"type\":");
        quote(out, self.kind);
        out.extend_from_slice(b",\"param\":");
        quote_or_null(out, self.param);
        out.extend_from_slice(b",\"code\":");
        quote_or_null(out, self.code);
        out.extend_from_slice(b"}}");
    }

    fn render_anthropic(&self, out: &mut Vec<u8>, request: u64) {
        out.extend_from_slice(b"{\"type\":\"error\",\"error\":{\"type\":");
        quote(out, self.kind);
        out.extend_from_slice(b",\"message\":");
        quote(out, &self.message);
        if let Some(code) = self.code {
            put(out, format_args!(",\"details\":{{\"error_code\":\"{code}\"}}"));
        }
        put(out, format_args!("}},\"request_id\":\"req_{request:024x}\"}}"));
    }
}

/// A body that is not JSON at all, as proxies in front of an API send.
pub(super) const HTML: &[u8] =
    b"<html>\r\n<head><title>400 Bad Request</title></head>\r\n<body>\r\n<center><h1>400 Bad Request</h1></center>\r\n</body>\r\n</html>\r\n";

fn openai_status(status: u16) -> Failure {
    let invalid = "invalid_request_error";
    match status {
        400 => Failure::new(400, invalid, "Invalid value for 'messages'.")
            .param("messages")
            .code("invalid_value"),
        403 => Failure::new(403, invalid, "Country, region, or territory not supported")
            .code("unsupported_country_region_territory"),
        408 => Failure::new(408, "timeout", "Request timed out."),
        409 => Failure::new(409, invalid, "The resource was updated by another request. Please try again."),
        413 => Failure::new(413, invalid, "Request body too large."),
        429 => openai_named("rate_limit"),
        502 => Failure::new(502, "server_error", "Bad gateway."),
        503 => openai_named("overloaded"),
        504 => Failure::new(504, "server_error", "Gateway timeout."),
        529 => Failure::new(529, "server_error", "The server is overloaded. Please try again later."),
        other => Failure::new(
            other,
            "server_error",
            "The server had an error while processing your request. Sorry about that!",
        ),
    }
}

fn openai_named(name: &str) -> Failure {
    let invalid = "invalid_request_error";
    match name {
        "context_length" => Failure::new(400, invalid, "This model's maximum context length is 128000 tokens. However, your messages resulted in 200021 tokens. Please reduce the length of the messages.")
            .param("messages")
            .code("context_length_exceeded"),
        "content_filter" => Failure::new(400, invalid, "The response was filtered due to the prompt triggering our content management policy. Please modify your prompt and retry.")
            .param("prompt")
            .code("content_filter"),
        "insufficient_quota" => Failure::new(429, "insufficient_quota", "You exceeded your current quota, please check your plan and billing details. For more information on this error, read the docs: https://platform.openai.com/docs/guides/error-codes/api-errors.")
            .code("insufficient_quota"),
        "rate_limit" => Failure::new(429, "requests", "Rate limit reached for requests. Limit: 3 / min. Please try again in 20s.")
            .code("rate_limit_exceeded"),
        "billing" => Failure::new(400, invalid, "Billing hard limit has been reached").code("billing_hard_limit_reached"),
        "prefill_rejected" => Failure::new(400, invalid, "Invalid value: the last message must not have role 'assistant'.")
            .param("messages")
            .code("invalid_value"),
        _ => Failure::new(503, "server_error", "The engine is currently overloaded, please try again later."),
    }
}

fn anthropic_status(status: u16) -> Failure {
    match status {
        400 => Failure::new(400, "invalid_request_error", "messages: Input should be a valid list"),
        403 => Failure::new(
            403,
            "permission_error",
            "Your API key does not have permission to use the specified resource.",
        ),
        408 => Failure::new(408, "timeout_error", "Request timed out"),
        409 => Failure::new(
            409,
            "conflict_error",
            "The request conflicts with the current state of the resource",
        ),
        413 => Failure::new(413, "request_too_large", "Request exceeds the maximum size"),
        429 => anthropic_named("rate_limit"),
        504 => Failure::new(504, "timeout_error", "The request timed out while processing"),
        529 => anthropic_named("overloaded"),
        other => Failure::new(other, "api_error", "Internal server error"),
    }
}

fn anthropic_named(name: &str) -> Failure {
    let invalid = "invalid_request_error";
    match name {
        "context_length" => Failure::new(400, invalid, "prompt is too long: 200021 tokens > 200000 maximum"),
        "content_filter" => Failure::new(400, invalid, "Output blocked by content filtering policy"),
        "insufficient_quota" => {
            Failure::new(429, "rate_limit_error", "Your organization has reached its enforced spend limit.")
                .code("enforced_spend_limit_reached")
        }
        "rate_limit" => Failure::new(
            429,
            "rate_limit_error",
            "This request would exceed your organization's rate limit of 50 requests per minute.",
        ),
        "billing" => Failure::new(
            402,
            "billing_error",
            "Your credit balance is too low to access the Anthropic API. Please go to Plans & Billing to upgrade or purchase credits.",
        ),
        "prefill_rejected" => Failure::new(
            400,
            invalid,
            "This model does not support assistant message prefill. The conversation must end with a user message.",
        ),
        _ => Failure::new(529, "overloaded_error", "Overloaded"),
    }
}
