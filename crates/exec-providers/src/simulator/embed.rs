//! Vectors for texts.
//!
//! A vector is the sum of one random direction for each word, made one long (feature hashing: Weinberger and others,
//! ICML 2009). So equal texts have equal vectors, texts that share words are near each other, and others are not.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use exec_core::{Error, ErrorKind, FieldError, Raw, Result};
use serde::Serialize;
use serde_json::Value;

use super::rng::{Rng, hash};

/// How many numbers a vector has when nobody says.
const DIMENSIONS: usize = 256;
/// The most numbers a vector may have.
const MAX_DIMENSIONS: usize = 3072;
/// The most texts in one call.
const MAX_INPUTS: usize = 2048;
/// The most words of a text that count.
const MAX_WORDS: usize = 128;

/// What is asked, checked.
#[derive(Debug, PartialEq)]
pub(super) struct Embed {
    texts: Vec<String>,
    dimensions: usize,
    base64: bool,
}

impl Embed {
    /// Reads `{"input": …, "dimensions"?, "encoding_format"?}`. The input is a text, a list of texts, a list of token
    /// numbers, or a list of such lists.
    pub(super) fn read(input: &Value) -> Result<Self> {
        let mut wrong = Vec::new();
        let texts = texts(&input["input"]).unwrap_or_else(|message| {
            wrong.push(FieldError::new("input", "invalid", message));
            Vec::new()
        });
        let dimensions = dimensions(&input["dimensions"]).unwrap_or_else(|| {
            wrong.push(FieldError::new(
                "dimensions",
                "out_of_range",
                format!("must be from 1 to {MAX_DIMENSIONS}"),
            ));
            DIMENSIONS
        });
        let base64 = match &input["encoding_format"] {
            Value::Null => false,
            Value::String(format) if format == "float" => false,
            Value::String(format) if format == "base64" => true,
            _ => {
                wrong.push(FieldError::new("encoding_format", "invalid", "must be \"float\" or \"base64\""));
                false
            }
        };
        if wrong.is_empty() { Ok(Self { texts, dimensions, base64 }) } else { Err(Error::invalid(wrong)) }
    }

    /// The bytes of all its texts.
    pub(super) fn bytes(&self) -> usize {
        self.texts.iter().map(String::len).sum()
    }

    /// A vector for each text: a pure function of what is asked and `seed`. They are written straight to text, because
    /// as values the largest answer would take some hundred megabytes.
    pub(super) fn vectors(&self, seed: u64) -> Result<Vec<Raw>> {
        let written = |text: &String| {
            let vector = vector(seed, text, self.dimensions);
            let vector = if self.base64 { Vector::Base64(base64(&vector)) } else { Vector::Float(vector) };
            let json = serde_json::to_vec(&vector).and_then(|json| Raw::parse(&json.into()));
            json.map_err(|e| Error::new(ErrorKind::Internal, "a vector could not be written").with_source(e))
        };
        self.texts.iter().map(written).collect()
    }
}

#[derive(Serialize)]
#[serde(untagged)]
enum Vector {
    Float(Vec<f32>),
    Base64(String),
}

fn base64(vector: &[f32]) -> String {
    let bytes: Vec<u8> = vector.iter().flat_map(|number| number.to_le_bytes()).collect();
    STANDARD.encode(bytes)
}

fn texts(input: &Value) -> Result<Vec<String>, &'static str> {
    let shape = "must be a text, a list of texts, or token numbers";
    match input {
        Value::String(text) => Ok(vec![text.clone()]),
        Value::Array(items) if items.is_empty() => Err("must not be empty"),
        Value::Array(items) if items.iter().all(Value::is_u64) => Ok(vec![tokens(items)]),
        Value::Array(items) if items.len() > MAX_INPUTS => Err("must not have more than 2048 items"),
        Value::Array(items) => items.iter().map(|item| one(item).ok_or(shape)).collect(),
        _ => Err(shape),
    }
}

fn one(item: &Value) -> Option<String> {
    match item {
        Value::String(text) => Some(text.clone()),
        Value::Array(items) if !items.is_empty() && items.iter().all(Value::is_u64) => Some(tokens(items)),
        _ => None,
    }
}

/// Token numbers as the words they are to us.
fn tokens(items: &[Value]) -> String {
    items.iter().map(Value::to_string).collect::<Vec<_>>().join(" ")
}

