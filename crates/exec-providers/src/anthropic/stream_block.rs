//! The blocks of a streamed answer, which come in pieces.

use bytes::Bytes;
use exec_core::chat::Opaque;
use exec_core::{Chunk, Raw, Result, ToolDelta};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::MESSAGES;
use super::decode::opaque;
use super::error::malformed;
use super::json::{self, Json};
use crate::http::{Edit, splice};
use crate::object::Object;

/// The name of the event that brings a piece of a block.
pub(super) const DELTA: &str = "content_block_delta";

/// The most blocks that may be open at once. Those who keep to the format have one.
const MAX_OPEN: usize = 64;

/// The most bytes of one answer that may have to wait until their block is complete.
const MAX_KEPT: usize = 16 << 20;

/// The blocks that have begun and not ended.
#[derive(Debug, Default)]
pub(super) struct Blocks {
    open: Vec<(u64, Block)>,
    calls: u32,
    kept: usize,
}

#[derive(Debug)]
enum Block {
    Text,
    /// Thinking, whether it had any words, and the proof as long as it had none.
    Thinking {
        worded: bool,
        signature: String,
    },
    /// The input it began with, until a piece of it came.
    Call {
        index: u32,
        input: Option<String>,
    },
    /// Kept until it is complete: as it began, and the input that came in pieces.
    Opaque {
        block: Opaque,
        input: String,
    },
}

impl Blocks {
    pub(super) fn start(&mut self, data: &Bytes, mut event: Object<'_>) -> Result<Vec<Chunk>> {
        let index = index_of(&mut event)?;
        let no_block = || malformed("a content_block_start without a block");
        let json = event.take("content_block").ok_or_else(no_block)?;
        let mut fields = Object::of(json).ok_or_else(no_block)?;
        let kind: String = fields.read("type").ok_or_else(no_block)?;
        let (block, means) = match kind.as_str() {
            "text" => (Block::Text, text(&mut fields, "text").map(Chunk::Text)),
            "thinking" => {
                let words = text(&mut fields, "thinking");
                let signature = text(&mut fields, "signature").unwrap_or_default();
                (Block::Thinking { worded: words.is_some(), signature }, words.map(Chunk::Reasoning))
            }
            "tool_use" => self.call(&mut fields)?,
            _ => (Block::Opaque { block: opaque(data, kind, json), input: String::new() }, None),
        };
        self.open.retain(|(known, _)| *known != index);
        if self.open.len() >= MAX_OPEN {
            return Err(malformed("more open blocks than an answer can have"));
        }
        self.open.push((index, block));
        Ok(means.into_iter().collect())
    }

    fn call(&mut self, fields: &mut Object<'_>) -> Result<(Block, Option<Chunk>)> {
        let missing = || malformed("a tool_use without id or name");
        let id = fields.read("id").ok_or_else(missing)?;
        let name = fields.read("name").ok_or_else(missing)?;
        let input = fields.take("input").map_or_else(|| "{}".to_owned(), |input| input.get().to_owned());
        let index = self.calls;
        self.calls += 1;
        let first = ToolDelta { index, id: Some(id), name: Some(name), arguments: String::new() };
        Ok((Block::Call { index, input: Some(input) }, Some(Chunk::ToolCall(first))))
    }

    pub(super) fn delta(&mut self, delta: Delta) -> Result<Option<Chunk>> {
        let Delta { index, delta } = delta;
        let block = self.open.iter_mut().find(|(known, _)| *known == index).map(|(_, block)| block);
        let block = block.ok_or_else(|| malformed("a delta of a block that is not open"))?;
        let given = |text: Option<String>| text.filter(|text| !text.is_empty());
        Ok(match block {
            Block::Text => given(delta.text).map(Chunk::Text),
            Block::Thinking { worded, signature } => match given(delta.thinking) {
                Some(words) => {
                    *worded = true;
                    Some(Chunk::Reasoning(words))
                }
                None => {
                    keep(&mut self.kept, signature, &delta.signature.unwrap_or_default())?;
                    None
                }
            },
            Block::Call { index, input } => given(delta.partial_json).map(|arguments| {
                *input = None;
                Chunk::ToolCall(ToolDelta { index: *index, arguments, ..ToolDelta::default() })
            }),
            Block::Opaque { input, .. } => {
                keep(&mut self.kept, input, &delta.partial_json.unwrap_or_default())?;
                None
            }
        })
    }

