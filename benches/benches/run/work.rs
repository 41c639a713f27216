//! The graphs that run, and what their pipes do: as little as possible.

use std::convert::Infallible;

use pipe_graph::{Inputs, PipeGraph, Problems, Runner, Task};

/// How a graph is laid out.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Shape {
    /// A hundred layers; each pipe reads three of the layer before.
    Wide,
    /// Each pipe reads the one before it.
    Chain,
}

impl Shape {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Wide => "wide",
            Self::Chain => "chain",
        }
    }

    pub(crate) fn graph(self, pipes: usize) -> Result<PipeGraph, Problems> {
        let mut graph = PipeGraph::builder();
        graph.reserve(pipes);
        let width = (pipes / 100).max(4);
        for pipe in 0..pipes {
            let reads: Vec<String> = match self {
                Self::Chain => pipe.checked_sub(1).into_iter().map(entity).collect(),
                Self::Wide if pipe < width => Vec::new(),
                Self::Wide => {
                    let before = (pipe / width - 1) * width;
                    [0, 1, 7].map(|step| before + (pipe * 5 + step) % width).map(entity).to_vec()
                }
            };
            graph.declare(&format!("pipe_{pipe:07}"), reads, &entity(pipe));
        }
        graph.build()
    }
}

fn entity(number: usize) -> String {
    format!("entity_{number:07}")
}

/// What every pipe does.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Work {
    /// Nothing.
    Ready,
    /// Lets others go first, once.
    Waits,
}

impl Work {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Ready => "ready",
            Self::Waits => "waiting",
        }
    }

    pub(crate) async fn work(self) {
        if matches!(self, Self::Waits) {
            tokio::task::yield_now().await;
        }
    }
}

impl Runner for Work {
    type Output = u64;
    type Error = Infallible;

    async fn run(&self, _: Task<'_>, inputs: Inputs<'_, u64>) -> Result<Option<u64>, Infallible> {
        self.work().await;
        Ok(Some(1 + inputs.iter().filter_map(|input| input.get()).copied().max().unwrap_or(0)))
    }
}
