//! Items through a source, a pipe and a sink: as a stream of pipes, and as three tasks with tokio's channels between.

use std::convert::Infallible;
use std::sync::Arc;

use pipe_graph::{
    Flow, Message, Pipe, PipeGraph, Plan, PlanStreamer, Planner, Problems, Reverse, StreamRunner, Task,
};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

const CAPACITY: usize = 64;

pub(crate) fn plan() -> Result<Plan, Problems> {
    let pipes = [Pipe::new("a", [""; 0], "A"), Pipe::new("b", ["A"], "B"), Pipe::new("c", ["B"], "C")];
    Reverse.plan(&Arc::new(PipeGraph::new(pipes)?))
}

/// Sends so many numbers.
pub(crate) struct Numbers(pub(crate) u64);

impl Numbers {
    pub(crate) async fn ours(&self, plan: &Plan) -> bool {
        PlanStreamer::new().run(plan, self).await.pipes().totals().all_succeeded()
    }

    pub(crate) async fn rival(&self) {
        let (first, mut middle) = mpsc::channel(CAPACITY);
        let (second, mut last) = mpsc::channel(CAPACITY);
        let items = self.0;
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            for number in 0..items {
                if first.send(number).await.is_err() {
                    break;
                }
            }
        });
        tasks.spawn(async move {
            while let Some(number) = middle.recv().await {
                if second.send(number).await.is_err() {
                    break;
                }
            }
        });
        tasks.spawn(async move { while last.recv().await.is_some() {} });
        while tasks.join_next().await.is_some() {}
    }
}

impl StreamRunner for Numbers {
    type Item = u64;
    type Error = Infallible;

    async fn run(&self, task: Task<'_>, mut flow: Flow<u64>) -> Result<(), Infallible> {
        if task.id() == "a" {
            for number in 0..self.0 {
                if flow.send(number).await.is_err() {
                    break;
                }
            }
            return Ok(());
        }
        while let Some(message) = flow.recv().await {
            if let Message::Item(_, number) = message
                && flow.send(number).await.is_err()
            {
                break;
            }
        }
        Ok(())
    }
}
