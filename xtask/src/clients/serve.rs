//! The upstream and the server of one suite.

use super::Place;
use crate::serve::{Served, start};
use crate::shell::Result;
use std::process::Command;

pub(super) fn upstream(place: &Place, suite: &str) -> Result<Served> {
    let mut command = Command::new(place.binaries.join("xtask"));
    start(&place.target, &format!("{suite}.upstream"), command.args(["upstream", "--listen", "127.0.0.1:0"]))
}

pub(super) fn server(place: &Place, suite: &str, upstream: &str) -> Result<Served> {
    let config = place.target.join(format!("{suite}.toml"));
    std::fs::write(&config, configuration(upstream))?;
    let mut command = Command::new(place.binaries.join("exec-server"));
    command.arg("--config").arg(config).arg("--data-dir").arg(place.target.join(format!("{suite}.data")));
    start(&place.target, &format!("{suite}.server"), &mut command)
}

fn configuration(upstream: &str) -> String {
    let provider = |name: &str, kind: &str, path: &str, key: &str| {
        format!(
            "\n[providers.{name}]\ntype = \"{kind}\"\nbase_url = \"{upstream}{path}\"\napi_key = \"{key}\"\n"
        )
    };
    "[server]\nlisten = \"127.0.0.1:0\"\ndefault_provider = \"up\"\n".to_owned()
        + &provider("up", "openai", "/v1", "good-key")
        + &provider("claude", "anthropic", "", "good-key")
        + &provider("denied", "openai", "/v1", "bad-key")
        + "\n[providers.sim]\ntype = \"simulator\"\n"
        + &provider("well", "anthropic", "", "good-key")
        + "models = { \"*\" = \"well\" }\n"
        + "\n[providers.relay]\ntype = \"fallback\"\nmembers = [\"up\", \"well\"]\nmid_stream = \"continue\"\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_configuration_is_toml_and_names_the_upstream() {
        let config: toml::Table = toml::from_str(&configuration("http://127.0.0.1:9")).unwrap();
        assert_eq!(config["providers"]["up"]["base_url"].as_str(), Some("http://127.0.0.1:9/v1"));
        assert_eq!(config["providers"]["claude"]["base_url"].as_str(), Some("http://127.0.0.1:9"));
        assert_eq!(config["server"]["default_provider"].as_str(), Some("up"));
    }
}
