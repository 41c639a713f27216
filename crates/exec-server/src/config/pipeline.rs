//! `[pipeline]` and `[middleware.X]`: what every call passes, outermost first.

use exec_middleware::TimeoutConfig;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::read::Reader;
use super::take_table;

/// What every call passes.
#[derive(Clone, Debug)]
pub struct PipelineConfig {
    /// The guards, outermost first.
    pub guards: Vec<Guard>,
    names: Vec<String>,
    unused: Vec<String>,
}

/// One guard with its settings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Guard {
    /// A span and events around every call.
    Trace,
    /// A panic becomes an error.
    CatchPanic,
    /// A request that cannot work is refused.
    Validate,
    /// Time limits over everything a call does.
    Timeout(TimeoutConfig),
}

const KNOWN: &str = "trace, catch_panic, validate, timeout";

#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Pipeline {
    middleware: Vec<String>,
}

impl Default for Pipeline {
    fn default() -> Self {
        Self { middleware: ["trace", "catch_panic", "validate"].map(str::to_owned).into() }
    }
}

impl Default for PipelineConfig {
    fn default() -> Self {
        read(&mut Map::new(), &mut Reader::default())
    }
}

pub(super) fn read(sections: &mut Map<String, Value>, reader: &mut Reader) -> PipelineConfig {
    let Pipeline { middleware: names } = reader.section(sections, "pipeline");
    let mut settings = take_table(sections, "middleware", reader);
    let mut guards = Vec::new();
    for (i, name) in names.iter().enumerate() {
        if names[..i].contains(name) {
            reader.problem(format!("pipeline.middleware[{i}]"), format!("`{name}` is there already"));
            continue;
        }
        match guard(name, &mut settings, reader) {
            Some(guard) => guards.push(guard),
            None => reader.problem(
                format!("pipeline.middleware[{i}]"),
                format!("there is no middleware `{name}`; there are: {KNOWN}"),
            ),
        }
    }
    PipelineConfig { guards, names, unused: settings.keys().cloned().collect() }
}

fn guard(name: &str, settings: &mut Map<String, Value>, reader: &mut Reader) -> Option<Guard> {
    Some(match name {
        "trace" => Guard::Trace,
        "catch_panic" => Guard::CatchPanic,
        "validate" => Guard::Validate,
        "timeout" => {
            let settings = settings.remove("timeout").unwrap_or_else(|| Value::Object(Map::new()));
            let limits: TimeoutConfig = reader.value(settings, "middleware.timeout");
            check_limits(&limits, "middleware.timeout", reader);
            Guard::Timeout(limits)
        }
        _ => return None,
    })
}

/// A limit of zero would fail every call, and a set of limits without any does nothing.
pub(super) fn check_limits(limits: &TimeoutConfig, path: &str, reader: &mut Reader) {
    let TimeoutConfig { connect, first_chunk, idle, total } = *limits;
    for (name, limit) in
        [("connect", connect), ("first_chunk", first_chunk), ("idle", idle), ("total", total)]
    {
        if limit.is_some_and(|limit| limit.is_zero()) {
            reader.problem(format!("{path}.{name}"), "must be more than zero; leave it out for no limit");
        }
    }
}

impl PipelineConfig {
    /// A setting that nobody reads is refused, not ignored.
    pub(super) fn check(&self, reader: &mut Reader) {
        for name in &self.unused {
            let message = if KNOWN.split(", ").any(|known| known == name) && !self.names.contains(name) {
                format!("has no effect: add \"{name}\" to pipeline.middleware")
            } else {
                format!("has no settings here; middleware with settings: timeout ({KNOWN} can be listed)")
            };
            reader.problem(format!("middleware.{name}"), message);
        }
        if self.guards.contains(&Guard::Timeout(TimeoutConfig::default())) {
            reader.problem("middleware.timeout", "has no limit: set connect, first_chunk, idle or total");
        }
    }
}
