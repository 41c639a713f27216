//! The pieces an answer arrives in, and the law that folds them into an [`Output`].

use std::fmt;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::chat::{Message, Opaque, Part, Reasoning, Role, ToolCall};
use crate::{Cost, Error, ErrorKind, Extra, Raw, Report, Result, Wire};

/// One piece of an answer.
///
/// Every complete answer ends with exactly one [`Chunk::End`]; one that stops without it was cut.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Chunk {
    /// Words.
    Text(String),
    /// Words of the model's thinking.
    Reasoning(String),
    /// The provider's proof of the thinking so far, to be sent back unchanged.
    Signature(String),
    /// A piece of a tool call.
    ToolCall(ToolDelta),
    /// Something only its own format understands.
    Opaque(Opaque),
    /// A value that is not words: a vector, the answer of a tool.
    Data(Raw),
    /// One event of a provider's stream exactly as it came, with what it means.
    Verbatim(Verbatim),
    /// What the answer has used so far, where the provider said it: right before the error of one that breaks off.
    Spent(Usage),
    /// From here on somebody else answers.
    Handover(Box<Handover>),
    /// The answer is complete.
    End(Summary),
}

/// Somebody else answers from here on, because whoever did broke off.
#[derive(Clone, Debug, PartialEq)]
pub struct Handover {
    /// Who answers now, and in its [`Integrity`](crate::Integrity) who did before.
    pub report: Report,
    /// Whether everything before is void and the answer begins anew. Else what follows goes on where it stopped.
    pub anew: bool,
}

/// A piece of a tool call. Pieces of one call have one index; their arguments are joined.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ToolDelta {
    /// Which of the calls in this answer, from 0.
    pub index: u32,
    /// The call's identifier, in its first piece.
    pub id: Option<String>,
    /// The tool's name, in its first piece.
    pub name: Option<String>,
    /// The next piece of its arguments.
    pub arguments: String,
}

/// One event of a provider's stream exactly as it came, with what it means.
///
/// Where the caller speaks the same format the bytes are forwarded and nothing is encoded again; everybody else reads
/// [`means`](Self::means), which may be empty: an event that only says that the stream lives.
#[derive(Clone, Debug, PartialEq)]
pub struct Verbatim {
    /// The format of the event.
    pub wire: Wire,
    /// The event's name, in formats that name them.
    pub event: Option<Bytes>,
    /// The event's data.
    pub data: Bytes,
    /// What it means, in other words than [`Chunk::Verbatim`] and [`Chunk::End`].
    pub means: Vec<Chunk>,
}

impl Chunk {
    /// The chunks this one stands for: what an event means, or the chunk itself.
    #[must_use]
    pub fn meaning(&self) -> &[Chunk] {
        match self {
            Self::Verbatim(event) => &event.means,
            chunk => std::slice::from_ref(chunk),
        }
    }

    /// Whether it is part of the answer, so that a caller who has it cannot be given another answer instead.
    ///
    /// The first such chunk is the commit point of a stream. Events that only say that the stream lives do not commit.
    #[must_use]
    pub fn is_content(&self) -> bool {
        self.meaning().iter().any(|chunk| match chunk {
            Self::Text(text) | Self::Reasoning(text) => !text.is_empty(),
            Self::End(_) | Self::Handover(_) | Self::Spent(_) => false,
            _ => true,
        })
    }
}

/// How an answer ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Finish {
    /// It was finished.
    #[default]
    Stop,
    /// It reached the most tokens it may have.
    Length,
    /// It wants tools called.
    ToolCalls,
    /// It was withheld or broken off for its content.
    Filtered,
    /// The provider pauses and wants the turn sent back.
    Paused,
    /// A reason only its provider knows.
    Other(String),
}

impl Finish {
    /// The stable name used in JSON and metrics.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Stop => "stop",
            Self::Length => "length",
            Self::ToolCalls => "tool_calls",
            Self::Filtered => "content_filter",
            Self::Paused => "paused",
            Self::Other(reason) => reason,
        }
    }
}

