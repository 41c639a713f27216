//! The graph of a plan as a Graphviz digraph.

use std::fmt::Write;

use super::Render;

pub(super) fn dot(render: Render<'_>) -> String {
    let graph = render.plan.graph();
    let mut out = String::from("digraph plan {\n    node [shape=box];\n");
    // Writing to a string cannot fail.
    for pipe in graph.indices() {
        let mark = render.mark(pipe).map(|mark| format!("\\n{}", escaped(&mark))).unwrap_or_default();
        let _ = writeln!(out, "    n{} [label=\"{}{mark}\"];", pipe.get(), escaped(graph.id(pipe)));
    }
    for pipe in graph.indices() {
        let label = escaped(graph.output(pipe));
        for dependent in graph.dependents(pipe) {
            let _ = writeln!(out, "    n{} -> n{} [label=\"{label}\"];", pipe.get(), dependent.get());
        }
    }
    for generation in render.plan.generations() {
        let nodes: Vec<String> = generation.pipes().iter().map(|pipe| format!("n{}", pipe.get())).collect();
        let _ = writeln!(out, "    {{ rank=same; {}; }}", nodes.join("; "));
    }
    out.push_str("}\n");
    out
}

/// For a quoted label: backslashes start escapes there, and `&` starts a character code.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '\\' => out.push_str("\\\\"),
            '"' => out.push_str("\\\""),
            '&' => out.push_str("&amp;"),
            _ if character.is_control() => {
                let _ = write!(out, "&#{};", u32::from(character));
            }
            _ => out.push(character),
        }
    }
    out
}
