//! OpenAI chat completions: the complete answer and the chunks of a stream.
use super::ask::{Answer, PROMPT_TOKENS};
use super::fault::{Finish, ToolIndex, Usage};
use super::json::{put, quote, quote_or_null};
use super::play::{Kind, Script, Unary};
use super::text::{REFUSAL, THOUGHTS, arguments, fragment, thought, thoughts};

/// Every answer's `created`: fixed, so that answers can be compared.
pub(super) const CREATED: u64 = 1_767_225_600;
const FINGERPRINT: &str = "fp_44709d6fcb";

/// The complete answer.
pub(super) fn unary(answer: Answer) -> Unary {
    let mut before = Vec::with_capacity(512);
    lead(&mut before, &answer, "chat.completion");
    before.extend_from_slice(b"\"choices\":[{\"index\":0,\"message\":{\"role\":\"assistant\",");
    if answer.reasoning {
        before.extend_from_slice(b"\"reasoning_content\":");
        quote(&mut before, &thoughts());
        before.push(b',');
    }
    let mut after = Vec::with_capacity(512);
    let silent = answer.is_silent();
    before.extend_from_slice(if silent { b"\"content\":null" } else { b"\"content\":\"" });
    if !silent {
        after.push(b'"');
    }
    rest(&mut after, &answer);
    Unary { before, source: answer.source, after }
}

fn lead(out: &mut Vec<u8>, answer: &Answer, object: &str) {
    put(
        out,
        format_args!(
            "{{\"id\":\"chatcmpl-{:024x}\",\"object\":\"{object}\",\"created\":{CREATED},\"model\":",
            answer.id
        ),
    );
    quote(out, &answer.model);
    put(out, format_args!(",\"service_tier\":\"default\",\"system_fingerprint\":\"{FINGERPRINT}\","));
}

/// What follows the content of a complete answer.
fn rest(out: &mut Vec<u8>, answer: &Answer) {
    tool_calls(out, answer);
    out.extend_from_slice(b",\"refusal\":");
    quote_or_null(out, answer.refuse.then_some(REFUSAL));
    let finish = finish(answer.finish);
    put(out, format_args!(",\"annotations\":[]}},\"logprobs\":null,\"finish_reason\":\"{finish}\"}}]"));
    if answer.usage != Usage::None {
        out.extend_from_slice(b",\"usage\":");
        usage(out, answer.completion_tokens(), answer.thoughts());
    }
    out.push(b'}');
}

fn tool_calls(out: &mut Vec<u8>, answer: &Answer) {
    for (i, name) in answer.calls.iter().enumerate() {
        out.extend_from_slice(if i == 0 { b",\"tool_calls\":[" } else { b"," });
        let id = call_id(answer.id, i);
        put(out, format_args!("{{\"id\":\"{id}\",\"type\":\"function\",\"function\":{{\"name\":"));
        quote(out, name);
        out.extend_from_slice(b",\"arguments\":");
        quote(out, &arguments(i, answer.calls.len()));
        out.extend_from_slice(b"}}");
    }
    if !answer.calls.is_empty() {
        out.push(b']');
    }
}

fn call_id(id: u64, call: usize) -> String {
    format!("call_{id:020x}{call:04x}")
}

fn finish(finish: Finish) -> &'static str {
    match finish {
        Finish::Stop => "stop",
        Finish::Length => "length",
        Finish::ContentFilter => "content_filter",
        Finish::ToolCalls => "tool_calls",
    }
}

fn usage(out: &mut Vec<u8>, completion: u64, reasoning: u64) {
    put(
        out,
        format_args!(
            "{{\"prompt_tokens\":{PROMPT_TOKENS},\"completion_tokens\":{completion},\"total_tokens\":{},\
             \"prompt_tokens_details\":{{\"cached_tokens\":0,\"audio_tokens\":0}},\
             \"completion_tokens_details\":{{\"reasoning_tokens\":{reasoning},\"audio_tokens\":0,\
             \"accepted_prediction_tokens\":0,\"rejected_prediction_tokens\":0}}}}",
            PROMPT_TOKENS + completion
        ),
    );
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Role,
    Thought(u64),
    Text(u64),
    Refusal,
    Call(usize),
    Fragment(usize, usize),
    Finish,
    Usage,
    Done,
    End,
}

/// The chunks of one streamed answer.
#[derive(Debug)]
pub(super) struct Chunks {
    answer: Answer,
    /// Every chunk up to its choices.
    prefix: Vec<u8>,
    step: Step,
    said: u64,
}

impl Chunks {
    pub(super) fn new(answer: Answer) -> Self {
        let mut prefix = Vec::with_capacity(256);
        prefix.extend_from_slice(b"data: ");
        lead(&mut prefix, &answer, "chat.completion.chunk");
        prefix.extend_from_slice(b"\"choices\":[");
        Self { answer, prefix, step: Step::Role, said: 0 }
    }

    fn chunk(&self, out: &mut Vec<u8>, finish: Option<Finish>, delta: impl FnOnce(&mut Vec<u8>)) {
        out.extend_from_slice(&self.prefix);
        out.extend_from_slice(b"{\"index\":0,\"delta\":{");
        delta(out);
        out.extend_from_slice(b"},\"logprobs\":null,\"finish_reason\":");
        quote_or_null(out, finish.map(self::finish));
        out.extend_from_slice(b"}]");
        self.end_chunk(out);
    }

    fn end_chunk(&self, out: &mut Vec<u8>) {
        if self.answer.usage == Usage::Each {
            out.extend_from_slice(b",\"usage\":");
            usage(out, self.said, self.answer.thoughts());
        } else if self.answer.include_usage && self.answer.usage != Usage::None {
            out.extend_from_slice(b",\"usage\":null");
        }
        out.extend_from_slice(b"}\n\n");
    }

