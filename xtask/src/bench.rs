//! `cargo xtask bench`: runs the benches and puts their result lines into one table.
//!
//! A bench prints a line `@bench {JSON}` per case; everything else it prints goes through to the terminal.

mod behaviour;

use crate::shell::{self, Result};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

/// One case of a bench: our figure, and the one of the rival it was measured against in the same run.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Case {
    bench: String,
    case: String,
    ours: f64,
    rival: Option<f64>,
    rival_name: Option<String>,
    unit: String,
    /// Ours divided by the rival, as the bench defines it.
    ratio: Option<f64>,
}

pub(crate) fn run(args: &[String]) -> Result<bool> {
    let words: Vec<&str> = args.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["--behaviour"] => behaviour::run(false),
        ["--behaviour", "--check"] => behaviour::run(true),
        _ => figures(args),
    }
}

fn figures(args: &[String]) -> Result<bool> {
    let root = shell::root()?;
    let quick = args.iter().any(|arg| arg == "--quick");
    let wanted: Vec<&String> = args.iter().filter(|arg| *arg != "--quick").collect();
    let names = targets(&std::fs::read_to_string(root.join("benches/Cargo.toml"))?)?;
    if let Some(unknown) = wanted.iter().find(|name| !names.contains(name)) {
        return Err(format!("no bench {unknown}; there are: {}", names.join(", ")).into());
    }
    let mut cases = Vec::new();
    for name in names.iter().filter(|name| wanted.is_empty() || wanted.contains(name)) {
        cases.extend(measure(&root, name, quick)?);
    }
    print!("\n{}", table(&cases));
    let dir = shell::target_dir(&root)?.join("bench");
    std::fs::create_dir_all(&dir)?;
    std::fs::write(dir.join("results.json"), serde_json::to_string_pretty(&cases)?)?;
    Ok(true)
}

/// The names of the `[[bench]]` targets of a manifest.
fn targets(manifest: &str) -> Result<Vec<String>> {
    let manifest: toml::Table = toml::from_str(manifest)?;
    let Some(benches) = manifest.get("bench").and_then(toml::Value::as_array) else {
        return Ok(Vec::new());
    };
    Ok(benches.iter().filter_map(|bench| bench.get("name")?.as_str()).map(str::to_owned).collect())
}

fn measure(root: &Path, name: &str, quick: bool) -> Result<Vec<Case>> {
    let mut command: Command = shell::cargo(root, &["bench", "-p", "benches", "--bench", name]);
    if quick {
        command.env("EXEC_BENCH_QUICK", "1");
    }
    collect(&mut command, "@bench ", &format!("bench {name}"))
}

/// What a program says in lines that begin with `mark`; its other lines go through to the terminal.
fn collect<T: DeserializeOwned>(command: &mut Command, mark: &str, who: &str) -> Result<Vec<T>> {
    let mut child = shell::Killed(command.stdout(Stdio::piped()).spawn()?);
    let stdout = child.0.stdout.take().ok_or_else(|| format!("{who} has no output"))?;
    let mut found = Vec::new();
    for line in BufReader::new(stdout).lines() {
        match parse(&line?, mark) {
            Line::Marked(it) => found.push(it),
            Line::Other(text) => println!("{text}"),
            Line::Bad(why) => return Err(format!("{who}: {why}").into()),
        }
    }
    let status = child.0.wait()?;
    if status.success() { Ok(found) } else { Err(format!("{who} ended with {status}").into()) }
}

#[derive(Debug)]
enum Line<T> {
    Marked(T),
    Other(String),
    Bad(String),
}

fn parse<T: DeserializeOwned>(line: &str, mark: &str) -> Line<T> {
    match line.strip_prefix(mark) {
        None => Line::Other(line.to_owned()),
        Some(json) => match serde_json::from_str(json) {
            Ok(it) => Line::Marked(it),
            Err(error) => Line::Bad(format!("bad result line: {error}: {json}")),
        },
    }
}

/// The table, at most 80 columns wide: long names are cut.
fn table(cases: &[Case]) -> String {
    let mut text = format!(
        "{:10} {:24} {:>11} {:>11} {:5} {:>6} {}\n",
        "bench", "case", "ours", "rival", "unit", "ratio", "against"
    );
    for case in cases {
        let ratio = case.ratio.map_or_else(|| "-".to_owned(), |ratio| format!("{ratio:.2}"));
        let rival = case.rival.map_or_else(|| "-".to_owned(), figure);
        let line = format!(
            "{:10} {:24} {:>11} {rival:>11} {:5} {ratio:>6} {}",
            cut(&case.bench, 10),
            cut(&case.case, 24),
            figure(case.ours),
            cut(&case.unit, 5),
            cut(case.rival_name.as_deref().unwrap_or(""), 7),
        );
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

fn figure(value: f64) -> String {
    if value.abs() >= 1000.0 { format!("{value:.0}") } else { format!("{value:.2}") }
}

fn cut(text: &str, width: usize) -> String {
    text.chars().take(width).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const MARK: &str = "@bench ";
    const LINE: &str = r#"@bench {"bench":"layers","case":"eight dynamic layers, each of them empty","ours":812.4,
        "rival":1234567.0,"rival_name":"tower::Service","unit":"ns","ratio":0.5}"#;

    #[test]
    fn a_result_line_becomes_a_row_of_80_columns() {
        let Line::Marked(case) = parse(&LINE.replace('\n', ""), MARK) else { panic!("not a case") };
        let text = table(&[case]);
        assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
        let row = text.lines().nth(1).unwrap();
        assert!(row.contains("812.40") && row.contains("1234567") && row.contains("0.50"), "{row}");
    }

    #[test]
    fn a_case_without_a_rival_has_dashes() {
        let line = r#"@bench {"bench":"a","case":"b","ours":1,"unit":"us"}"#;
        let Line::Marked(case) = parse(line, MARK) else { panic!("not a case") };
        assert!(table(&[case]).lines().nth(1).unwrap().contains(" - "));
    }

    #[test]
    fn other_lines_pass_and_bad_ones_are_errors() {
        assert!(matches!(parse::<Case>("running 1 test", MARK), Line::Other(_)));
        assert!(matches!(parse::<Case>("@bench {}", MARK), Line::Bad(_)));
    }

    #[test]
    fn targets_are_the_bench_tables_of_the_manifest() {
        let names =
            targets("[[bench]]\nname = 'layers'\n[[bench]]\nname = 'gateway'\nharness = false\n").unwrap();
        assert_eq!(names, ["layers", "gateway"]);
        assert!(targets("[package]\nname = 'x'\n").unwrap().is_empty());
    }
}
