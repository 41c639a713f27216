//! Instants and dates: read as people write them, written as RFC 3339.

use std::time::{SystemTime, UNIX_EPOCH};

use crate::schema::TimeUnit;

const DAY: i64 = 86_400;

/// Microseconds since 1970; the ends of time where it does not fit.
pub(super) fn micros(time: SystemTime) -> i64 {
    match time.duration_since(UNIX_EPOCH) {
        Ok(after) => i64::try_from(after.as_micros()).unwrap_or(i64::MAX),
        Err(before) => i64::try_from(before.duration().as_micros()).map_or(i64::MIN, |micros| -micros),
    }
}

/// A time somebody wrote: an instant, or all of a day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Moment {
    /// Its first instant, in the field's unit.
    pub(super) first: i64,
    /// The first instant behind it.
    pub(super) behind: i64,
}

impl Moment {
    fn instant(at: i64) -> Option<Self> {
        Some(Self { first: at, behind: at.checked_add(1)? })
    }
}

/// Reads `2h`, `now`, `2026-01-31`, `2026-01-31T08:00:00.5+01:00` or `@1700000000`.
pub(super) fn read(text: &str, unit: TimeUnit, now: i64) -> Option<Moment> {
    if let Some(raw) = text.strip_prefix('@') {
        return Moment::instant(raw.parse().ok()?);
    }
    if text == "now" {
        return Moment::instant(to_unit(now, unit));
    }
    if let Some(ago) = ago(text) {
        return Moment::instant(to_unit(now.checked_sub(ago)?, unit));
    }
    match text.split_once(['T', 't']) {
        None => {
            let first = date(text)?.checked_mul(DAY * unit.per_second())?;
            Some(Moment { first, behind: first.checked_add(DAY * unit.per_second())? })
        }
        Some((day, time)) => {
            let at = (date(day)? * DAY * 1_000_000).checked_add(time_of_day(time)?)?;
            Moment::instant(to_unit(at, unit))
        }
    }
}

fn to_unit(micros: i64, unit: TimeUnit) -> i64 {
    micros.div_euclid(1_000_000 / unit.per_second())
}

/// `90s`, `30m`, `2h`, `7d`, `1w`, or several: `1d12h`. In microseconds.
fn ago(text: &str) -> Option<i64> {
    let mut total = 0_i64;
    let mut rest = text;
    while !rest.is_empty() {
        let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let (number, behind) = rest.split_at_checked(digits)?;
        let letters = behind.len() - behind.trim_start_matches(|c: char| c.is_ascii_alphabetic()).len();
        let (unit, next) = behind.split_at_checked(letters)?;
        let seconds = match unit {
            "s" => 1,
            "m" | "min" => 60,
            "h" => 3_600,
            "d" => DAY,
            "w" => 7 * DAY,
            _ => return None,
        };
        let amount = number.parse::<i64>().ok()?.checked_mul(seconds)?.checked_mul(1_000_000)?;
        total = total.checked_add(amount)?;
        rest = next;
    }
    (!text.is_empty()).then_some(total)
}

/// Days since 1970 of `YYYY-MM-DD`.
fn date(text: &str) -> Option<i64> {
    let mut parts = text.splitn(3, '-');
    let (year, month, day) =
        (digits(parts.next()?, 4)?, digits(parts.next()?, 2)?, digits(parts.next()?, 2)?);
    let days = days(year, month, day);
    // A day that does not exist would come back as another one.
    (civil(days) == (year, month, day)).then_some(days)
}

/// Microseconds since midnight in UTC of `HH:MM[:SS[.frac]](Z|±HH:MM)`.
fn time_of_day(text: &str) -> Option<i64> {
    let zone_at = text.find(['Z', 'z', '+', '-'])?;
    let (time, zone) = text.split_at_checked(zone_at)?;
    let mut parts = time.splitn(3, ':');
    let (hour, minute) = (digits(parts.next()?, 2)?, digits(parts.next()?, 2)?);
    let (second, fraction) = parts.next().unwrap_or("00").split_once('.').map_or_else(
        || Some((digits(parts_second(time), 2)?, 0)),
        |(second, fraction)| Some((digits(second, 2)?, micros_of(fraction)?)),
    )?;
    if hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    Some((hour * 3_600 + minute * 60 + second - offset(zone)?) * 1_000_000 + fraction)
}

