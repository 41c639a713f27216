//! The documents against the code: every block of configuration can be used, and every setting is described.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use exec_server::{Config, Environment, Server};
use serde_json::{Map, Value, json};
use tokio::task::JoinSet;

use crate::support::Client;

const CONFIGURATION: &str = include_str!("../../../../docs/configuration.md");
const GUARDS: &str = include_str!("../../../../docs/middleware.md");
const README: &str = include_str!("../../../../README.md");

/// The blocks of `language` in a document.
fn blocks(text: &str, language: &str) -> Vec<String> {
    let (mut blocks, mut block) = (Vec::new(), None::<String>);
    for line in text.lines() {
        match (&mut block, line.trim_start().strip_prefix("```")) {
            (None, Some(info)) => {
                block = Some(if info == language { String::new() } else { "\0".to_owned() });
            }
            (Some(_), Some(_)) => blocks.extend(block.take().filter(|text| !text.starts_with('\0'))),
            (Some(text), None) => *text += &format!("{line}\n"),
            (None, None) => {}
        }
    }
    assert!(block.is_none(), "a block has no end");
    blocks
}

/// An environment in which every `${VARIABLE}` of `text` has a value.
fn environment(text: &str) -> Environment {
    let names = text.split("${").skip(1).filter_map(|rest| rest.split(['}', ':']).next());
    Environment::of(names.map(|name| (name.to_owned(), "127.0.0.1".to_owned())))
}

/// What the code says of `tree`: its problems, each as path and message.
fn problems(tree: Value, environment: &Environment) -> Vec<(String, String)> {
    let error = Config::from_tree(tree, environment).err();
    error.map(|error| error.0.into_iter().map(|p| (p.path, p.message)).collect()).unwrap_or_default()
}

#[test]
fn every_block_of_configuration_can_be_used() {
    let pages = [CONFIGURATION, GUARDS, README];
    let all: Vec<_> = pages.iter().flat_map(|page| blocks(page, "toml")).collect();
    assert!(all.len() >= 5, "{} blocks", all.len());
    for block in all {
        let mut tree: Value = toml::from_str(&block).unwrap_or_else(|error| panic!("{error} in\n{block}"));
        // A block may show one section only. What it leaves out is filled in; what it says is never changed.
        tree.as_object_mut().unwrap().entry("providers").or_insert(json!({"s": {"type": "simulator"}}));
        let found = problems(tree, &environment(&block));
        assert!(found.is_empty(), "{found:#?} in\n{block}");
    }
}

/// Every table of the configuration, and one way to reach it: what leads there, with `HERE` for the table itself.
const TABLES: [(&str, &str); 19] = [
    ("server", "server"),
    ("limits", "limits"),
    ("pipeline", "pipeline"),
    ("retry_budget", "pipeline.retry_budget"),
    ("middleware.metrics", "middleware.metrics"),
    ("middleware.hedge", "middleware.hedge"),
    ("middleware.validate", "middleware.validate"),
    ("middleware.rate_limit", "middleware.rate_limit"),
    ("middleware.retry", "middleware.retry"),
    ("middleware.breaker", "middleware.breaker"),
    ("middleware.concurrency_limit", "middleware.concurrency_limit"),
    ("middleware.adaptive_limit", "middleware.adaptive_limit"),
    ("middleware.timeout", "middleware.timeout"),
    ("limit", "providers.p.limit"),
    ("openai", "providers.p"),
    ("anthropic", "providers.p"),
    ("fallback", "providers.p"),
    ("simulator", "providers.p"),
    ("transport", "providers.p.transport"),
];

/// Everything that can be listed.
pub(crate) const MIDDLEWARE: [&str; 11] = [
    "trace",
    "metrics",
    "catch_panic",
    "validate",
    "rate_limit",
    "retry",
    "hedge",
    "breaker",
    "concurrency_limit",
    "adaptive_limit",
    "timeout",
];

