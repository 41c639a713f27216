//! What a simulator can be told to get wrong, in configuration or in the name of the model that is asked for. What each
//! fault does is in `mod.rs` (before the answer) and `pace.rs` (in it).

use std::time::Duration;

use exec_core::{FieldError, duration};
use serde::Deserialize;

use super::failure::Failure;

/// Something that goes wrong. In configuration a table: `{ type = "cut", after = 40 }`.
///
/// The name of a model chooses the faults of one call: `fault:` or `simulator/fault:`, then a comma list of
/// `name[=value]`, at most eight. `fault:slow=2s,cut=40` waits two seconds and is cut after token 40.
///
/// | name | value, and what it is without one | what happens |
/// |---|---|---|
/// | a [`Failure`] such as `rate_limited` | time to wait until a retry; usual for the failure | fails before anything; `prefill_rejected` only where there is a prefill |
/// | `silent` | | no answer, ever |
/// | `slow` | time; `20s` | the first chunk comes so much later |
/// | `cut` | token; `40` | the connection breaks after that token |
/// | `stall` | token, or token@time; `40@30s` | stands still after that token, then goes on |
/// | `malformed` | token; `40` | what comes after that token cannot be read |
/// | `no_end` | | all tokens come, their end does not |
/// | `flap` | calls, or calls/calls; `3` | so many calls fail, then all (or so many) are answered |
/// | `outage` | time; `30s` | every call fails until so long after the first |
/// | `answers_as` | model | another model answers |
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
#[non_exhaustive]
pub enum Fault {
    /// The call fails before anything is answered.
    Error {
        /// How.
        kind: Failure,
        /// How long the provider asks us to wait; by default what is usual for the failure.
        #[serde(default, with = "exec_core::duration::option")]
        retry_after: Option<Duration>,
    },
    /// No answer ever comes, neither a chunk nor an error.
    Silent {},
    /// The first chunk comes later.
    Slow {
        /// By how much. Default 20 s.
        #[serde(default = "Fault::slow", with = "exec_core::duration")]
        wait: Duration,
    },
    /// The connection breaks.
    Cut {
        /// After so many tokens, or after the last one if there are fewer. Default 40.
        #[serde(default = "Fault::after")]
        after: u32,
    },
    /// The answer stands still, then goes on.
    Stall {
        /// After so many tokens, or after the last one if there are fewer. Default 40.
        #[serde(default = "Fault::after")]
        after: u32,
        /// For how long. Default 30 s.
        #[serde(default = "Fault::lasting", with = "exec_core::duration")]
        wait: Duration,
    },
    /// A chunk cannot be read.
    Malformed {
        /// The one after so many tokens, or after the last one if there are fewer. Default 40.
        #[serde(default = "Fault::after")]
        after: u32,
    },
    /// Every token comes and the end is never announced.
    NoEnd {},
    /// Calls fail for a while, counted in calls; a 503 each.
    Flap {
        /// So many calls fail.
        down: u32,
        /// Then so many are answered, and it begins again; 0 means that it does not. Default 0.
        #[serde(default)]
        up: u32,
    },
    /// Calls fail for a while, counted in time from the first call on; a 503 each.
    Outage {
        /// For how long. Default 30 s.
        #[serde(default = "Fault::lasting", with = "exec_core::duration")]
        lasts: Duration,
    },
    /// Another model answers than the one asked for, and the report names it.
    AnswersAs {
        /// Which.
        model: String,
    },
}

/// The most faults one model name may choose.
const MAX_FAULTS: usize = 8;

impl Fault {
    fn after() -> u32 {
        40
    }

    fn slow() -> Duration {
        Duration::from_secs(20)
    }

    fn lasting() -> Duration {
        Duration::from_secs(30)
    }

    /// The faults that the name of a model chooses; `None` when it chooses none.
    ///
    /// # Errors
    /// `InvalidRequest` fields at `model` for a name that does not follow the grammar.
    pub fn of_model(model: &str) -> Option<Result<Vec<Self>, FieldError>> {
        let list = model.strip_prefix("simulator/").unwrap_or(model).strip_prefix("fault:")?;
        let wrong = |message| FieldError::new("model", "unknown_fault", message);
        if list.split(',').count() > MAX_FAULTS {
            return Some(Err(wrong(format!("chooses more than {MAX_FAULTS} faults"))));
        }
        let read = |item| {
            Self::parse(item)
                .filter(|fault| fault.wrong().is_none())
                .ok_or_else(|| wrong(format!("chooses a fault nobody knows: {item:?}")))
        };
        Some(list.split(',').map(read).collect())
    }

