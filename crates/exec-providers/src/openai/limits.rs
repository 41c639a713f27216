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

/// The wait that a message asks for in words: "try again in 1m2.5s", "retry after 30 seconds".
pub(super) fn spoken_wait(message: &str) -> Option<Duration> {
    let message = message.to_ascii_lowercase();
    let phrases = ["try again in ", "retry in ", "retry after ", "please wait "];
    let rest = phrases.iter().find_map(|phrase| Some(message.split_once(phrase)?.1))?;
    let mut words = rest.split_whitespace().map(|word| word.trim_end_matches(['.', ',', ';', ')']));
    let (first, unit) = (words.next()?, words.next().unwrap_or_default());
    let unit = match unit {
        "second" | "seconds" => "s",
        "minute" | "minutes" => "m",
        "hour" | "hours" => "h",
        _ => "",
    };
    go_duration(first).or_else(|| go_duration(&format!("{first}{unit}")))
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

    #[test]
    fn a_wait_in_words_is_read_where_it_is_one() {
        let millis = |text| spoken_wait(text).map(|wait| wait.as_millis());
        assert_eq!(millis("Please try again in 4.77s. Need more tokens?"), Some(4770));
        assert_eq!(millis("Please try again in 7m12s."), Some(432_000));
        assert_eq!(millis("Please retry after 30 seconds. Go here"), Some(30_000));
        assert_eq!(millis("Please retry in 36.429760048s."), Some(36_429));
        assert_eq!(millis("try again in 1 hour"), Some(3_600_000));
        for text in ["try again in a moment", "try again in ", "retry after 3", "retry after é", "wait"] {
            assert_eq!(millis(text), None, "{text}");
        }
    }
}
