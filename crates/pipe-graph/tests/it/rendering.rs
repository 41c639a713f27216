//! Plans drawn: the layout, what is escaped, and that nothing is lost.

use std::sync::Arc;
use std::time::Duration;

use pipe_graph::{Forward, Mark, Overlay, Pipe, PipeGraph, Plan, PlanDraft, Planner, Reverse};

use crate::support::graph;

const LINES: [&str; 4] = ["pipe1: > a", "pipe2: > b", "pipe3: a b > db.c", "pipe4: db.c > d"];

fn plan() -> Plan {
    Forward.plan(&graph(&LINES)).unwrap()
}

fn overlay() -> Overlay {
    let mark = |status: &str, duration| Mark { status: status.to_owned(), duration };
    [
        ("pipe1".into(), mark("success", Some(Duration::from_millis(1250)))),
        ("pipe3".into(), mark("skipped", None)),
        ("nobody".into(), mark("success", None)),
    ]
    .into()
}

#[test]
fn text_has_the_layout_people_know() {
    insta::assert_snapshot!(plan().render().text(), @r"
    Execution Plan (batch)
    ==================================================
    Total Pipes: 4
    Total Generations: 3
    Max Parallelism: 2

    Execution Order:
    --------------------------------------------------

    Generation 0: (2 pipes)
      - pipe1
      - pipe2

    Generation 1: (1 pipes)
      - pipe3 (deps: ['pipe1', 'pipe2'])

    Generation 2: (1 pipes)
      - pipe4 (deps: ['pipe3'])
    ");
    assert!(!plan().render().text().ends_with('\n'));
    let empty = Forward.plan(&graph(&[])).unwrap().render().text();
    assert!(
        empty.ends_with("-----") && empty.contains("Total Generations: 0\nMax Parallelism: 0"),
        "{empty}"
    );
}

#[test]
fn a_streaming_plan_shows_dependencies_too() {
    let text = Reverse.plan(&graph(&LINES)).unwrap().render().text();
    assert!(text.contains("Generation 0: (1 pipes)\n  - pipe4 (deps: ['pipe3'])\n"), "{text}");
}

#[test]
fn a_run_is_laid_over_text_mermaid_and_dot() {
    let (plan, overlay) = (plan(), overlay());
    let drawn = plan.render().overlay(&overlay);
    assert!(drawn.text().contains("  - pipe1 [success, 1.250s]\n  - pipe2\n"), "{}", drawn.text());
    assert!(drawn.text().contains("(deps: ['pipe1', 'pipe2']) [skipped]\n"), "{}", drawn.text());
    insta::assert_snapshot!(drawn.mermaid(), @r#"
    graph TD
        n0["pipe1<br/>success, 1.250s"]
        n1["pipe2"]
        n2["pipe3<br/>skipped"]
        n3["pipe4"]
        n0 -->|a| n2
        n1 -->|b| n2
        n2 -->|c| n3
    "#);
    insta::assert_snapshot!(drawn.dot(), @r#"
    digraph plan {
        node [shape=box];
        n0 [label="pipe1\nsuccess, 1.250s"];
        n1 [label="pipe2"];
        n2 [label="pipe3\nskipped"];
        n3 [label="pipe4"];
        n0 -> n2 [label="a"];
        n1 -> n2 [label="b"];
        n2 -> n3 [label="db.c"];
        { rank=same; n0; n1; }
        { rank=same; n2; }
        { rank=same; n3; }
    }
    "#);
}

#[test]
fn json_holds_the_graph_the_plan_and_the_run_and_reads_back() {
    let (plan, overlay) = (plan(), overlay());
    let drawn: serde_json::Value = serde_json::from_str(&plan.render().overlay(&overlay).json()).unwrap();
    assert_eq!(
        drawn["statuses"]["pipe1"],
        serde_json::json!({"status": "success", "duration_seconds": 1.25})
    );
    assert_eq!(drawn["statuses"]["pipe3"], serde_json::json!({"status": "skipped"}));
    let graph: PipeGraph = serde_json::from_value(drawn["graph"].clone()).unwrap();
    let draft: PlanDraft = serde_json::from_value(drawn["plan"].clone()).unwrap();
    assert_eq!(draft.check(&Arc::new(graph)).unwrap(), plan);
}

#[test]
fn names_that_look_alike_or_mean_something_stay_apart() {
    let ids =
        ["a.b", "a-b", "a_b", "x\"]|[y", "end", "it's \"it\"", "line\nbreak", "b\\n", "&amp;", "<i>", "#35;"];
    let first = Pipe::new("source", [""; 0], "db.all|\"of\" it");
    let readers = ids.map(|id| Pipe::new(id, ["db.all|\"of\" it"], format!("of {id}")));
    let graph = Arc::new(PipeGraph::new(std::iter::once(first).chain(readers)).unwrap());
    let drawn = Forward.plan(&graph).unwrap();
    let (mermaid, dot, text) = (drawn.render().mermaid(), drawn.render().dot(), drawn.render().text());
    assert_eq!(mermaid.lines().count(), 1 + 12 + 11);
    assert!(
        mermaid.contains(r##"["x#34;#93;#124;#91;y"]"##)
            && mermaid.contains(r##"-->|"all#124;#34;of#34; it"|"##),
        "{mermaid}"
    );
    assert!(dot.contains(r#"label="x\"]|[y""#) && dot.contains(r#"label="b\\n""#), "{dot}");
    assert!(dot.contains(r#"label="&amp;amp;""#) && dot.contains(r#"label="line&#10;break""#), "{dot}");
    assert!(text.contains("  - line\\nbreak (deps: ['source'])"), "{text}");
}
