//! Who may import whom: the table of `docs/architecture.md` section 3, checked against the manifests.
//!
//! Only normal and build dependencies count: a test may use whatever it needs.

use super::Problem;
use super::tree::{Member, Tree};

/// What one crate may take of ours, and what it must not take of others.
#[derive(Debug)]
struct Rule {
    name: &'static str,
    /// `None`: all of ours.
    ours: Option<&'static [&'static str]>,
    banned: &'static [&'static str],
}

const TABLE: &[Rule] = &[
    Rule { name: "exec-core", ours: Some(&[]), banned: &["axum", "reqwest", "moka", "hyper"] },
    Rule { name: "exec-pool", ours: Some(&[]), banned: &[] },
    Rule { name: "pipe-graph", ours: Some(&[]), banned: &["tokio"] },
    Rule { name: "exec-query", ours: Some(&[]), banned: &["rusqlite", "sqlx", "tokio-postgres"] },
    Rule { name: "exec-middleware", ours: Some(&["exec-core"]), banned: &[] },
    Rule {
        name: "exec-strategies",
        ours: Some(&["exec-core", "exec-middleware", "pipe-graph"]),
        banned: &[],
    },
    Rule { name: "exec-providers", ours: Some(&["exec-core", "exec-pool", "exec-middleware"]), banned: &[] },
    Rule { name: "exec-server", ours: None, banned: &[] },
    Rule { name: "benches", ours: None, banned: &[] },
    Rule { name: "behaviour", ours: None, banned: &[] },
    Rule { name: "xtask", ours: Some(&[]), banned: &[] },
];

pub(super) fn check(tree: &Tree) -> Vec<Problem> {
    let members = tree.members();
    let ours: Vec<&str> = members.iter().map(|member| member.name.as_str()).collect();
    members.iter().flat_map(|member| of_member(member, &ours)).collect()
}

fn of_member(member: &Member<'_>, ours: &[&str]) -> Vec<Problem> {
    let Some(rule) = TABLE.iter().find(|rule| rule.name == member.name) else {
        let message = format!("{} is not in the import table (xtask/src/tidy/imports.rs)", member.name);
        return vec![Problem::new(member.path, 1, message)];
    };
    let mut problems = Vec::new();
    for (key, package) in dependencies(&member.manifest) {
        let is_ours = ours.contains(&package.as_str());
        let refused = match rule.ours {
            Some(allowed) => is_ours && !allowed.contains(&package.as_str()),
            None => package == "xtask",
        };
        if refused || rule.banned.contains(&package.as_str()) {
            let message = format!("{} must not depend on {package}", member.name);
            problems.push(Problem::new(member.path, member.line_of(&key), message));
        }
    }
    problems
}

/// Key and package name of every normal and build dependency, those of `[target.…]` included.
fn dependencies(manifest: &toml::Table) -> Vec<(String, String)> {
    let mut tables = vec![manifest];
    if let Some(targets) = manifest.get("target").and_then(toml::Value::as_table) {
        tables.extend(targets.values().filter_map(toml::Value::as_table));
    }
    let mut found = Vec::new();
    for table in tables {
        for section in ["dependencies", "build-dependencies"] {
            let Some(list) = table.get(section).and_then(toml::Value::as_table) else {
                continue;
            };
            for (key, value) in list {
                let package = value.get("package").and_then(toml::Value::as_str).unwrap_or(key);
                found.push((key.clone(), package.to_owned()));
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(name: &str, rest: &str) -> Vec<String> {
        let text = format!("[package]\nname = \"{name}\"\n{rest}");
        let core = "[package]\nname = \"exec-core\"\n";
        let strategies = "[package]\nname = \"exec-strategies\"\n";
        let tree = Tree::of(&[
            ("crates/x/Cargo.toml", &text),
            ("crates/exec-core/Cargo.toml", core),
            ("crates/exec-strategies/Cargo.toml", strategies),
        ]);
        check(&tree).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn what_the_table_allows_passes() {
        assert!(
            of("exec-middleware", "[dependencies]\nexec-core.workspace = true\ntokio = \"1\"\n").is_empty()
        );
        assert!(of("exec-server", "[dependencies]\nexec-core = {}\nexec-strategies = {}\n").is_empty());
    }

    #[test]
    fn a_leaf_that_takes_one_of_ours_is_named_with_its_line() {
        let found = of("exec-pool", "[dependencies]\ntokio = \"1\"\nexec-core.workspace = true\n");
        assert_eq!(found, ["crates/x/Cargo.toml:5: exec-pool must not depend on exec-core"]);
    }

    #[test]
    fn renamed_target_and_build_dependencies_count() {
        assert_eq!(of("xtask", "[dependencies]\nc = { package = \"exec-core\" }\n").len(), 1);
        assert_eq!(of("xtask", "[target.'cfg(unix)'.dependencies]\nexec-core = {}\n").len(), 1);
        assert_eq!(of("xtask", "[build-dependencies]\nexec-core = {}\n").len(), 1);
    }

    #[test]
    fn third_parties_are_banned_by_crate_and_tests_are_free() {
        assert_eq!(of("pipe-graph", "[dependencies]\ntokio = \"1\"\n").len(), 1);
        assert!(of("pipe-graph", "[dev-dependencies]\ntokio = \"1\"\nexec-core = {}\n").is_empty());
    }

    #[test]
    fn an_unknown_crate_must_be_put_into_the_table() {
        assert_eq!(of("exec-new", "").len(), 1);
    }
}
