//! Chains of layers that do nothing: ours, and three ways in which others are written.
//!
//! A layer of each kind hands the call on, awaits the answer and looks at it; the innermost answers at once. So what
//! differs is only how layers are tied together.

mod boxed;
mod links;
mod ours;

use std::future::Future;
use std::hint::black_box;
use std::rc::Rc;
use std::time::Duration;

use exec_core::{Chat, Context, Output, Request, Response, Result};
use tokio::runtime::Runtime;
use tokio::time::Instant;

/// Runs so many calls, one after the other, and says how long they took together.
type Batch = Box<dyn Fn(u64) -> Duration>;

/// A chain of some kind, ready to be called. The kind is erased around a whole batch, so it costs a call nothing.
pub struct Chain(Batch);

impl Chain {
    /// A chain whose one call is `call`. Built on `runtime` because a guard may need its timer.
    pub fn new<F>(runtime: &Rc<Runtime>, call: impl Fn(Request, Context) -> F + 'static) -> Self
    where
        F: Future<Output = Result<()>>,
    {
        let runtime = Rc::clone(runtime);
        let request = Request::chat(Chat::user("hi")).with_model("any");
        let context = Context::new("1");
        Self(Box::new(move |calls| {
            runtime.block_on(async {
                let start = Instant::now();
                for _ in 0..calls {
                    let answer = call(request.clone(), context.clone()).await;
                    let _seen = black_box(answer.is_ok());
                }
                start.elapsed()
            })
        }))
    }

    /// How long `calls` calls take together.
    #[must_use]
    pub fn run(&self, calls: u64) -> Duration {
        (self.0)(calls)
    }

    /// Nanoseconds per call in a batch of `calls`.
    #[must_use]
    pub fn nanos(&self, calls: u64) -> f64 {
        self.run(calls).as_nanos() as f64 / calls as f64
    }
}

impl std::fmt::Debug for Chain {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Chain")
    }
}

/// How the layers of a chain are tied together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A [`Pipeline`](exec_core::Pipeline) of [`Middleware`](exec_core::Middleware).
    Ours,
    /// A hand-written `async_trait` whose every layer holds the next as an `Arc<dyn …>`.
    Links,
    /// A tower stack with a `BoxCloneService` between each two layers: what a chain from a configuration needs.
    BoxClone,
    /// A tower stack nested by type, whose every layer boxes its future: what people write when the stack is fixed.
    BoxedFutures,
}

impl Kind {
    /// All of them, ours first.
    pub const ALL: [Self; 4] = [Self::Ours, Self::Links, Self::BoxClone, Self::BoxedFutures];

    /// The name in tables.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Ours => "ours",
            Self::Links => "async-trait",
            Self::BoxClone => "BoxCloneService",
            Self::BoxedFutures => "boxed futures",
        }
    }

    /// A chain of this kind. Of the ones nested by type there are 0, 1, 2, 4, 8 and 16 layers; another number is
    /// rounded down.
    #[must_use]
    pub fn chain(self, runtime: &Rc<Runtime>, layers: usize) -> Chain {
        match self {
            Self::Ours => ours::chain(runtime, layers),
            Self::Links => links::chain(runtime, layers),
            Self::BoxClone => boxed::clones(runtime, layers),
            Self::BoxedFutures => boxed::nested(runtime, layers),
        }
    }
}

pub use ours::{guards, guards_streamed};

/// The answer at the end of every chain.
fn answer() -> Result<Response> {
    Ok(Response::full(Output::default()))
}

/// What a layer does with the answer: it looks.
fn look(answer: &Result<Response>) {
    black_box(answer.is_ok());
}
