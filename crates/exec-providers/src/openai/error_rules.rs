//! What kind of failure an answer is, and what would help: judged on status, code and wording together, since one
//! status has several meanings and compatible servers have codes of their own.

use std::time::Duration;

use exec_core::{Error, ErrorKind, FieldError, Remedy};
use http::HeaderMap;
use serde_json::Value;

use super::limits::{go_duration, spoken_wait};
use crate::fault::{
    DISABLED_RULING, FILTERED_RULING, NO_MODEL_RULING, Ruling, SPENT_RULING, TOO_LONG_RULING,
    WRONG_KEY_RULING, advised, by_status, by_wording, is_code,
};

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
/// The code of a thing, and what it means whatever the status.
const CODES: [(&[&str], Ruling); 9] = [
    (&["context_length_exceeded", "exceed_context_size_error", "tokens_limit_reached"], TOO_LONG_RULING),
    (
        &[
            "content_filter",
            "content_policy_violation",
            "responsibleaipolicyviolation",
            "moderation_blocked",
            "data_inspection_failed",
        ],
        FILTERED_RULING,
    ),
    (&["organization_restricted", "account_deactivated"], DISABLED_RULING),
    (&["invalid_api_key", "api_key_invalid"], WRONG_KEY_RULING),
    (
        &[
            "model_not_found",
            "model_not_available",
            "model_decommissioned",
            "deploymentnotfound",
            "unknown_model",
            "invalid_model",
        ],
        NO_MODEL_RULING,
    ),
    (&["operationnotsupported"], (ErrorKind::Unsupported, Remedy::Elsewhere, "unsupported")),
    // The model wrote what the server cannot use: no fault of the request, and not to be had better by asking again.
    (&["tool_use_failed"], (ErrorKind::Upstream, Remedy::Elsewhere, "tool_use_failed")),
    (&["slow_down"], (ErrorKind::Overloaded, Remedy::Retry, "slow_down")),
    (&["server_is_overloaded", "capacity_exceeded"], (ErrorKind::Overloaded, Remedy::Retry, "overloaded")),
];

/// What the body says, in whatever shape it says it.
#[derive(Debug, Default)]
pub(super) struct Said {
    pub(super) message: Option<String>,
    /// Reasons, type, code and inner code, lower case.
    pub(super) codes: Vec<String>,
    pub(super) param: Option<String>,
    /// A code that is an HTTP status.
    pub(super) status: Option<u16>,
    /// How long the body asks to be left alone.
    wait: Option<Duration>,
    /// Whether it is the quota of a day that is used up.
    day_spent: bool,
}

impl Said {
    /// Reads `{"error": {…}}`, `{"error": "…"}`, `{"message": …}`, `{"detail": …}`, the same in a failed `response`, and
    /// a list of one of them.
    pub(super) fn of(value: &Value) -> Self {
        let value = value.get(0).unwrap_or(value);
        let places = ["/error", "/choices/0/error", "/response/error"];
        let inner = places.iter().find_map(|place| value.pointer(place).filter(|e| !e.is_null()));
        let inner = inner.unwrap_or(value);
        let text = |value: &Value| value.as_str().map(str::to_owned);
        let first = |names: &[&str]| names.iter().find_map(|name| text(inner.get(*name)?));
        let message = text(inner)
            .or_else(|| first(&["message", "detail", "msg", "error_description"]))
            .or_else(|| text(value.get("message")?))
            .or_else(|| inner.get("detail").map(Value::to_string));
        let places = ["/type", "/code", "/status", "/innererror/code", "/metadata/error_type"];
        let reasons = details(inner).filter_map(|detail| detail.get("reason")?.as_str());
        let codes = reasons.chain(places.iter().filter_map(|place| inner.pointer(place)?.as_str()));
        let number = |value: &Value| value.as_u64().or_else(|| value.as_str()?.parse().ok());
        let status = ["code", "status", "status_code"].iter().find_map(|name| number(inner.get(*name)?));
        Self {
            wait: delay(inner).or_else(|| spoken_wait(message.as_deref()?)),
            message: message.filter(|message| !message.is_empty()),
            codes: codes.map(str::to_ascii_lowercase).collect(),
            param: inner.get("param").and_then(text),
            day_spent: is_of_a_day(inner),
            status: status.and_then(|code| u16::try_from(code).ok()).filter(|code| (400..600).contains(code)),
        }
    }

