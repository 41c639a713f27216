//! Embeddings, the list of models, and the headers of a call.

use super::*;
use crate::http::OutgoingRequest;
use crate::openai::{EMBEDDINGS, EmbeddingsFront};
use exec_core::{Input, Operation, Options, Request};
use secrecy::SecretString;
use serde_json::json;

fn read(body: &Value) -> Result<Request> {
    EmbeddingsFront.read(&body.to_string().into())
}

#[test]
fn requests_are_checked() {
    for input in [json!("a"), json!(["a", "b"]), json!([1, 2]), json!([[1, 2], [3]])] {
        let request = read(&json!({"model": "m", "input": input, "dimensions": 3, "user": "u"})).unwrap();
        assert_eq!(request.operation, Operation::EMBED);
        assert_eq!(request.input.value().unwrap()["input"], input);
        assert!(request.input.bytes_in(EMBEDDINGS).is_some());
    }
    for (input, path, code) in [
        (json!([]), "input", "empty"),
        (json!(["a", 1]), "input[1]", "invalid_type"),
        (json!([1, "a"]), "input[1]", "invalid_type"),
        (json!([[1], ["a"]]), "input[1]", "invalid_type"),
        (json!({}), "input", "invalid_type"),
        (json!(null), "input", "required"),
    ] {
        let error = read(&json!({"model": "m", "input": input})).unwrap_err();
        assert_eq!((error.fields()[0].path.as_str(), error.fields()[0].code), (path, code), "{input}");
    }
    let error = read(&json!({"input": "a", "dimensions": 0, "encoding_format": "hex"})).unwrap_err();
    let paths: Vec<_> = error.fields().iter().map(|field| field.path.as_str()).collect();
    assert_eq!(paths, ["model", "dimensions", "encoding_format"]);
}

#[test]
fn requests_are_sent_as_received_or_written_anew() {
    let given = json!({"model": "m", "input": ["a"], "x": 1});
    let anew = Request::new(Operation::EMBED, Input::from(json!({"input": ["a"], "x": 1})));
    for (request, verbatim) in [(read(&given).unwrap(), true), (anew, false)] {
        let encoded = OpenAi::default().encode(&request, "up").unwrap();
        assert_eq!((encoded.path, encoded.verbatim), ("/embeddings", verbatim));
        let sent: Value = serde_json::from_slice(&encoded.body.to_bytes()).unwrap();
        assert_eq!(sent, json!({"model": "up", "input": ["a"], "x": 1}));
    }
    let wrong = Request::new(Operation::EMBED, Input::from(json!("a")));
    assert_eq!(OpenAi::default().encode(&wrong, "up").unwrap_err().kind(), ErrorKind::InvalidRequest);
    let other = OpenAi::default().encode(&Request::new(Operation::MODELS, Input::none()), "up");
    assert_eq!(other.unwrap_err().kind(), ErrorKind::Unsupported);
}

#[test]
fn vectors_come_in_the_order_of_their_index_digit_for_digit() {
    let body = Bytes::from_static(br#"{"object":"list","model":"up","data":[{"index":1,"embedding":"AAAA"},{"index":0,"embedding":[0.10,-2e-3]}],"usage":{"prompt_tokens":4,"total_tokens":4}}"#);
    let answer = OpenAi::default().decode(&Operation::EMBED, &body).unwrap();
    assert_eq!(answer.model.as_deref(), Some("up"));
    assert_eq!(answer.output.data[0].get(), "[0.10,-2e-3]");
    let mut reply = Reply::default();
    reply.report.model = answer.model;
    let written = EmbeddingsFront.answer(&answer.output, &reply);
    let expected = r#"{"object":"list","data":[{"object":"embedding","index":0,"embedding":[0.10,-2e-3]},{"object":"embedding","index":1,"embedding":"AAAA"}],"model":"up","usage":{"prompt_tokens":4,"total_tokens":4}}"#;
    assert_eq!(std::str::from_utf8(&written).unwrap(), expected);
    for wrong in ["{}", "[]", r#"{"data":[{}]}"#] {
        let error = OpenAi::default().decode(&Operation::EMBED, &Bytes::from_static(wrong.as_bytes()));
        assert_eq!(error.unwrap_err().code(), "malformed_answer", "{wrong}");
    }
}

#[test]
fn a_call_carries_the_key_and_only_what_may_pass() {
    let format =
        OpenAi::new(Some(SecretString::from("sk-canary-1"))).with_organization("org").with_project("p");
    let headers = [("OpenAI-Beta", "x=1"), ("authorization", "Bearer theirs"), ("cookie", "c")];
    let headers = headers.map(|(name, value)| (name.into(), value.into())).to_vec();
    let request = Request::chat("x").with_options(Options { headers, ..Options::default() });
    let mut outgoing = OutgoingRequest::get("/");
    format.headers(&request, &mut outgoing).unwrap();
    assert_eq!(outgoing.headers["authorization"], "Bearer sk-canary-1");
    assert!(outgoing.headers["authorization"].is_sensitive());
    assert_eq!(outgoing.headers["openai-organization"], "org");
    assert_eq!(outgoing.headers["openai-beta"], "x=1");
    assert_eq!(outgoing.headers.len(), 4);
    assert!(!format!("{format:?}").contains("canary"));
    let broken = OpenAi::new(Some(SecretString::from("sk-canary\n")));
    let error = broken.headers(&request, &mut outgoing).unwrap_err();
    assert!(error.kind() == ErrorKind::Internal && !format!("{error:?}").contains("canary"));
}
