//! `cargo xtask test`: all that a developer must pass, and an honest account of what could not run.

use crate::shell::{self, Result};
use crate::steps::{Steps, Verdict};
use crate::{clients, faults, stores};
use std::path::Path;
use std::process::Command;

const USAGE: &str =
    "usage: cargo xtask test [--require-clients] [--only-clients], or cargo xtask test faults";

pub(crate) fn run(args: &[String]) -> Result<bool> {
    if args.first().is_some_and(|word| word == "faults") {
        return faults::run(&faults::Options::read(&args[1..])?);
    }
    let (mut required, mut only_clients) = (false, false);
    for flag in args {
        match flag.as_str() {
            "--require-clients" => required = true,
            "--only-clients" => only_clients = true,
            _ => return Err(USAGE.into()),
        }
    }
    let root = shell::root()?;
    let mut steps = Steps::new(required || shell::is_ci());
    if !only_clients {
        steps.step("unit and integration tests", || shell::pass(&mut tests(&root)));
        steps.step("doc tests", || shell::pass(&mut shell::cargo(&root, &["test", "--workspace", "--doc"])));
        stores::run(&root, &mut steps);
    }
    let build = ["build", "-p", "exec-server", "-p", "xtask"];
    steps.step("build the server and the upstream", || shell::pass(&mut shell::cargo(&root, &build)));
    clients::run(&root, &mut steps)?;
    if !only_clients {
        steps.step("faults", || match faults::run(&faults::Options::CHECK) {
            Ok(true) => Verdict::Passed,
            Ok(false) => Verdict::Failed("see above".to_owned()),
            Err(error) => Verdict::Failed(error.to_string()),
        });
    }
    Ok(steps.finish())
}

/// nextest where it is installed: it isolates each test in a process. Benches are the job of `bench`.
fn tests(root: &Path) -> Command {
    if shell::has(&mut shell::cargo(root, &["nextest"])) {
        return shell::cargo(root, &["nextest", "run", "--workspace", "--no-tests", "pass"]);
    }
    shell::cargo(root, &["test", "--workspace", "--lib", "--bins", "--tests", "--examples"])
}
