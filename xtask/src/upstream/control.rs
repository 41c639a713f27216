//! `/__stats`, `/__last` and `/__reset`: the accounting for tests that are not written in Rust.
use super::request::Request;
use super::stats::Ledger;
use serde::Serialize;

/// The body of a control answer; `None` for every other path.
pub(super) fn page(request: &Request, ledger: &Ledger) -> Option<Vec<u8>> {
    match (request.method(), request.path()) {
        ("GET", "/__stats") => Some(json(&ledger.snapshot())),
        ("GET", "/__last") => Some(json(&ledger.last())),
        ("POST", "/__reset") => {
            ledger.reset();
            Some(json(&ledger.snapshot()))
        }
        _ => None,
    }
}

fn json(value: &impl Serialize) -> Vec<u8> {
    // These types have string keys and no fallible parts.
    serde_json::to_vec(value).unwrap_or_default()
}
