//! What kind of failure an answer is, and what would help: judged on status, code and wording together, since one
//! status has several meanings and compatible servers have codes of their own.

use exec_core::{Error, ErrorKind, FieldError, Remedy};
use serde_json::Value;

/// The account has no money or no quota left: waiting does not help.
const QUOTA: [&str; 8] = [
    "insufficient_quota",
    "credit_balance_exhausted",
    "organization_spend_limit_exceeded",
    "project_spend_limit_exceeded",
    "organization_usage_limit_exceeded",
    "billing_hard_limit_reached",
    "billing_not_active",
    "insufficient_balance",
];
const FILTERED: [&str; 4] =
    ["content_filter", "content_policy_violation", "responsibleaipolicyviolation", "moderation_blocked"];
const TOO_LONG: [&str; 5] = [
    "maximum context length",
    "context length exceeded",
    "exceeds the context window",
    "exceed context limit",
    "prompt is too long",
];

/// What the body says, in whatever shape it says it.
#[derive(Debug, Default)]
pub(super) struct Said {
    pub(super) message: Option<String>,
    /// Type, code and inner code, lower case.
    pub(super) codes: Vec<String>,
    pub(super) param: Option<String>,
    /// A code that is an HTTP status.
    pub(super) status: Option<u16>,
}

impl Said {
    /// Reads `{"error": {…}}`, `{"error": "…"}`, `{"message": …}`, `{"detail": …}` and a list of one of them.
    pub(super) fn of(value: &Value) -> Self {
        let value = value.get(0).unwrap_or(value);
        let choice = value.pointer("/choices/0/error");
        let inner = value.get("error").filter(|e| !e.is_null()).or(choice).unwrap_or(value);
        let text = |value: &Value| value.as_str().map(str::to_owned);
        let first = |names: &[&str]| names.iter().find_map(|name| text(inner.get(*name)?));
        let message = text(inner)
            .or_else(|| first(&["message", "detail", "msg", "error_description"]))
            .or_else(|| text(value.get("message")?))
            .or_else(|| inner.get("detail").map(Value::to_string));
        let places = ["/type", "/code", "/status", "/innererror/code", "/metadata/error_type"];
        let codes = places.iter().filter_map(|place| inner.pointer(place)?.as_str());
        let number = |value: &Value| value.as_u64().or_else(|| value.as_str()?.parse().ok());
        let status = ["code", "status", "status_code"].iter().find_map(|name| number(inner.get(*name)?));
        Self {
            message: message.filter(|message| !message.is_empty()),
            codes: codes.map(str::to_ascii_lowercase).collect(),
            param: inner.get("param").and_then(text),
            status: status.and_then(|code| u16::try_from(code).ok()).filter(|code| (400..600).contains(code)),
        }
    }

    fn has(&self, codes: &[&str]) -> bool {
        self.codes.iter().any(|code| codes.contains(&code.as_str()))
    }

    fn says(&self, words: &[&str]) -> bool {
        let message = self.message.as_deref().unwrap_or_default().to_ascii_lowercase();
        words.iter().any(|word| message.contains(word))
    }

    /// The most telling code: not the class of the error but the error.
    fn code(&self) -> Option<&str> {
        let general = ["invalid_request_error", "server_error", "api_error", "error", "requests", "tokens"];
        let usable = |code: &&String| !code.is_empty() && code.parse::<u64>().is_err();
        let mut codes = self.codes.iter().rev().filter(usable).map(String::as_str);
        codes.find(|code| !general.contains(code))
    }
}

/// What a failure is.
pub(super) struct Verdict {
    kind: ErrorKind,
    remedy: Remedy,
    code: Option<String>,
    param: Option<String>,
}

impl Verdict {
    pub(super) fn into_error(self, status: u16, message: &str) -> Error {
        let text = match status {
            200 => message.to_owned(),
            _ => format!("{message} (status {status})"),
        };
        let error = match self.param.filter(|_| self.kind == ErrorKind::InvalidRequest) {
            Some(param) => Error::invalid(vec![FieldError::new(param, "invalid_value", text)]),
            None => Error::new(self.kind, text),
        };
        let error = error.with_remedy(self.remedy);
        self.code.into_iter().fold(error, Error::with_code)
    }
}

