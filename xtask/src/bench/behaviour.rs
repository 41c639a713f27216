//! `cargo xtask bench --behaviour`: what guards and their rivals do in the same situations, as the tables of a page.
//!
//! The crate `behaviour` prints a line `@behaviour {JSON}` for each thing it saw. With `--check` nothing is written, and
//! a page that says something else than what was seen is a failure.

use super::collect;
use crate::shell::{self, Result};
use serde::Deserialize;
use std::fmt::Write as _;

const PAGE: &str = "docs/middleware.md";
const BEGIN: &str = "<!-- begin: written by cargo xtask bench --behaviour -->\n";
const END: &str = "<!-- end -->\n";

/// What one contestant did in one situation.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
struct Row {
    guard: String,
    probe: String,
    who: String,
    saw: String,
}

pub(super) fn run(check: bool) -> Result<bool> {
    let root = shell::root()?;
    let mut command = shell::cargo(&root, &["run", "--quiet", "--package", "behaviour"]);
    let rows: Vec<Row> = collect(&mut command, "@behaviour ", "behaviour")?;
    let path = root.join(PAGE);
    let old = std::fs::read_to_string(&path)?;
    let new = replaced(&old, &tables(&rows))?;
    if old == new {
        println!("{PAGE} says what was seen: {} observations", rows.len());
    } else if check {
        print!("{}", changes(&old, &new));
        println!("{PAGE} says something else; cargo xtask bench --behaviour writes what was seen");
    } else {
        std::fs::write(&path, &new)?;
        print!("{}", changes(&old, &new));
    }
    Ok(old == new || !check)
}

/// The page with other tables between its marks.
fn replaced(page: &str, tables: &str) -> Result<String> {
    let marks = || format!("{PAGE} has no place for the tables: {BEGIN}…{END}");
    let (before, rest) = page.split_once(BEGIN).ok_or_else(marks)?;
    let (_, after) = rest.split_once(END).ok_or_else(marks)?;
    Ok(format!("{before}{BEGIN}{tables}{END}{after}"))
}

/// The lines of one text that the other does not have.
fn changes(old: &str, new: &str) -> String {
    let only = |sign: char, these: &str, those: &str| -> String {
        let lines = these.lines().filter(|line| !those.lines().any(|other| other == *line));
        lines.map(|line| format!("{sign} {line}\n")).collect()
    };
    only('-', old, new) + &only('+', new, old)
}

/// A table for each guard: a line for each situation, a column for each contestant.
fn tables(rows: &[Row]) -> String {
    let mut text = String::new();
    for guard in distinct(rows, |row| &row.guard) {
        let rows: Vec<&Row> = rows.iter().filter(|row| row.guard == guard).collect();
        let columns = distinct(rows.iter().copied(), |row| &row.who);
        // Writing to a string cannot fail.
        let _written = writeln!(text, "\n| {guard} | {} |", columns.join(" | "));
        text.push_str(&format!("|---{}|\n", "|---".repeat(columns.len())));
        for probe in distinct(rows.iter().copied(), |row| &row.probe) {
            let saw = |who: &str| {
                let row = rows.iter().find(|row| row.probe == probe && row.who == who);
                row.map_or("–", |row| row.saw.as_str())
            };
            let cells: Vec<&str> = columns.iter().map(|who| saw(who)).collect();
            let _written = writeln!(text, "| {probe} | {} |", cells.join(" | "));
        }
    }
    text.push('\n');
    text
}

/// The values of a field, each once, in the order they come.
fn distinct<'a>(
    rows: impl IntoIterator<Item = &'a Row>,
    field: impl Fn(&'a Row) -> &'a String,
) -> Vec<&'a str> {
    let mut found = Vec::new();
    for value in rows.into_iter().map(field) {
        if !found.contains(&value.as_str()) {
            found.push(value.as_str());
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(guard: &str, probe: &str, who: &str, saw: &str) -> Row {
        let [guard, probe, who, saw] = [guard, probe, who, saw].map(str::to_owned);
        Row { guard, probe, who, saw }
    }

    #[test]
    fn a_guard_is_a_table_with_a_column_for_each_contestant() {
        let rows = [
            row("breaker", "probes", "ours", "3"),
            row("breaker", "probes", "theirs", "1000"),
            row("cache", "loads", "ours", "1"),
            row("breaker", "stale", "theirs", "50"),
        ];
        let expected = "
| breaker | ours | theirs |
|---|---|---|
| probes | 3 | 1000 |
| stale | – | 50 |

| cache | ours |
|---|---|
| loads | 1 |

";
        assert_eq!(tables(&rows), expected);
    }

    #[test]
    fn only_what_stands_between_the_marks_is_replaced() {
        let page = format!("before\n{BEGIN}old\n{END}after\n");
        let new = replaced(&page, "new\n").unwrap();
        assert_eq!(new, format!("before\n{BEGIN}new\n{END}after\n"));
        assert_eq!(changes(&page, &new), "- old\n+ new\n");
        assert!(replaced("nothing", "new\n").is_err());
    }
}
