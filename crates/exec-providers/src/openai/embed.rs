//! Embeddings: requests and answers, both ways. Every vector is one value of the output's data, kept as its JSON text.

use bytes::{Bytes, BytesMut};
use exec_core::{
    Chunk, Error, ErrorKind, Fold, Input, Operation, Output, Raw, Request, Result, Summary, Wire,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;

use super::EMBEDDINGS;
use super::decode::{malformed, named, no_answer};
use super::error::ErrorReader;
use super::front_error;
use super::lenient::{Count, Str};
use super::shape::Tokens;
use crate::fault::unwritable;
use crate::format::{Answer, Encoded, Front, Render, Reply};
use crate::http::{Edit, encode_body, splice};
use crate::object::{Path, Reader};

/// Embeddings as a caller asks for them.
#[derive(Clone, Copy, Debug, Default)]
pub struct EmbeddingsFront;

impl Front for EmbeddingsFront {
    fn wire(&self) -> Wire {
        EMBEDDINGS
    }

    fn read(&self, body: &Bytes) -> Result<Request> {
        let (mut reader, mut fields) = Reader::open(body, EMBEDDINGS)?;
        let (r, root) = (&mut reader, Path::Root);
        let model = r.model(&mut fields);
        let path = root.key("input");
        if let Some(raw) = r.required(&path, fields.take("input")) {
            input(r, &path, raw);
        }
        if let Some(raw) = fields.take("dimensions") {
            r.integer(&root.key("dimensions"), raw, 1_u64);
        }
        let path = root.key("encoding_format");
        let format = fields.take("encoding_format").and_then(|raw| r.string(&path, raw));
        if format.is_some_and(|format| format != "float" && format != "base64") {
            r.error(&path, "invalid_value", "must be float or base64");
        }
        let model = reader.close(model)?;
        let mut request = Request::new(Operation::EMBED, Input::json(EMBEDDINGS, body.clone()));
        request.model = model.map(Into::into);
        Ok(request)
    }

    fn answer(&self, output: &Output, reply: &Reply) -> Bytes {
        let vector = |(index, embedding)| VectorOut { object: "embedding", index, embedding };
        let data = output.data.iter().enumerate().map(vector).collect();
        let tokens = output.summary.usage.unwrap_or_default().input;
        let usage = UsageOut { prompt_tokens: tokens, total_tokens: tokens };
        let model = reply.report.model.as_deref().or(reply.model.as_deref());
        let answer = VectorsOut { object: "list", data, model, usage };
        // Nothing in it can refuse to be written.
        serde_json::to_vec(&answer).unwrap_or_default().into()
    }

    fn renderer(&self, reply: Reply) -> Box<dyn Render> {
        Box::new(Whole { reply, fold: Fold::default(), broken: false })
    }

    fn error(&self, error: &Error, request_id: &str) -> Bytes {
        front_error::json(error, request_id)
    }
}

#[derive(Serialize)]
struct VectorsOut<'a> {
    object: &'static str,
    data: Vec<VectorOut<'a>>,
    model: Option<&'a str>,
    usage: UsageOut,
}

#[derive(Serialize)]
struct VectorOut<'a> {
    object: &'static str,
    index: usize,
    embedding: &'a Raw,
}

#[derive(Serialize)]
struct UsageOut {
    prompt_tokens: u64,
    total_tokens: u64,
}

/// A text, texts, tokens, or lists of tokens.
fn input<'a>(r: &mut Reader<'a>, path: &Path<'_>, raw: &'a RawValue) {
    let first = |raw: &RawValue| raw.get().as_bytes().first().copied();
    if first(raw) == Some(b'"') {
        r.text(path, raw);
        return;
    }
    if first(raw) != Some(b'[') {
        r.error(path, "invalid_type", "must be a string, an array of strings, or an array of tokens");
        return;
    }
    let items = r.array(path, raw).unwrap_or_default();
    if items.is_empty() {
        r.error(path, "empty", "must not be empty");
    }
    let strings = items.first().is_some_and(|item| first(item) == Some(b'"'));
    for (index, item) in items.into_iter().enumerate() {
        let path = path.index(index);
        match first(item) {
            _ if strings => drop(r.text(&path, item)),
            Some(b'[') if serde_json::from_str::<Vec<u32>>(item.get()).is_ok() => {}
            Some(b'[') => r.error(&path, "invalid_type", "must be an array of tokens"),
            _ => drop(r.integer(&path, item, 0_u64)),
        }
    }
}

/// Embeddings do not stream: a stream of them is the whole answer in one event.
struct Whole {
    reply: Reply,
    fold: Fold,
    broken: bool,
}

impl Render for Whole {
    fn chunk(&mut self, chunk: Chunk, out: &mut BytesMut) {
        let ends = matches!(chunk, Chunk::End(_));
        self.broken |= self.fold.push(chunk).is_err();
        if ends && !self.broken {
            let output = std::mem::take(&mut self.fold).finish();
            let answer = EmbeddingsFront.answer(&output, &self.reply);
            for piece in [&b"data: "[..], &answer, b"\n\ndata: [DONE]\n\n"] {
                out.extend_from_slice(piece);
            }
        }
    }

    fn error(&mut self, error: &Error, out: &mut BytesMut) {
        self.broken = true;
        front_error::event(error, &self.reply.request_id, out);
    }
}

/// Writes a request for vectors.
pub(super) fn encode(request: &Request, model: &str) -> Result<Encoded> {
    let encoded = |body, verbatim| Encoded {
        path: "/embeddings",
        body,
        dropped: Vec::new(),
        verbatim,
        hide_usage: false,
    };
    if let Some(bytes) = request.input.bytes_in(EMBEDDINGS) {
        let body = Edit::set("model", &model).and_then(|edit| splice(bytes, &[edit]));
        return Ok(encoded(body.map_err(unwritable)?, true));
    }
    let mut members = match request.input.value()? {
        Value::Object(members) if members.contains_key("input") => members.clone(),
        _ => {
            return Err(Error::new(
                ErrorKind::InvalidRequest,
                "the input of an embedding must be {\"input\": …}",
            ));
        }
    };
    members.insert("model".to_owned(), model.into());
    Ok(encoded(encode_body(&members, &[]).map_err(unwritable)?, false))
}

#[derive(Deserialize)]
struct Vectors<'a> {
    #[serde(borrow, default)]
    data: Option<Vec<Vector<'a>>>,
    #[serde(borrow, default)]
    model: Option<Str<'a>>,
    #[serde(default)]
    usage: Option<Tokens>,
    #[serde(borrow, default)]
    error: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Vector<'a> {
    #[serde(default)]
    index: Count,
    #[serde(borrow)]
    embedding: &'a RawValue,
}

/// Reads vectors, in the order of their index.
pub(super) fn decode(body: &Bytes, errors: &ErrorReader) -> Result<Answer> {
    let vectors: Vectors<'_> = serde_json::from_slice(body).map_err(|e| malformed(&e))?;
    if vectors.error.is_some() {
        return Err(errors.in_answer(body));
    }
    let mut data = vectors.data.ok_or_else(|| no_answer("the answer has no vectors"))?;
    // Stable, so that servers without an index keep their order.
    data.sort_by_key(|vector| vector.index.0.unwrap_or(u64::MAX));
    let usage = vectors.usage.and_then(|tokens| tokens.usage());
    let data = data.iter().map(|vector| Raw::of(body, vector.embedding)).collect();
    let mut output = Output::default();
    output.data = data;
    output.summary = Summary { usage, ..Summary::default() };
    Ok(Answer { output, id: None, model: named(vectors.model.as_ref()) })
}
