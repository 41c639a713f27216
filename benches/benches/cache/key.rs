//! The key of a request against BLAKE3 over the same bytes.

use std::hint::black_box;

use benches::{Pair, Result, pair};
use bytes::Bytes;
use exec_core::{Fingerprint, Input, Operation, Request, Wire};
use serde_json::{Value, json};

use crate::nanos;

const TURN: &str = "The invoice of last month lists two machines which were switched off on the 3rd.\n\
    Please find out what \"reserved capacity\" means here, and whether we pay for it — in euros.\n";

/// A body of about so many bytes: turns of a few lines each, two tools and sampling, as a client would send it.
pub(crate) fn body(bytes: usize) -> Bytes {
    let turn = |n: usize, room: usize| {
        let content: String = TURN.repeat(1 + n % 5).chars().take(room).collect();
        json!({"role": if n.is_multiple_of(2) { "user" } else { "assistant" }, "content": content})
    };
    let tool = |name| {
        json!({"type": "function", "function": {"name": name, "parameters": {"type": "object",
            "properties": {"invoice": {"type": "string"}, "line": {"type": "integer"}}, "required": ["invoice"]}}})
    };
    let mut turns: Vec<Value> = Vec::new();
    let text = loop {
        let text = json!({"messages": turns, "model": "m", "temperature": 0.2, "max_tokens": 900,
            "tools": [tool("find"), tool("pay")]})
        .to_string();
        if text.len() >= bytes {
            break text;
        }
        turns.push(turn(turns.len(), bytes - text.len()));
    };
    Bytes::from(text)
}

/// Computing the key of a body just received, and hashing its bytes.
pub(crate) fn measure(rounds: usize, bytes: usize) -> Result<Pair> {
    let body = body(bytes);
    let calls = 4_000_000 / body.len();
    let input = Input::json(Wire::new("openai.chat"), body.clone());
    let request = Request::new(Operation::CHAT, input).with_model("m");
    Fingerprint::of(&request)?;
    let ours = || nanos(calls, |_| drop(black_box(Fingerprint::of(black_box(&request)))));
    let rival = || {
        nanos(calls, |_| {
            black_box(blake3::hash(black_box(&body)));
        })
    };
    Ok(pair(rounds, ours, rival))
}
