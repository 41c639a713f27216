//! The report: the same text for the same behaviour, on every machine and every day.

use super::entries::{Entry, Part};
use super::verdict::{Finding, Verdict};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

/// The findings as a page of Markdown.
pub(super) fn page(entries: &[Entry], findings: &[Finding], settings: &str) -> String {
    let mut page = HEAD.to_owned();
    for part in Part::ALL {
        page += part.text();
        page += &table(entries.iter().filter(|entry| entry.part == *part), part.columns(), findings);
    }
    page + SETTINGS + "```toml\n" + settings.trim() + "\n```\n"
}

const HEAD: &str = "\
# Reliability

What callers and providers see while things break. This page is written by
`cargo xtask test faults`, which builds the server, starts it with a
configuration file, breaks what is in front of it and behind it, and looks from
outside; `cargo xtask test faults --check` fails when a verdict here is not what
it finds. Nothing here is typed by hand.

| verdict | means |
|---|---|
| pass | the caller got what it should, and everybody behaved |
| partial | the caller got it in a way that could be better |
| safe | the caller did not get it, and was told so cleanly and in time |
| fail | a hang, a cut answer that looks complete, or a rule of conduct broken |

Every cell is the worst of all its runs: callers in the formats of OpenAI and
Anthropic and in the native one, streamed and whole wherever that has a meaning.
Each run has a server and upstreams of its own.
";

const SETTINGS: &str = "
## Settings

What the scenarios of the first table run with, for a primary that speaks
OpenAI's format and a secondary that speaks Anthropic's; `fault` stands for what
goes wrong. Everything that is not here is the default.

";

fn table<'a>(entries: impl Iterator<Item = &'a Entry>, columns: &[&str], findings: &[Finding]) -> String {
    let mut text = format!("\n| | what goes wrong | {} | what was seen |\n", columns.join(" | "));
    text += &format!("|---|---|{}---|\n", "---|".repeat(columns.len()));
    for entry in entries {
        let of: Vec<&Finding> = findings.iter().filter(|finding| finding.id == entry.id).collect();
        let cells = columns.iter().map(|column| word(of.iter().filter(|finding| finding.column == *column)));
        let cells: Vec<&str> = cells.collect();
        // Writing to a string cannot fail.
        let _infallible =
            writeln!(text, "| {} | {} | {} | {} |", entry.id, entry.title, cells.join(" | "), seen(&of));
    }
    text
}

fn word<'a>(findings: impl Iterator<Item = &'a &'a Finding>) -> &'static str {
    findings.map(|finding| finding.verdict).max().map_or("not run", Verdict::word)
}

/// Everything different that was seen, in a stable order, each with the forms in which it was unless that is all of them.
fn seen(findings: &[&Finding]) -> String {
    let every: BTreeSet<_> = findings.iter().map(|finding| finding.form).collect();
    let mut all: BTreeMap<&str, BTreeSet<Option<&str>>> = BTreeMap::new();
    for finding in findings.iter().filter(|finding| !finding.seen.is_empty()) {
        all.entry(&finding.seen).or_default().insert(finding.form);
    }
    let shown = all.into_iter().map(|(seen, forms)| {
        let named: Vec<&str> = forms.iter().copied().flatten().collect();
        if forms == every { seen.to_owned() } else { format!("{}: {seen}", named.join(" and ")) }
    });
    shown.collect::<Vec<_>>().join(" · ")
}

/// The verdicts of a page: every row of a table as far as its verdicts go.
pub(super) fn verdicts(page: &str) -> Vec<String> {
    let rows = page.lines().filter(|line| line.starts_with("| "));
    rows.map(|row| row.rsplit_once(" | ").map_or(row, |(verdicts, _)| verdicts).to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finding(id: &'static str, column: &'static str, verdict: Verdict, seen: &str) -> Finding {
        Finding { id, column, form: None, verdict, seen: seen.to_owned(), wrong: Vec::new() }
    }

    #[test]
    fn a_cell_is_the_worst_of_its_runs_and_what_was_not_run_is_said() {
        let entry = Entry { id: "R1", title: "leaving", part: Part::Rules };
        let all = [
            finding("R1", "openai", Verdict::Pass, "b"),
            finding("R1", "openai", Verdict::Safe, "a"),
            finding("R1", "openai", Verdict::Pass, "b"),
        ];
        let text = table([entry].iter(), &["openai", "anthropic"], &all);
        assert!(text.ends_with("| R1 | leaving | safe | not run | a · b |\n"), "{text}");
    }

    #[test]
    fn what_only_one_form_showed_is_said_to_be_its() {
        let of = |form: &'static str, seen: &str| Finding {
            form: Some(form),
            ..finding("S08", "openai", Verdict::Pass, seen)
        };
        let (streamed, whole, both) = (of("streamed", "a"), of("whole", "b"), of("whole", "a"));
        assert_eq!(seen(&[&streamed, &whole]), "streamed: a · whole: b");
        assert_eq!(seen(&[&streamed, &both]), "a");
    }

    #[test]
    fn only_the_verdicts_of_two_pages_are_compared() {
        let (a, b) = ("| S01 | t | pass | 2 × |\n", "text\n| S01 | t | pass | 3 × |\n");
        assert_eq!(verdicts(a), verdicts(b));
        assert_ne!(verdicts(a), verdicts("| S01 | t | fail | 2 × |\n"));
    }
}
