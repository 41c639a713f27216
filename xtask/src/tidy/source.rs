//! The rules for Rust files: length, first line, and what the syntax tree must not hold (`walk`).

mod place;
mod walk;

use super::Problem;
use super::tree::Tree;
use place::Places;
use std::collections::BTreeMap;

const FILE_LINES: usize = 400;

pub(super) fn check(tree: &Tree) -> Vec<Problem> {
    let mut problems = Vec::new();
    let mut parsed = BTreeMap::new();
    for (path, text) in tree.iter().filter(|(path, _)| path.ends_with(".rs")) {
        problems.extend(shape(path, text));
        match syn::parse_file(text) {
            Ok(file) => {
                parsed.insert(path, file);
            }
            Err(error) => problems.push(Problem::new(path, error.span().start().line, error.to_string())),
        }
    }
    let places = Places::new(&parsed);
    for (path, file) in &parsed {
        problems.extend(walk::check(path, file, places.of(path)));
    }
    problems
}

fn shape(path: &str, text: &str) -> Vec<Problem> {
    let mut problems = Vec::new();
    if !text.starts_with("//!") {
        problems.push(Problem::new(path, 1, "does not open with //!"));
    }
    let lines = text.lines().count();
    if lines > FILE_LINES {
        let message = format!("{lines} lines, and {FILE_LINES} are the most");
        problems.push(Problem::new(path, FILE_LINES + 1, message));
    }
    problems
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(path: &str, text: &str) -> Vec<usize> {
        check(&Tree::of(&[(path, text)])).iter().map(|problem| problem.line).collect()
    }

    #[test]
    fn a_file_opens_with_its_docs_and_is_short() {
        let long = format!("//! x\n{}", "\n".repeat(FILE_LINES));
        assert_eq!(of("crates/a/src/lib.rs", "fn a() {}\n"), [1]);
        assert_eq!(of("crates/a/src/lib.rs", &long), [FILE_LINES + 1]);
        assert!(of("crates/a/src/lib.rs", "//! x\nfn a() {}\n").is_empty());
    }

    #[test]
    fn what_is_no_rust_is_a_problem() {
        assert_eq!(of("crates/a/src/lib.rs", "//! x\nfn (\n").len(), 1);
    }

    #[test]
    fn a_file_that_is_a_test_module_by_its_declaration_is_free() {
        let lib = "//! x\n#[cfg(test)]\nmod checks;\nmod plain;\n";
        let body = "//! x\nfn f() { g().unwrap(); }\n";
        let tree = Tree::of(&[
            ("crates/a/src/lib.rs", lib),
            ("crates/a/src/checks.rs", body),
            ("crates/a/src/checks/deep.rs", body),
            ("crates/a/src/plain.rs", body),
        ]);
        let found: Vec<_> = check(&tree).into_iter().map(|problem| problem.path).collect();
        assert_eq!(found, ["crates/a/src/plain.rs"]);
    }
}
