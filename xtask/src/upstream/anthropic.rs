//! Anthropic messages: the complete answer and the events of a stream.
use super::ask::{Answer, PROMPT_TOKENS};
use super::fault::{Finish, Usage};
use super::json::{put, quote};
use super::play::{Kind, Script, Unary};
use super::text::{SIGNATURE, THOUGHTS, arguments, fragment, is_bare, thought, thoughts};

/// The complete answer.
pub(super) fn unary(answer: Answer) -> Unary {
    let mut before = Vec::with_capacity(512);
    let mut after = Vec::with_capacity(512);
    lead(&mut before, &answer);
    before.push(b'[');
    if answer.reasoning {
        before.extend_from_slice(b"{\"type\":\"thinking\",\"thinking\":");
        quote(&mut before, &thoughts());
        put(&mut before, format_args!(",\"signature\":\"{SIGNATURE}\"}}"));
    }
    let text = answer.source.count() > 0;
    if text {
        let separator = if answer.reasoning { "," } else { "" };
        put(&mut before, format_args!("{separator}{{\"type\":\"text\",\"text\":\""));
        after.extend_from_slice(b"\"}");
    }
    tool_use(&mut after, &answer, text || answer.reasoning);
    rest(&mut after, &answer);
    Unary { before, source: answer.source, after }
}

fn tool_use(out: &mut Vec<u8>, answer: &Answer, mut follows: bool) {
    for (i, name) in answer.calls.iter().enumerate() {
        let separator = if std::mem::replace(&mut follows, true) { "," } else { "" };
        let id = call_id(answer.id, i);
        put(out, format_args!("{separator}{{\"type\":\"tool_use\",\"id\":\"{id}\",\"name\":"));
        quote(out, name);
        put(out, format_args!(",\"input\":{}}}", arguments(i, answer.calls.len())));
    }
}

/// What follows the content.
fn rest(out: &mut Vec<u8>, answer: &Answer) {
    let reason = stop_reason(answer.finish);
    put(out, format_args!("],\"stop_reason\":\"{reason}\",\"stop_sequence\":null"));
    if answer.usage != Usage::None {
        out.extend_from_slice(b",\"usage\":");
        usage(out, answer.completion_tokens());
    }
    out.push(b'}');
}

fn lead(out: &mut Vec<u8>, answer: &Answer) {
    put(
        out,
        format_args!(
            "{{\"id\":\"msg_{:024x}\",\"type\":\"message\",\"role\":\"assistant\",\"model\":",
            answer.id
        ),
    );
    quote(out, &answer.model);
    out.extend_from_slice(b",\"content\":");
}

fn call_id(id: u64, call: usize) -> String {
    format!("toolu_{id:020x}{call:04x}")
}

fn stop_reason(finish: Finish) -> &'static str {
    match finish {
        Finish::Stop => "end_turn",
        Finish::Length => "max_tokens",
        Finish::ContentFilter => "refusal",
        Finish::ToolCalls => "tool_use",
    }
}

fn usage(out: &mut Vec<u8>, output: u64) {
    put(
        out,
        format_args!(
            "{{\"input_tokens\":{PROMPT_TOKENS},\"cache_creation_input_tokens\":0,\"cache_read_input_tokens\":0,\
             \"cache_creation\":{{\"ephemeral_5m_input_tokens\":0,\"ephemeral_1h_input_tokens\":0}},\
             \"output_tokens\":{output},\"service_tier\":\"standard\"}}"
        ),
    );
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Start,
    ThoughtStart,
    Thought(u64),
    Signature,
    ThoughtStop,
    TextStart,
    Ping,
    Text(u64),
    TextStop,
    CallStart(usize),
    Fragment(usize, usize),
    CallStop(usize),
    Delta,
    Stop,
    End,
}

/// The events of one streamed answer.
#[derive(Debug)]
pub(super) struct Events {
    answer: Answer,
    step: Step,
    /// Index of the content block that is open or comes next.
    block: usize,
    pinged: bool,
}

impl Events {
    pub(super) fn new(answer: Answer) -> Self {
        Self { answer, step: Step::Start, block: 0, pinged: false }
    }

    /// The first step after the reasoning.
    fn content(&self) -> Step {
        if self.answer.source.count() > 0 { Step::TextStart } else { self.calls() }
    }

    fn calls(&self) -> Step {
        if self.answer.calls.is_empty() { Step::Delta } else { Step::CallStart(0) }
    }

    fn start(&mut self, out: &mut Vec<u8>) -> Kind {
        out.extend_from_slice(b"event: message_start\ndata: {\"type\":\"message_start\",\"message\":");
        lead(out, &self.answer);
        out.extend_from_slice(b"[],\"stop_reason\":null,\"stop_sequence\":null,\"usage\":");
        usage(out, 1);
        out.extend_from_slice(b"}}\n\n");
        self.step = if self.answer.reasoning { Step::ThoughtStart } else { self.content() };
        Kind::Lead
    }

    fn open(&self, out: &mut Vec<u8>, block: impl FnOnce(&mut Vec<u8>)) {
        let index = self.block;
        put(
            out,
            format_args!(
                "event: content_block_start\ndata: {{\"type\":\"content_block_start\",\"index\":{index},"
            ),
        );
        out.extend_from_slice(b"\"content_block\":{");
        block(out);
        out.extend_from_slice(b"}}\n\n");
    }

    fn close(&mut self, out: &mut Vec<u8>) {
        let index = self.block;
        put(
            out,
            format_args!(
                "event: content_block_stop\ndata: {{\"type\":\"content_block_stop\",\"index\":{index}}}\n\n"
            ),
        );
        self.block += 1;
    }