impl fmt::Display for Finish {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The tokens an answer used, one way of counting for all providers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    /// Tokens of the prompt, those read from a cache included.
    pub input: u64,
    /// Tokens of the answer, thinking included.
    pub output: u64,
    /// Of the input: read from the provider's cache.
    #[serde(default)]
    pub cache_read: u64,
    /// Of the input: written to the provider's cache.
    #[serde(default)]
    pub cache_write: u64,
    /// Of the output: thinking.
    #[serde(default)]
    pub reasoning: u64,
}

impl Usage {
    /// The sum of both.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self {
            input: self.input.saturating_add(other.input),
            output: self.output.saturating_add(other.output),
            cache_read: self.cache_read.saturating_add(other.cache_read),
            cache_write: self.cache_write.saturating_add(other.cache_write),
            reasoning: self.reasoning.saturating_add(other.reasoning),
        }
    }
}

/// What is known about an answer when it is complete.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Summary {
    /// How it ended.
    pub finish: Finish,
    /// The text at which it ended, if it was one of the caller's.
    pub stop_sequence: Option<String>,
    /// The tokens used; `None` when the provider did not say, which is not the same as none.
    pub usage: Option<Usage>,
    /// What it cost; `None` when the price is not known.
    pub cost: Option<Cost>,
}

/// A complete answer.
///
/// Words next to each other are one part, so an answer that came in pieces equals the one that came whole.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Output {
    parts: Vec<Part>,
    /// Values that are not words.
    pub data: Vec<Raw>,
    /// How it ended and what it used.
    pub summary: Summary,
}

impl Output {
    /// An answer of one text.
    pub fn text_of(text: impl Into<String>) -> Self {
        let mut output = Self::default();
        output.push(Part::text(text.into()));
        output
    }

    /// An answer of values.
    pub fn values_of(values: impl IntoIterator<Item = Raw>) -> Self {
        Self { data: values.into_iter().collect(), ..Self::default() }
    }

    /// Adds a part at the end. Words are joined to words, thinking to thinking; an empty text adds nothing.
    pub fn push(&mut self, part: Part) {
        match part {
            Part::Text { text, extra } if extra.is_empty() => self.push_text(&text.to_str()),
            Part::Reasoning(Reasoning { text, signature, extra }) if extra.is_empty() => {
                self.push_reasoning(&text.to_str());
                if let Some(signature) = signature {
                    self.push_signature(&signature.to_str());
                }
                // A proof is worth something in its own format only, so where it came from stays known.
                if let (Some(_), Some(Part::Reasoning(last))) = (extra.wire(), self.parts.last_mut())
                    && last.extra.is_empty()
                {
                    last.extra = extra;
                }
            }
            part => self.parts.push(part),
        }
    }

    /// The parts in order: words, thinking, tool calls, and what only its own format understands.
    #[must_use]
    pub fn parts(&self) -> &[Part] {
        &self.parts
    }

    /// The words, joined.
    #[must_use]
    pub fn text(&self) -> String {
        self.parts
            .iter()
            .filter_map(|part| if let Part::Text { text, .. } = part { Some(text.to_str()) } else { None })
            .collect()
    }

    /// The tool calls in order.
    pub fn tool_calls(&self) -> impl Iterator<Item = &ToolCall> {
        self.parts.iter().filter_map(|part| if let Part::ToolCall(call) = part { Some(call) } else { None })
    }

    /// The answer as a turn of the conversation it answers.
    #[must_use]
    pub fn into_message(self) -> Message {
        Message { role: Role::Assistant, parts: self.parts, name: None, extra: Extra::default() }
    }

    /// The pieces this answer would have come in, [`Chunk::End`] last.
    ///
    /// A piece has no place for the fields we have no name for: those of texts, thinking and tool calls are left out.
    /// Whoever wants them forwards the bytes of the answer or takes it whole.
    pub(crate) fn into_chunks(self) -> impl Iterator<Item = Chunk> {
        let mut calls = 0;
        let parts = self.parts.into_iter().flat_map(move |part| split(part, &mut calls));
        parts.chain(self.data.into_iter().map(Chunk::Data)).chain([Chunk::End(self.summary)])
    }

    fn push_text(&mut self, more: &str) {
        match self.parts.last_mut() {
            _ if more.is_empty() => {}
            Some(Part::Text { text, extra }) if extra.is_empty() => text.push_str(more),
            _ => self.parts.push(Part::text(more)),
        }
    }

