//! How to run a call: streaming, batch, cache, hybrid, and the explained choice among them.
//!
//! A strategy is an executor that says how well it fits a request (`exec_core::Strategy`). This crate is the
//! place for the strategies themselves and for the selectors that rank them.
//!
//! Nothing is here yet. Until then the server runs every call as it comes: streamed when the caller asks for a
//! stream, whole when not.
