//! The text files of the repository, in memory, so that every rule is a pure function.

use crate::shell::{self, Result};
use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

/// Paths (relative, with `/`) and contents of all text files that git tracks or would track.
#[derive(Debug, Default)]
pub(super) struct Tree {
    files: BTreeMap<String, String>,
}

impl Tree {
    /// Reads the tree below `root`. Outside a git repository all files count but those of `target` and hidden folders.
    pub(super) fn read(root: &Path) -> Result<Self> {
        let mut git = Command::new("git");
        git.current_dir(root).args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"]);
        let paths = match shell::read(&mut git) {
            Ok(list) => list.split_terminator('\0').map(str::to_owned).collect(),
            Err(_) => walk(root)?,
        };
        let mut files = BTreeMap::new();
        for path in paths {
            // Deleted files are still in git's list, and what is not UTF-8 has no lines to check.
            if let Ok(text) = std::fs::read_to_string(root.join(&path)) {
                files.insert(path, text);
            }
        }
        Ok(Self { files })
    }

    pub(super) fn len(&self) -> usize {
        self.files.len()
    }

    pub(super) fn get(&self, path: &str) -> Option<&str> {
        self.files.get(path).map(String::as_str)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.files.iter().map(|(path, text)| (path.as_str(), text.as_str()))
    }

    /// The manifests of the members, with the folder of each. One that is no TOML is left to cargo to report.
    pub(super) fn members(&self) -> Vec<Member<'_>> {
        self.iter().filter_map(|(path, text)| Member::new(path, text)).collect()
    }

    #[cfg(test)]
    pub(super) fn of(files: &[(&str, &str)]) -> Self {
        let files = files.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned())).collect();
        Self { files }
    }
}

/// One member of the workspace.
#[derive(Debug)]
pub(super) struct Member<'a> {
    pub(super) name: String,
    pub(super) folder: &'a str,
    pub(super) path: &'a str,
    pub(super) text: &'a str,
    pub(super) manifest: toml::Table,
}

impl<'a> Member<'a> {
    fn new(path: &'a str, text: &'a str) -> Option<Self> {
        let folder = path.strip_suffix("/Cargo.toml")?;
        let manifest: toml::Table = toml::from_str(text).ok()?;
        let name = manifest.get("package")?.get("name")?.as_str()?.to_owned();
        Some(Self { name, folder, path, text, manifest })
    }

    pub(super) fn is_published(&self) -> bool {
        self.field("publish").and_then(toml::Value::as_bool) != Some(false)
    }

    /// A field of `[package]`.
    pub(super) fn field(&self, name: &str) -> Option<&toml::Value> {
        self.manifest.get("package")?.get(name)
    }

    /// The line where `key` begins, or the first.
    pub(super) fn line_of(&self, key: &str) -> usize {
        let starts = |line: &str| {
            let rest = line.trim_start().strip_prefix(key);
            rest.is_some_and(|rest| rest.starts_with(['.', ' ', '=']))
        };
        self.text.lines().position(starts).map_or(1, |at| at + 1)
    }
}

fn walk(root: &Path) -> Result<Vec<String>> {
    let mut found = Vec::new();
    let mut folders = vec![root.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder)? {
            let entry = entry?;
            let name = entry.file_name();
            if entry.file_type()?.is_file() {
                found.extend(entry.path().strip_prefix(root)?.to_str().map(str::to_owned));
            } else if entry.file_type()?.is_dir()
                && name != "target"
                && name != ".git"
                && name != "node_modules"
            {
                folders.push(entry.path());
            }
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_member_knows_its_name_and_the_line_of_a_key() {
        let text = "[package]\nname = \"a\"\npublish = false\n[dependencies]\ntokio.workspace = true\n";
        let tree = Tree::of(&[("crates/a/Cargo.toml", text), ("Cargo.toml", "[workspace]\n")]);
        let members = tree.members();
        assert_eq!(members.len(), 1);
        assert_eq!((members[0].name.as_str(), members[0].folder), ("a", "crates/a"));
        assert_eq!(members[0].line_of("tokio"), 5);
        assert!(!members[0].is_published());
    }
}
