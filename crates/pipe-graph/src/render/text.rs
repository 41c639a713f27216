//! The plan for a terminal.

use std::fmt::Write;

use super::Render;
use crate::pipe::PipeIndex;
use crate::plan::Plan;

pub(super) fn text(render: Render<'_>) -> String {
    let plan = render.plan;
    let mut lines = vec![
        format!("Execution Plan ({})", visible(plan.strategy())),
        "=".repeat(50),
        format!("Total Pipes: {}", plan.total_pipes()),
        format!("Total Generations: {}", plan.total_generations()),
        format!("Max Parallelism: {}", plan.max_parallelism()),
        String::new(),
        "Execution Order:".to_owned(),
        "-".repeat(50),
    ];
    for generation in plan.generations() {
        lines.push(String::new());
        lines.push(format!("Generation {}: ({} pipes)", generation.number(), generation.len()));
        lines.extend(generation.pipes().iter().map(|&pipe| line(render, pipe)));
    }
    lines.join("\n")
}

fn line(render: Render<'_>, pipe: PipeIndex) -> String {
    let mut line = format!("  - {}", visible(render.plan.graph().id(pipe)));
    // Writing to a string cannot fail.
    let _ = dependencies(&mut line, render.plan, pipe);
    if let Some(mark) = render.mark(pipe) {
        let _ = write!(line, " [{}]", visible(&mark));
    }
    line
}

fn dependencies(line: &mut String, plan: &Plan, pipe: PipeIndex) -> std::fmt::Result {
    let graph = plan.graph();
    let dependencies = graph.dependencies(pipe);
    for (place, &dependency) in dependencies.iter().enumerate() {
        let before = if place == 0 { " (deps: [" } else { ", " };
        write!(line, "{before}{}", quoted(graph.id(dependency)))?;
    }
    if dependencies.is_empty() { Ok(()) } else { line.write_str("])") }
}

/// In single quotes, or in double ones when it has single ones itself.
fn quoted(id: &str) -> String {
    let text = visible(id).replace('\\', "\\\\");
    match (text.contains('\''), text.contains('"')) {
        (false, _) => format!("'{text}'"),
        (true, false) => format!("\"{text}\""),
        (true, true) => format!("'{}'", text.replace('\'', "\\'")),
    }
}

/// No name can move the cursor or start a line of its own.
fn visible(text: &str) -> String {
    text.chars().fold(String::with_capacity(text.len()), |mut out, character| {
        if character.is_control() {
            out.extend(character.escape_default());
        } else {
            out.push(character);
        }
        out
    })
}
