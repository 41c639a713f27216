//! Each crate by itself: it builds alone, and those made for taking one by one stay light.

use super::cargo;
use crate::shell::{self, Result};
use std::collections::BTreeSet;
use std::path::Path;

/// The most crates that normal dependencies with default features may bring.
const LIMITS: &[(&str, usize)] =
    &[("exec-core", 45), ("pipe-graph", 25), ("exec-pool", 30), ("exec-query", 15)];

/// Checks every crate alone, with its default features and with none.
pub(super) fn alone(root: &Path) -> Result {
    let mut names = Vec::new();
    for entry in std::fs::read_dir(root.join("crates"))? {
        names.push(entry?.file_name().into_string().map_err(|_| "a crate's folder is not UTF-8")?);
    }
    names.sort();
    for name in &names {
        shell::pass(&mut cargo(root, &["check", "-p", name]))?;
        shell::pass(&mut cargo(root, &["check", "-p", name, "--no-default-features"]))?;
    }
    Ok(())
}

/// Counts what each light crate brings along; all that are too heavy are named at once.
pub(super) fn limits(root: &Path) -> Result {
    let mut heavy = Vec::new();
    for (name, limit) in LIMITS {
        let args = ["tree", "-p", name, "-e", "normal", "--prefix", "none", "--no-dedupe"];
        let count = crates(&shell::read(&mut cargo(root, &args))?);
        println!("{name:12} {count:3} crates, at most {limit}");
        if count > *limit {
            heavy.push(format!("{name} brings {count} crates, and {limit} are the most"));
        }
    }
    if heavy.is_empty() { Ok(()) } else { Err(heavy.join("; ").into()) }
}

/// How many crates a tree holds besides its root.
fn crates(tree: &str) -> usize {
    let package = |line: &str| line.split(' ').take(2).map(str::to_owned).collect::<Vec<_>>();
    let all: BTreeSet<_> = tree.lines().filter(|line| !line.is_empty()).map(package).collect();
    all.len().saturating_sub(1)
}

#[cfg(test)]
mod tests {
    use super::crates;

    #[test]
    fn a_crate_counts_once_and_the_root_not() {
        let tree = "exec-core v0.1.0 (/a)\nbytes v1.12.0\nserde v1.0.1\nbytes v1.12.0 (*)\nsyn v3.0.9 (proc-macro)\nsyn v2.0.0\n";
        assert_eq!(crates(tree), 4);
    }
}
