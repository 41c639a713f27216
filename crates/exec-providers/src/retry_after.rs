//! How long an upstream asks to be left alone, from the headers every provider shares.

use std::time::{Duration, SystemTime};

use http::HeaderMap;
use http::header::RETRY_AFTER;

/// The wait that `retry-after-ms`, or else `retry-after`, asks for. The latter may be seconds, with or without a
/// fraction, or an HTTP date, which is compared with `now`; a date that has passed is no wait at all.
pub(crate) fn retry_after(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let text = |name: &str| headers.get(name)?.to_str().ok().map(str::trim);
    let millis = text("retry-after-ms").and_then(|ms| seconds(ms, 1000.0));
    millis.or_else(|| {
        let value = text(RETRY_AFTER.as_str())?;
        seconds(value, 1.0).or_else(|| until(value, now))
    })
}

/// The wait until limits are renewed, each given as whether it is spent and when it is: until all that are spent, or
/// until the first one when none says that it is.
pub(crate) fn until_renewed(limits: impl Iterator<Item = (bool, Duration)>) -> Option<Duration> {
    let (mut spent, mut first) = (None, None);
    for (is_spent, wait) in limits {
        spent = spent.max(is_spent.then_some(wait));
        first = Some(first.map_or(wait, |first: Duration| first.min(wait)));
    }
    spent.or(first)
}

/// `text` as a number of which `per_second` make a second. None for what is negative, not finite or absurd.
fn seconds(text: &str, per_second: f64) -> Option<Duration> {
    let number: f64 = text.parse().ok()?;
    Duration::try_from_secs_f64(number / per_second).ok()
}

fn until(date: &str, now: SystemTime) -> Option<Duration> {
    let at = httpdate::parse_http_date(date).ok()?;
    Some(at.duration_since(now).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use http::{HeaderName, HeaderValue};

    use super::*;

    fn wait(headers: &[(&'static str, &'static str)]) -> Option<Duration> {
        let pair = |&(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value));
        // 1994-11-06 08:49:00
        let now = UNIX_EPOCH + Duration::from_secs(784_111_740);
        retry_after(&headers.iter().map(pair).collect(), now)
    }

    #[test]
    fn milliseconds_are_read_before_seconds() {
        assert_eq!(
            wait(&[("retry-after", "9"), ("retry-after-ms", "1500")]),
            Some(Duration::from_millis(1500))
        );
        assert_eq!(wait(&[("retry-after", "9"), ("retry-after-ms", "soon")]), Some(Duration::from_secs(9)));
    }

    #[test]
    fn seconds_may_have_a_fraction() {
        assert_eq!(wait(&[("retry-after", " 0.25 ")]), Some(Duration::from_millis(250)));
        assert_eq!(wait(&[("retry-after", "0")]), Some(Duration::ZERO));
    }

    #[test]
    fn a_date_is_compared_with_now() {
        let future = wait(&[("retry-after", "Sun, 06 Nov 1994 08:49:37 GMT")]);
        assert_eq!(future, Some(Duration::from_secs(37)));
        assert_eq!(wait(&[("retry-after", "Sun, 06 Nov 1994 08:40:00 GMT")]), Some(Duration::ZERO));
    }

    #[test]
    fn nonsense_is_no_hint() {
        for value in ["", "-1", "NaN", "inf", "1e300", "later", "Sun, 99 Nov 1994"] {
            assert_eq!(wait(&[("retry-after", value)]), None, "{value}");
        }
        assert_eq!(wait(&[]), None);
    }
}