    fn delta(&self, out: &mut Vec<u8>, kind: &str, field: &str, value: impl FnOnce(&mut Vec<u8>)) {
        let index = self.block;
        put(
            out,
            format_args!(
                "event: content_block_delta\ndata: {{\"type\":\"content_block_delta\",\"index\":{index},"
            ),
        );
        put(out, format_args!("\"delta\":{{\"type\":\"{kind}\",\"{field}\":"));
        value(out);
        out.extend_from_slice(b"}}\n\n");
    }

    fn thinking(&mut self, out: &mut Vec<u8>) -> Kind {
        match self.step {
            Step::ThoughtStart => {
                self.open(out, |out| {
                    out.extend_from_slice(b"\"type\":\"thinking\",\"thinking\":\"\",\"signature\":\"\"");
                });
                self.step = self.ping_or(Step::Thought(0));
            }
            Step::Thought(i) => {
                self.delta(out, "thinking_delta", "thinking", |out| quote(out, &thought(i)));
                self.step = if i + 1 < THOUGHTS { Step::Thought(i + 1) } else { Step::Signature };
            }
            Step::Signature => {
                self.delta(out, "signature_delta", "signature", |out| quote(out, SIGNATURE));
                self.step = Step::ThoughtStop;
            }
            _ => {
                self.close(out);
                self.step = self.content();
            }
        }
        Kind::Lead
    }

    /// The real API pings once, right after the first block opens.
    fn ping_or(&self, next: Step) -> Step {
        if self.pinged { next } else { Step::Ping }
    }

    fn pinged(&mut self, out: &mut Vec<u8>) -> Kind {
        self.ping(out);
        self.pinged = true;
        self.step = if self.answer.reasoning {
            Step::Thought(0)
        } else if self.answer.source.count() > 0 {
            Step::Text(0)
        } else {
            Step::Fragment(0, 0)
        };
        Kind::Lead
    }

    fn text_start(&mut self, out: &mut Vec<u8>) -> Kind {
        self.open(out, |out| {
            out.extend_from_slice(b"\"type\":\"text\",\"text\":\"\"");
        });
        self.step = self.ping_or(Step::Text(0));
        Kind::Lead
    }

    fn text(&mut self, i: u64, out: &mut Vec<u8>) -> Kind {
        self.delta(out, "text_delta", "text", |out| {
            out.push(b'"');
            self.answer.source.write(i, out);
            out.push(b'"');
        });
        self.step = if i + 1 < self.answer.source.count() { Step::Text(i + 1) } else { Step::TextStop };
        Kind::Token
    }

    fn call_start(&mut self, call: usize, out: &mut Vec<u8>) -> Kind {
        self.open(out, |out| {
            put(
                out,
                format_args!("\"type\":\"tool_use\",\"id\":\"{}\",\"name\":", call_id(self.answer.id, call)),
            );
            quote(out, &self.answer.calls[call]);
            out.extend_from_slice(b",\"input\":{}");
        });
        self.step = self.ping_or(Step::Fragment(call, 0));
        let first = call == 0 && self.answer.source.count() == 0;
        if first { Kind::Lead } else { Kind::Frame }
    }

    /// The first fragment is empty, as from the real API; a call without arguments has no other.
    fn fragment(&mut self, call: usize, n: usize, out: &mut Vec<u8>) -> Option<Kind> {
        let calls = self.answer.calls.len();
        let piece = match n {
            0 => Some(String::new()),
            _ if is_bare(call, calls) => None,
            _ => fragment(call, calls, n - 1),
        };
        let Some(piece) = piece else {
            self.step = Step::CallStop(call);
            return self.next(out);
        };
        self.delta(out, "input_json_delta", "partial_json", |out| quote(out, &piece));
        self.step = Step::Fragment(call, n + 1);
        Some(Kind::Token)
    }

    fn message_delta(&mut self, out: &mut Vec<u8>) -> Kind {
        let reason = stop_reason(self.answer.finish);
        out.extend_from_slice(b"event: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{");
        put(out, format_args!("\"stop_reason\":\"{reason}\",\"stop_sequence\":null}}"));
        if self.answer.usage != Usage::None {
            let output = self.answer.completion_tokens();
            put(
                out,
                format_args!(
                    ",\"usage\":{{\"input_tokens\":{PROMPT_TOKENS},\"cache_creation_input_tokens\":0,\
                     \"cache_read_input_tokens\":0,\"output_tokens\":{output}}}"
                ),
            );
        }
        out.extend_from_slice(b"}\n\n");
        self.step = Step::Stop;
        Kind::Frame
    }
}

impl Script for Events {
    fn next(&mut self, out: &mut Vec<u8>) -> Option<Kind> {
        Some(match self.step {
            Step::Start => self.start(out),
            Step::ThoughtStart | Step::Thought(_) | Step::Signature | Step::ThoughtStop => self.thinking(out),
            Step::TextStart => self.text_start(out),
            Step::Ping => self.pinged(out),
            Step::Text(i) => self.text(i, out),
            Step::TextStop => {
                self.close(out);
                self.step = self.calls();
                Kind::Frame
            }
            Step::CallStart(call) => self.call_start(call, out),
            Step::Fragment(call, n) => return self.fragment(call, n, out),
            Step::CallStop(call) => {
                self.close(out);
                let more = call + 1 < self.answer.calls.len();
                self.step = if more { Step::CallStart(call + 1) } else { Step::Delta };
                Kind::Frame
            }
            Step::Delta => self.message_delta(out),
            Step::Stop => {
                out.extend_from_slice(b"event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n");
                self.step = Step::End;
                Kind::Done
            }
            Step::End => return None,
        })
    }

    fn ping(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"event: ping\ndata: {\"type\":\"ping\"}\n\n");
    }
}