    /// A text that is no JSON.
    pub(super) fn plain(text: String) -> Self {
        Self { wait: spoken_wait(&text), message: Some(text), ..Self::default() }
    }

    fn has(&self, codes: &[&str]) -> bool {
        self.codes.iter().any(|code| codes.contains(&code.as_str()))
    }

    fn text(&self) -> &str {
        self.message.as_deref().unwrap_or_default()
    }

    /// The account's quota, by its code, by the day, or because the plan has none.
    fn quota(&self) -> Option<&str> {
        let mut codes = self.codes.iter().rev().map(String::as_str);
        let code = codes.find(|code| QUOTA.contains(code));
        let none = self.has(&["resource_exhausted"]) && self.text().contains("limit: 0,");
        code.or_else(|| (self.day_spent || none).then_some(SPENT_RULING.2))
    }

    /// How long a failure of this kind asks to be left alone.
    pub(super) fn wait(&self, kind: ErrorKind) -> Option<Duration> {
        let passes = matches!(kind, ErrorKind::RateLimited | ErrorKind::Overloaded | ErrorKind::Unavailable);
        self.wait.filter(|_| passes)
    }

    /// The most telling code: not the class of the error but the error.
    fn code(&self) -> Option<&str> {
        let general = ["invalid_request_error", "server_error", "api_error", "error", "requests", "tokens"];
        let usable = |code: &&String| is_code(code) && code.parse::<u64>().is_err();
        let mut codes = self.codes.iter().rev().filter(usable).map(String::as_str);
        codes.find(|code| !general.contains(code))
    }
}

/// Google's list of what else is known of a failure.
fn details(error: &Value) -> impl Iterator<Item = &Value> {
    error.get("details").and_then(Value::as_array).into_iter().flatten()
}

/// How long `RetryInfo` says to wait.
fn delay(error: &Value) -> Option<Duration> {
    details(error).find_map(|detail| go_duration(detail.get("retryDelay")?.as_str()?))
}

/// Whether `QuotaFailure` names the quota of a day, which no wait it says outlasts.
fn is_of_a_day(error: &Value) -> bool {
    let violations = details(error).filter_map(|detail| detail.get("violations")?.as_array()).flatten();
    let mut quotas = violations.filter_map(|violation| violation.get("quotaId")?.as_str());
    quotas.any(|quota| quota.contains("PerDay"))
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

/// Judges.
pub(super) fn judge(status: u16, said: &Said, headers: &HeaderMap) -> Verdict {
    let (kind, remedy, code) = by_said(status, said).unwrap_or_else(|| {
        let by_code = by_code(said).filter(|_| status == 200);
        let status = if status == 200 { 500 } else { status };
        let (kind, remedy) = by_code.unwrap_or_else(|| by_status(status, said.text()));
        (kind, remedy, said.code())
    });
    let remedy = advised(headers, kind, remedy);
    Verdict { kind, remedy, code: code.map(str::to_owned), param: said.param.clone() }
}

/// Failures whose code or wording says more than their status.
fn by_said(status: u16, said: &Said) -> Option<(ErrorKind, Remedy, Option<&str>)> {
    let (kind, remedy, code) = SPENT_RULING;
    if let Some(code) = said.quota().or((status == 402).then_some(code)) {
        return Some((kind, remedy, Some(code)));
    }
    let worded = by_wording(status, said.text());
    let by_code = || CODES.into_iter().find(|(codes, _)| said.has(codes)).map(|(_, ruling)| ruling);
    worded.or_else(by_code).map(|(kind, remedy, code)| (kind, remedy, Some(code)))
}

/// For errors inside an answer that began as a success and name no status.
fn by_code(said: &Said) -> Option<(ErrorKind, Remedy)> {
    let table: [(&[&str], ErrorKind, Remedy); 6] = [
        (
            &["rate_limit_exceeded", "rate_limit_error", "rate_limited", "resource_exhausted"],
            ErrorKind::RateLimited,
            Remedy::Retry,
        ),
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
