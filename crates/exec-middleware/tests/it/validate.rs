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

#[test]
fn a_warning_refuses_only_in_strict_mode() {
    use exec_middleware::{Severity, ValidateConfig};
    let long = |request: &Request, warnings: &mut Vec<FieldError>| {
        if request.input.chat().is_ok_and(|chat| chat.messages.len() > 1) {
            warnings.push(FieldError::new("messages", "long", "this will cost"));
        }
    };
    let request = Request::chat(Chat::user("x").with_message(Message::new(Role::User, "y")));
    let codes = |strict| {
        let validate =
            Validate::new(ValidateConfig { strict, ..ValidateConfig::default() }).with_warning(long);
        let issues = validate.issues(&request);
        let of = |list: &[FieldError]| list.iter().map(|issue| issue.code).collect::<Vec<_>>();
        (validate.check(&request).is_ok(), of(&issues.errors), of(&issues.warnings))
    };
    assert_eq!(codes(false), (true, vec![], vec!["required", "long"]));
    assert_eq!(codes(true), (false, vec!["required", "long"], vec![]));
    assert_eq!(exec_middleware::Rule::severity(&long), Severity::Error, "a plain rule is as strict as ever");
    assert!(serde_json::from_str::<ValidateConfig>(r#"{"strickt": true}"#).is_err());
}

#[cfg(feature = "schema")]
mod schemas {
    use exec_core::{
        Catalogue, Context, ErrorKind, Executor, Operation, OperationSpec, Output, Request, Response,
    };
    use exec_middleware::{Validate, ValidateConfig};
    use serde_json::{Value, json};

    fn catalogue() -> Catalogue {
        let mut catalogue = Catalogue::default();
        let input = json!({
            "type": "object",
            "required": ["count", "image"],
            "additionalProperties": false,
            "properties": {
                "count": {"type": "integer", "minimum": 1},
                "image": {"type": "string"},
                "tags": {"type": "array", "items": {"type": "object", "required": ["key"]}},
            },
        });
        let output = json!({"type": "object", "required": ["id"], "properties": {"id": {"type": "string"}}});
        let (input, output) = (Some(input.into()), Some(output.into()));
        catalogue.add(OperationSpec { input, output, ..OperationSpec::new("instances.create") }).unwrap();
        catalogue
    }

    fn validate() -> Validate {
        Validate::default().with_catalogue(&catalogue()).unwrap()
    }

    fn create(input: Value) -> Request {
        Request::new(Operation::from("instances.create"), input)
    }

    #[test]
    fn everything_that_breaks_the_schema_is_said_at_once_without_the_values() {
        let request = create(json!({"count": 0, "tags": [{"key": 1}, {}], "secret": "hunter2"}));
        let error = validate().check(&request).unwrap_err();
        let mut found: Vec<_> =
            error.fields().iter().map(|issue| (issue.path.as_str(), issue.code)).collect();
        found.sort_unstable();
        let expected =
            [("count", "out_of_range"), ("input", "required"), ("input", "unknown"), ("tags[1]", "required")];
        assert_eq!(found, expected);
        assert!(!error.message().contains("hunter2"), "{error}");
        assert!(validate().check(&create(json!({"count": 1, "image": "x"}))).is_ok());
    }

    #[test]
    fn a_schema_that_is_none_is_refused_with_its_operation() {
        let mut catalogue = Catalogue::default();
        for (name, schema) in
            [("a", json!({"type": 7})), ("b", json!({"$ref": "http://127.0.0.1:1/never.json"}))]
        {
            catalogue.add(OperationSpec { input: Some(schema.into()), ..OperationSpec::new(name) }).unwrap();
        }
        let errors = Validate::default().with_catalogue(&catalogue).unwrap_err();
        let found: Vec<_> = errors.iter().map(|error| (error.path.as_str(), error.code)).collect();
        assert_eq!(found, [("a.input", "invalid_schema"), ("b.input", "invalid_schema")]);
    }

    #[tokio::test]
    async fn an_answer_must_be_what_was_promised() {
        let run = |output: bool, answer: Output| async move {
            let upstream = exec_core::executor_fn(move |_, _| {
                let answer = answer.clone();
                Box::pin(async move { Ok(Response::full(answer)) })
            });
            let validate = Validate::new(ValidateConfig { output, ..ValidateConfig::default() });
            let pipeline =
                exec_core::Pipeline::new(upstream).with(validate.with_catalogue(&catalogue()).unwrap());
            pipeline.execute(create(json!({"count": 1, "image": "x"})), &Context::new("1")).await
        };
        let value = |value: Value| Output::values_of([value.into()]);
        assert!(run(true, value(json!({"id": "i-1"}))).await.is_ok());
        assert!(run(true, Output::text_of(r#"{"id": "i-1"}"#)).await.is_ok(), "words that are JSON");
        let error = run(true, value(json!({"id": 1}))).await.unwrap_err();
        assert_eq!((error.kind(), error.code()), (ErrorKind::Upstream, "invalid_output"));
        assert!(error.message().contains("`instances.create`") && error.message().contains("id:"), "{error}");
        assert!(run(false, value(json!({"id": 1}))).await.is_ok());
    }
}
