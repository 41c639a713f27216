//! Which answers are the same: the key of a call.

use std::sync::Arc;

use exec_core::{Context, Fingerprint, Raw, Request, Result, Scope};
use serde_json::Value;

/// Two calls with one key may have one answer.
///
/// It holds the tenant itself and the whole [`Fingerprint`]: operation, model, provider, input, headers, and everything
/// else that is not on its list of what does not matter. Keys are compared whole. Tenants can therefore never be mixed up,
/// and two requests of one tenant only by 128 bits of BLAKE3 that are alike: to find a second request for a given key
/// takes 2^128 tries, to find any two of one's own 2^64. For answers that came in a wire format, whether they were
/// streamed belongs to the key as well: events of a stream hold fields that a whole answer has no place for, and the
/// other way round. So does whether the caller can be told that an answer begins anew: who cannot must not share the
/// stream of one who can.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Key {
    fingerprint: Fingerprint,
    tenant: Option<Arc<str>>,
    streamed: bool,
    restartable: bool,
}

impl Key {
    /// The key of `request`, asked by the caller of `context`. O(n) in the input.
    ///
    /// # Errors
    /// `InvalidRequest` when the input is not JSON.
    pub fn of(request: &Request, context: &Context, scope: Scope) -> Result<Self> {
        let streamed = request.options.stream && request.input.as_received().is_some();
        let restartable = request.options.can_begin_anew();
        Ok(Self {
            fingerprint: Fingerprint::of(request)?,
            tenant: tenant(context, scope),
            streamed,
            restartable,
        })
    }

    /// A key that no request has in practice, a different one for each number.
    pub(super) fn placeholder(n: u64) -> Self {
        let fingerprint = Fingerprint::from(&Raw::from(Value::from(n)));
        Self { fingerprint, tenant: None, streamed: false, restartable: false }
    }
}

/// Whose an answer is.
pub(super) fn tenant(context: &Context, scope: Scope) -> Option<Arc<str>> {
    match scope {
        Scope::Tenant => context.tenant().cloned(),
        Scope::Global => None,
    }
}
