//! How to run: an executor that knows how well it fits a request.

use crate::{Context, Executor, Request};

/// How well a strategy fits a request; more is better.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fit(pub u8);

/// How to run a request: streamed, in a batch, from a cache.
pub trait Strategy: Executor {
    /// Its unique name.
    fn name(&self) -> &str;

    /// How well it fits; `None` when it cannot do it at all.
    fn fit(&self, request: &Request, context: &Context) -> Option<Fit>;
}
