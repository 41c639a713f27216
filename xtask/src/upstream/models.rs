//! The lists of models, in both shapes.
use super::error::{Failure, Format};
use super::json::{put, quote};
use super::openai::CREATED;

const OPENAI: [&str; 4] = ["gpt-4o", "gpt-4o-mini", "o4-mini", "text-embedding-3-small"];
const ANTHROPIC: [&str; 3] = ["claude-opus-4-5", "claude-sonnet-4-5", "claude-haiku-4-5"];

/// `GET /v1/models`.
pub(super) fn list(format: Format) -> Vec<u8> {
    let (lead, ids): (&str, &[&str]) = match format {
        Format::OpenAi => ("{\"object\":\"list\",\"data\":[", &OPENAI),
        Format::Anthropic => ("{\"data\":[", &ANTHROPIC),
    };
    let mut out = lead.as_bytes().to_vec();
    for (i, id) in ids.iter().enumerate() {
        if i > 0 {
            out.push(b',');
        }
        model(&mut out, format, id);
    }
    match format {
        Format::OpenAi => out.extend_from_slice(b"]}"),
        Format::Anthropic => put(
            &mut out,
            format_args!(
                "],\"has_more\":false,\"first_id\":\"{}\",\"last_id\":\"{}\"}}",
                ANTHROPIC[0],
                ANTHROPIC[ANTHROPIC.len() - 1]
            ),
        ),
    }
    out
}

/// `GET /v1/models/{id}`: every name is a model unless it starts with `missing`.
pub(super) fn one(format: Format, id: &str) -> Result<Vec<u8>, Failure> {
    if id.starts_with("missing") {
        return Err(Failure::no_model(format, id));
    }
    let mut out = Vec::with_capacity(128);
    model(&mut out, format, id);
    Ok(out)
}

fn model(out: &mut Vec<u8>, format: Format, id: &str) {
    match format {
        Format::OpenAi => {
            out.extend_from_slice(b"{\"id\":");
            quote(out, id);
            put(out, format_args!(",\"object\":\"model\",\"created\":{CREATED},\"owned_by\":\"system\"}}"));
        }
        Format::Anthropic => {
            out.extend_from_slice(b"{\"type\":\"model\",\"id\":");
            quote(out, id);
            out.extend_from_slice(b",\"display_name\":");
            quote(out, id);
            out.extend_from_slice(b",\"created_at\":\"2025-10-01T00:00:00Z\"}");
        }
    }
}
