//! Embeddings in both encodings.
use crate::client::{OPENAI, raw, send};
use serde_json::{Value, json};
use xtask::upstream::{Upstream, embedding};

async fn embed(body: Value) -> Value {
    let upstream = Upstream::start().await.unwrap();
    send(&upstream, &raw("POST", "/v1/embeddings", OPENAI, &body.to_string())).await.json()
}

#[tokio::test]
async fn vectors_are_numbers_that_read_back_exactly() {
    let answer = embed(json!({"model": "e", "input": ["a", "b"], "dimensions": 8})).await;
    for (i, input) in ["a", "b"].into_iter().enumerate() {
        let vector: Vec<f32> = serde_json::from_value(answer["data"][i]["embedding"].clone()).unwrap();
        assert_eq!(vector, embedding(input, 8));
        assert_eq!(answer["data"][i]["index"], i);
    }
    assert_eq!(answer["model"], "e");
    assert!(answer["usage"]["prompt_tokens"].is_u64());
}

#[tokio::test]
async fn base64_has_four_letters_for_three_bytes() {
    let answer = embed(json!({"model": "e", "input": "a", "encoding_format": "base64"})).await;
    let text = answer["data"][0]["embedding"].as_str().unwrap();
    assert_eq!(text.len(), 1536 * 4 / 3 * 4);
}

#[tokio::test]
async fn tokens_are_inputs_too() {
    let answer = embed(json!({"model": "e", "input": [[1, 2], [3]], "dimensions": 2})).await;
    assert_eq!(answer["data"].as_array().unwrap().len(), 2);
    let answer = embed(json!({"model": "e", "input": [1, 2, 3], "dimensions": 2})).await;
    assert_eq!(answer["data"].as_array().unwrap().len(), 1);
    assert_eq!(embed(json!({"model": "e", "input": []})).await["error"]["type"], "invalid_request_error");
}
