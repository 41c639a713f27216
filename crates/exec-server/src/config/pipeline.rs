//! `[pipeline]` and `[middleware.X]`: what every call passes, outermost first.

use exec_middleware::RetryBudgetConfig;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::guards::{Guard, KNOWN, PLAIN};
use super::read::Reader;
use super::take_table;

/// What every call passes.
#[derive(Clone, Debug)]
pub struct PipelineConfig {
    /// The guards, outermost first.
    pub guards: Vec<Guard>,
    /// How many retries all guards together may make.
    pub retry_budget: RetryBudgetConfig,
    names: Vec<String>,
    unused: Vec<String>,
    /// Whether the budget was given.
    budgeted: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Pipeline {
    middleware: Vec<String>,
    retry_budget: Option<RetryBudgetConfig>,
}

impl Default for Pipeline {
    fn default() -> Self {
        let middleware = ["trace", "catch_panic", "validate"].map(str::to_owned).into();
        Self { middleware, retry_budget: None }
    }
}

impl Default for PipelineConfig {
    fn default() -> Self {
        read(&mut Map::new(), &mut Reader::default())
    }
}

pub(super) fn read(sections: &mut Map<String, Value>, reader: &mut Reader) -> PipelineConfig {
    let Pipeline { middleware: names, retry_budget } = reader.section(sections, "pipeline");
    let mut settings = take_table(sections, "middleware", reader);
    let mut guards = Vec::new();
    for (i, name) in names.iter().enumerate() {
        if names[..i].contains(name) {
            reader.problem(format!("pipeline.middleware[{i}]"), format!("`{name}` is there already"));
            continue;
        }
        match Guard::read(name, &mut settings, "middleware", reader) {
            Some(guard) => guards.push(guard),
            None => reader.problem(
                format!("pipeline.middleware[{i}]"),
                format!("there is no middleware `{name}`; there are: {}", KNOWN.join(", ")),
            ),
        }
    }
    PipelineConfig {
        guards,
        budgeted: retry_budget.is_some(),
        retry_budget: retry_budget.unwrap_or_default(),
        names,
        unused: settings.keys().cloned().collect(),
    }
}

impl PipelineConfig {
    /// A setting that nobody reads is refused, not ignored. `retries` says whether any guard, here or at a provider, makes
    /// calls again.
    pub(super) fn check(&self, retries: bool, reader: &mut Reader) {
        reader.fields("pipeline.retry_budget", self.retry_budget.problems());
        if self.budgeted && !retries {
            reader.problem("pipeline.retry_budget", "has no effect: no guard is a `retry`");
        }
        for name in &self.unused {
            let known = KNOWN.contains(&name.as_str()) && !PLAIN.contains(&name.as_str());
            let message = if known && !self.names.contains(name) {
                format!("has no effect: add \"{name}\" to pipeline.middleware")
            } else {
                let settable: Vec<_> = KNOWN.into_iter().filter(|name| !PLAIN.contains(name)).collect();
                format!("has no settings; middleware with settings: {}", settable.join(", "))
            };
            reader.problem(format!("middleware.{name}"), message);
        }
    }
}
