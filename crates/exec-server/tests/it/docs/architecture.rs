//! The architecture against the code: its trees and its signatures.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::blocks;

const ARCHITECTURE: &str = include_str!("../../../../../docs/architecture.md");

fn root() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
}

/// The trees of the architecture: each a folder with what is in it.
fn trees() -> Vec<(PathBuf, BTreeSet<String>)> {
    let mut trees: Vec<(PathBuf, BTreeSet<String>)> = Vec::new();
    let text = blocks(ARCHITECTURE, "text").into_iter().find(|block| block.starts_with("crates/")).unwrap();
    for line in text.lines().filter(|line| !line.is_empty()) {
        match (line.strip_prefix("  "), trees.last_mut()) {
            (None, _) => trees.push((root().join(line), BTreeSet::new())),
            (Some(entry), Some((_, names))) => names.extend(entry.split(' ').next().map(str::to_owned)),
            (Some(_), None) => panic!("{line} has no folder"),
        }
    }
    trees
}

#[test]
fn the_trees_of_the_architecture_are_those_of_the_code() {
    for (folder, mut said) in trees() {
        said.remove("later");
        let there = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap());
        let there: BTreeSet<String> = there
            .map(|entry| (entry.file_name().into_string().unwrap(), entry.file_type().unwrap().is_dir()))
            .map(|(name, is_folder)| if is_folder { format!("{name}/") } else { name })
            .collect();
        let gone: Vec<_> = said.difference(&there).collect();
        assert!(gone.is_empty(), "docs/architecture.md names {gone:?}, which {folder:?} does not have");
        let whole = folder.starts_with(root().join("crates"));
        let missing: Vec<_> = there.difference(&said).filter(|_| whole).collect();
        assert!(missing.is_empty(), "docs/architecture.md does not name {missing:?} of {folder:?}");
    }
}

#[test]
fn the_signatures_of_the_architecture_are_those_of_the_code() {
    let mut code = String::new();
    for folder in ["crates/exec-core/src", "crates/exec-providers/src"] {
        append_code(&root().join(folder), &mut code);
    }
    let code = plain(&code);
    let lines: Vec<String> = blocks(ARCHITECTURE, "rust").concat().lines().map(str::to_owned).collect();
    let said = lines.iter().map(|line| line.trim()).filter(|line| line.len() > 1);
    for line in said {
        let found = code.contains(&plain(line.trim_end_matches([';', '{'])));
        assert!(found, "docs/architecture.md says `{line}`, which is nowhere in the code");
    }
    assert!(lines.len() > 50, "{} lines", lines.len());
}

fn append_code(folder: &Path, code: &mut String) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            append_code(&path, code);
        } else {
            *code += &std::fs::read_to_string(&path).unwrap();
        }
    }
}

/// Without spaces and the commas that a formatter adds.
fn plain(code: &str) -> String {
    code.split_whitespace().collect::<String>().replace(",)", ")")
}
