//! `cargo xtask test faults`: what callers and providers see of the built server while things break, and the report of it.

mod catalogue;
mod entries;
mod house;
mod outage;
mod report;
mod rules;
mod run;
mod scenario;
mod settings;
mod verdict;

use crate::lab::{self, Lab};
use crate::shell::{self, Result};
use entries::entries;
use std::path::Path;
use verdict::{Finding, Verdict};

const REPORT: &str = "docs/reliability.md";
const USAGE: &str = "usage: cargo xtask test faults [--debug] [--only ID]... [--check]";
/// Servers, upstreams and callers of all scenarios that run at one time.
const OPEN_FILES: u64 = 8192;

/// What was asked for.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Options {
    /// The debug build, which is there sooner.
    debug: bool,
    /// Only these scenarios; no report.
    only: Vec<String>,
    /// Compare the report instead of writing it.
    check: bool,
}

impl Options {
    /// Only compares the report: what a step of a larger job wants.
    pub(crate) const CHECK: Self = Self { debug: false, only: Vec::new(), check: true };

    pub(crate) fn read(words: &[String]) -> Result<Self> {
        let mut options = Self::default();
        let mut words = words.iter().map(String::as_str);
        while let Some(word) = words.next() {
            match word {
                "--debug" => options.debug = true,
                "--check" => options.check = true,
                "--only" => options.only.push(words.next().ok_or(USAGE)?.to_owned()),
                _ => return Err(USAGE.into()),
            }
        }
        let known = entries();
        match options.only.iter().find(|id| !known.iter().any(|entry| entry.id == **id)) {
            Some(id) => {
                let ids: Vec<&str> = known.iter().map(|entry| entry.id).collect();
                Err(format!("no scenario {id}; there are: {}", ids.join(", ")).into())
            }
            None => Ok(options),
        }
    }
}

/// Runs the scenarios; true if all of them pass and the report is what it should be.
pub(crate) fn run(options: &Options) -> Result<bool> {
    let root = shell::root()?;
    lab::raise_open_files(OPEN_FILES)?;
    let lab = Lab::build(&root, "faults", options.debug)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let start = shell::now();
    let findings = runtime.block_on(run::all(lab, &options.only))?;
    print_account(&findings, options);
    println!("{} runs in {:.0} s", findings.len(), start.elapsed().as_secs_f64());
    let passed = findings.iter().all(|finding| finding.verdict == Verdict::Pass);
    if !options.only.is_empty() {
        return Ok(passed);
    }
    let text = report::page(&entries(), &findings, &settings::shown());
    Ok(settle(&root.join(REPORT), &text, options.check)? && passed)
}

/// What is wrong, then a line for each scenario.
fn print_account(findings: &[Finding], options: &Options) {
    for finding in findings {
        for wrong in &finding.wrong {
            println!("{} {}: {wrong}", finding.id, finding.column);
        }
    }
    println!();
    for entry in
        entries().iter().filter(|e| options.only.is_empty() || options.only.iter().any(|id| id == e.id))
    {
        let of = findings.iter().filter(|finding| finding.id == entry.id);
        let (runs, worst) = of.fold((0, None), |(n, worst), f| (n + 1, worst.max(Some(f.verdict))));
        println!("{:7} {:7} {runs:3} runs  {}", entry.id, worst.map_or("-", Verdict::word), entry.title);
    }
}

/// Compares the report with the committed one, or writes it.
fn settle(path: &Path, text: &str, check: bool) -> Result<bool> {
    if !check {
        std::fs::write(path, text)?;
        println!("wrote {}", path.display());
        return Ok(true);
    }
    let there = std::fs::read_to_string(path).unwrap_or_default();
    let same = report::verdicts(&there) == report::verdicts(text);
    if !same {
        println!("{} has other verdicts: run `cargo xtask test faults` and commit it", path.display());
    }
    Ok(same)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(words: &str) -> Result<Options> {
        Options::read(&words.split_whitespace().map(str::to_owned).collect::<Vec<_>>())
    }

    #[test]
    fn options_are_read_and_an_unknown_scenario_is_refused() {
        let read = options("--debug --only S01 --only S15").unwrap();
        assert_eq!(read, Options { debug: true, only: vec!["S01".into(), "S15".into()], check: false });
        assert_eq!(options("--check").unwrap(), Options::CHECK);
        for wrong in ["--only", "--only S99", "S01"] {
            assert!(options(wrong).is_err(), "{wrong}");
        }
    }
}