/// Judges. `should_retry` is what the server itself advises, which goes before our own opinion.
pub(super) fn judge(status: u16, said: &Said, should_retry: Option<bool>) -> Verdict {
    let (kind, remedy, code) = by_words(status, said).unwrap_or_else(|| {
        let (kind, remedy) =
            by_code(said).filter(|_| status == 200).unwrap_or_else(|| by_status(status, said));
        (kind, remedy, None)
    });
    let spent = kind == ErrorKind::RateLimited && remedy == Remedy::Elsewhere;
    let remedy = match should_retry {
        Some(true) if !spent => Remedy::Retry,
        Some(false) if remedy == Remedy::Retry => Remedy::Elsewhere,
        _ => remedy,
    };
    let code = code.or_else(|| said.code()).map(str::to_owned);
    Verdict { kind, remedy, code, param: said.param.clone() }
}

type Ruling<'a> = (ErrorKind, Remedy, Option<&'a str>);

/// Failures whose code or wording says more than their status.
fn by_words<'a>(status: u16, said: &Said) -> Option<Ruling<'a>> {
    let refused = status == 200 || (400..500).contains(&status);
    if status == 402 || said.has(&QUOTA) {
        let code = said.code().is_none().then_some("insufficient_quota");
        return Some((ErrorKind::RateLimited, Remedy::Elsewhere, code));
    }
    if said.has(&["context_length_exceeded"]) || (refused && status != 429 && said.says(&TOO_LONG)) {
        return Some((ErrorKind::ContextLength, Remedy::Stop, Some("context_length_exceeded")));
    }
    if said.has(&FILTERED) || (status == 403 && said.says(&["flagged", "moderation"])) {
        return Some((ErrorKind::ContentFiltered, Remedy::Stop, Some("content_filter")));
    }
    if refused && said.has(&["invalid_api_key"]) || (status == 400 && said.says(&["api key not valid"])) {
        return Some((ErrorKind::Unauthenticated, Remedy::Elsewhere, Some("invalid_api_key")));
    }
    if refused && said.has(&["model_not_found", "model_not_available"]) {
        return Some((ErrorKind::NotFound, Remedy::Elsewhere, Some("model_not_found")));
    }
    // One request that is larger than the limit of a minute never fits.
    if status == 429 && said.says(&["request too large"]) {
        return Some((ErrorKind::RateLimited, Remedy::Elsewhere, Some("request_too_large")));
    }
    said.has(&["slow_down"]).then_some((ErrorKind::Overloaded, Remedy::Retry, Some("slow_down")))
}

/// For errors inside an answer that began as a success and name no status.
fn by_code(said: &Said) -> Option<(ErrorKind, Remedy)> {
    let table: [(&[&str], ErrorKind, Remedy); 6] = [
        (&["rate_limit_exceeded", "rate_limit_error"], ErrorKind::RateLimited, Remedy::Retry),
        (&["overloaded_error", "overloaded", "engine_overloaded"], ErrorKind::Overloaded, Remedy::Retry),
        (&["authentication_error"], ErrorKind::Unauthenticated, Remedy::Elsewhere),
        (&["permission_error"], ErrorKind::PermissionDenied, Remedy::Elsewhere),
        (&["not_found_error"], ErrorKind::NotFound, Remedy::Elsewhere),
        (&["invalid_request_error", "badrequesterror"], ErrorKind::InvalidRequest, Remedy::Stop),
    ];
    // A failure of the server is no fault of the request, whatever its type says.
    let failed = said.has(&["server_error", "internal_error", "internal_server_error"]);
    let found = table.into_iter().find(|(codes, ..)| said.has(codes));
    found.filter(|_| !failed).map(|(_, kind, remedy)| (kind, remedy))
}

fn by_status(status: u16, said: &Said) -> (ErrorKind, Remedy) {
    match status {
        300..=399 => (ErrorKind::Upstream, Remedy::Elsewhere),
        401 => (ErrorKind::Unauthenticated, Remedy::Elsewhere),
        403 => (ErrorKind::PermissionDenied, Remedy::Elsewhere),
        404 => (ErrorKind::NotFound, Remedy::Elsewhere),
        413 => (ErrorKind::TooLarge, Remedy::Stop),
        429 => (ErrorKind::RateLimited, Remedy::Retry),
        408 | 409 | 425 => (ErrorKind::Upstream, Remedy::Retry),
        400..=499 => (ErrorKind::InvalidRequest, Remedy::Stop),
        501 => (ErrorKind::Unsupported, Remedy::Elsewhere),
        503 if !said.says(&["overload", "capacity", "busy"]) => (ErrorKind::Unavailable, Remedy::Retry),
        503 | 529 => (ErrorKind::Overloaded, Remedy::Retry),
        502 => (ErrorKind::Unavailable, Remedy::Retry),
        _ => (ErrorKind::Upstream, Remedy::Retry),
    }
}
