//! The loop one would write by hand: spawn what has nothing to wait for, count down when something ends.

use std::collections::VecDeque;

use pipe_graph::{PipeIndex, Plan};
use tokio::task::JoinSet;

use super::work::Work;

pub(crate) struct Loop<'a> {
    plan: &'a Plan,
    most: usize,
    waits: Vec<usize>,
    ready: VecDeque<PipeIndex>,
}

impl<'a> Loop<'a> {
    pub(crate) fn new(plan: &'a Plan, most: usize) -> Self {
        let graph = plan.graph();
        let waits = graph.indices().map(|pipe| graph.dependencies(pipe).len()).collect();
        Self { plan, most, waits, ready: graph.roots().collect() }
    }

    /// How many ran.
    pub(crate) async fn run(mut self, work: Work) -> usize {
        let mut tasks = JoinSet::new();
        let mut ran = 0;
        loop {
            while tasks.len() < self.most
                && let Some(pipe) = self.ready.pop_front()
            {
                tasks.spawn(async move {
                    work.work().await;
                    pipe
                });
            }
            let Some(Ok(pipe)) = tasks.join_next().await else { return ran };
            ran += 1;
            for next in self.plan.graph().dependents(pipe) {
                self.waits[next.get()] -= 1;
                if self.waits[next.get()] == 0 {
                    self.ready.push_back(*next);
                }
            }
        }
    }
}
