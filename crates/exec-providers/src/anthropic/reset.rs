//! What the headers say of rate limits: when a spent one is good again, and how much is left of each.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use exec_core::{Allowance, RateLimitHint};
use http::HeaderMap;

use crate::retry_after::until_renewed;

const LIMITS: [&str; 4] = ["requests", "tokens", "input-tokens", "output-tokens"];

/// The wait until every limit that is spent is good again; when no header says which is, until the first one is.
/// Only for status 429: other answers carry these headers too.
pub(super) fn until_reset(status: u16, headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    if status != 429 {
        return None;
    }
    let reset = |limit| {
        let Allowance { remaining, reset, .. } = allowance(headers, limit, now)?;
        Some((remaining == Some(0), reset?))
    };
    until_renewed(LIMITS.into_iter().filter_map(reset))
}

/// What is left of each limit. Where tokens of prompts and answers are told apart, of that which is scarcer.
pub(super) fn hint(headers: &HeaderMap, now: SystemTime) -> Option<RateLimitHint> {
    let of = |limit| allowance(headers, limit, now);
    let scarcer = || {
        let parts = ["input-tokens", "output-tokens"].into_iter().filter_map(of);
        parts.min_by_key(|part| part.remaining.unwrap_or(u64::MAX))
    };
    let hint = RateLimitHint { requests: of("requests"), tokens: of("tokens").or_else(scarcer) };
    (hint != RateLimitHint::default()).then_some(hint)
}

fn allowance(headers: &HeaderMap, limit: &str, now: SystemTime) -> Option<Allowance> {
    let text = |what: &str| {
        let value = headers.get(format!("anthropic-ratelimit-{limit}-{what}"))?;
        value.to_str().ok().map(str::trim)
    };
    let number = |what: &str| text(what)?.parse().ok();
    let reset = text("reset").and_then(rfc3339).map(|at| at.duration_since(now).unwrap_or_default());
    let allowance = Allowance { limit: number("limit"), remaining: number("remaining"), reset };
    (allowance != Allowance::default()).then_some(allowance)
}

/// `2025-01-01T00:00:00Z`, with a fraction or an offset if need be.
fn rfc3339(text: &str) -> Option<SystemTime> {
    let (date, time) = text.split_once(['T', 't', ' '])?;
    let (time, offset) = split_offset(time)?;
    let [year, month, day] = numbers(date, '-')?;
    let (time, fraction) = time.split_once('.').unwrap_or((time, "0"));
    let [hour, minute, second] = numbers(time, ':')?;
    let valid = (1..=12).contains(&month)
        && (1..=31).contains(&day)
        && (1970..=9999).contains(&year)
        && hour < 24
        && minute < 60
        && second < 61;
    if !valid || !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let seconds = days_since_1970(year, month, day) * 86_400 + hour * 3600 + minute * 60 + second - offset;
    // A begun second is a whole one: better late than early.
    let round_up = i64::from(fraction.bytes().any(|byte| byte != b'0'));
    let seconds = u64::try_from(seconds + round_up).ok()?;
    UNIX_EPOCH.checked_add(Duration::from_secs(seconds))
}

/// The time without its offset, and the offset in seconds.
fn split_offset(time: &str) -> Option<(&str, i64)> {
    if let Some(time) = time.strip_suffix(['Z', 'z']) {
        return Some((time, 0));
    }
    let at = time.rfind(['+', '-'])?;
    let [hours, minutes] = numbers(&time[at + 1..], ':')?;
    let seconds = hours * 3600 + minutes * 60;
    Some((&time[..at], if time[at..].starts_with('-') { -seconds } else { seconds }))
}

fn numbers<const N: usize>(text: &str, separator: char) -> Option<[i64; N]> {
    let number = |digits: &str| {
        let plain =
            !digits.is_empty() && digits.len() <= 4 && digits.bytes().all(|byte| byte.is_ascii_digit());
        plain.then(|| digits.parse().ok()).flatten()
    };
    let numbers: Option<Vec<i64>> = text.split(separator).map(number).collect();
    numbers?.try_into().ok()
}

/// The proleptic Gregorian calendar, with years that begin in March so that the leap day is their last
/// (H. Hinnant, "chrono-compatible low-level date algorithms").
fn days_since_1970(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

#[cfg(test)]
mod tests {
    use http::{HeaderName, HeaderValue};

    use super::*;

    fn seconds(text: &str) -> Option<u64> {
        rfc3339(text).map(|at| at.duration_since(UNIX_EPOCH).unwrap().as_secs())
    }

    #[test]
    fn times_are_read_in_every_way_they_are_written() {
        assert_eq!(seconds("1970-01-01T00:00:00Z"), Some(0));
        assert_eq!(seconds("2000-02-29T12:00:00Z"), Some(951_825_600));
        assert_eq!(seconds("2025-01-01T00:00:00.5Z"), Some(1_735_689_601));
        assert_eq!(seconds("2025-01-01T02:00:00+02:00"), Some(1_735_689_600));
        assert_eq!(seconds("2024-12-31T19:00:00-05:00"), Some(1_735_689_600));
        for text in ["", "soon", "2025-01-01", "2025-13-01T00:00:00Z", "2025-01-01T00:00:00", "é-é-éTé+é"]
        {
            assert_eq!(seconds(text), None, "{text}");
        }
    }

    fn wait(status: u16, pairs: &[(&'static str, &'static str)]) -> Option<Duration> {
        let header = |&(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value));
        let now = UNIX_EPOCH + Duration::from_secs(1_735_689_600);
        until_reset(status, &pairs.iter().map(header).collect(), now)
    }

    #[test]
    fn the_limit_that_is_spent_decides() {
        let headers = [
            ("anthropic-ratelimit-requests-remaining", "7"),
            ("anthropic-ratelimit-requests-reset", "2025-01-01T00:00:02Z"),
            ("anthropic-ratelimit-tokens-remaining", "0"),
            ("anthropic-ratelimit-tokens-reset", "2025-01-01T00:00:30Z"),
        ];
        assert_eq!(wait(429, &headers), Some(Duration::from_secs(30)));
        assert_eq!(wait(429, &headers[..2]), Some(Duration::from_secs(2)));
        assert_eq!(wait(500, &headers), None);
        assert_eq!(
            wait(429, &[("anthropic-ratelimit-tokens-reset", "2024-01-01T00:00:00Z")]),
            Some(Duration::ZERO)
        );
    }

    #[test]
    fn what_is_left_is_that_of_the_scarcer_tokens() {
        let pairs = [
            ("anthropic-ratelimit-requests-limit", "50"),
            ("anthropic-ratelimit-requests-remaining", "49"),
            ("anthropic-ratelimit-requests-reset", "2025-01-01T00:00:02Z"),
            ("anthropic-ratelimit-input-tokens-remaining", "9000"),
            ("anthropic-ratelimit-output-tokens-remaining", "700"),
        ];
        let header = |&(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value));
        let now = UNIX_EPOCH + Duration::from_secs(1_735_689_600);
        let said = hint(&pairs.iter().map(header).collect(), now).unwrap();
        let reset = Some(Duration::from_secs(2));
        assert_eq!(said.requests, Some(Allowance { limit: Some(50), remaining: Some(49), reset }));
        assert_eq!(said.tokens.unwrap().remaining, Some(700));
        assert_eq!(hint(&HeaderMap::new(), now), None);
    }
}
