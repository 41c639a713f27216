//! Which shared entities to keep when not all of them fit.

use std::cmp::Reverse;

use super::{CacheReason, CacheRecommendation};

/// Keeps the entities that save most per byte as long as no generation holds more than `limit`; greedy, so not always
/// the best set. Where the cost is unknown, more readers come first, then smaller ones.
pub(super) fn fit(found: &mut [CacheRecommendation], limit: u64, generations: usize) {
    let mut held = vec![0u64; generations];
    let mut order: Vec<usize> = (0..found.len()).collect();
    order.sort_by_key(|&place| worth(&found[place]));
    for place in order {
        let one = &mut found[place];
        let Some(bytes) = one.bytes else {
            (one.keep, one.reason) = (false, CacheReason::SizeUnknown);
            continue;
        };
        let span = &mut held[one.held_from..=one.release_after];
        if span.iter().all(|held| held.checked_add(bytes).is_some_and(|sum| sum <= limit)) {
            span.iter_mut().for_each(|held| *held += bytes);
        } else {
            (one.keep, one.reason) = (false, CacheReason::MemoryLimit);
        }
    }
}

/// Smaller is better. The order given breaks ties, so the same input always keeps the same entities.
fn worth(one: &CacheRecommendation) -> (Reverse<u128>, Reverse<usize>, u64) {
    let bytes = one.bytes.unwrap_or(u64::MAX);
    // Picoseconds saved per byte.
    let density =
        one.saves.map_or(0, |saves| saves.as_nanos().saturating_mul(1000) / u128::from(bytes.max(1)));
    (Reverse(density), Reverse(one.consumers.len()), bytes)
}