/// The names that the code knows in the table at `path`: those it lists when it meets one it does not know.
pub(crate) fn known(kind: &str, path: &str, leaf: &Value) -> BTreeSet<String> {
    let mut tree = json!({"pipeline": {"middleware": MIDDLEWARE}});
    let mut place = &mut tree;
    for step in path.split('.') {
        place = place.as_object_mut().unwrap().entry(step).or_insert(Value::Object(Map::new()));
    }
    for (name, value) in leaf.as_object().unwrap() {
        place[name] = value.clone();
    }
    if path.starts_with("providers.p") {
        let kind = if ["transport", "limit"].contains(&kind) { "openai" } else { kind };
        tree["providers"]["p"]["type"] = kind.into();
        tree["providers"]["p"]["guard"] = json!(["limit"]);
    }
    let found = problems(tree, &Environment::default());
    let (_, message) = found
        .iter()
        .find(|(_, message)| message.starts_with("unknown field"))
        .unwrap_or_else(|| panic!("{kind}: {found:?}"));
    let expected = message.split_once("expected ").unwrap().1;
    expected.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

/// The part of the document under the heading that ends with `title`.
fn section(title: &str) -> String {
    let mut lines =
        CONFIGURATION.lines().skip_while(|line| !(line.starts_with('#') && line.ends_with(title)));
    let level = lines.next().unwrap_or_else(|| panic!("no heading {title}")).split(' ').next().unwrap().len();
    let inside = |line: &&str| {
        let hashes = line.bytes().take_while(|byte| *byte == b'#').count();
        hashes == 0 || hashes > level
    };
    lines.take_while(inside).collect::<Vec<_>>().join("\n")
}

fn assert_described(table: &str, names: &BTreeSet<String>, title: &str) {
    let text = section(title);
    for name in names {
        assert!(text.contains(&format!("| `{name}` |")), "`{name}` of {table} has no row under `{title}`");
    }
    let described = text.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next());
    for name in described {
        assert!(names.contains(name), "`{name}` has a row under `{title}`, and {table} does not know it");
    }
}

#[test]
fn every_setting_is_described_and_nothing_else() {
    for (kind, path) in TABLES {
        let mut names = known(kind, path, &json!({"no such setting": 1}));
        if kind == "simulator" {
            // Read before the simulator's own settings.
            names.insert("timeout".to_owned());
        }
        if kind == "fallback" {
            // Read before the rules.
            names.insert("members".to_owned());
        }
        if kind == "pipeline" {
            assert_eq!(names, BTreeSet::from(["middleware".to_owned(), "retry_budget".to_owned()]));
            continue;
        }
        // These have no effect here and are refused; a preset is read before the breaker's own settings.
        match kind {
            "middleware.validate" => assert!(names.remove("output")),
            "middleware.retry" => assert!(names.remove("budget")),
            "middleware.breaker" => assert!(names.insert("preset".to_owned())),
            _ => {}
        }
        assert_described(kind, &names, &format!("`{}`", heading(kind)));
    }
}

fn heading(kind: &str) -> String {
    match kind {
        "server" | "limits" => format!("[{kind}]"),
        "transport" | "limit" | "retry_budget" => kind.to_owned(),
        guard if guard.starts_with("middleware.") => format!("[{guard}]"),
        provider => format!("type = \"{provider}\""),
    }
}

#[test]
fn the_tables_inside_guards_are_described() {
    let unknown = json!({"no such setting": 1});
    let limits = known("rate_limit", "middleware.rate_limit", &json!({"limits": [unknown]}));
    assert_described("limits", &limits, "`limits`");
    let backoff = known("retry", "middleware.retry", &json!({"backoff": unknown}));
    assert_described("backoff", &backoff, "`backoff`");
    let guards = ["guard", "retry", "hedge", "breaker", "limit", "timeout"].map(str::to_owned);
    assert_described("guard", &BTreeSet::from(guards), "`guard`");
}

#[test]
fn the_tables_inside_a_provider_are_described() {
    let unknown = json!({"no such setting": 1});
    for (table, title) in [("latency", "latency"), ("price", "price")] {
        let names = known("simulator", "providers.p", &json!({table: unknown}));
        assert_described(table, &names, &format!("`{title}`"));
    }
    for title in ["health", "pace", "degraded"] {
        let names = known("fallback", "providers.p", &json!({title: unknown}));
        assert_described(title, &names, &format!("`{title}`"));
    }
    for (field, title) in [("mode", "modes"), ("mid_stream", "streams that break")] {
        for word in known_words("fallback", json!({field: "no such word"})) {
            assert!(section(title).contains(&format!("| `\"{word}\"` |")), "`{word}` is not described");
        }
    }
    let faults = known_words("simulator", json!({"fault": {"type": "no such fault"}}));
    let failures = known_words("simulator", json!({"errors": ["no such failure"]}));
    let text = section("`fault`");
    for name in faults.iter().chain(&failures) {
        assert!(text.contains(&format!("`{name}`")), "`{name}` is not described");
    }
    assert!(faults.len() >= 10 && failures.len() >= 12, "{faults:?} {failures:?}");
}

