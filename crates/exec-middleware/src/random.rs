//! The randomness of jitter: SplitMix64, seeded from outside. Not for secrets.
//!
//! Steele, Lea and Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014.

/// How far the state goes with every number.
pub(crate) const STEP: u64 = 0x9e37_79b9_7f4a_7c15;

/// The number of `state`, which has gone its [`STEP`] already.
pub(crate) fn mix(state: u64) -> u64 {
    let z = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}
