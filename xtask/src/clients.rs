//! The official SDKs, unmodified, against the running server, whose upstream is our fault-injecting one.

mod install;
mod serve;

use crate::serve::clean;
use crate::shell::{self, Result};
use crate::steps::{Steps, Verdict};
use install::Installed;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// A suite that takes longer hangs.
const LIMIT: Duration = Duration::from_secs(300);

/// Where the tests are, where the SDKs go, and what runs.
#[derive(Debug)]
struct Place {
    tests: PathBuf,
    target: PathBuf,
    binaries: PathBuf,
}

/// Installs the SDKs and runs their suites, one step each.
pub(crate) fn run(root: &Path, steps: &mut Steps) -> Result {
    let target = shell::target_dir(root)?;
    let place = Place {
        tests: root.join("tests/clients"),
        binaries: target.join("debug"),
        target: target.join("clients"),
    };
    std::fs::create_dir_all(&place.target)?;
    let python = install::python(&place.tests, &place.target);
    for suite in ["test_openai", "test_anthropic"] {
        let arguments = ["-m", "unittest", "-v", suite];
        let command = |program: &Path| {
            let mut command = Command::new(program);
            command
                .args(arguments)
                .current_dir(place.tests.join("python"))
                .env("PYTHONDONTWRITEBYTECODE", "1");
            command
        };
        steps.step(&format!("client python {suite}"), || suite_step(&place, suite, &python, command));
    }
    steps.step("pipe-graph beside networkx", || peer_step(root, &python));
    let node = install::node(&place.tests, &place.target);
    let command = |folder: &Path| {
        let mut command = Command::new("node");
        command.args(["--test", "--test-reporter", "spec", "openai.test.mjs"]).current_dir(folder);
        command
    };
    steps.step("client node openai", || suite_step(&place, "node_openai", &node, command));
    Ok(())
}

/// The same random graphs, planned by pipe-graph and layered by networkx.
fn peer_step(root: &Path, python: &Installed) -> Verdict {
    match python {
        Installed::At(program) => {
            let words = ["test", "-p", "pipe-graph", "--test", "it", "networkx"];
            shell::pass(shell::cargo(root, &words).env("PIPE_GRAPH_NETWORKX", program)).into()
        }
        Installed::Unreachable(why) => Verdict::Skipped(why.clone()),
    }
}

fn suite_step(
    place: &Place,
    name: &str,
    installed: &Installed,
    command: impl FnOnce(&Path) -> Command,
) -> Verdict {
    match installed {
        Installed::At(path) => suite(place, name, &mut command(path)).into(),
        Installed::Unreachable(why) => Verdict::Skipped(why.clone()),
    }
}

/// Runs one suite against a server and an upstream of its own; both are gone when this returns.
fn suite(place: &Place, name: &str, command: &mut Command) -> Result {
    let upstream = serve::upstream(place, name)?;
    let server = serve::server(place, name, &upstream.address)?;
    clean(command).env("EXEC_URL", &server.address).env("UPSTREAM_URL", &upstream.address);
    let log = place.target.join(format!("{name}.log"));
    let outcome = shell::pass_within(command, &log, LIMIT);
    let shown = if outcome.is_ok() {
        vec![(&log, 15)]
    } else {
        vec![(&server.log, 100), (&upstream.log, 100), (&log, 400)]
    };
    for (file, lines) in shown {
        println!("-- {}\n{}", file.display(), tail(&std::fs::read_to_string(file)?, lines));
    }
    outcome
}

/// The last lines of a log: enough to see the failure without burying it.
fn tail(text: &str, most: usize) -> String {
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(most)..].join("\n")
}
