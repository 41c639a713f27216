//! Plan and run any graph of pipes.
//!
//! A pipe reads some named inputs and makes one named output. This crate is the place for turning a set of
//! pipes into an order (sources first for batch work, sinks first for streams) and for running that order.
//! It is a leaf: it has no clock, no I/O and no runtime, and it knows nothing of models.
//!
//! Nothing is here yet; the crate reserves the room and the rule that it depends on no other crate of the
//! workspace.
