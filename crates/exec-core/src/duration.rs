//! Durations as people write them in configuration: `"250ms"`, `"60s"`, `"1h 30m"`. For `#[serde(with = …)]`.

use std::time::Duration;

use serde::{Deserialize, Deserializer, Serializer, de};

/// Reads `1m 30s`; `None` when it is not numbers with units.
#[must_use]
pub fn parse(text: &str) -> Option<Duration> {
    humantime::parse_duration(text).ok()
}

/// Writes `"1m 30s"`.
///
/// # Errors
/// What the serializer says.
pub fn serialize<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&humantime::format_duration(*duration))
}

/// Reads `"1m 30s"`.
///
/// # Errors
/// When it is not a string of numbers with units.
pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    let text = String::deserialize(deserializer)?;
    humantime::parse_duration(&text).map_err(|error| {
        de::Error::custom(format!("`{text}` is no duration ({error}): write \"250ms\" or \"60s\""))
    })
}

/// The same for a duration that may be absent.
pub mod option {
    use super::{Deserializer, Duration, Serializer};

    /// Writes `"1m 30s"`, or nothing.
    ///
    /// # Errors
    /// What the serializer says.
    pub fn serialize<S: Serializer>(duration: &Option<Duration>, serializer: S) -> Result<S::Ok, S::Error> {
        match duration {
            Some(duration) => super::serialize(duration, serializer),
            None => serializer.serialize_none(),
        }
    }

    /// Reads `"1m 30s"`. Give the field `#[serde(default)]`, so that it may be absent.
    ///
    /// # Errors
    /// When it is not a string of numbers with units.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Duration>, D::Error> {
        super::deserialize(deserializer).map(Some)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(serde::Serialize, serde::Deserialize, PartialEq, Debug)]
    struct Config {
        #[serde(with = "super")]
        wait: Duration,
        #[serde(default, with = "super::option", skip_serializing_if = "Option::is_none")]
        limit: Option<Duration>,
    }

    #[test]
    fn people_and_programs_agree() {
        let config: Config = serde_json::from_str(r#"{"wait": "1m 500ms", "limit": "2s"}"#).unwrap();
        assert_eq!(
            config,
            Config { wait: Duration::from_millis(60_500), limit: Some(Duration::from_secs(2)) }
        );
        assert_eq!(serde_json::to_string(&config).unwrap(), r#"{"wait":"1m 500ms","limit":"2s"}"#);
        assert_eq!(serde_json::from_str::<Config>(r#"{"wait": "0s"}"#).unwrap().limit, None);
    }

    #[test]
    fn a_bare_number_is_refused_with_what_to_write() {
        let error = serde_json::from_str::<Config>(r#"{"wait": "60"}"#).unwrap_err().to_string();
        assert!(error.contains("`60` is no duration") && error.contains("\"60s\""), "{error}");
        assert!(serde_json::from_str::<Config>(r#"{"wait": 60}"#).is_err());
    }
}
