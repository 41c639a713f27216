//! `exec-server plan FILE`: puts the pipes of a file in order and shows the plan, or everything that is wrong with them.

mod file;

use std::collections::HashSet;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use clap::{Args, ValueEnum};
use pipe_graph::{Configured, Forward, PipeGraph, PipeId, Plan, Planner, Problem, Problems, Reverse};
use serde::Serialize;

use self::file::Declared;
use super::{UNUSABLE, tell, unusable};

/// What to plan, and how to show it.
#[derive(Debug, Args)]
pub(super) struct Asked {
    /// A .yaml, .yml, .json or .toml file with the pipes; - reads them from stdin
    file: PathBuf,
    /// Sources first, sinks first, or as the processing_mode tags of the pipes say
    #[arg(long, value_enum, default_value_t = Order::Forward)]
    order: Order,
    /// Plan only these pipes; wins over the request in the file
    #[arg(long, value_name = "IDS", value_delimiter = ',')]
    select: Vec<String>,
    /// Plan only these pipes and what depends on them
    #[arg(long, value_name = "IDS", value_delimiter = ',')]
    from: Vec<String>,
    /// Plan only these pipes and what they depend on
    #[arg(long, value_name = "IDS", value_delimiter = ',')]
    until: Vec<String>,
    /// What to print
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

#[derive(Clone, Copy, Debug, PartialEq, ValueEnum)]
enum Order {
    Forward,
    Reverse,
    Configured,
}

#[derive(Clone, Copy, Debug, PartialEq, ValueEnum)]
enum Format {
    Text,
    Json,
    Mermaid,
    Dot,
}

/// What `--format json` prints.
#[derive(Default, Serialize)]
struct Answer {
    order: Option<pipe_graph::Order>,
    generations: Vec<Vec<String>>,
    max_parallelism: usize,
    metadata: pipe_graph::Metadata,
    errors: Vec<Problem>,
}

pub(super) fn run(asked: &Asked) -> ExitCode {
    let declared = match file::read(&asked.file) {
        Ok(declared) => declared,
        Err(message) => return unusable(&message),
    };
    match asked.plan(declared) {
        Ok(plan) => {
            show(&asked.format.plan(&plan));
            ExitCode::SUCCESS
        }
        Err(problems) => refused(asked.format, problems),
    }
}

impl Asked {
    fn plan(&self, declared: Declared) -> Result<Plan, Vec<Problem>> {
        let Declared { pipes, request } = declared;
        let selected = self.select.iter().map(|id| id.as_str().into()).collect();
        let request = if self.select.is_empty() { request } else { Some(selected) };
        // What narrowing and planning would find, should there be no graph to find it in.
        let missing = pipes.graph.missing(self.from.iter().chain(&self.until));
        let later = self.unknown_modes(pipes.modes, request.as_deref());

        let builder = match request {
            Some(request) => pipes.graph.request(request),
            None => pipes.graph,
        };
        let graph = match builder.build() {
            Ok(graph) => self.narrowed(graph),
            Err(problems) => return Err(all_problems(problems, missing, later)),
        };
        let plan = graph.and_then(|graph| self.planner().plan(&Arc::new(graph)));
        plan.map_err(|problems| problems.into_iter().collect())
    }

    fn unknown_modes(&self, mut modes: Vec<(PipeId, Problem)>, request: Option<&[PipeId]>) -> Vec<Problem> {
        let requested: Option<HashSet<&PipeId>> = request.map(|ids| ids.iter().collect());
        let asked = |id: &PipeId| requested.as_ref().is_none_or(|ids| ids.contains(id));
        modes.retain(|(id, _)| self.order == Order::Configured && asked(id));
        modes.sort_by(|a, b| a.0.cmp(&b.0));
        modes.into_iter().map(|(_, problem)| problem).collect()
    }

    fn planner(&self) -> &'static dyn Planner {
        match self.order {
            Order::Forward => &Forward,
            Order::Reverse => &Reverse,
            Order::Configured => &Configured,
        }
    }

    /// What is both behind `--from` and before `--until`.
    fn narrowed(&self, graph: PipeGraph) -> Result<PipeGraph, Problems> {
        match (self.from.is_empty(), self.until.is_empty()) {
            (true, true) => Ok(graph),
            (false, true) => graph.from(&self.from),
            (true, false) => graph.until(&self.until),
            (false, false) => {
                graph.select(self.from.iter().chain(&self.until))?;
                let (behind, before) = (graph.from(&self.from)?, graph.until(&self.until)?);
                let both =
                    behind.indices().map(|pipe| behind.id(pipe)).filter(|id| before.index(id).is_some());
                graph.select(both)
            }
        }
    }
}

fn all_problems(problems: Problems, mut missing: Vec<PipeId>, later: Vec<Problem>) -> Vec<Problem> {
    let mut all = Vec::new();
    for problem in problems {
        match problem {
            Problem::Missing { ids } => missing.extend(ids),
            other => all.push(other),
        }
    }
    missing.sort_unstable();
    missing.dedup();
    if !missing.is_empty() {
        all.insert(0, Problem::Missing { ids: missing });
    }
    all.extend(later);
    all
}

impl Format {
    fn plan(self, plan: &Plan) -> String {
        match self {
            Self::Text => plan.render().text(),
            Self::Mermaid => plan.render().mermaid(),
            Self::Dot => plan.render().dot(),
            Self::Json => Answer::from(plan).json(),
        }
    }
}

impl From<&Plan> for Answer {
    fn from(plan: &Plan) -> Self {
        let names = |generation: pipe_graph::Generation<'_>| generation.ids().map(str::to_owned).collect();
        Self {
            order: Some(plan.order()),
            generations: plan.generations().map(names).collect(),
            max_parallelism: plan.max_parallelism(),
            metadata: plan.metadata().clone(),
            errors: Vec::new(),
        }
    }
}

impl Answer {
    fn json(&self) -> String {
        // All keys are strings and all numbers whole, so nothing can fail.
        serde_json::to_string(self).unwrap_or_default()
    }
}

fn refused(format: Format, errors: Vec<Problem>) -> ExitCode {
    if format == Format::Json {
        show(&Answer { errors, ..Answer::default() }.json());
    } else {
        let things =
            if errors.len() == 1 { "one problem".to_owned() } else { format!("{} problems", errors.len()) };
        let lines = errors.iter().map(|error| format!("\n  {}: {error}", error.kind()));
        tell(&format!("the pipes cannot be planned ({things}):{}", lines.collect::<String>()));
    }
    UNUSABLE.into()
}

/// The output of this command; a closed pipe has nobody left to tell.
fn show(text: &str) {
    let _ = writeln!(std::io::stdout(), "{}", text.trim_end_matches('\n'));
}
