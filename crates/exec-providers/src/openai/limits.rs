//! What a provider says of its own rate limits with every answer.

use std::time::Duration;

use exec_core::{Allowance, RateLimitHint};
use http::HeaderMap;

/// What the headers `x-ratelimit-…` say, if there are any. A count of -1 is what some servers send for "unknown".
pub(super) fn hint(headers: &HeaderMap) -> Option<RateLimitHint> {
    let hint =
        RateLimitHint { requests: allowance(headers, "requests"), tokens: allowance(headers, "tokens") };
    (hint != RateLimitHint::default()).then_some(hint)
}

fn allowance(headers: &HeaderMap, what: &str) -> Option<Allowance> {
    let text = |kind: &str| header(headers, &format!("x-ratelimit-{kind}-{what}"));
    let number = |kind: &str| text(kind)?.trim().parse().ok();
    let (limit, remaining) = (number("limit"), number("remaining"));
    let allowance = Allowance { limit, remaining, reset: text("reset").and_then(go_duration) };
    (allowance != Allowance::default()).then_some(allowance)
}

pub(super) fn header<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

/// `6m0s`, `1.5s`, `20ms`, as the Go language writes durations.
pub(super) fn go_duration(text: &str) -> Option<Duration> {
    let mut rest = text.trim();
    let mut seconds = 0.0;
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let unit_at = rest.find(|c: char| c != '.' && !c.is_ascii_digit())?;
        let number: f64 = rest[..unit_at].parse().ok()?;
        rest = &rest[unit_at..];
        let unit_end = rest.find(|c: char| c == '.' || c.is_ascii_digit()).unwrap_or(rest.len());
        seconds += number
            * match &rest[..unit_end] {
                "ns" => 1e-9,
                "us" | "µs" => 1e-6,
                "ms" => 1e-3,
                "s" => 1.0,
                "m" => 60.0,
                "h" => 3600.0,
                "d" => 86_400.0,
                _ => return None,
            };
        rest = &rest[unit_end..];
    }
    Duration::try_from_secs_f64(seconds).ok()
}

#[cfg(test)]
mod tests {
    use http::{HeaderName, HeaderValue};

    use super::*;

    fn said(pairs: &[(&'static str, &'static str)]) -> Option<RateLimitHint> {
        let header = |&(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value));
        hint(&pairs.iter().map(header).collect())
    }

    #[test]
    fn what_is_said_is_read_and_what_is_not_is_absent() {
        let hint = said(&[
            ("x-ratelimit-limit-requests", "60"),
            ("x-ratelimit-remaining-requests", "59"),
            ("x-ratelimit-reset-requests", "1m0.5s"),
            ("x-ratelimit-remaining-tokens", "-1"),
        ]);
        let reset = Some(Duration::from_millis(60_500));
        let requests = Some(Allowance { limit: Some(60), remaining: Some(59), reset });
        assert_eq!(hint, Some(RateLimitHint { requests, tokens: None }));
        assert_eq!(said(&[("x-ratelimit-limit-tokens", "many"), ("x-request-id", "1")]), None);
    }
}
