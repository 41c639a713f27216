//! The graph of a plan as a Mermaid flowchart. Nodes are numbered, so names that look alike do not become one.

use std::fmt::Write;

use super::Render;

pub(super) fn mermaid(render: Render<'_>) -> String {
    let graph = render.plan.graph();
    let mut out = String::from("graph TD\n");
    // Writing to a string cannot fail.
    for pipe in graph.indices() {
        let mark = render.mark(pipe).map(|mark| format!("<br/>{}", escaped(&mark))).unwrap_or_default();
        let _ = writeln!(out, "    n{}[\"{}{mark}\"]", pipe.get(), escaped(graph.id(pipe)));
    }
    for pipe in graph.indices() {
        let label = label(graph.output(pipe));
        for dependent in graph.dependents(pipe) {
            let _ = writeln!(out, "    n{} -->|{label}| n{}", pipe.get(), dependent.get());
        }
    }
    out
}

/// What comes after the last dot; in quotes where it could be read as something else.
fn label(entity: &str) -> String {
    let short = entity.rsplit('.').next().filter(|short| !short.is_empty()).unwrap_or(entity);
    let plain =
        short.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') && !short.eq_ignore_ascii_case("end");
    if plain { short.to_owned() } else { format!("\"{}\"", escaped(short)) }
}

/// Everything that could mean something to Mermaid, as a character code.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '_' | '-' | '.' | ':' | '/' | ',' | ' ' => out.push(character),
            _ if character.is_alphanumeric() => out.push(character),
            _ => {
                let _ = write!(out, "#{};", u32::from(character));
            }
        }
    }
    out
}
