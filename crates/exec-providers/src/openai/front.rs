//! The format towards a caller: whole answers.

use bytes::Bytes;
use exec_core::chat::{Reasoning, ToolCall};
use exec_core::{Error, Operation, Output, Part, Raw, Request, Result, Wire};
use serde::Serialize;

use super::answer::{CallOut, Envelope, FunctionOut, Head, WireUsage};
use super::read::{self, StreamOptions};
use super::render::Renderer;
use super::shape::finish_reason;
use super::{CHAT, OPAQUE_CALL, front_error};
use crate::about::About;
use crate::format::{Front, Render, Reply};

/// Chat completions as a caller asks for them.
#[derive(Clone, Copy, Debug, Default)]
pub struct OpenAiFront;

impl OpenAiFront {
    /// Whether the caller of a request in this format asked for the usage in the stream. O(1) for a request that was
    /// [read](Front::read): the body is not looked at again.
    #[must_use]
    pub fn include_usage(request: &Request) -> bool {
        let ours = request.operation == Operation::CHAT && request.input.bytes_in(CHAT).is_some();
        let chat = request.input.chat().ok().filter(|_| ours);
        chat.is_some_and(|chat| StreamOptions::of(chat).include_usage())
    }
}

impl Front for OpenAiFront {
    fn wire(&self) -> Wire {
        CHAT
    }

    fn read(&self, body: &Bytes) -> Result<Request> {
        read::request(body)
    }

    fn answer(&self, output: &Output, reply: &Reply) -> Bytes {
        let head = Head::of(reply);
        let texts: Vec<_> = output.tool_calls().map(|call| call.arguments.to_str()).collect();
        let mut calls: Vec<AnyCall<'_>> = output
            .tool_calls()
            .zip(&texts)
            .map(|(call, text)| AnyCall::Function(function(call, text)))
            .collect();
        calls.extend(output.parts().iter().filter_map(opaque));
        let (text, reasoning) = (output.text(), reasoning(output));
        let message = Message {
            role: "assistant",
            content: (!text.is_empty() || calls.is_empty()).then_some(&text),
            refusal: None,
            reasoning_content: Some(&reasoning).filter(|text| !text.is_empty()).map(String::as_str),
            tool_calls: &calls,
        };
        let finish_reason = finish_reason(&output.summary.finish);
        let choices = [Choice { index: 0, message, logprobs: None, finish_reason }];
        let usage = output.summary.usage.map(|usage| Some(WireUsage(usage)));
        let about = About::of(&reply.report);
        let answer =
            Envelope { exec: about.as_ref(), ..Envelope::new(&head, "chat.completion", &choices, usage) };
        // Nothing in it can refuse to be written.
        serde_json::to_vec(&answer).unwrap_or_default().into()
    }

    fn renderer(&self, reply: Reply) -> Box<dyn Render> {
        Box::new(Renderer::new(&reply))
    }

    fn error(&self, error: &Error, request_id: &str) -> Bytes {
        front_error::json(error, request_id)
    }
}

#[derive(Serialize)]
struct Choice<'a> {
    index: u32,
    message: Message<'a>,
    logprobs: Option<()>,
    finish_reason: &'a str,
}

#[derive(Serialize)]
struct Message<'a> {
    role: &'static str,
    content: Option<&'a String>,
    refusal: Option<()>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reasoning_content: Option<&'a str>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    tool_calls: &'a [AnyCall<'a>],
}

#[derive(Serialize)]
#[serde(untagged)]
enum AnyCall<'a> {
    Function(CallOut<'a>),
    Opaque(&'a Raw),
}

fn function<'a>(call: &'a ToolCall, arguments: &'a str) -> CallOut<'a> {
    let function = FunctionOut { name: Some(&call.name), arguments };
    CallOut { index: None, id: Some(&call.id), kind: Some("function"), function }
}

fn opaque(part: &Part) -> Option<AnyCall<'_>> {
    match part {
        Part::Opaque(opaque) if opaque.wire == CHAT.as_str() && opaque.kind.starts_with(OPAQUE_CALL) => {
            Some(AnyCall::Opaque(&opaque.value))
        }
        _ => None,
    }
}

fn reasoning(output: &Output) -> String {
    let text = |part: &Part| match part {
        Part::Reasoning(Reasoning { text, .. }) => Some(text.to_str().into_owned()),
        _ => None,
    };
    output.parts().iter().filter_map(text).collect()
}
