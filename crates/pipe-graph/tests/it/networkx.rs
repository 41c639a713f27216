//! Agreement with networkx on random graphs. Runs where `PIPE_GRAPH_NETWORKX` names a Python that has it.

use std::io::Write;
use std::process::{Command, Stdio};
use std::sync::Arc;

use pipe_graph::{Forward, Pipe, PipeGraph, Planner, Problem, Reverse};
use serde_json::{Value, json};

use crate::support::{Numbers, generations};

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/networkx/generations.py");

#[test]
fn networkx_agrees_on_generations_ancestors_and_cycles() {
    let Some(python) = std::env::var_os("PIPE_GRAPH_NETWORKX") else {
        println!("skipped: PIPE_GRAPH_NETWORKX names no python with networkx");
        return;
    };
    let mut numbers = Numbers(2026);
    let cases: Vec<Vec<Pipe>> = (0..300).map(|case| random(&mut numbers, case % 3 == 0)).collect();
    let input: String = cases.iter().map(|pipes| format!("{}\n", edges(pipes))).collect();
    let mut child =
        Command::new(python).arg(SCRIPT).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    // From a thread of its own: the answers fill their pipe before the questions are all written.
    let writer = std::thread::spawn(move || stdin.write_all(input.as_bytes()).unwrap());
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap();
    assert!(output.status.success());
    let answers: Vec<Value> =
        serde_json::Deserializer::from_slice(&output.stdout).into_iter().map(Result::unwrap).collect();
    assert_eq!(answers.len(), cases.len());
    let free = answers.iter().filter(|answer| answer["dag"] == true).count();
    assert!((100..300).contains(&free), "{free} of the graphs are free of cycles");
    cases.into_iter().zip(answers).for_each(|(pipes, answer)| compare(pipes, &answer));
}

/// Up to 40 pipes; edges may run backwards when `tangled`.
fn random(numbers: &mut Numbers, tangled: bool) -> Vec<Pipe> {
    let count = 1 + numbers.below(40);
    let pipe = |n: usize| {
        let reads = numbers.below(4);
        let limit = if tangled { count } else { n };
        let inputs: Vec<String> =
            (0..if limit == 0 { 0 } else { reads }).map(|_| format!("e{}", numbers.below(limit))).collect();
        // Names that do not sort as the flow runs.
        Pipe::new(format!("p{:02}", n * 37 % 41), inputs, format!("e{n}"))
    };
    (0..count).map(pipe).collect()
}

fn edges(pipes: &[Pipe]) -> Value {
    let mut edges = Vec::new();
    for reader in pipes {
        for maker in
            pipes.iter().filter(|maker| maker.id != reader.id && reader.inputs.contains(&maker.output))
        {
            edges.push(json!([maker.id, reader.id]));
        }
    }
    json!({"nodes": pipes.iter().map(|pipe| &pipe.id).collect::<Vec<_>>(), "edges": edges})
}

fn compare(pipes: Vec<Pipe>, answer: &Value) {
    let graph = match PipeGraph::new(pipes) {
        Ok(graph) => Arc::new(graph),
        Err(problems) => {
            assert_eq!(answer["dag"], false, "{problems}");
            let mut lengths: Vec<usize> = problems.into_iter().map(length).collect();
            lengths.sort_unstable();
            return assert_eq!(json!(lengths), answer["cycles"]);
        }
    };
    assert_eq!(answer["dag"], true);
    assert_eq!(json!(generations(&Forward.plan(&graph).unwrap())), answer["generations"]);
    assert_eq!(json!(generations(&Reverse.plan(&graph).unwrap())), answer["reversed"]);
    for pipe in graph.indices().map(|pipe| graph.id(pipe)) {
        let part = graph.until([pipe]).unwrap();
        let ancestors: Vec<&str> =
            part.indices().map(|near| part.id(near)).filter(|id| *id != pipe).collect();
        assert_eq!(json!(ancestors), answer["ancestors"][pipe]);
    }
}

fn length(problem: Problem) -> usize {
    match problem {
        Problem::Cycle { ids } => ids.len() - 1,
        _ => 0,
    }
}
