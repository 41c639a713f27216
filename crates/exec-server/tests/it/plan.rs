//! `exec-server plan`: files in three formats, four ways to print, and everything wrong at once.

use std::process::Stdio;

use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;
use tokio::process::Command;
use tokio::time::timeout;

use crate::support::PATIENCE;

const YAML: &str = "
pipes:
  - {id: ingest, inputs: [files], output: raw}
  - id: clean
    inputs: [raw]
    output: tidy
    tags: {processing_mode: streaming}
  - {id: report, inputs: [tidy, raw], output: figures}
  - {id: archive, inputs: [raw], output: backup}
";

/// Exit code, stdout and stderr of `exec-server plan` with this on stdin.
async fn plan(arguments: &[&str], stdin: &str) -> (i32, String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_exec-server"));
    command.arg("plan").args(arguments).env_clear().kill_on_drop(true);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut input = child.stdin.take().unwrap();
    // One that has already refused its arguments reads nothing.
    let _ = input.write_all(stdin.as_bytes()).await;
    drop(input);
    let output = timeout(PATIENCE, child.wait_with_output()).await.unwrap().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

async fn answer(arguments: &[&str], stdin: &str) -> Value {
    let arguments = [arguments, &["-", "--format", "json"]].concat();
    let (code, out, error) = plan(&arguments, stdin).await;
    let answer: Value = serde_json::from_str(&out).unwrap_or_else(|_| panic!("{out} {error}"));
    assert_eq!(code, if answer["errors"] == json!([]) { 0 } else { 2 }, "{answer}");
    answer
}

async fn generations(arguments: &[&str], stdin: &str) -> Value {
    answer(arguments, stdin).await["generations"].take()
}

fn file(name: &str, text: &str) -> String {
    let path = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    std::fs::write(&path, text).unwrap();
    path.to_str().unwrap().to_owned()
}

#[tokio::test]
async fn the_answer_has_order_generations_width_metadata_and_no_errors() {
    let answer = answer(&[], YAML).await;
    assert_eq!(answer["order"], "forward");
    assert_eq!(answer["generations"], json!([["ingest"], ["archive", "clean"], ["report"]]));
    assert_eq!(answer["max_parallelism"], 2);
    assert_eq!(answer["metadata"]["execution_order"], "forward");
    assert_eq!(answer["metadata"]["cache_recommendations"], json!({"raw": "MEMORY_AND_DISK"}));
    assert_eq!(answer.as_object().unwrap().len(), 5);
}

#[tokio::test]
async fn the_same_pipes_are_read_from_yaml_json_and_toml() {
    let toml = r#"
        request = ["b", "a"]
        [[pipes]]
        id = "a"
        inputs = []
        output = "A"
        [[pipes]]
        id = "b"
        inputs = ["A"]
        output = "B"
        [pipes.tags]
        team = "x"
    "#;
    let json = r#"{"request": ["a", "b"], "pipes": [{"id": "b", "inputs": ["A"], "output": "B", "tags": {"team": "x"}},
        {"id": "a", "inputs": [], "output": "A"}]}"#;
    let yaml =
        "request: [a, b]\npipes:\n- {id: a, inputs: [], output: A}\n- {id: b, inputs: [A], output: B}\n";
    for (ending, text) in [("toml", toml), ("json", json), ("yaml", yaml), ("yml", yaml)] {
        assert_eq!(generations(&[], text).await, json!([["a"], ["b"]]), "{ending} on stdin");
        let path = file(&format!("pipes-same.{ending}"), text);
        let (code, out, error) = plan(&[&path, "--format", "json"], "").await;
        assert_eq!((code, error.as_str()), (0, ""), "{ending}");
        assert_eq!(
            serde_json::from_str::<Value>(&out).unwrap()["generations"],
            json!([["a"], ["b"]]),
            "{ending}"
        );
    }
}

#[tokio::test]
async fn the_order_can_be_turned_round_or_left_to_the_tags() {
    assert_eq!(
        generations(&["--order", "reverse"], YAML).await,
        json!([["archive", "report"], ["clean"], ["ingest"]])
    );
    let configured = answer(&["--order", "configured"], YAML).await;
    assert_eq!(configured["order"], "reverse");
    assert_eq!(configured["metadata"]["detected_mode"], "streaming");
    let (code, _, error) = plan(&["-", "--order", "sideways"], YAML).await;
    assert_eq!(code, 2, "{error}");
}