fn dimensions(value: &Value) -> Option<usize> {
    match value {
        Value::Null => Some(DIMENSIONS),
        value => usize::try_from(value.as_u64()?).ok().filter(|n| (1..=MAX_DIMENSIONS).contains(n)),
    }
}

fn vector(seed: u64, text: &str, dimensions: usize) -> Vec<f32> {
    let mut sum = vec![0.0_f64; dimensions];
    for word in words(text) {
        let mut rng = Rng::of(&[seed, hash(word.to_lowercase().as_bytes())]);
        sum.iter_mut().for_each(|number| *number += rng.unit() - 0.5);
    }
    let length = sum.iter().map(|number| number * number).sum::<f64>().sqrt();
    // Directions can cancel each other out, above all where there is one dimension.
    if length < f64::EPSILON {
        return (0..dimensions).map(|at| if at == 0 { 1.0 } else { 0.0 }).collect();
    }
    sum.into_iter().map(|number| narrow(number / length)).collect()
}

/// The words that count; a text without any is one word itself.
fn words(text: &str) -> impl Iterator<Item = &str> {
    let mut words =
        text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).take(MAX_WORDS).peekable();
    let whole = words.peek().is_none().then_some(text);
    words.chain(whole)
}

#[expect(clippy::cast_possible_truncation, reason = "vectors are sent with 32 bits a number")]
fn narrow(number: f64) -> f32 {
    number as f32
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn vectors(input: &Value) -> Vec<Vec<f32>> {
        let vectors = Embed::read(input).unwrap().vectors(7).unwrap();
        vectors.iter().map(|vector| read(&vector.to_value())).collect()
    }

    fn read(embedding: &Value) -> Vec<f32> {
        match embedding {
            Value::String(text) => {
                let bytes = STANDARD.decode(text).unwrap();
                bytes.chunks(4).map(|four| f32::from_le_bytes(four.try_into().unwrap())).collect()
            }
            floats => floats.as_array().unwrap().iter().map(|n| narrow(n.as_f64().unwrap())).collect(),
        }
    }

    fn dot(a: &[f32], b: &[f32]) -> f32 {
        a.iter().zip(b).map(|(a, b)| a * b).sum()
    }

    #[test]
    fn base64_and_floats_are_the_same_numbers() {
        let floats = vectors(&json!({"input": "hello there", "encoding_format": "float"}));
        assert_eq!(floats, vectors(&json!({"input": "hello there", "encoding_format": "base64"})));
        assert_eq!(floats, vectors(&json!({"input": ["hello there"]})));
        assert_eq!(floats[0].len(), DIMENSIONS);
    }

    #[test]
    fn vectors_are_one_long_whatever_the_text() {
        for input in ["hello there", "", "🙂", "x", "a b c d e f g"] {
            for dimensions in [1, 2, 3, 256, 3072] {
                let vector = &vectors(&json!({"input": input, "dimensions": dimensions}))[0];
                assert_eq!(vector.len(), dimensions);
                assert!((dot(vector, vector) - 1.0).abs() < 1e-4, "{input} {dimensions}");
            }
        }
    }

    #[test]
    fn texts_that_share_words_are_near() {
        let v = vectors(&json!({"input": ["the red fox runs", "The red fox sleeps", "quite another thing"]}));
        assert!(dot(&v[0], &v[1]) > 0.5 && dot(&v[0], &v[2]).abs() < 0.4);
    }

    #[test]
    fn token_numbers_are_texts_too() {
        assert_eq!(vectors(&json!({"input": [1, 2, 3]})).len(), 1);
        assert_eq!(vectors(&json!({"input": [[1, 2], [3]]})).len(), 2);
    }

    #[test]
    fn everything_wrong_is_said_at_once() {
        let error =
            Embed::read(&json!({"input": [], "dimensions": 0, "encoding_format": "hex"})).unwrap_err();
        let paths: Vec<_> = error.fields().iter().map(|field| field.path.as_str()).collect();
        assert_eq!(paths, ["input", "dimensions", "encoding_format"]);
        for input in [json!(null), json!([1, "a"]), json!([[]]), json!({}), json!(vec!["x"; 2049])] {
            assert!(Embed::read(&json!({"input": input})).is_err());
        }
    }
}
