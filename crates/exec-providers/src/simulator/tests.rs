//! A simulator as its callers see it, under a paused clock.

mod answers;
mod faults;

use std::time::Duration;

use exec_core::{Chat, Chunk, Context, Error, Executor, Options, Output, Request, Result};
use futures_util::StreamExt;

use super::{Fault, Simulator, SimulatorConfig};

const SECOND: Duration = Duration::from_secs(1);

fn simulator(config: SimulatorConfig) -> Simulator {
    Simulator::new("simulator", config).unwrap()
}

fn with_fault(fault: Fault) -> Simulator {
    simulator(SimulatorConfig { fault: Some(fault), ..SimulatorConfig::default() })
}

fn ask(prompt: &str) -> Request {
    Request::chat(Chat::user(prompt))
}

fn streamed(request: Request) -> Request {
    request.with_options(Options { stream: true, ..Options::default() })
}

fn context() -> Context {
    Context::new("test")
}

async fn output(simulator: &Simulator, request: Request) -> Result<Output> {
    simulator.execute(request, &context()).await?.collect().await
}

/// The words that came, and the error that came after them.
async fn broken(simulator: &Simulator, request: Request) -> (usize, Error) {
    let mut chunks = simulator.execute(streamed(request), &context()).await.unwrap().into_chunks();
    let mut words = 0;
    loop {
        match chunks.next().await.unwrap() {
            Ok(Chunk::Text(_)) => words += 1,
            Ok(chunk) => panic!("{chunk:?}"),
            Err(error) => return (words, error),
        }
    }
}
