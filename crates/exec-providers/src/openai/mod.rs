//! The OpenAI format: chat completions and embeddings, as OpenAI and the many servers compatible with it speak them.
//!
//! [`OpenAi`] is the format towards a provider, [`OpenAiFront`] and [`EmbeddingsFront`] towards a caller. Reading
//! copies nothing large; what this crate has no name for stays in [`Extra`](exec_core::Extra) and comes out again.
//!
//! ```
//! use bytes::Bytes;
//! use exec_providers::format::Front as _;
//! use exec_providers::openai::OpenAiFront;
//!
//! let body = Bytes::from_static(br#"{"model": "m", "messages": [{"role": "user", "content": "hi"}]}"#);
//! let request = OpenAiFront.read(&body)?;
//! assert_eq!(request.input.chat()?.messages[0].text(), "hi");
//! # Ok::<(), exec_core::Error>(())
//! ```

mod answer;
mod call;
mod decode;
mod embed;
mod encode;
mod encode_message;
mod error;
mod error_rules;
mod front;
mod front_error;
mod lenient;
mod limits;
mod models;
mod provider;
mod read;
mod read_message;
mod read_tool;
mod render;
mod shape;
mod stream;
#[cfg(test)]
mod tests;

use exec_core::Wire;

pub use self::embed::EmbeddingsFront;
pub use self::front::OpenAiFront;
pub use self::models::{model, model_list};
pub use self::provider::OpenAi;

/// The name of the chat completions format.
pub const CHAT: Wire = Wire::new("openai.chat");
/// The name of the embeddings format.
pub const EMBEDDINGS: Wire = Wire::new("openai.embeddings");

/// What precedes the name of a field that stood in the `function` of a tool or call.
const IN_FUNCTION: &str = "function.";
/// What precedes the name of a field that stood in the `image_url` of a part.
const IN_IMAGE: &str = "image_url.";
/// What precedes the kind of a tool call that calls no function.
const OPAQUE_CALL: &str = "tool_calls.";