/// The seconds of `HH:MM[:SS]`.
fn parts_second(time: &str) -> &str {
    time.splitn(3, ':').nth(2).unwrap_or("00")
}

fn offset(zone: &str) -> Option<i64> {
    if zone.eq_ignore_ascii_case("z") {
        return Some(0);
    }
    let sign = if zone.starts_with('-') { -1 } else { 1 };
    let (hours, minutes) = zone.get(1..)?.split_once(':')?;
    let (hours, minutes) = (digits(hours, 2)?, digits(minutes, 2)?);
    (hours <= 23 && minutes <= 59).then_some(sign * (hours * 3_600 + minutes * 60))
}

fn micros_of(fraction: &str) -> Option<i64> {
    let len = u32::try_from(fraction.len()).ok().filter(|len| (1..=6).contains(len))?;
    Some(digits(fraction, fraction.len())? * 10_i64.pow(6 - len))
}

fn digits(text: &str, count: usize) -> Option<i64> {
    let all = text.len() == count && text.bytes().all(|c| c.is_ascii_digit());
    if all { text.parse().ok() } else { None }
}

/// Writes an instant so that [`read`] reads the same one.
pub(super) fn write(at: i64, unit: TimeUnit) -> String {
    let seconds = at.div_euclid(unit.per_second());
    let (year, month, day) = civil(seconds.div_euclid(DAY));
    if !(0..=9_999).contains(&year) {
        return format!("@{at}");
    }
    let time = seconds.rem_euclid(DAY);
    let (hour, minute, second) = (time / 3_600, time / 60 % 60, time % 60);
    let fraction = at.rem_euclid(unit.per_second());
    let fraction = match unit {
        _ if fraction == 0 => String::new(),
        TimeUnit::Seconds => String::new(),
        TimeUnit::Millis => format!(".{fraction:03}"),
        TimeUnit::Micros => format!(".{fraction:06}"),
    };
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}{fraction}Z")
}

/// Days since 1970 of a date (H. Hinnant, "chrono-compatible low-level date algorithms").
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

/// The date of a day; the inverse of [`days`].
fn civil(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = year_of_era + days.div_euclid(146_097) * 400 + i64::from(month <= 2);
    (year, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn first(text: &str) -> Option<i64> {
        read(text, TimeUnit::Seconds, 1_000_000_000_000_000).map(|moment| moment.first)
    }

    #[test]
    fn times_are_read_as_people_write_them() {
        assert_eq!(first("now"), Some(1_000_000_000));
        assert_eq!(first("1d12h"), Some(1_000_000_000 - 36 * 3_600));
        assert_eq!(first("2001-09-09"), Some(999_993_600));
        assert_eq!(first("2001-09-09T03:46:40+02:00"), Some(1_000_000_000));
        assert_eq!(first("2001-09-09T01:46Z"), Some(999_999_960));
        assert_eq!(first("@7"), Some(7));
        let day = read("2024-02-29", TimeUnit::Millis, 0).unwrap();
        assert_eq!(day.behind - day.first, 86_400_000);
    }

    #[test]
    fn what_is_no_time_is_none() {
        let wrong = [
            "",
            "2h!",
            "h",
            "2026-02-30",
            "26-01-01",
            "2026-01-01T25:00Z",
            "2026-01-01T10:00",
            "@x",
            "99999999999999999999d",
            "9999999999999d",
            "2026-01-01T10:00:00.1234567Z",
            "+2026-01-01",
        ];
        for text in wrong {
            assert_eq!(first(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_as_it_was(at in any::<i64>(), unit in 0..3_usize) {
            let unit = [TimeUnit::Seconds, TimeUnit::Millis, TimeUnit::Micros][unit];
            prop_assume!(at < i64::MAX && at > i64::MIN + 1_000_000);
            let text = write(at, unit);
            prop_assert_eq!(read(&text, unit, 0).map(|moment| moment.first), Some(at), "{}", text);
        }
    }
}
