//! The plan for a terminal.

use std::fmt::Write;

use super::Render;
use crate::pipe::PipeIndex;
use crate::plan::Plan;

pub(super) fn text(render: Render<'_>) -> String {
    let plan = render.plan;
    let (double, single) = ("=".repeat(50), "-".repeat(50));
    let mut out = format!(
        "Execution Plan ({})\n{double}\nTotal Pipes: {}\nTotal Generations: {}\nMax Parallelism: {}\n\nExecution Order:\n{single}",
        visible(plan.strategy()),
        plan.total_pipes(),
        plan.total_generations(),
        plan.max_parallelism(),
    );
    // Writing to a string cannot fail.
    for generation in plan.generations() {
        let _ = write!(out, "\n\nGeneration {}: ({} pipes)", generation.number(), generation.len());
        for &pipe in generation.pipes() {
            let _ = line(&mut out, render, pipe);
        }
    }
    out
}

fn line(out: &mut String, render: Render<'_>, pipe: PipeIndex) -> std::fmt::Result {
    write!(out, "\n  - {}", visible(render.plan.graph().id(pipe)))?;
    dependencies(out, render.plan, pipe)?;
    match render.mark(pipe) {
        Some(mark) => write!(out, " [{}]", visible(&mark)),
        None => Ok(()),
    }
}

fn dependencies(out: &mut String, plan: &Plan, pipe: PipeIndex) -> std::fmt::Result {
    let graph = plan.graph();
    let dependencies = graph.dependencies(pipe);
    for (place, &dependency) in dependencies.iter().enumerate() {
        let before = if place == 0 { " (deps: [" } else { ", " };
        write!(out, "{before}{}", quoted(graph.id(dependency)))?;
    }
    if dependencies.is_empty() { Ok(()) } else { out.write_str("])") }
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
