//! Where to run a call.

pub mod format;
pub mod http;
