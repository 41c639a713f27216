//! A published crate's README is its crate docs: checked here, and written by `tidy --fix`.

mod flatten;

use super::Problem;
use super::tree::{Member, Tree};
use flatten::flatten;

pub(super) fn check(tree: &Tree) -> Vec<Problem> {
    let mut problems = Vec::new();
    for (path, text) in wanted(tree) {
        match tree.get(&path) {
            None => {
                problems.push(Problem::new(
                    &path,
                    1,
                    "the file is missing: cargo xtask tidy --fix writes it",
                ));
            }
            Some(there) if there == text => {}
            Some(there) => {
                let line = 1 + there.lines().zip(text.lines()).take_while(|(a, b)| a == b).count();
                let message = "differs from the crate docs: cargo xtask tidy --fix writes it";
                problems.push(Problem::new(&path, line, message));
            }
        }
    }
    problems
}

/// Path and text of the README of every published crate.
pub(super) fn wanted(tree: &Tree) -> Vec<(String, String)> {
    tree.members().iter().filter(|member| member.is_published()).filter_map(|m| of_member(tree, m)).collect()
}

fn of_member(tree: &Tree, member: &Member<'_>) -> Option<(String, String)> {
    let source =
        ["lib.rs", "main.rs"].iter().find_map(|file| tree.get(&format!("{}/src/{file}", member.folder)))?;
    let text = format!("# {}\n\n{}\n", member.name, page(&docs(source)).trim());
    Some((format!("{}/README.md", member.folder), text))
}

/// The `//!` lines that open a file, without the mark.
fn docs(source: &str) -> String {
    let lines = source.lines().map_while(|line| line.strip_prefix("//!"));
    lines
        .map(|line| line.strip_prefix(' ').unwrap_or(line))
        .fold(String::new(), |all, line| all + line + "\n")
}

/// Crate docs as a page of Markdown that needs no rustdoc.
fn page(docs: &str) -> String {
    let (mut page, mut prose) = (String::new(), String::new());
    let mut fence: Option<bool> = None;
    for line in docs.lines() {
        match (fence, line.trim_start().strip_prefix("```")) {
            (None, Some(info)) => {
                page.push_str(&flatten(&prose));
                prose.clear();
                let rust = is_rust(info);
                fence = Some(rust);
                push(&mut page, if rust { "```rust" } else { line });
            }
            (Some(_), Some(_)) => {
                fence = None;
                push(&mut page, line);
            }
            (Some(true), None) => visible(line).into_iter().for_each(|line| push(&mut page, line)),
            (Some(false), None) => push(&mut page, line),
            // The title of the page is the name of the crate, so the headings of the docs go one down.
            (None, None) if line.starts_with('#') => push(&mut prose, &format!("#{line}")),
            (None, None) => push(&mut prose, line),
        }
    }
    page + &flatten(&prose)
}

fn push(page: &mut String, line: &str) {
    page.push_str(line);
    page.push('\n');
}

/// Whether rustdoc takes a fence with this info string for a doc test.
fn is_rust(info: &str) -> bool {
    const MARKS: &[&str] = &["rust", "no_run", "should_panic", "compile_fail", "ignore"];
    info.split([',', ' ']).all(|mark| mark.is_empty() || MARKS.contains(&mark) || mark.starts_with("edition"))
}

/// A line of a doc test as rustdoc shows it; hidden ones begin with `# `.
fn visible(line: &str) -> Option<&str> {
    let code = line.trim_start();
    if code == "#" || code.starts_with("# ") {
        return None;
    }
    Some(if code.starts_with("##") { code.get(1..).unwrap_or(code) } else { line })
}

#[cfg(test)]
mod tests {
    use super::*;

    const MANIFEST: &str = "[package]\nname = 'pipe-x'\n";
    const LIB: &str = "//! What it is, see [`Plan`](crate::Plan).\n//!\n//! # Use\n//! ```no_run\n//! # use a::B;\n\
        //! let b = B;\n//! #\n//! ```\n//!\n//! ```text\n//! # kept\n//! ```\n\nfn f() {}\n//! not the docs\n";
    const README: &str =
        "# pipe-x\n\nWhat it is, see `Plan`.\n\n## Use\n```rust\nlet b = B;\n```\n\n```text\n# kept\n```\n";

    #[test]
    fn the_page_is_made_of_the_crate_docs() {
        let tree = Tree::of(&[("crates/x/Cargo.toml", MANIFEST), ("crates/x/src/lib.rs", LIB)]);
        assert_eq!(wanted(&tree), [("crates/x/README.md".to_owned(), README.to_owned())]);
        assert_eq!(check(&tree).len(), 1, "it is missing");
    }

    #[test]
    fn an_equal_page_passes_and_another_is_named_by_line() {
        let of = |readme: &str| {
            let lib = ("crates/x/src/lib.rs", LIB);
            check(&Tree::of(&[("crates/x/Cargo.toml", MANIFEST), lib, ("crates/x/README.md", readme)]))
        };
        assert!(of(README).is_empty());
        assert_eq!(of(&README.replace("## Use", "## Usage"))[0].line, 5);
    }

    #[test]
    fn private_crates_need_none() {
        let manifest = format!("{MANIFEST}publish = false\n");
        let tree = Tree::of(&[("xtask/Cargo.toml", &manifest), ("xtask/src/lib.rs", LIB)]);
        assert!(check(&tree).is_empty());
    }
}
