//! The laws: nothing is lost, nothing large is copied, nothing panics, and every cut is an error.

mod embeddings;
mod laws;
mod reading;
mod streaming;
mod writing;

use std::collections::VecDeque;

use bytes::{Bytes, BytesMut};
use exec_core::{Chunk, Error, ErrorKind, Fold, Output, Result};
use serde_json::Value;

use super::{CHAT, OpenAi, OpenAiFront};
use crate::format::{Encoded, Format, Front, Reply};
use crate::http::Body;
use crate::http::sse::SseParser;

fn encoded(verbatim: bool, hide_usage: bool) -> Encoded {
    Encoded { path: "", body: Body::empty(), dropped: Vec::new(), verbatim, hide_usage }
}

/// What a stream of these bytes is read as.
fn read_stream(stream: &[u8], encoded: &Encoded) -> (Vec<Chunk>, Result<()>) {
    let mut decoder = OpenAi::default().decoder(encoded);
    let mut parser = SseParser::new(1 << 20);
    parser.push(Bytes::copy_from_slice(stream));
    let mut out = VecDeque::new();
    for event in parser {
        if let Err(error) = decoder.event(event.unwrap(), &mut out) {
            return (out.into(), Err(error));
        }
    }
    let ended = matches!(out.back(), Some(Chunk::End(_)));
    let end = if ended { Ok(()) } else { decoder.finish(&mut out) };
    (out.into(), end)
}

/// The events as a stream of data lines.
fn stream_of(events: &[&str]) -> Vec<u8> {
    events.iter().flat_map(|event| format!("data: {event}\n\n").into_bytes()).collect()
}

fn fold(chunks: Vec<Chunk>) -> Output {
    let mut fold = Fold::default();
    chunks.into_iter().for_each(|chunk| fold.push(chunk).unwrap());
    fold.finish()
}

fn read_events(events: &[&str]) -> Result<Output> {
    let (chunks, end) = read_stream(&stream_of(events), &encoded(false, false));
    end.map(|()| fold(chunks))
}

fn rendered(chunks: Vec<Chunk>, reply: Reply) -> Vec<u8> {
    let mut renderer = OpenAiFront.renderer(reply);
    let mut out = BytesMut::new();
    chunks.into_iter().for_each(|chunk| renderer.chunk(chunk, &mut out));
    out.to_vec()
}
