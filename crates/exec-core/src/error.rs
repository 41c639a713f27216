//! What can go wrong with a call, and what would help: the one error that crosses crate borders.
//!
//! An [`Error`] says its [`ErrorKind`], and where it is born it also says its [`Remedy`]. Retry and fallback read the
//! remedy and nothing else: they never look at messages or status codes. No error holds a secret.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::raw::Raw;

/// A result whose error is [`Error`] unless said otherwise.
pub type Result<T, E = Error> = std::result::Result<T, E>;

type Source = Arc<dyn std::error::Error + Send + Sync>;

/// A failed call. Eight bytes, so that `Result` stays small. A clone tells the same to another waiter.
#[derive(Clone)]
pub struct Error(Box<Detail>);

#[derive(Clone, Debug)]
struct Detail {
    kind: ErrorKind,
    message: String,
    code: Option<Arc<str>>,
    remedy: Option<Remedy>,
    retry_after: Option<Duration>,
    provider: Option<Arc<str>>,
    unsent: bool,
    fields: Vec<FieldError>,
    attempts: Vec<Attempt>,
    upstream: Option<UpstreamAnswer>,
    source: Option<Source>,
}

/// What kind of failure it is. The server maps each kind to one HTTP status, in one place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The request is wrong; the same request will always fail.
    InvalidRequest,
    /// Credentials are missing or unknown.
    Unauthenticated,
    /// Credentials are known and not enough.
    PermissionDenied,
    /// The thing asked for does not exist: a model, a provider, a route.
    NotFound,
    /// Nobody here can do this: another provider or strategy may.
    Unsupported,
    /// The body is larger than allowed.
    TooLarge,
    /// The prompt is longer than the model can read.
    ContextLength,
    /// The provider refused for its content policy.
    ContentFiltered,
    /// Too many requests or tokens, or a spent quota.
    RateLimited,
    /// Shed because too much is going on right now.
    Overloaded,
    /// It could not be reached at all.
    Unavailable,
    /// A time limit passed.
    DeadlineExceeded,
    /// The caller left or the server is stopping.
    Cancelled,
    /// The provider answered with a failure, or with something that is no answer.
    Upstream,
    /// The budget of attempts or money of this execution is spent.
    Exhausted,
    /// A defect of ours.
    Internal,
}

impl ErrorKind {
    /// The stable name used in JSON and in metrics: `rate_limited`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::InvalidRequest => "invalid_request",
            Self::Unauthenticated => "unauthenticated",
            Self::PermissionDenied => "permission_denied",
            Self::NotFound => "not_found",
            Self::Unsupported => "unsupported",
            Self::TooLarge => "too_large",
            Self::ContextLength => "context_length",
            Self::ContentFiltered => "content_filtered",
            Self::RateLimited => "rate_limited",
            Self::Overloaded => "overloaded",
            Self::Unavailable => "unavailable",
            Self::DeadlineExceeded => "deadline_exceeded",
            Self::Cancelled => "cancelled",
            Self::Upstream => "upstream",
            Self::Exhausted => "exhausted",
            Self::Internal => "internal",
        }
    }

    /// What helps against this kind when the place where the error is born does not know better.
    #[must_use]
    pub fn remedy(self) -> Remedy {
        match self {
            Self::RateLimited | Self::Overloaded | Self::Upstream => Remedy::Retry,
            Self::Unavailable | Self::Unsupported => Remedy::Elsewhere,
            _ => Remedy::Stop,
        }
    }
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What would help.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Remedy {
    /// The same call at the same place may succeed later.
    Retry,
    /// The same call may succeed at another place, and will not here.
    Elsewhere,
    /// Nothing: the caller must change something.
    Stop,
}

/// One thing wrong with one field of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldError {
    /// Where: `messages[2].content`.
    pub path: String,
    /// A stable code: `required`, `out_of_range`.
    pub code: &'static str,
    /// What is wrong and what to do, as a lower-case fragment.
    pub message: String,
}

impl FieldError {
    /// An error at `path`.
    pub fn new(path: impl Into<String>, code: &'static str, message: impl Into<String>) -> Self {
        Self { path: path.into(), code, message: message.into() }
    }
}

/// One try at one provider, listed by the error of a call that tried several.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// Who was asked.
    pub provider: Arc<str>,
    /// How it failed.
    pub kind: ErrorKind,
    /// What it said.
    pub message: String,
}

/// The failure as the provider worded it, kept for the caller.
#[derive(Clone, Debug, PartialEq)]
pub struct UpstreamAnswer {
    /// The HTTP status.
    pub status: u16,
    /// The body, if it was JSON and small.
    pub body: Option<Raw>,
}

