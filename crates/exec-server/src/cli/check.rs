//! `exec-server check`: says what is wrong with a configuration, or what it means.

use std::io::Write;
use std::process::ExitCode;

use super::refused;
use crate::assemble;
use crate::config::Config;

pub(super) fn run(config: &Config) -> ExitCode {
    let engine = match assemble::engine(config) {
        Ok(engine) => engine,
        Err(error) => return refused(&error),
    };
    let mut lines = vec!["the configuration can be used".to_owned()];
    lines.push(format!("  listen      {}", config.server.listen));
    lines.push(format!("  middleware  {}", engine.order().collect::<Vec<_>>().join(" > ")));
    for (name, provider) in engine.providers() {
        let default = if config.default_provider() == Some(name) { "  (default)" } else { "" };
        let models = &provider.capabilities().models;
        let models = if models.is_empty() { "any model".to_owned() } else { models.join(", ") };
        lines.push(format!("  provider    {name}{default}: {models}"));
        let guards = engine.watches().providers.get(name).map(|watch| watch.order.join(" > "));
        lines.extend(
            guards.filter(|guards| !guards.is_empty()).map(|guards| format!("    guards    {guards}")),
        );
    }
    for warning in config.warnings() {
        lines.push(format!("warning: {}: {}", warning.path, warning.message));
    }
    // The output of this command; a closed pipe has nobody left to tell.
    let _ = writeln!(std::io::stdout(), "{}", lines.join("\n"));
    ExitCode::SUCCESS
}
