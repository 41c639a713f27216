//! Durations in configuration: a number and a unit, such as `250ms`, `5s`, `2m` or `1h`.

use std::time::Duration;

use serde::{Deserialize, Deserializer};

/// Reads a duration for `#[serde(deserialize_with = …)]`.
pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    let text = String::deserialize(deserializer)?;
    parse(&text)
        .ok_or_else(|| serde::de::Error::custom("expected a duration such as \"250ms\", \"5s\" or \"2m\""))
}

fn parse(text: &str) -> Option<Duration> {
    let unit_at = text.find(|character: char| !character.is_ascii_digit())?;
    let (number, unit) = text.split_at(unit_at);
    let number: u64 = number.parse().ok()?;
    match unit.trim_start() {
        "ms" => Some(Duration::from_millis(number)),
        "s" => Some(Duration::from_secs(number)),
        "m" => number.checked_mul(60).map(Duration::from_secs),
        "h" => number.checked_mul(3600).map(Duration::from_secs),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_and_a_unit() {
        let cases = [
            ("250ms", 250),
            ("5s", 5_000),
            ("2 m", 120_000),
            ("1h", 3_600_000),
            ("0s", 0),
        ];
        for (text, millis) in cases {
            assert_eq!(parse(text), Some(Duration::from_millis(millis)), "{text}");
        }
        for wrong in ["", "5", "s", "-5s", "1.5s", "5d", "99999999999999999h"] {
            assert_eq!(parse(wrong), None, "{wrong}");
        }
    }
}
