//! Runs of plans, one module per thing that could go wrong.

mod cancelling;
pub(crate) mod clock;
mod data;
mod failing;
mod laws;
mod order;
mod spawning;
mod telling;
mod timing;
pub(crate) mod work;
