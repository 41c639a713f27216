//! Starts the upstream and the server on free ports, and stops them when dropped.

use super::Place;
use crate::shell::{Killed, Result};
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{ChildStdout, Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

const START_LIMIT: Duration = Duration::from_secs(30);

/// A process that accepts requests; killed when dropped.
#[derive(Debug)]
pub(super) struct Served {
    pub(super) address: String,
    pub(super) log: PathBuf,
    _process: Killed,
}

pub(super) fn upstream(place: &Place, suite: &str) -> Result<Served> {
    let mut command = Command::new(place.binaries.join("xtask"));
    start(place, &format!("{suite}.upstream"), command.args(["upstream", "--listen", "127.0.0.1:0"]))
}

pub(super) fn server(place: &Place, suite: &str, upstream: &str) -> Result<Served> {
    let config = place.target.join(format!("{suite}.toml"));
    std::fs::write(&config, configuration(upstream))?;
    let mut command = Command::new(place.binaries.join("exec-server"));
    command.arg("--config").arg(config).arg("--data-dir").arg(place.target.join(format!("{suite}.data")));
    start(place, &format!("{suite}.server"), &mut command)
}

/// Takes out of a command's environment what would change who is called or how.
pub(super) fn clean(command: &mut Command) -> &mut Command {
    const PREFIXES: &[&str] = &["OPENAI_", "ANTHROPIC_", "EXEC_"];
    const PROXIES: &[&str] = &["http_proxy", "https_proxy", "all_proxy"];
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        let is_proxy = PROXIES.contains(&text.to_ascii_lowercase().as_str());
        if is_proxy || PREFIXES.iter().any(|prefix| text.starts_with(prefix)) {
            command.env_remove(&name);
        }
    }
    command
}

/// Starts the program and waits for its `listening on http://ADDR`.
fn start(place: &Place, name: &str, command: &mut Command) -> Result<Served> {
    let log = place.target.join(format!("{name}.log"));
    clean(command).current_dir(&place.target);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(File::create(&log)?);
    let program = command.get_program().to_string_lossy().into_owned();
    let child = command.spawn().map_err(|error| format!("cannot start {program}: {error}"))?;
    let mut process = Killed(child);
    let stdout = process.0.stdout.take().ok_or("the process has no output")?;
    let Ok(address) = first_address(stdout).recv_timeout(START_LIMIT) else {
        drop(process);
        return Err(format!("{program} does not listen: {}", std::fs::read_to_string(&log)?.trim()).into());
    };
    Ok(Served { address, log, _process: process })
}

/// Reads the output to its end, so that the process never blocks on it, and sends on the first address.
fn first_address(stdout: ChildStdout) -> mpsc::Receiver<String> {
    let (send, receive) = mpsc::channel();
    std::thread::spawn(move || {
        let mut send = Some(send);
        for line in BufReader::new(stdout).lines().map_while(std::result::Result::ok) {
            if let Some(address) = line.strip_prefix("listening on ") {
                // Nobody waits any longer if the time limit has passed.
                send.take().map(|send| send.send(address.trim().to_owned()));
            }
        }
    });
    receive
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
