//! Single values: what a piece of text means for a field of some kind, and back.

use std::ops::Bound::{self, Excluded, Included};

use super::clock::{self, Moment};
use crate::schema::Kind;
use crate::spans::Span;
use crate::value::Value;

/// A value somebody wrote. All of a day has two ends; everything else has one.
#[derive(Clone, Debug)]
pub(super) enum Literal {
    One(Value),
    Day(Moment),
}

impl Literal {
    pub(super) fn span(self) -> Span {
        match self {
            Self::One(value) => Span::point(value),
            Self::Day(_) => Span { low: self.from(true), high: self.to(true) },
        }
    }

    /// The bound of values from this one on; without it they begin behind it.
    pub(super) fn from(&self, with: bool) -> Bound<Value> {
        match self {
            Self::One(value) if with => Included(value.clone()),
            Self::One(value) => Excluded(value.clone()),
            Self::Day(day) => Included(Value::Integer(if with { day.first } else { day.behind })),
        }
    }

    /// The bound of values up to this one.
    pub(super) fn to(&self, with: bool) -> Bound<Value> {
        match self {
            Self::One(value) if with => Included(value.clone()),
            Self::One(value) => Excluded(value.clone()),
            Self::Day(day) => Excluded(Value::Integer(if with { day.behind } else { day.first })),
        }
    }
}

/// Reads a value; the error says what would be right.
pub(super) fn read(text: &str, kind: Kind, now: i64) -> Result<Literal, String> {
    let one = |value: Option<Value>, hint: &str| value.map(Literal::One).ok_or_else(|| hint.to_owned());
    match kind {
        Kind::Text | Kind::Prose => Ok(Literal::One(Value::from(text))),
        Kind::Integer => one(text.parse().ok().map(Value::Integer), "write a whole number, such as 42"),
        Kind::Real => {
            let value = text.parse::<f64>().ok().filter(|value| value.is_finite());
            one(value.map(Value::Real), "write a number, such as 0.5")
        }
        Kind::Decimal { digits } => {
            let hint = format!("write an amount with at most {digits} digits behind the point, such as 0.5");
            one(decimal(text, digits).map(Value::Integer), &hint)
        }
        Kind::Bool => match text {
            "true" | "yes" | "1" => Ok(Literal::One(Value::from(true))),
            "false" | "no" | "0" => Ok(Literal::One(Value::from(false))),
            _ => Err("write true or false".to_owned()),
        },
        Kind::Time(unit) => match clock::read(text, unit, now) {
            None => Err("write a time such as 2h, 7d, 2026-01-31 or 2026-01-31T08:00:00Z".to_owned()),
            Some(at) if at.behind - at.first == 1 => Ok(Literal::One(Value::Integer(at.first))),
            Some(day) => Ok(Literal::Day(day)),
        },
    }
}

/// `-12.5` in units of 10^-digits, exactly.
fn decimal(text: &str, digits: u8) -> Option<i64> {
    let (negative, unsigned) = text.strip_prefix('-').map_or((false, text), |rest| (true, rest));
    let (whole, fraction) = unsigned.split_once('.').unwrap_or((unsigned, ""));
    let plain = |part: &str| part.bytes().all(|c| c.is_ascii_digit());
    let wanted = usize::from(digits);
    if unsigned.is_empty() || unsigned == "." || !plain(whole) || !plain(fraction) || fraction.len() > wanted
    {
        return None;
    }
    let all = format!("{}{whole}{fraction:0<wanted$}", if negative { "-" } else { "" });
    if all.trim_start_matches('-').is_empty() { Some(0) } else { all.parse().ok() }
}

/// Writes a value so that [`read`] reads the same one. Text is not quoted yet.
pub(super) fn write(value: &Value, kind: Kind) -> String {
    match (value, kind) {
        (Value::Text(text), _) => text.clone(),
        (Value::Real(value), _) => value.to_string(),
        (Value::Integer(value), Kind::Time(unit)) => clock::write(*value, unit),
        (Value::Integer(value), Kind::Decimal { digits }) => write_decimal(*value, digits),
        (Value::Integer(0), Kind::Bool) => "false".to_owned(),
        (Value::Integer(1), Kind::Bool) => "true".to_owned(),
        (Value::Integer(value), _) => value.to_string(),
    }
}

fn write_decimal(value: i64, digits: u8) -> String {
    let unit = 10_u64.pow(u32::from(digits.min(18)));
    let (whole, fraction) = (value.unsigned_abs() / unit, value.unsigned_abs() % unit);
    let sign = if value < 0 { "-" } else { "" };
    if fraction == 0 {
        return format!("{sign}{whole}");
    }
    let width = usize::from(digits);
    let fraction = format!("{fraction:0width$}");
    format!("{sign}{whole}.{}", fraction.trim_end_matches('0'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn amounts_are_exact() {
        assert_eq!(decimal("0.01", 6), Some(10_000));
        assert_eq!(decimal("-1.5", 2), Some(-150));
        assert_eq!(decimal(".5", 1), Some(5));
        assert_eq!(decimal("7", 0), Some(7));
        for wrong in ["", ".", "-", "1.234", "1e5", "0x1", "１", "--1", "99999999999999999999"] {
            assert_eq!(decimal(wrong, 2), None, "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn amounts_are_read_as_they_were_written(value in any::<i64>(), digits in 0..=18_u8) {
            prop_assert_eq!(decimal(&write_decimal(value, digits), digits), Some(value));
        }
    }
}
