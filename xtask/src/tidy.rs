//! `cargo xtask tidy`: the house rules that no compiler checks. All problems at once, `path:line: message`.
//!
//! Every rule is a pure function from the files of the tree to problems, one module each.

mod imports;
mod manifest;
mod readme;
mod source;
mod text;
mod tree;

use crate::shell::{self, Result};
use std::fmt;
use tree::Tree;

/// One broken rule, and where.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Problem {
    path: String,
    line: usize,
    message: String,
}

impl Problem {
    fn new(path: &str, line: usize, message: impl Into<String>) -> Self {
        Self { path: path.to_owned(), line, message: message.into() }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.path, self.line, self.message)
    }
}

pub(crate) fn run(args: &[String]) -> Result<bool> {
    let root = shell::root()?;
    let mut tree = Tree::read(&root)?;
    match args {
        [] => {}
        [flag] if flag == "--fix" => {
            for (path, text) in readme::wanted(&tree) {
                std::fs::write(root.join(&path), text)?;
            }
            tree = Tree::read(&root)?;
        }
        _ => return Err("usage: cargo xtask tidy [--fix]".into()),
    }
    let problems = problems(&tree);
    for problem in &problems {
        println!("{problem}");
    }
    println!("tidy: {} files, {} problems", tree.len(), problems.len());
    Ok(problems.is_empty())
}

/// All that is wrong with the tree, in order of path and line.
fn problems(tree: &Tree) -> Vec<Problem> {
    let mut all = Vec::new();
    all.extend(imports::check(tree));
    all.extend(manifest::check(tree));
    all.extend(readme::check(tree));
    all.extend(source::check(tree));
    all.extend(text::check(tree));
    all.sort();
    all.dedup();
    all
}
