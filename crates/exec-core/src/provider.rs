//! Where to run: an executor that knows its capabilities and its health.

use std::collections::BTreeSet;
use std::sync::Arc;

use async_trait::async_trait;

use crate::{Executor, Operation, Request};

/// Where a request can be run. A fallback, a balancer and a registry are providers too, so they nest.
///
/// `Arc<dyn Provider>` coerces to `Arc<dyn Executor>`, so a provider drops straight into a pipeline.
#[async_trait]
pub trait Provider: Executor {
    /// Its unique name, as configured.
    fn name(&self) -> &str;

    /// What it can do.
    fn capabilities(&self) -> &Capabilities;

    /// How it is. Costs nothing that is billed; the default says healthy.
    async fn check(&self) -> Health {
        Health::Healthy
    }
}

/// What a provider can do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Capabilities {
    /// The operations it knows.
    pub operations: BTreeSet<Operation>,
    /// The models it is known to have, by the callers' names for them. Empty means that any may be asked for.
    pub models: Vec<Arc<str>>,
    /// Whether it takes models that are not listed.
    pub any_model: bool,
    /// Whether it can answer in pieces.
    pub streaming: bool,
    /// Whether an assistant turn at the end of a conversation is continued rather than refused.
    pub prefill: bool,
    /// How many tokens of a prompt it can read at least, where that is known.
    pub context_window: Option<u64>,
}

impl Capabilities {
    /// The capabilities of something that knows `operations`.
    pub fn of(operations: impl IntoIterator<Item = Operation>) -> Self {
        Self { operations: operations.into_iter().collect(), any_model: true, ..Self::default() }
    }

    /// Whether it can run `request`.
    #[must_use]
    pub fn supports(&self, request: &Request) -> bool {
        let model = request.model.as_ref();
        self.operations.contains(&request.operation)
            && (self.streaming || !request.options.stream)
            && (self.any_model || model.is_none_or(|model| self.models.contains(model)))
    }

    /// What either of the two can do.
    #[must_use]
    pub fn union(mut self, other: &Self) -> Self {
        self.operations.extend(other.operations.iter().cloned());
        for model in &other.models {
            if !self.models.contains(model) {
                self.models.push(model.clone());
            }
        }
        self.any_model |= other.any_model;
        self.streaming |= other.streaming;
        self.prefill |= other.prefill;
        self.context_window = self.context_window.max(other.context_window);
        self
    }
}

/// How a provider is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Health {
    /// Well.
    Healthy,
    /// It works, and not as it should.
    Degraded,
    /// It does not work.
    Unhealthy,
}
