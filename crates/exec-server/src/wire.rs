//! What the callers speak: one place for errors, one for streams, and the native format.

pub mod error;
pub mod native;
pub mod sse;

use exec_providers::anthropic::AnthropicFront;
use exec_providers::format::Front;
use exec_providers::openai::{EmbeddingsFront, OpenAiFront};

pub use self::native::NativeFront;

/// The formats a caller can speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// Our own, under `/api`.
    Native,
    /// OpenAI's, under `/v1`.
    OpenAi,
    /// Anthropic's, at `/v1/messages`, or with its version header.
    Anthropic,
}

impl Dialect {
    /// The dialect of whoever asks for `path`.
    #[must_use]
    pub fn of(path: &str, headers: &http::HeaderMap) -> Self {
        if path.starts_with("/v1/messages")
            || (path.starts_with("/v1/") && headers.contains_key("anthropic-version"))
        {
            Self::Anthropic
        } else if path.starts_with("/v1/") {
            Self::OpenAi
        } else {
            Self::Native
        }
    }

    /// Errors in this dialect.
    pub(crate) fn errors(self) -> &'static dyn Front {
        match self {
            Self::Native => &NativeFront::ERRORS,
            Self::OpenAi => &OpenAiFront,
            Self::Anthropic => &AnthropicFront,
        }
    }
}

/// The front for `/v1/embeddings`.
pub(crate) static EMBEDDINGS: EmbeddingsFront = EmbeddingsFront;
