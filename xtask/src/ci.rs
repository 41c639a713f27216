//! `cargo xtask ci`: everything that must be green, step by step, with the time each took.

mod light;

use crate::shell::{self, Result};
use crate::steps::{Steps, Verdict};
use crate::{bench, test, tidy};
use std::path::Path;
use std::process::Command;

const STEPS: &[&str] = &["fmt", "clippy", "tidy", "deny", "doc", "test", "behaviour", "alone", "light"];

pub(crate) fn run(args: &[String]) -> Result<bool> {
    let skip = skipped(args)?;
    let root = shell::root()?;
    let mut steps = Steps::new(false);
    for name in STEPS {
        steps.step(name, || match skip.contains(name) {
            true => Verdict::Skipped("--skip".to_owned()),
            false => step(&root, name).unwrap_or_else(|error| Verdict::Failed(error.to_string())),
        });
    }
    Ok(steps.finish())
}

/// The steps to leave out: `--skip STEP`, as often as wanted.
fn skipped(args: &[String]) -> Result<Vec<&str>> {
    let mut skip = Vec::new();
    let mut args = args.iter().map(String::as_str);
    while let Some(flag) = args.next() {
        match (flag, args.next()) {
            ("--skip", Some(step)) if STEPS.contains(&step) => skip.push(step),
            _ => {
                return Err(
                    format!("usage: cargo xtask ci [--skip STEP]...; steps: {}", STEPS.join(", ")).into()
                );
            }
        }
    }
    Ok(skip)
}

fn step(root: &Path, name: &str) -> Result<Verdict> {
    let pass = |args: &[&str]| Verdict::from(shell::pass(&mut cargo(root, args)));
    let sound = |found: bool| {
        if found { Verdict::Passed } else { Verdict::Failed("see above".to_owned()) }
    };
    Ok(match name {
        "fmt" => pass(&["fmt", "--all", "--check"]),
        "clippy" => {
            pass(&["clippy", "--workspace", "--all-targets", "--all-features", "--", "-D", "warnings"])
        }
        "tidy" => sound(tidy::run(&[])?),
        "deny" => deny(root),
        "doc" => {
            let mut doc = cargo(root, &["doc", "--workspace", "--no-deps", "--all-features"]);
            shell::pass(doc.env("RUSTDOCFLAGS", "-D warnings")).into()
        }
        "test" => sound(test::run(&[])?),
        "behaviour" => sound(bench::run(&["--behaviour".to_owned(), "--check".to_owned()])?),
        "alone" => light::alone(root).into(),
        "light" => light::limits(root).into(),
        other => Verdict::Failed(format!("no such step: {other}")),
    })
}

fn deny(root: &Path) -> Verdict {
    if !shell::has(&mut cargo(root, &["deny"])) {
        return Verdict::Skipped("cargo-deny is not installed".to_owned());
    }
    shell::pass(&mut cargo(root, &["deny", "check"])).into()
}

/// Cargo as CI runs it: incremental builds cost more there than they save.
fn cargo(root: &Path, args: &[&str]) -> Command {
    let mut command = shell::cargo(root, args);
    command.env("CARGO_INCREMENTAL", "0");
    command
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<String> {
        text.split_whitespace().map(str::to_owned).collect()
    }

    #[test]
    fn steps_to_skip_are_checked() {
        assert_eq!(skipped(&words("--skip test --skip deny")).unwrap(), ["test", "deny"]);
        assert!(skipped(&words("--skip tests")).is_err());
        assert!(skipped(&words("--skip")).is_err());
        assert!(skipped(&words("test")).is_err());
    }
}
