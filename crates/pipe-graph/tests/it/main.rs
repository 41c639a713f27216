//! Behaviour of the crate, one module per subject.

mod building;
mod planning;
mod running;
mod support;
