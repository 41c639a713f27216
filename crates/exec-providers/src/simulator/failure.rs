//! The ways a call fails before anything is answered, and the error each of them is.

use std::sync::Arc;
use std::time::Duration;

use exec_core::{Error, ErrorKind, Remedy, UpstreamAnswer};
use serde::Deserialize;
use serde_json::json;

/// A way a call fails before anything is answered, as a provider would report it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Failure {
    /// 429; asks to wait 2 s unless told otherwise.
    RateLimited,
    /// 429 for a spent quota: waiting does not help, another provider may.
    QuotaExceeded,
    /// 500.
    ServerError,
    /// 503.
    Unavailable,
    /// 529.
    Overloaded,
    /// No connection; the call provably never arrived.
    Refused,
    /// 401: our credentials are wrong here, so another provider may do.
    Unauthenticated,
    /// 403, likewise.
    PermissionDenied,
    /// 404: no such model here.
    NotFound,
    /// 400 for a prompt that is too long: a model that reads more may do, the same one never.
    ContextLength,
    /// 400 for the content policy, not to be routed around.
    ContentFilter,
    /// 400 for a conversation that ends with a turn of the assistant: a model that continues it may do.
    PrefillRejected,
}

/// How a failure reads as an error: status (0 when there was no answer), kind, code, remedy.
type Shape = (u16, ErrorKind, &'static str, Remedy);

impl Failure {
    /// Every failure.
    pub const ALL: [Self; 12] = [
        Self::RateLimited,
        Self::QuotaExceeded,
        Self::ServerError,
        Self::Unavailable,
        Self::Overloaded,
        Self::Refused,
        Self::Unauthenticated,
        Self::PermissionDenied,
        Self::NotFound,
        Self::ContextLength,
        Self::ContentFilter,
        Self::PrefillRejected,
    ];

    /// Its name in configuration and in model names.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::RateLimited => "rate_limited",
            Self::QuotaExceeded => "quota_exceeded",
            Self::ServerError => "server_error",
            Self::Unavailable => "unavailable",
            Self::Overloaded => "overloaded",
            Self::Refused => "refused",
            Self::Unauthenticated => "unauthenticated",
            Self::PermissionDenied => "permission_denied",
            Self::NotFound => "not_found",
            Self::ContextLength => "context_length",
            Self::ContentFilter => "content_filter",
            Self::PrefillRejected => "prefill_rejected",
        }
    }

    /// Whether it lies in what is asked, and not in how the provider is.
    pub(super) fn is_about_the_request(self) -> bool {
        matches!(self, Self::NotFound | Self::ContextLength | Self::ContentFilter | Self::PrefillRejected)
    }

    fn shape(self) -> Shape {
        use ErrorKind as Kind;
        use Remedy::{Elsewhere, Retry, Stop};
        match self {
            Self::RateLimited => (429, Kind::RateLimited, "rate_limit_exceeded", Retry),
            Self::QuotaExceeded => (429, Kind::RateLimited, "insufficient_quota", Elsewhere),
            Self::ServerError => (500, Kind::Upstream, "server_error", Retry),
            Self::Unavailable => (503, Kind::Overloaded, "unavailable", Retry),
            Self::Overloaded => (529, Kind::Overloaded, "overloaded", Retry),
            Self::Refused => (0, Kind::Unavailable, "connection_refused", Elsewhere),
            Self::Unauthenticated => (401, Kind::Unauthenticated, "invalid_api_key", Elsewhere),
            Self::PermissionDenied => (403, Kind::PermissionDenied, "permission_denied", Elsewhere),
            Self::NotFound => (404, Kind::NotFound, "model_not_found", Elsewhere),
            Self::ContextLength => (400, Kind::ContextLength, "context_length_exceeded", Stop),
            Self::ContentFilter => (400, Kind::ContentFiltered, "content_filter", Stop),
            Self::PrefillRejected => (400, Kind::Unsupported, "prefill_rejected", Elsewhere),
        }
    }

    /// The error of a call to `provider`.
    pub(super) fn error(self, provider: &Arc<str>, retry_after: Option<Duration>) -> Error {
        let (status, kind, code, remedy) = self.shape();
        let message = format!("the simulator simulates a failure: {}", self.as_str().replace('_', " "));
        let mut error = Error::new(kind, message.clone())
            .with_code(code)
            .with_remedy(remedy)
            .with_provider(provider.clone())
            .with_unsent(self == Self::Refused);
        if let Some(wait) = retry_after.or((self == Self::RateLimited).then_some(Duration::from_secs(2))) {
            error = error.with_retry_after(wait);
        }
        if status == 0 {
            return error;
        }
        let body = json!({"error": {"message": message, "type": kind.as_str(), "code": code}});
        error.with_upstream(UpstreamAnswer { status, body: Some(body.into()) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(failure: Failure) -> Error {
        failure.error(&"sim".into(), None)
    }

    #[test]
    fn names_are_those_of_the_configuration() {
        for failure in Failure::ALL {
            let read: Failure = serde_json::from_value(json!(failure.as_str())).unwrap();
            assert_eq!(read, failure);
            assert!(error(failure).message().contains("simulat"));
            assert_eq!(error(failure).provider().unwrap().as_ref(), "sim");
        }
    }

    #[test]
    fn what_helps_depends_on_the_failure() {
        let retried: Vec<_> = Failure::ALL
            .into_iter()
            .filter(|f| error(*f).remedy() == Remedy::Retry)
            .map(Failure::as_str)
            .collect();
        assert_eq!(retried, ["rate_limited", "server_error", "unavailable", "overloaded"]);
        let stopped: Vec<_> = Failure::ALL
            .into_iter()
            .filter(|f| error(*f).remedy() == Remedy::Stop)
            .map(Failure::as_str)
            .collect();
        assert_eq!(stopped, ["context_length", "content_filter"]);
    }

    #[test]
    fn a_rate_limit_says_how_long_to_wait() {
        assert_eq!(error(Failure::RateLimited).retry_after(), Some(Duration::from_secs(2)));
        assert_eq!(error(Failure::ServerError).retry_after(), None);
        let told = Failure::Overloaded.error(&"sim".into(), Some(Duration::from_millis(50)));
        assert_eq!(told.retry_after(), Some(Duration::from_millis(50)));
        assert_eq!(told.upstream().unwrap().status, 529);
    }

    #[test]
    fn a_refused_connection_never_arrived() {
        let refused = error(Failure::Refused);
        assert!(refused.is_unsent() && refused.upstream().is_none());
        assert!(!error(Failure::ServerError).is_unsent());
    }
}
