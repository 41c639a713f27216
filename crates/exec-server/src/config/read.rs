//! Reading a section into its struct, with every error in it and not only the first.

use exec_core::FieldError;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use serde_path_to_error::{Path, Segment};

use super::{ConfigError, Problem};

/// No key is shorter.
const MIN_SECRET_BYTES: usize = 6;

/// Reads sections and collects what is wrong with them.
#[derive(Debug, Default)]
pub(super) struct Reader {
    problems: Vec<Problem>,
    /// Values that must not appear in a message.
    secrets: Vec<String>,
    /// Paths about which everything is said.
    settled: Vec<String>,
}

impl Reader {
    /// Notes a problem.
    pub(super) fn problem(&mut self, path: impl Into<String>, message: impl Into<String>) {
        let problem = Problem::new(path, message);
        if !self.settled.contains(&problem.path) {
            self.problems.push(problem);
        }
    }

    /// Notes a problem from which others at this path would only follow.
    pub(super) fn only_problem(&mut self, path: &str, message: impl Into<String>) {
        self.problem(path, message);
        self.settled.push(path.to_owned());
    }

    /// Notes what is wrong with the settings at `path`.
    pub(super) fn fields(&mut self, path: &str, found: Vec<FieldError>) {
        for field in found {
            self.problem(format!("{path}.{}", field.path), field.message);
        }
    }

    /// Keeps `value` out of every message. One too short to be a secret is not looked for: it may be part of any word.
    pub(super) fn keep_secret(&mut self, value: &str) {
        if value.len() >= MIN_SECRET_BYTES {
            self.secrets.push(value.to_owned());
        }
    }

    pub(super) fn is_clean(&self) -> bool {
        self.problems.is_empty()
    }

    pub(super) fn into_error(self) -> ConfigError {
        let Self { mut problems, secrets, .. } = self;
        for problem in &mut problems {
            for secret in &secrets {
                problem.message = problem.message.replace(secret, "[redacted]");
            }
        }
        problems.sort_by(|a, b| a.path.cmp(&b.path));
        problems.dedup();
        ConfigError(problems)
    }

    /// Takes the section `name` out of `sections` and reads it; an absent one is its default.
    pub(super) fn section<T: DeserializeOwned + Default>(
        &mut self,
        sections: &mut Map<String, Value>,
        name: &str,
    ) -> T {
        match sections.remove(name) {
            Some(value) => self.value(value, name),
            None => T::default(),
        }
    }

    /// Reads `value`, which stands at `path`. What cannot be read is noted, taken out, and the rest is tried again, so
    /// that one run finds everything. The result is only of use when nothing was noted.
    pub(super) fn value<T: DeserializeOwned + Default>(&mut self, mut value: Value, path: &str) -> T {
        loop {
            let error = match serde_path_to_error::deserialize::<_, T>(&value) {
                Ok(read) => return read,
                Err(error) => error,
            };
            let (at, message) = locate(&error);
            self.problem(join(path, &at.join_segments()), message);
            if !remove(&mut value, &at.0) {
                return T::default();
            }
        }
    }
}

/// Names from the top of the section to the value.
struct At(Vec<String>);

impl At {
    fn join_segments(&self) -> String {
        self.0.iter().fold(String::new(), |path, segment| match segment.parse::<usize>() {
            Ok(index) => format!("{path}[{index}]"),
            Err(_) => join(&path, segment),
        })
    }
}

fn locate(error: &serde_path_to_error::Error<serde_json::Error>) -> (At, String) {
    let mut at = segments(error.path());
    let message = error.inner().to_string();
    // An unknown field is reported at the table it is in; the message names it.
    if let Some(field) = message.strip_prefix("unknown field `").and_then(|rest| rest.split('`').next())
        && at.last().is_none_or(|last| last != field)
    {
        at.push(field.to_owned());
    }
    (At(at), message)
}

fn segments(path: &Path) -> Vec<String> {
    path.iter()
        .filter_map(|segment| match segment {
            Segment::Map { key } => Some(key.clone()),
            Segment::Seq { index } => Some(index.to_string()),
            Segment::Enum { .. } | Segment::Unknown => None,
        })
        .collect()
}

fn join(path: &str, more: &str) -> String {
    match (path.is_empty(), more.is_empty()) {
        (true, _) => more.to_owned(),
        (_, true) => path.to_owned(),
        _ => format!("{path}.{more}"),
    }
}

/// Takes the value at `at` out. False when there is nothing to take.
fn remove(value: &mut Value, at: &[String]) -> bool {
    let Some((last, way)) = at.split_last() else { return false };
    let mut place = value;
    for step in way {
        let next = match place {
            Value::Object(members) => members.get_mut(step),
            Value::Array(items) => step.parse::<usize>().ok().and_then(|index| items.get_mut(index)),
            _ => None,
        };
        let Some(next) = next else { return false };
        place = next;
    }
    match place {
        Value::Object(members) => members.remove(last).is_some(),
        Value::Array(items) => {
            let index = last.parse::<usize>().ok().filter(|index| *index < items.len());
            index.map(|index| items.remove(index)).is_some()
        }
        _ => false,
    }
}