impl Error {
    /// An error of `kind`. The message is a lower-case fragment that says what happened and what to do, never a secret.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self(Box::new(Detail {
            kind,
            message: message.into(),
            code: None,
            remedy: None,
            retry_after: None,
            provider: None,
            unsent: false,
            fields: Vec::new(),
            attempts: Vec::new(),
            upstream: None,
            source: None,
        }))
    }

    /// A request with `fields` wrong, all of them listed.
    #[must_use]
    pub fn invalid(fields: Vec<FieldError>) -> Self {
        let list: Vec<_> = fields.iter().map(|f| format!("{}: {}", f.path, f.message)).collect();
        let mut error = Self::new(ErrorKind::InvalidRequest, list.join("; "));
        error.0.fields = fields;
        error
    }

    /// Every provider tried has failed: takes kind, remedy, waiting time and cause from `last` and lists `attempts`. It
    /// is [unsent](Self::is_unsent) only if there is no other attempt than that of `last`, which is all that `last` knows
    /// of; who knows of them all says so with [`with_unsent`](Self::with_unsent).
    #[must_use]
    pub fn all_failed(attempts: Vec<Attempt>, last: Error) -> Self {
        let list: Vec<_> = attempts.iter().map(|a| format!("{}: {}", a.provider, a.message)).collect();
        let mut error = last;
        error.0.unsent &= attempts.len() <= 1;
        error.0.message = format!("every provider failed: {}", list.join("; "));
        error.0.attempts = attempts;
        error
    }

    /// Lists the tries that failed before this one, and this one, in order. Message and kind stay what they are.
    #[must_use]
    pub fn with_attempts(mut self, attempts: Vec<Attempt>) -> Self {
        self.0.attempts = attempts;
        self
    }

    /// Sets what would help, when the place of birth knows better than the kind.
    #[must_use]
    pub fn with_remedy(mut self, remedy: Remedy) -> Self {
        self.0.remedy = Some(remedy);
        self
    }

    /// Sets a stable code for programs: `unknown_provider`, `insufficient_quota`.
    #[must_use]
    pub fn with_code(mut self, code: impl Into<Arc<str>>) -> Self {
        self.0.code = Some(code.into());
        self
    }

    /// Sets how long to wait before trying again.
    #[must_use]
    pub fn with_retry_after(mut self, wait: Duration) -> Self {
        self.0.retry_after = Some(wait);
        self
    }

    /// Sets who failed, unless somebody nearer to the failure has said so already.
    #[must_use]
    pub fn with_provider(mut self, provider: impl Into<Arc<str>>) -> Self {
        self.0.provider.get_or_insert_with(|| provider.into());
        self
    }

    /// Says that the call provably never reached the provider, so that repeating it is safe whatever it does.
    #[must_use]
    pub fn with_unsent(mut self, unsent: bool) -> Self {
        self.0.unsent = unsent;
        self
    }

    /// Keeps the provider's own words for the caller.
    #[must_use]
    pub fn with_upstream(mut self, answer: UpstreamAnswer) -> Self {
        self.0.upstream = Some(answer);
        self
    }

    /// Keeps the cause. Its text must hold no secret.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        self.0.source = Some(source.into().into());
        self
    }

    /// The kind of failure.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// What would help.
    #[must_use]
    pub fn remedy(&self) -> Remedy {
        self.0.remedy.unwrap_or_else(|| self.0.kind.remedy())
    }

    /// What happened, this level only.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// The stable code, or the name of the kind.
    #[must_use]
    pub fn code(&self) -> &str {
        self.0.code.as_deref().unwrap_or(self.0.kind.as_str())
    }

    /// How long the provider asks us to wait.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        self.0.retry_after
    }

    /// Who failed.
    #[must_use]
    pub fn provider(&self) -> Option<&Arc<str>> {
        self.0.provider.as_ref()
    }

    /// Whether the call provably never reached the provider.
    #[must_use]
    pub fn is_unsent(&self) -> bool {
        self.0.unsent
    }

    /// Every wrong field of an invalid request.
    #[must_use]
    pub fn fields(&self) -> &[FieldError] {
        &self.0.fields
    }

    /// Every try of a call that tried more than once, in order.
    #[must_use]
    pub fn attempts(&self) -> &[Attempt] {
        &self.0.attempts
    }

    /// The failure as the provider worded it.
    #[must_use]
    pub fn upstream(&self) -> Option<&UpstreamAnswer> {
        self.0.upstream.as_ref()
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.source.as_deref().map(|source| source as _)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_several_have_tried_is_unsent_only_if_somebody_says_so() {
        let attempt = || Attempt { provider: "p".into(), kind: ErrorKind::Upstream, message: "cut".into() };
        let last = || Error::new(ErrorKind::Unavailable, "refused").with_unsent(true);
        assert!(Error::all_failed(vec![attempt()], last()).is_unsent());
        let error = Error::all_failed(vec![attempt(), attempt()], last());
        assert!(!error.is_unsent());
        assert!(error.with_unsent(true).is_unsent());
    }
}