    pub(super) fn stop(&mut self, mut event: Object<'_>) -> Result<Vec<Chunk>> {
        let index = index_of(&mut event)?;
        let at = self.open.iter().position(|(known, _)| *known == index);
        let block = at.map(|at| self.open.swap_remove(at).1);
        Ok(block.map(Block::end).transpose()?.flatten().into_iter().collect())
    }

    /// Ends what nobody ended, in order.
    pub(super) fn close(&mut self) -> Result<Vec<Chunk>> {
        let ends: Result<Vec<_>> = self.open.drain(..).map(|(_, block)| block.end()).collect();
        Ok(ends?.into_iter().flatten().collect())
    }
}

/// A piece of a block: the event there is for nearly every token.
pub(super) struct Delta {
    index: u64,
    delta: Piece,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Piece {
    text: Option<String>,
    thinking: Option<String>,
    signature: Option<String>,
    partial_json: Option<String>,
}

impl Delta {
    /// Reads an event of this name in one go, as they nearly always are. `None` for whatever is unusual, which is read
    /// with [`of`](Self::of).
    pub(super) fn fast(json: &str) -> Option<Self> {
        #[derive(Deserialize)]
        struct Event<'a> {
            r#type: &'a str,
            index: u64,
            delta: Piece,
        }
        // A struct is also read from an array, which no event is.
        let json = json.starts_with('{').then_some(json)?;
        let Event { r#type: kind, index, delta } = serde_json::from_str(json).ok()?;
        (kind == DELTA).then_some(Self { index, delta })
    }

    /// Reads an event member by member.
    pub(super) fn of(mut event: Object<'_>) -> Result<Self> {
        let index = index_of(&mut event)?;
        let delta = event.take("delta").and_then(Object::of);
        let mut delta = delta.ok_or_else(|| malformed("a content_block_delta without a delta"))?;
        let mut piece = |name: &str| delta.string(name);
        let (text, thinking) = (piece("text"), piece("thinking"));
        let (signature, partial_json) = (piece("signature"), piece("partial_json"));
        Ok(Self { index, delta: Piece { text, thinking, signature, partial_json } })
    }
}

impl Block {
    /// What is only known when the block is complete.
    fn end(self) -> Result<Option<Chunk>> {
        Ok(match self {
            Self::Thinking { worded: true, signature } if !signature.is_empty() => {
                Some(Chunk::Signature(signature))
            }
            // A proof without words cannot be told from that of the thinking before it, so it stays in its block.
            Self::Thinking { worded: false, signature } if !signature.is_empty() => {
                Some(wordless(&signature))
            }
            Self::Call { index, input: Some(arguments) } => {
                Some(Chunk::ToolCall(ToolDelta { index, arguments, ..ToolDelta::default() }))
            }
            Self::Opaque { block, input } => Some(Chunk::Opaque(complete(block, &input)?)),
            _ => None,
        })
    }
}

fn index_of(event: &mut Object<'_>) -> Result<u64> {
    event.read("index").ok_or_else(|| malformed("an event of a block without its index"))
}

/// A text that is there and not empty.
fn text(object: &mut Object<'_>, name: &str) -> Option<String> {
    object.string(name).filter(|text| !text.is_empty())
}

fn keep(kept: &mut usize, text: &mut String, more: &str) -> Result<()> {
    *kept = kept.saturating_add(more.len());
    if *kept > MAX_KEPT {
        return Err(malformed("blocks larger than can be kept"));
    }
    text.push_str(more);
    Ok(())
}

fn wordless(signature: &str) -> Chunk {
    let block = json::Object::typed("thinking").with("thinking", "").with("signature", Json::Str(signature));
    let text = json::bytes(&block);
    let value = Raw::parse(&text).unwrap_or_else(|_| Raw::from_value(&serde_json::Value::Null));
    Chunk::Opaque(Opaque::new(MESSAGES, "thinking", value))
}

/// The block as it began, with the input that came after it. Byte for byte as it came when none did.
fn complete(mut block: Opaque, input: &str) -> Result<Opaque> {
    if input.is_empty() {
        return Ok(block);
    }
    let broken = || malformed("a block whose input is no JSON");
    let input: &RawValue = serde_json::from_str(input).map_err(|_| broken())?;
    let edit = Edit::set("input", &input).map_err(|_| broken())?;
    let text = splice(block.value.bytes(), &[edit]).map_err(|_| broken())?.to_bytes();
    block.value = Raw::parse(&text).map_err(|_| broken())?;
    Ok(block)
}
