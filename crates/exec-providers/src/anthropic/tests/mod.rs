//! Tests of the format as a whole.

mod encode;
mod errors;
mod laws;
mod read;
mod render;
mod stream;

use std::collections::VecDeque;

use bytes::{Bytes, BytesMut};
use exec_core::{Chunk, Fold, Output, Report, Request, Result};
use serde_json::Value;

use super::render::Renderer;
use super::stream::Stream;
use super::{Anthropic, AnthropicFront};
use crate::format::{Decode, Format, Front, Render, Reply};
use crate::http::sse::{SseEvent, SseParser};

fn reply() -> Reply {
    let report = Report { model: Some("claude".into()), ..Report::default() };
    Reply { report, request_id: "r1".into(), ..Reply::default() }
}

fn read(body: &Value) -> Result<Request> {
    AnthropicFront.read(&Bytes::from(body.to_string()))
}

/// What is sent for the conversation alone, as if it had not come in this format.
fn encode(request: &Request) -> Result<(Value, Vec<String>)> {
    let chat = request.input.chat()?.clone();
    let mut twin = Request::chat(chat);
    twin.options = request.options.clone();
    let encoded = Anthropic::new().encode(&twin, "claude")?;
    Ok((serde_json::from_slice(&encoded.body.to_bytes()).unwrap(), encoded.dropped))
}

fn events(bytes: &Bytes) -> Vec<SseEvent> {
    let mut parser = SseParser::new(16 << 20);
    parser.push(bytes.clone());
    parser.map(std::result::Result::unwrap).collect::<Vec<_>>()
}

fn sse(list: &[Value]) -> Vec<SseEvent> {
    let text: String =
        list.iter().map(|e| format!("event: {}\ndata: {e}\n\n", e["type"].as_str().unwrap())).collect();
    events(&text.into())
}

/// Every chunk of a stream, with the error of its end if there is one.
fn decode(list: Vec<SseEvent>, verbatim: bool) -> Result<Vec<Chunk>> {
    let mut stream = Stream::new(verbatim, "sk-secret".into());
    let mut out = VecDeque::new();
    for event in list {
        stream.event(event, &mut out)?;
    }
    stream.finish(&mut out)?;
    Ok(out.into())
}

fn fold(chunks: Vec<Chunk>) -> Output {
    let mut fold = Fold::default();
    for chunk in chunks {
        fold.push(chunk).unwrap();
    }
    fold.finish()
}

fn render(chunks: Vec<Chunk>) -> Bytes {
    let mut renderer = Renderer::new(reply());
    let mut out = BytesMut::new();
    for chunk in chunks {
        renderer.chunk(chunk, &mut out);
    }
    out.freeze()
}
