//! The Messages format of Anthropic, as a provider speaks it and as a caller speaks it.
//!
//! | what | where |
//! |---|---|
//! | requests of callers | `read.rs`, `read_block.rs`, `read_tool.rs` |
//! | requests to the provider | `encode.rs`, `block.rs`, over `json.rs` |
//! | its answers and errors | `decode.rs`, `stream.rs`, `stream_block.rs`, `error.rs`, `reset.rs` |
//! | answers and errors for callers | `answer.rs`, `render.rs`, `held.rs` |
//!
//! What the format has no words for is left out and named: thinking without a signature of this format, the penalties and the seed
//! of other formats, parts that only another format understands. Citations reach a caller of the same format only.

mod answer;
mod block;
mod decode;
mod encode;
mod error;
mod front;
mod held;
mod json;
mod provider;
mod read;
mod read_block;
mod read_tool;
mod render;
mod reset;
mod stream;
mod stream_block;
#[cfg(test)]
mod tests;
mod usage;

use exec_core::Wire;

pub use self::front::{AnthropicFront, model, model_list};
pub use self::provider::Anthropic;

/// The name of the format.
pub const MESSAGES: Wire = Wire::new("anthropic.messages");