#[tokio::test]
async fn parts_are_chosen_by_select_from_and_until() {
    assert_eq!(generations(&["--select", "report,ingest"], YAML).await, json!([["ingest"], ["report"]]));
    assert_eq!(
        generations(&["--select", "clean", "--select", "report"], YAML).await,
        json!([["clean"], ["report"]])
    );
    assert_eq!(generations(&["--from", "clean"], YAML).await, json!([["clean"], ["report"]]));
    assert_eq!(generations(&["--until", "clean"], YAML).await, json!([["ingest"], ["clean"]]));
    let both = ["--from", "clean,archive", "--until", "report"];
    assert_eq!(generations(&both, YAML).await, json!([["clean"], ["report"]]));
    let errors = answer(&["--from", "nobody", "--until", "no"], YAML).await["errors"].take();
    assert_eq!(errors[0]["kind"], "missing");
    assert_eq!(errors[0]["ids"], json!(["no", "nobody"]));
}

#[tokio::test]
async fn everything_wrong_is_one_answer() {
    let text = "
request: [a, a, b, c, d, e, nobody]
pipes:
  - {id: a, inputs: [B], output: A}
  - {id: b, inputs: [A], output: B}
  - {id: c, inputs: [], output: C, tags: {processing_mode: sometimes}}
  - {id: d, inputs: [], output: C}
  - {id: e, inputs: [], output: E}
  - {id: e, inputs: [], output: E}
";
    let answer = answer(&["--order", "configured", "--from", "ghost"], text).await;
    let errors: Vec<(&str, &Value)> = answer["errors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|error| (error["kind"].as_str().unwrap(), &error["ids"]))
        .collect();
    let expected = [
        ("missing", &json!(["ghost", "nobody"])),
        ("duplicate_pipe", &json!(["e"])),
        ("duplicate_request", &json!(["a"])),
        ("duplicate_producer", &json!(["c", "d"])),
        ("cycle", &json!(["a", "b", "a"])),
        ("unknown_mode", &json!(["c"])),
    ];
    assert_eq!(errors, expected);
    assert!(answer["errors"][4]["message"].as_str().unwrap().contains("\"a\" → \"b\" → \"a\""));
    assert_eq!(answer["generations"], json!([]));
}

#[tokio::test]
async fn people_get_text_and_diagrams_and_the_problems_on_stderr() {
    let (code, out, _) = plan(&["-"], YAML).await;
    assert_eq!(code, 0);
    assert!(
        out.starts_with("Execution Plan (batch)\n====") && out.ends_with("(deps: ['clean', 'ingest'])\n"),
        "{out}"
    );
    let (_, mermaid, _) = plan(&["-", "--format", "mermaid"], YAML).await;
    assert!(
        mermaid.starts_with("graph TD\n    n0[\"archive\"]\n") && mermaid.contains("-->|raw|"),
        "{mermaid}"
    );
    let (_, dot, _) = plan(&["-", "--format", "dot"], YAML).await;
    assert!(dot.starts_with("digraph plan {\n") && dot.ends_with("}\n"), "{dot}");
    let (code, out, error) = plan(&["-", "--select", "nobody"], YAML).await;
    assert_eq!((code, out.as_str()), (2, ""));
    assert!(error.contains("one problem") && error.contains("missing: no such pipe: \"nobody\""), "{error}");
}

#[tokio::test]
async fn a_file_that_cannot_be_read_is_named_with_the_reason() {
    for (name, text, expected) in [
        ("pipes-typo.yaml", "pipes:\n- {id: a, input: [x], output: A}\n", "input"),
        ("pipes-broken.json", "{\"pipes\": [", "no JSON"),
        ("pipes-broken.toml", "pipes = 5", "no TOML"),
        ("pipes.txt", "", "must end in"),
    ] {
        let (code, out, error) = plan(&[&file(name, text)], "").await;
        assert_eq!((code, out.as_str()), (2, ""), "{name}");
        assert!(error.contains(name) && error.contains(expected), "{error}");
    }
    let (code, _, error) = plan(&["/no/such/file.yaml"], "").await;
    assert_eq!(code, 2);
    assert!(error.contains("/no/such/file.yaml cannot be read"), "{error}");
}

#[tokio::test]
async fn a_configuration_that_cannot_be_used_is_not_in_the_way() {
    let arguments = ["--config", "/no/such/config.toml", "-", "--format", "json"];
    assert_eq!(plan(&arguments, YAML).await.0, 0);
}
