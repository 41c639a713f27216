//! Choice, explained: candidates are put in order, and whoever is left out is told why.

use std::sync::Arc;

use crate::{Context, Request};

/// Puts candidates in order.
///
/// An order gives failover for free, and the rejected ones with their reasons are the record of the decision.
/// One trait, two uses: strategies (`Selector<dyn Strategy>`) and members of a balancer.
pub trait Selector<T: ?Sized>: Send + Sync + 'static {
    /// Ranks `candidates` for `request`. A pure function of its arguments and of what the selector has observed.
    fn rank(&self, request: &Request, context: &Context, candidates: &[Arc<T>]) -> Ranking;
}

/// Candidates by index: those that can do it, best first, and those that cannot. Each appears exactly once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ranking {
    /// Best first.
    pub order: Vec<usize>,
    /// Who cannot, and why.
    pub rejected: Vec<(usize, Reason)>,
}

/// Why a candidate was left out, as a lower-case fragment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reason(pub std::borrow::Cow<'static, str>);

impl From<&'static str> for Reason {
    fn from(reason: &'static str) -> Self {
        Self(reason.into())
    }
}

impl From<String> for Reason {
    fn from(reason: String) -> Self {
        Self(reason.into())
    }
}
