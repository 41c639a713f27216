//! The whole house: a real server, a real client over TCP, and an upstream that fails as it is told.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod bad_input;
mod cancellation;

mod support;
mod truncation;
