//! The format towards a caller: streamed answers.

use bytes::{BufMut as _, BytesMut};
use exec_core::{Chunk, Error, ErrorKind, Handover, Summary, Verbatim};
use serde::Serialize;

use super::answer::{CallOut, Envelope, FunctionOut, Head, WireUsage};
use super::shape::finish_reason;
use super::{CHAT, front_error};
use crate::about::{About, NOT_HERE};
use crate::format::{Render, Reply};
use crate::lines::write_data;

const OBJECT: &str = "chat.completion.chunk";

/// The writer of one stream.
pub(super) struct Renderer {
    head: Head,
    request_id: std::sync::Arc<str>,
    include_usage: bool,
    /// What the last piece says beyond the format.
    about: Option<About>,
    /// Whether the piece with the role was written.
    begun: bool,
    /// Whether the provider's own events were forwarded: they hold finish and usage already.
    forwarded: bool,
    /// Whether the last thing was written.
    over: bool,
}

#[derive(Default, Serialize)]
struct Choice<'a> {
    index: u32,
    delta: Delta<'a>,
    logprobs: Option<()>,
    finish_reason: Option<&'a str>,
}

#[derive(Default, Serialize)]
struct Delta<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    role: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    content: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reasoning_content: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_calls: Option<[CallOut<'a>; 1]>,
}

impl Renderer {
    pub(super) fn new(reply: &Reply) -> Self {
        Self {
            head: Head::of(reply),
            request_id: reply.request_id.clone(),
            include_usage: reply.include_usage,
            about: About::of(&reply.report),
            begun: false,
            forwarded: false,
            over: false,
        }
    }

    fn write(&self, choices: &[Choice<'_>], usage: Option<WireUsage>, out: &mut BytesMut) {
        let usage = self.include_usage.then_some(usage);
        out.extend_from_slice(b"data: ");
        let about =
            self.about.as_ref().filter(|_| choices.iter().any(|choice| choice.finish_reason.is_some()));
        let envelope = Envelope { exec: about, ..Envelope::new(&self.head, OBJECT, choices, usage) };
        // A write to memory does not fail, and nothing in it can refuse to be written.
        let _ = serde_json::to_writer(out.writer(), &envelope);
        out.extend_from_slice(b"\n\n");
    }

    fn delta(&self, delta: Delta<'_>, out: &mut BytesMut) {
        self.write(&[Choice { delta, ..Choice::default() }], None, out);
    }

    fn begin(&mut self, out: &mut BytesMut) {
        if !std::mem::replace(&mut self.begun, true) {
            self.delta(Delta { role: Some("assistant"), content: Some(""), ..Delta::default() }, out);
        }
    }

    fn piece(&mut self, chunk: &Chunk, out: &mut BytesMut) {
        self.begin(out);
        let none = Delta::default();
        let delta = match chunk {
            Chunk::Text(text) if !text.is_empty() => Delta { content: Some(text), ..none },
            Chunk::Reasoning(text) if !text.is_empty() => Delta { reasoning_content: Some(text), ..none },
            Chunk::ToolCall(call) => {
                let function = FunctionOut { name: call.name.as_deref(), arguments: &call.arguments };
                let id = call.id.as_deref();
                let kind = id.map(|_| "function");
                Delta { tool_calls: Some([CallOut { index: Some(call.index), id, kind, function }]), ..none }
            }
            // Proofs, vectors and what only another format understands have no words here.
            _ => return,
        };
        self.delta(delta, out);
    }

    fn verbatim(&mut self, event: &Verbatim, out: &mut BytesMut) {
        if event.wire != CHAT {
            event.means.iter().for_each(|chunk| self.piece(chunk, out));
            return;
        }
        self.forwarded = true;
        // The provider's own first event says the role.
        self.begun = true;
        write_data(&event.data, out);
    }

    /// Somebody else goes on: its finish is still to come. That the answer begins anew has no word here.
    fn handover(&mut self, handover: &Handover, out: &mut BytesMut) {
        self.forwarded = false;
        self.about = About::of(&handover.report);
        if handover.anew {
            self.error(&Error::new(ErrorKind::Upstream, NOT_HERE).with_code("answer_began_anew"), out);
        }
    }

    fn end(&mut self, summary: &Summary, out: &mut BytesMut) {
        if !self.forwarded {
            self.begin(out);
            let finish_reason = Some(finish_reason(&summary.finish));
            self.write(&[Choice { finish_reason, ..Choice::default() }], None, out);
            if let Some(usage) = summary.usage.filter(|_| self.include_usage) {
                self.write(&[], Some(WireUsage(usage)), out);
            }
        }
        out.extend_from_slice(b"data: [DONE]\n\n");
        self.over = true;
    }
}

impl Render for Renderer {
    fn chunk(&mut self, chunk: Chunk, out: &mut BytesMut) {
        match chunk {
            _ if self.over => {}
            Chunk::Verbatim(event) => self.verbatim(&event, out),
            Chunk::Handover(handover) => self.handover(&handover, out),
            Chunk::End(summary) => self.end(&summary, out),
            chunk => self.piece(&chunk, out),
        }
    }

    fn error(&mut self, error: &Error, out: &mut BytesMut) {
        if !std::mem::replace(&mut self.over, true) {
            front_error::event(error, &self.request_id, out);
        }
    }
}