    fn push_reasoning(&mut self, more: &str) {
        match self.parts.last_mut() {
            _ if more.is_empty() => {}
            Some(Part::Reasoning(Reasoning { text, signature: None, .. })) => text.push_str(more),
            _ => self.parts.push(Part::Reasoning(Reasoning { text: more.into(), ..Reasoning::default() })),
        }
    }

    fn push_signature(&mut self, more: &str) {
        if more.is_empty() {
            return;
        }
        if let Some(Part::Reasoning(Reasoning { signature, .. })) = self.parts.last_mut() {
            match signature {
                Some(text) => text.push_str(more),
                None => *signature = Some(more.into()),
            }
        } else {
            let reasoning = Reasoning { signature: Some(more.into()), ..Reasoning::default() };
            self.parts.push(Part::Reasoning(reasoning));
        }
    }
}

fn split(part: Part, calls: &mut u32) -> Vec<Chunk> {
    match part {
        Part::Text { text, .. } => vec![Chunk::Text(text.into_string())],
        Part::Reasoning(Reasoning { text, signature, .. }) => {
            let mut chunks = vec![Chunk::Reasoning(text.into_string())];
            chunks.extend(signature.map(|s| Chunk::Signature(s.into_string())));
            chunks
        }
        Part::ToolCall(call) => {
            let index = *calls;
            *calls += 1;
            let arguments = call.arguments.into_string();
            vec![Chunk::ToolCall(ToolDelta { index, id: Some(call.id), name: Some(call.name), arguments })]
        }
        Part::Opaque(opaque) => vec![Chunk::Opaque(opaque)],
        // Pictures and tool results are what a caller says, not what an answer holds.
        _ => Vec::new(),
    }
}

/// Folds chunks into an [`Output`]. How the text was split makes no difference.
#[derive(Debug, Default)]
pub struct Fold {
    output: Output,
    /// The part that holds the call of each index.
    calls: Vec<(u32, usize)>,
}

/// The most tool calls one answer may have.
const MAX_CALLS: usize = 1024;

impl Fold {
    /// Adds a chunk. After [`Chunk::End`] the fold is complete and [`finish`](Self::finish) gives the output.
    ///
    /// # Errors
    /// `Upstream` when there are more tool calls than an answer can mean.
    pub fn push(&mut self, chunk: Chunk) -> Result<()> {
        match chunk {
            Chunk::Text(text) => self.output.push_text(&text),
            Chunk::Reasoning(text) => self.output.push_reasoning(&text),
            Chunk::Signature(text) => self.output.push_signature(&text),
            Chunk::ToolCall(delta) => self.push_call(delta)?,
            Chunk::Opaque(opaque) => self.output.parts.push(Part::Opaque(opaque)),
            Chunk::Data(value) => self.output.data.push(value),
            Chunk::Verbatim(event) => event.means.into_iter().try_for_each(|chunk| self.push(chunk))?,
            Chunk::Handover(handover) if handover.anew => *self = Self::default(),
            Chunk::Handover(_) | Chunk::Spent(_) => {}
            Chunk::End(summary) => self.output.summary = summary,
        }
        Ok(())
    }

    /// The output so far.
    #[must_use]
    pub fn finish(self) -> Output {
        self.output
    }

    fn push_call(&mut self, delta: ToolDelta) -> Result<()> {
        let known = self.calls.iter().find(|(index, _)| *index == delta.index).map(|(_, at)| *at);
        if let Some(Part::ToolCall(call)) = known.and_then(|at| self.output.parts.get_mut(at)) {
            call.arguments.push_str(&delta.arguments);
            return Ok(());
        }
        if self.calls.len() >= MAX_CALLS {
            return Err(Error::new(
                ErrorKind::Upstream,
                format!("the answer has more than {MAX_CALLS} tool calls"),
            ));
        }
        self.calls.push((delta.index, self.output.parts.len()));
        self.output.parts.push(Part::ToolCall(ToolCall {
            id: delta.id.unwrap_or_default(),
            name: delta.name.unwrap_or_default(),
            arguments: delta.arguments.into(),
            extra: Extra::default(),
        }));
        Ok(())
    }
}
