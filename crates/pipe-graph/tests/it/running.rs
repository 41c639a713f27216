//! Runs of plans, one module per thing that could go wrong.

mod cancelling;
mod data;
mod failing;
mod laws;
mod order;
mod telling;
mod timing;