    /// The first step after the reasoning that has something to say.
    fn content(&self) -> Step {
        if self.answer.source.count() > 0 {
            Step::Text(0)
        } else if self.answer.refuse {
            Step::Refusal
        } else {
            self.after_text()
        }
    }

    fn after_text(&self) -> Step {
        if self.answer.calls.is_empty() { Step::Finish } else { Step::Call(0) }
    }

    fn role(&mut self, out: &mut Vec<u8>) -> Kind {
        let content = if self.answer.is_silent() { "null" } else { "\"\"" };
        self.chunk(out, None, |out| {
            put(out, format_args!("\"role\":\"assistant\",\"content\":{content},\"refusal\":null"));
        });
        self.step = if self.answer.reasoning { Step::Thought(0) } else { self.content() };
        Kind::Lead
    }

    fn thought(&mut self, i: u64, out: &mut Vec<u8>) -> Kind {
        self.chunk(out, None, |out| {
            out.extend_from_slice(b"\"reasoning_content\":");
            quote(out, &thought(i));
        });
        self.step = if i + 1 < THOUGHTS { Step::Thought(i + 1) } else { self.content() };
        Kind::Lead
    }

    fn text(&mut self, i: u64, out: &mut Vec<u8>) -> Kind {
        self.said += 1;
        self.chunk(out, None, |out| {
            out.extend_from_slice(b"\"content\":\"");
            self.answer.source.write(i, out);
            out.push(b'"');
        });
        self.step = if i + 1 < self.answer.source.count() { Step::Text(i + 1) } else { self.after_text() };
        Kind::Token
    }

    fn refusal(&mut self, out: &mut Vec<u8>) -> Kind {
        self.chunk(out, None, |out| {
            out.extend_from_slice(b"\"refusal\":");
            quote(out, REFUSAL);
        });
        self.step = Step::Finish;
        Kind::Token
    }

    fn index(&self, out: &mut Vec<u8>, call: usize) {
        match self.answer.tool_index {
            ToolIndex::Faithful => put(out, format_args!("\"index\":{call},")),
            ToolIndex::Zero => out.extend_from_slice(b"\"index\":0,"),
            ToolIndex::One => put(out, format_args!("\"index\":{},", call + 1)),
            ToolIndex::Missing => {}
        }
    }

    fn call(&mut self, call: usize, out: &mut Vec<u8>) -> Kind {
        self.chunk(out, None, |out| {
            out.extend_from_slice(b"\"tool_calls\":[{");
            self.index(out, call);
            let id = call_id(self.answer.id, call);
            put(out, format_args!("\"id\":\"{id}\",\"type\":\"function\",\"function\":{{\"name\":"));
            quote(out, &self.answer.calls[call]);
            out.extend_from_slice(b",\"arguments\":\"\"}}]");
        });
        self.step = Step::Fragment(call, 0);
        Kind::Token
    }

    fn fragment(&mut self, call: usize, n: usize, out: &mut Vec<u8>) -> Option<Kind> {
        let calls = self.answer.calls.len();
        let Some(piece) = fragment(call, calls, n) else {
            self.step = if call + 1 < calls { Step::Call(call + 1) } else { Step::Finish };
            return self.next(out);
        };
        self.said += 1;
        self.chunk(out, None, |out| {
            out.extend_from_slice(b"\"tool_calls\":[{");
            self.index(out, call);
            out.extend_from_slice(b"\"function\":{\"arguments\":");
            quote(out, &piece);
            out.extend_from_slice(b"}}]");
        });
        self.step = Step::Fragment(call, n + 1);
        Some(Kind::Token)
    }

    fn finish(&mut self, out: &mut Vec<u8>) -> Kind {
        self.chunk(out, Some(self.answer.finish), |_| {});
        let reported = self.answer.include_usage && !matches!(self.answer.usage, Usage::None | Usage::Each);
        self.step = if reported { Step::Usage } else { Step::Done };
        Kind::Frame
    }

    fn usage(&mut self, out: &mut Vec<u8>) -> Kind {
        out.extend_from_slice(&self.prefix);
        if self.answer.usage == Usage::Nonempty {
            out.extend_from_slice(
                b"{\"index\":0,\"delta\":{\"content\":\"\"},\"logprobs\":null,\"finish_reason\":null}",
            );
        }
        out.extend_from_slice(b"],\"usage\":");
        usage(out, self.answer.completion_tokens(), self.answer.thoughts());
        out.extend_from_slice(b"}\n\n");
        self.step = Step::Done;
        Kind::Frame
    }
}

impl Script for Chunks {
    fn next(&mut self, out: &mut Vec<u8>) -> Option<Kind> {
        Some(match self.step {
            Step::Role => self.role(out),
            Step::Thought(i) => self.thought(i, out),
            Step::Text(i) => self.text(i, out),
            Step::Refusal => self.refusal(out),
            Step::Call(call) => self.call(call, out),
            Step::Fragment(call, n) => return self.fragment(call, n, out),
            Step::Finish => self.finish(out),
            Step::Usage => self.usage(out),
            Step::Done => {
                out.extend_from_slice(b"data: [DONE]\n\n");
                self.step = Step::End;
                Kind::Done
            }
            Step::End => return None,
        })
    }

    fn ping(&self, out: &mut Vec<u8>) {
        self.chunk(out, None, |out| {
            out.extend_from_slice(b"\"role\":\"assistant\",\"content\":\"\"");
        });
    }
}
