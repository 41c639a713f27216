//! The whole house: a real server, a real client over TCP, and an upstream that fails as it is told.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod bad_input;
mod cancellation;
mod dialects;
mod docs;
mod drain;
mod fallback;
mod guard_settings;
mod guards;
mod keep_alive;
mod mid_stream;
mod openapi;
mod plan;
mod process;
mod quirks;
mod secrets;
mod status;
mod support;
mod truncation;
