//! Starts a program that serves on a free port, and stops it when dropped.

use crate::shell::{Killed, Result};
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{ChildStdout, Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

const START_LIMIT: Duration = Duration::from_secs(30);

/// A process that accepts requests; killed when dropped.
#[derive(Debug)]
pub(crate) struct Served {
    /// As the process says it: `http://IP:PORT`.
    pub(crate) address: String,
    /// Its standard error.
    pub(crate) log: PathBuf,
    pub(crate) process: Killed,
}

/// Starts the program in `folder` and waits for its `listening on http://ADDR`; its log is `folder/NAME.log`.
pub(crate) fn start(folder: &Path, name: &str, command: &mut Command) -> Result<Served> {
    let log = folder.join(format!("{name}.log"));
    clean(command).current_dir(folder);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(File::create(&log)?);
    let program = command.get_program().to_string_lossy().into_owned();
    let child = command.spawn().map_err(|error| format!("cannot start {program}: {error}"))?;
    let mut process = Killed(child);
    let stdout = process.0.stdout.take().ok_or("the process has no output")?;
    let Ok(address) = first_address(stdout).recv_timeout(START_LIMIT) else {
        drop(process);
        return Err(format!("{program} does not listen: {}", std::fs::read_to_string(&log)?.trim()).into());
    };
    Ok(Served { address, log, process })
}

/// Takes out of a command's environment what would change who is called or how.
pub(crate) fn clean(command: &mut Command) -> &mut Command {
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