/// The words that the code lists when it meets one it does not know.
fn known_words(kind: &str, mut provider: Value) -> BTreeSet<String> {
    provider["type"] = kind.into();
    let found = problems(json!({"providers": {"p": provider}}), &Environment::default());
    let (_, message) = found.iter().find(|(_, m)| m.contains("unknown variant")).unwrap();
    let expected = message.split_once("expected ").unwrap().1;
    expected.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

#[test]
fn the_words_that_can_be_chosen_are_described() {
    let http2 = known_words("openai", json!({"transport": {"http2": "no such word"}}));
    assert!(http2.iter().all(|word| section("`transport`").contains(&format!("`\"{word}\"`"))), "{http2:?}");
    let found = problems(json!({"pipeline": {"middleware": ["no such guard"]}}), &Environment::default());
    let (_, message) = found.iter().find(|(path, _)| path == "pipeline.middleware[0]").unwrap();
    for name in message.rsplit_once(": ").unwrap().1.split(", ") {
        assert!(section("`[pipeline]`").contains(&format!("`{name}`")), "`{name}` is not described");
    }
}

#[test]
fn every_kind_of_failure_is_in_the_table_of_statuses() {
    let document: Value = serde_json::from_str(include_str!("../../openapi.json")).unwrap();
    let kinds = document["components"]["schemas"]["ErrorKind"]["enum"].as_array().unwrap();
    for kind in kinds {
        let kind = kind.as_str().unwrap();
        assert!(section("Failures").contains(&format!("`{kind}`")), "{kind}");
    }
}

const ARCHITECTURE: &str = include_str!("../../../../docs/architecture.md");

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

/// The requests that the README makes with curl: each a path and a body.
fn curled() -> Vec<(String, Value)> {
    let shell = blocks(README, "sh").concat();
    let requests = shell.split("curl ").skip(1);
    requests
        .map(|request| {
            let path = request.split_once(":8080").unwrap().1.split_whitespace().next().unwrap();
            let body = request.split_once("-d '").unwrap().1.split_once('\'').unwrap().0;
            (path.to_owned(), serde_json::from_str(body).unwrap())
        })
        .collect()
}

#[tokio::test]
async fn the_first_requests_are_answered_without_any_configuration() {
    let mut config = Config::from_environment(&Environment::default(), false).unwrap();
    config.server.listen = "127.0.0.1:0".parse().unwrap();
    let server = Server::bind(&config).await.unwrap();
    let client = Client::new(server.address());
    let mut tasks = JoinSet::new();
    tasks.spawn(server.run(std::future::pending()));
    let requests = curled();
    assert!(requests.len() >= 4, "{requests:?}");
    for (path, body) in requests {
        let answer = client.post(&path, &body).await;
        assert_eq!(answer.status, 200, "{path} {body}: {answer:?}");
        assert!(answer.body.contains("[simulator]"), "{answer:?}");
    }
}

/// What a table under the heading that ends with `title` gives as defaults, where it gives values.
pub(crate) fn defaults(title: &str) -> Map<String, Value> {
    let mut defaults = Map::new();
    for row in section(title).lines().filter_map(|line| line.strip_prefix("| `")) {
        let columns: Vec<&str> = row.split(" | ").collect();
        let name = columns[0].trim_end_matches('`');
        let Some(literal) = columns[2].strip_prefix('`').and_then(|rest| rest.split('`').next()) else {
            continue;
        };
        let mut table: Value = toml::from_str(&format!("value = {literal}")).unwrap();
        defaults.insert(name.to_owned(), table["value"].take());
    }
    assert!(defaults.len() >= 2, "{title}: {defaults:?}");
    defaults
}

#[test]
fn the_defaults_inside_a_fallback_are_what_the_document_says() {
    let read = |mode: &str, table: &str, value: Value| {
        let both = json!({"type": "fallback", "members": ["a", "b"], "mode": mode, table: value});
        let sim = json!({"type": "simulator"});
        let tree = json!({
            "server": {"default_provider": "f"},
            "providers": {"a": sim, "b": sim, "f": both}
        });
        format!("{:#?}", Config::from_tree(tree, &Environment::default()).unwrap())
    };
    for (mode, table) in [("health_based", "health"), ("immediate", "pace")] {
        let said = defaults(&format!("`{table}`"));
        assert_eq!(read(mode, table, said.into()), read(mode, table, json!({})), "{table}");
    }
}

#[test]
fn the_defaults_are_what_the_document_says() {
    let simulator = |settings: Value| {
        let mut provider = settings;
        provider["type"] = "simulator".into();
        json!({"providers": {"p": provider}})
    };
    let with = |mut tree: Value| {
        tree.as_object_mut().unwrap().entry("providers").or_insert(json!({"p": {"type": "simulator"}}));
        format!("{:#?}", Config::from_tree(tree, &Environment::default()).unwrap())
    };
    let without = with(json!({}));
    for tree in [
        json!({"server": defaults("`[server]`")}),
        json!({"limits": defaults("`[limits]`")}),
        simulator(defaults("`type = \"simulator\"`").into()),
        simulator(json!({"latency": defaults("`latency`")})),
        simulator(json!({"price": defaults("`price`")})),
    ] {
        assert_eq!(with(tree.clone()), without, "{tree}");
    }
}
