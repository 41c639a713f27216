//! Plans that run as streams, one module per thing that could go wrong.

mod cancelling;
mod checkpoints;
mod failing;
mod flowing;
mod laws;
mod works;
