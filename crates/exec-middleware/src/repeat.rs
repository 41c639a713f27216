//! Which calls may be sent twice.

use std::fmt;
use std::sync::Arc;

use exec_core::{Catalogue, Effect, Error, Operation, Remedy, Request};

type Predicate = dyn Fn(&Request) -> bool + Send + Sync;

/// Which calls may be sent again although nobody knows whether the first was carried out.
#[derive(Clone, Default)]
pub(crate) struct Repeat {
    catalogue: Option<Arc<Catalogue>>,
    also: Option<Arc<Predicate>>,
}

impl Repeat {
    pub(crate) fn with_catalogue(mut self, catalogue: Arc<Catalogue>) -> Self {
        self.catalogue = Some(catalogue);
        self
    }

    pub(crate) fn with_predicate(mut self, also: Arc<Predicate>) -> Self {
        self.also = Some(also);
        self
    }

    /// Whether `request`, having failed with `error`, may be sent again.
    pub(crate) fn allows(&self, request: &Request, error: &Error) -> bool {
        error.remedy() == Remedy::Retry && (error.is_unsent() || self.is_harmless(request))
    }

    /// Whether `request` may be sent twice, whatever becomes of either.
    ///
    /// A catalogue that knows the operation decides; else the operations that every provider shares are known to be
    /// harmless, and of others it is not known.
    pub(crate) fn is_harmless(&self, request: &Request) -> bool {
        let operation = &request.operation;
        if self.also.as_ref().is_some_and(|also| also(request)) {
            return true;
        }
        match self.catalogue.as_ref().and_then(|catalogue| catalogue.get(operation.as_str())) {
            Some(spec) => spec.idempotent || spec.effect == Effect::Read,
            None => [Operation::CHAT, Operation::EMBED, Operation::MODELS].contains(operation),
        }
    }
}

impl fmt::Debug for Repeat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let operations = self.catalogue.as_ref().map(|catalogue| catalogue.len());
        f.debug_struct("Repeat").field("operations", &operations).finish_non_exhaustive()
    }
}
