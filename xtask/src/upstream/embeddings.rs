//! OpenAI embeddings: deterministic unit vectors, as numbers or base64 of little-endian `f32`.
use super::ask::fnv;
use super::error::{Failure, Format};
use super::json::{put, quote};
use serde::Deserialize;

const DEFAULT_DIMENSIONS: usize = 1536;
const MAX_DIMENSIONS: usize = 3072;
const MAX_INPUTS: usize = 2048;
const BAD_INPUT: &str =
    "'$.input' is invalid. Please check the API reference: https://platform.openai.com/docs/api-reference.";

/// An embeddings request.
#[derive(Debug, Deserialize)]
struct Ask {
    model: Option<String>,
    input: Option<Input>,
    encoding_format: Option<String>,
    dimensions: Option<usize>,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Input {
    One(String),
    Tokens(Vec<u64>),
    Many(Vec<String>),
    ManyTokens(Vec<Vec<u64>>),
}

impl Input {
    /// The texts to embed; token lists stand for themselves, written as numbers with spaces.
    fn texts(self) -> Vec<String> {
        match self {
            Self::One(text) => vec![text],
            // An empty list reads as the first kind of list there is.
            Self::Tokens(tokens) if tokens.is_empty() => Vec::new(),
            Self::Many(texts) => texts,
            Self::Tokens(tokens) => vec![spell(&tokens)],
            Self::ManyTokens(lists) => lists.iter().map(|tokens| spell(tokens)).collect(),
        }
    }
}

fn spell(tokens: &[u64]) -> String {
    tokens.iter().map(u64::to_string).collect::<Vec<_>>().join(" ")
}

/// The vector of one input: the same for the same text and size, of length one.
#[must_use]
pub fn embedding(input: &str, dimensions: usize) -> Vec<f32> {
    let mut state = fnv(input.as_bytes()) | 1;
    let mut vector: Vec<f32> = std::iter::repeat_with(|| next(&mut state)).take(dimensions).collect();
    let norm = vector.iter().map(|x| x * x).sum::<f32>().sqrt();
    vector.iter_mut().for_each(|x| *x /= norm);
    vector
}

/// One step of xorshift, as a number in -1..1.
fn next(state: &mut u64) -> f32 {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    let top = u16::try_from(*state >> 48).unwrap_or_default();
    f32::from(top) / 32768.0 - 1.0
}

/// The body of the answer to a request's body.
pub(super) fn answer(body: &[u8]) -> Result<Vec<u8>, Failure> {
    let ask: Ask = serde_json::from_slice(body).map_err(|error| {
        Failure::invalid(format!("We could not parse the JSON body of your request. (HINT: {error})"), None)
    })?;
    let model = ask.model.ok_or_else(|| Failure::invalid("you must provide a model parameter", None))?;
    if model.starts_with("missing") {
        return Err(Failure::no_model(Format::OpenAi, &model));
    }
    let texts = ask.input.map(Input::texts).unwrap_or_default();
    if texts.is_empty() || texts.len() > MAX_INPUTS {
        return Err(Failure::invalid(BAD_INPUT, None));
    }
    let dimensions = ask.dimensions.unwrap_or(DEFAULT_DIMENSIONS);
    if !(1..=MAX_DIMENSIONS).contains(&dimensions) {
        return Err(Failure::invalid("Invalid value for 'dimensions'.", Some("dimensions")));
    }
    Ok(render(&model, &texts, dimensions, ask.encoding_format.as_deref() == Some("base64")))
}

fn render(model: &str, texts: &[String], dimensions: usize, base64: bool) -> Vec<u8> {
    let mut out = Vec::with_capacity(texts.len() * dimensions * 8);
    out.extend_from_slice(b"{\"object\":\"list\",\"data\":[");
    for (i, text) in texts.iter().enumerate() {
        put(
            &mut out,
            format_args!(
                "{}{{\"object\":\"embedding\",\"index\":{i},\"embedding\":",
                if i == 0 { "" } else { "," }
            ),
        );
        let vector = embedding(text, dimensions);
        if base64 {
            as_base64(&mut out, &vector);
        } else {
            as_numbers(&mut out, &vector);
        }
        out.push(b'}');
    }
    out.extend_from_slice(b"],\"model\":");
    quote(&mut out, model);
    let tokens: usize = texts.iter().map(|text| text.len().div_ceil(4)).sum();
    put(&mut out, format_args!(",\"usage\":{{\"prompt_tokens\":{tokens},\"total_tokens\":{tokens}}}}}"));
    out
}

fn as_numbers(out: &mut Vec<u8>, vector: &[f32]) {
    for (i, x) in vector.iter().enumerate() {
        put(out, format_args!("{}{x:?}", if i == 0 { '[' } else { ',' }));
    }
    out.push(b']');
}

fn as_base64(out: &mut Vec<u8>, vector: &[f32]) {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let bytes: Vec<u8> = vector.iter().flat_map(|x| x.to_le_bytes()).collect();
    out.push(b'"');
    for group in bytes.chunks(3) {
        let at = |i: usize| u32::from(group.get(i).copied().unwrap_or(0));
        let bits = at(0) << 16 | at(1) << 8 | at(2);
        for place in 0..4 {
            let letter = ALPHABET[(bits >> (18 - 6 * place) & 63) as usize];
            out.push(if place <= group.len() { letter } else { b'=' });
        }
    }
    out.push(b'"');
}

#[cfg(test)]
mod tests {
    use super::{as_base64, embedding};

    #[test]
    fn base64_is_padded_as_rfc_4648_says() {
        let mut out = Vec::new();
        as_base64(&mut out, &[1.0]);
        assert_eq!(out, b"\"AACAPw==\"");
    }

    #[test]
    fn vectors_have_length_one_and_differ() {
        let a = embedding("a", 256);
        assert!((a.iter().map(|x| x * x).sum::<f32>() - 1.0).abs() < 1e-4);
        assert_ne!(a, embedding("b", 256));
    }
}
