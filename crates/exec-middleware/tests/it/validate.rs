//! What cannot work is refused, with everything that is wrong.

use exec_core::chat::{Part, ToolCall};
use exec_core::testing::{Answer, Script};
use exec_core::{Chat, Context, Executor, FieldError, Message, Operation, Request, Role};
use exec_middleware::Validate;
use serde_json::json;

use crate::{around, unary};

fn wrong(request: &Request) -> Vec<(String, &'static str)> {
    match Validate::default().check(request) {
        Ok(()) => Vec::new(),
        Err(error) => error.fields().iter().map(|field| (field.path.clone(), field.code)).collect(),
    }
}

#[test]
fn everything_wrong_is_said_at_once() {
    let mut chat = Chat::user("x").with_message(Message::new(Role::User, "y"));
    chat.messages[1].parts.push(Part::ToolCall(ToolCall::default()));
    chat.sampling.temperature = Some(2.1);
    chat.sampling.top_p = Some(f64::NAN);
    chat.sampling.presence_penalty = Some(-2.5);
    chat.sampling.max_tokens = Some(0);
    let expected = [
        ("messages[1]", "invalid"),
        ("temperature", "out_of_range"),
        ("top_p", "out_of_range"),
        ("presence_penalty", "out_of_range"),
        ("max_tokens", "out_of_range"),
    ];
    assert_eq!(wrong(&Request::chat(chat)), expected.map(|(path, code)| (path.to_owned(), code)));
}

#[test]
fn the_edges_of_the_ranges_are_fine() {
    for temperature in [0.0, 2.0] {
        let mut chat = Chat::user("x");
        chat.sampling.temperature = Some(temperature);
        assert!(wrong(&Request::chat(chat)).is_empty());
    }
    assert_eq!(wrong(&Request::chat(Chat::default())), [("messages".to_owned(), "empty")]);
}

#[test]
fn embeddings_need_something_to_embed() {
    let embed = |input: serde_json::Value| wrong(&Request::new(Operation::EMBED, input));
    assert!(embed(json!({"input": "x"})).is_empty());
    assert!(embed(json!({"input": ["x", "y"]})).is_empty());
    for empty in [json!({}), json!({"input": ""}), json!({"input": []}), json!({"input": 1}), json!("x")] {
        assert_eq!(embed(empty.clone()).len(), 1, "{empty}");
    }
}

#[tokio::test]
async fn a_refused_request_costs_no_call() {
    let script = Script::new("s", [Answer::text("x")]);
    let strict = Validate::default().with(|request: &Request, errors: &mut Vec<FieldError>| {
        if request.model.as_deref() == Some("m") {
            errors.push(FieldError::new("model", "not_here", "name another model"));
        }
    });
    let error = around(&script, strict).execute(unary(), &Context::new("1")).await.unwrap_err();
    assert_eq!(error.fields()[0].path, "model");
    assert_eq!(script.calls(), 0);
}
