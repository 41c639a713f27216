//! The format as a caller speaks it.

use bytes::Bytes;
use exec_core::{Error, Output, Request, Result, Wire};

use super::render::Renderer;
use super::{MESSAGES, answer, read};
use crate::format::{Front, Render, Reply};

/// `/v1/messages` as a caller speaks it.
///
/// ```
/// use bytes::Bytes;
/// use exec_providers::anthropic::AnthropicFront;
/// use exec_providers::format::Front;
///
/// let body = Bytes::from_static(br#"{"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "Hi"}]}"#);
/// let request = AnthropicFront.read(&body)?;
/// assert_eq!(request.input.chat()?.messages[0].text(), "Hi");
/// # Ok::<(), exec_core::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct AnthropicFront;

impl Front for AnthropicFront {
    fn wire(&self) -> Wire {
        MESSAGES
    }

    fn read(&self, body: &Bytes) -> Result<Request> {
        read::read(body)
    }

    fn answer(&self, output: &Output, reply: &Reply) -> Bytes {
        answer::message(output, reply)
    }

    fn renderer(&self, reply: Reply) -> Box<dyn Render> {
        Box::new(Renderer::new(reply))
    }

    fn error(&self, error: &Error, request_id: &str) -> Bytes {
        answer::error(error, request_id)
    }
}

/// The JSON of `GET /v1/models` for `names`, all on one page.
pub fn model_list<'a>(names: impl IntoIterator<Item = &'a str>) -> Bytes {
    answer::models(names)
}

/// The JSON of `GET /v1/models/{id}`.
#[must_use]
pub fn model(name: &str) -> Bytes {
    answer::model(name)
}
