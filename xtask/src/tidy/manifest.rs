//! What a member must say about itself to be published tomorrow, and the files the workspace must have.

use super::Problem;
use super::tree::{Member, Tree};

const FILES: &[&str] =
    &["CHANGELOG.md", "CONTRIBUTING.md", "LICENSE-APACHE", "LICENSE-MIT", "README.md", "deny.toml"];

pub(super) fn check(tree: &Tree) -> Vec<Problem> {
    let missing = FILES.iter().filter(|path| tree.get(path).is_none());
    let mut problems: Vec<_> = missing.map(|path| Problem::new(path, 1, "the file is missing")).collect();
    for member in tree.members().iter().filter(|member| member.is_published()) {
        problems.extend(of_member(member));
    }
    problems
}

fn of_member(member: &Member<'_>) -> Vec<Problem> {
    let mut wrong = Vec::new();
    if member.field("description").and_then(toml::Value::as_str).is_none_or(|text| text.len() < 10) {
        wrong.push("no description");
    }
    // The registry takes at most five.
    let keywords = member.field("keywords").and_then(toml::Value::as_array).map_or(0, Vec::len);
    if !(1..=5).contains(&keywords) {
        wrong.push("needs one to five keywords");
    }
    let metadata = member.field("metadata");
    if metadata.and_then(|metadata| metadata.get("docs")?.get("rs")).is_none() {
        wrong.push("no [package.metadata.docs.rs]");
    }
    if member.field("readme").and_then(toml::Value::as_str) != Some("README.md") {
        wrong.push("no readme = \"README.md\"");
    }
    let lints = member.manifest.get("lints").and_then(|lints| lints.get("workspace"));
    if lints.and_then(toml::Value::as_bool) != Some(true) {
        wrong.push("does not take the lints of the workspace");
    }
    let of = |message: &&str| Problem::new(member.path, 1, format!("{}: {message}", member.name));
    wrong.iter().map(of).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "[package]\nname = 'a'\ndescription = 'a crate of ours'\nkeywords = ['a']\n\
        readme = 'README.md'\n[package.metadata.docs.rs]\nall-features = true\n[lints]\nworkspace = true\n";

    fn of(manifest: &str) -> usize {
        let mut files: Vec<_> = FILES.iter().map(|path| (*path, "")).collect();
        files.push(("crates/a/Cargo.toml", manifest));
        check(&Tree::of(&files)).len()
    }

    #[test]
    fn a_whole_manifest_passes() {
        assert_eq!(of(GOOD), 0);
    }

    #[test]
    fn each_missing_part_is_a_problem_unless_the_crate_is_private() {
        assert_eq!(of("[package]\nname = 'a'\n"), 5);
        assert_eq!(of(&GOOD.replace("['a']", "[]")), 1);
        assert_eq!(of("[package]\nname = 'a'\npublish = false\n"), 0);
    }

    #[test]
    fn a_missing_file_of_the_workspace_is_a_problem() {
        assert_eq!(check(&Tree::of(&[])).len(), FILES.len());
    }
}