    fn parse(item: &str) -> Option<Self> {
        let (name, value) = item.split_once('=').map_or((item, None), |(name, value)| (name, Some(value)));
        if let Some(kind) = Failure::ALL.into_iter().find(|failure| failure.as_str() == name) {
            return Some(Self::Error {
                kind,
                retry_after: value.map(duration::parse).map_or(Some(None), |t| t.map(Some))?,
            });
        }
        Some(match name {
            "silent" if value.is_none() => Self::Silent {},
            "no_end" if value.is_none() => Self::NoEnd {},
            "slow" => Self::Slow { wait: or(value, duration::parse, Self::slow)? },
            "cut" => Self::Cut { after: or(value, number, Self::after)? },
            "malformed" => Self::Malformed { after: or(value, number, Self::after)? },
            "outage" => Self::Outage { lasts: or(value, duration::parse, Self::lasting)? },
            "stall" => {
                let (after, wait) = pair(value, '@');
                Self::Stall {
                    after: or(after, number, Self::after)?,
                    wait: or(wait, duration::parse, Self::lasting)?,
                }
            }
            "flap" => {
                let (down, up) = pair(value, '/');
                Self::Flap { down: or(down, number, || 3)?, up: or(up, number, || 0)? }
            }
            "answers_as" => Self::AnswersAs { model: value.filter(|model| !model.is_empty())?.to_owned() },
            _ => return None,
        })
    }

    /// What is wrong with it as a setting.
    pub(super) fn wrong(&self) -> Option<FieldError> {
        match self {
            Self::AnswersAs { model } if model.is_empty() => {
                Some(FieldError::new("fault.model", "required", "must not be empty"))
            }
            Self::Flap { down: 0, .. } => {
                Some(FieldError::new("fault.down", "out_of_range", "must be at least 1"))
            }
            _ => None,
        }
    }
}

fn number(text: &str) -> Option<u32> {
    text.parse().ok()
}

fn or<T>(value: Option<&str>, read: impl Fn(&str) -> Option<T>, default: impl Fn() -> T) -> Option<T> {
    value.map_or_else(|| Some(default()), read)
}

fn pair(value: Option<&str>, separator: char) -> (Option<&str>, Option<&str>) {
    match value.and_then(|value| value.split_once(separator)) {
        Some((left, right)) => (Some(left), Some(right)),
        None => (value, None),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn one(list: &str) -> Fault {
        let mut faults = Fault::of_model(&format!("simulator/fault:{list}")).unwrap().unwrap();
        assert_eq!(faults.len(), 1, "{list}");
        faults.remove(0)
    }

    #[test]
    fn a_name_and_a_table_say_the_same() {
        let cases = [
            ("cut=7", json!({"type": "cut", "after": 7})),
            ("cut", json!({"type": "cut"})),
            ("rate_limited=5s", json!({"type": "error", "kind": "rate_limited", "retry_after": "5s"})),
            ("overloaded", json!({"type": "error", "kind": "overloaded"})),
            ("silent", json!({"type": "silent"})),
            ("slow=2s", json!({"type": "slow", "wait": "2s"})),
            ("slow", json!({"type": "slow"})),
            ("stall=3@250ms", json!({"type": "stall", "after": 3, "wait": "250ms"})),
            ("stall", json!({"type": "stall"})),
            ("malformed=0", json!({"type": "malformed", "after": 0})),
            ("no_end", json!({"type": "no_end"})),
            ("flap=2", json!({"type": "flap", "down": 2})),
            ("flap=2/5", json!({"type": "flap", "down": 2, "up": 5})),
            ("outage=1m", json!({"type": "outage", "lasts": "1m"})),
            ("answers_as=gpt-4o", json!({"type": "answers_as", "model": "gpt-4o"})),
        ];
        for (name, table) in cases {
            assert_eq!(one(name), serde_json::from_value(table).unwrap(), "{name}");
        }
    }

    #[test]
    fn several_faults_and_no_fault() {
        let both = vec![Fault::Slow { wait: SECOND }, Fault::Cut { after: 4 }];
        assert_eq!(Fault::of_model("fault:slow=1s,cut=4"), Some(Ok(both)));
        assert_eq!(Fault::of_model("simulator"), None);
        assert_eq!(Fault::of_model("gpt-4o"), None);
    }

    #[test]
    fn what_nobody_knows_is_refused() {
        let wrong = [
            "",
            "cutt",
            "cut=x",
            "cut=-1",
            "silent=1",
            "slow=1",
            "stall=1@",
            "answers_as=",
            "flap=0",
            "cut=1,",
            "rate_limited=x",
        ];
        for list in wrong {
            let error = Fault::of_model(&format!("fault:{list}")).unwrap().unwrap_err();
            assert_eq!(error.path, "model", "{list}");
        }
        assert!(Fault::of_model(&format!("fault:{}", ["cut"; 9].join(","))).unwrap().is_err());
    }

    #[test]
    fn unknown_fields_of_a_table_are_refused() {
        let wrong =
            [json!({"type": "silent", "x": 1}), json!({"type": "cut", "at": 1}), json!({"type": "nope"})];
        for table in wrong {
            assert!(serde_json::from_value::<Fault>(table.clone()).is_err(), "{table}");
        }
    }
}
