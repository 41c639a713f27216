//! What is sent for a conversation of another format, and for one of this format.

use bytes::Bytes;
use exec_core::chat::{
    Chat, Extra, Function, Message, Opaque, Part, Reasoning, Role, Source, Tool, ToolCall, ToolChoice,
    ToolResult,
};
use exec_core::{ErrorKind, Input, Operation, Options, Remedy, Request, Text, Wire};
use http::header::AUTHORIZATION;
use serde_json::json;

use super::super::{Anthropic, AnthropicFront, MESSAGES};
use super::encode;
use crate::format::{Format, Front};
use crate::http::{Body, OutgoingRequest};

const OTHER: Wire = Wire::new("openai.chat");

fn result(id: &str, text: &str) -> Part {
    let parts = vec![Part::text(text)];
    Part::ToolResult(ToolResult { id: id.into(), parts, failed: false, extra: Extra::default() })
}

fn call(id: &str, arguments: &str) -> Part {
    let (id, name) = (id.to_owned(), "f".to_owned());
    Part::ToolCall(ToolCall { id, name, arguments: arguments.into(), extra: Extra::default() })
}

fn message(role: Role, parts: Vec<Part>) -> Message {
    Message { role, parts, name: None, extra: Extra::default() }
}

#[test]
fn turns_are_merged_and_instructions_hoisted() {
    let chat = Chat::user("one")
        .with_system("s")
        .with_message(Message::new(Role::User, "two"))
        .with_message(Message::new(Role::Developer, "d"))
        .with_message(message(Role::Assistant, vec![Part::text(""), call("a", ""), call("b", " {\"x\":1} ")]))
        .with_message(message(Role::Tool, vec![result("a", "1")]))
        .with_message(Message::new(Role::User, "now"))
        .with_message(message(Role::Tool, vec![result("b", "2")]));
    let (body, dropped) = encode(&Request::chat(chat)).unwrap();
    assert_eq!(
        body,
        json!({
            "model": "claude", "max_tokens": 4096,
            "system": [{"type": "text", "text": "s"}, {"type": "text", "text": "d"}],
            "messages": [
                {"role": "user", "content": [{"type": "text", "text": "one"}, {"type": "text", "text": "two"}]},
                {"role": "assistant", "content": [
                    {"type": "tool_use", "id": "a", "name": "f", "input": {}},
                    {"type": "tool_use", "id": "b", "name": "f", "input": {"x": 1}}
                ]},
                {"role": "user", "content": [
                    {"type": "tool_result", "tool_use_id": "a", "content": "1"},
                    {"type": "tool_result", "tool_use_id": "b", "content": "2"},
                    {"type": "text", "text": "now"}
                ]}
            ]
        })
    );
    assert!(dropped.is_empty());
}

#[test]
fn what_cannot_be_said_is_left_out_and_named() {
    let mut chat = Chat::user("hi");
    chat.sampling.seed = Some(1);
    chat.sampling.presence_penalty = Some(0.5);
    chat.sampling.frequency_penalty = Some(0.5);
    chat.sampling.stop = vec!["\n".into(), "END".into()];
    chat.tool_choice = Some(ToolChoice::Required);
    chat.extra = Extra::of(OTHER);
    chat.extra.insert("logit_bias", json!({}).into());
    chat.extra.insert("response_format", json!({}).into());
    chat.messages[0].name = Some("Ann".into());
    chat.messages[0].parts.push(Part::Reasoning(Reasoning { text: "hm".into(), ..Reasoning::default() }));
    chat.messages[0].parts.push(Part::Opaque(Opaque::new(OTHER, "input_audio", json!({}).into())));
    let (body, dropped) = encode(&Request::chat(chat)).unwrap();
    assert_eq!(
        dropped,
        [
            "frequency_penalty",
            "input_audio",
            "logit_bias",
            "messages[].content[].reasoning",
            "messages[].name",
            "presence_penalty",
            "response_format",
            "seed",
            "stop",
            "tool_choice"
        ]
    );
    assert_eq!(
        body,
        json!({"model": "claude", "max_tokens": 4096, "stop_sequences": ["END"],
               "messages": [{"role": "user", "content": [{"type": "text", "text": "hi"}]}]})
    );
}

#[test]
fn only_thinking_that_was_signed_here_is_sent_back() {
    let thought = |extra| Reasoning { text: "hm".into(), signature: Some("s".into()), extra };
    for (extra, sent) in [(Extra::of(MESSAGES), true), (Extra::default(), true), (Extra::of(OTHER), false)] {
        let parts = vec![Part::Reasoning(thought(extra)), Part::text("so")];
        let chat = Chat::user("hi").with_message(message(Role::Assistant, parts));
        let (body, dropped) = encode(&Request::chat(chat)).unwrap();
        let name = "messages[].content[].reasoning";
        assert_eq!(dropped.iter().any(|dropped| dropped == name), !sent);
        assert_eq!(body["messages"][1].to_string().contains("thinking"), sent, "{body}");
    }
}

#[test]
fn thinking_that_was_read_here_stays_signed_in_an_answer() {
    let answer = json!({"content": [{"type": "thinking", "thinking": "hm", "signature": "s"}]});
    let answer = Anthropic::new().decode(&Operation::CHAT, &answer.to_string().into()).unwrap();
    let [Part::Reasoning(thought)] = answer.output.parts() else { panic!("no thinking") };
    assert_eq!(thought.extra.wire(), Some(MESSAGES));
}

#[test]
fn tools_and_their_choice_are_translated() {
    let mut chat = Chat::user("hi");
    chat.tools = vec![
        Tool::Function(Function { name: "f".into(), ..Function::default() }),
        Tool::Opaque(Opaque::new(MESSAGES, "bash_20250124", json!({"type": "bash_20250124"}).into())),
        Tool::Opaque(Opaque::new(OTHER, "web", json!({}).into())),
    ];
    let mut choice = |choice: Option<ToolChoice>, parallel: Option<bool>| {
        chat.tool_choice = choice;
        chat.parallel_tool_calls = parallel;
        let (body, dropped) = encode(&Request::chat(chat.clone())).unwrap();
        assert_eq!(dropped, ["tools[].web"]);
        assert_eq!(
            body["tools"],
            json!([{"name": "f", "input_schema": {"type": "object"}}, {"type": "bash_20250124"}])
        );
        body["tool_choice"].clone()
    };
    assert_eq!(choice(None, None), json!(null));
    assert_eq!(choice(None, Some(true)), json!(null));
    assert_eq!(choice(None, Some(false)), json!({"type": "auto", "disable_parallel_tool_use": true}));
    assert_eq!(choice(Some(ToolChoice::Auto), None), json!({"type": "auto"}));
    assert_eq!(choice(Some(ToolChoice::None), Some(false)), json!({"type": "none"}));
    assert_eq!(
        choice(Some(ToolChoice::Required), Some(false)),
        json!({"type": "any", "disable_parallel_tool_use": true})
    );
    assert_eq!(choice(Some(ToolChoice::Named("f".into())), None), json!({"type": "tool", "name": "f"}));
}

#[test]
fn what_the_provider_would_refuse_is_refused_here() {
    let mut hot = Chat::user("hi");
    hot.sampling.temperature = Some(1.5);
    let error = encode(&Request::chat(hot)).unwrap_err();
    assert_eq!((error.kind(), error.remedy()), (ErrorKind::Unsupported, Remedy::Elsewhere));

    for arguments in ["{\"x\":", "[1]", "nonsense"] {
        let chat = Chat::user("hi").with_message(message(Role::Assistant, vec![call("a", arguments)]));
        let error = encode(&Request::chat(chat)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidRequest);
        assert_eq!(error.fields()[0].path, "messages[1].content");
    }

    let nothing = Chat::user("").with_system("only instructions");
    assert_eq!(encode(&Request::chat(nothing)).unwrap_err().fields()[0].path, "messages");

    let embed = Request::new(Operation::EMBED, Input::none());
    assert_eq!(Anthropic::new().encode(&embed, "m").unwrap_err().kind(), ErrorKind::Unsupported);
}

#[test]
fn calls_and_results_stay_together_whatever_their_names() {
    let chat = Chat::user("hi")
        .with_message(message(Role::Assistant, vec![call("functions.f:0", "{}")]))
        .with_message(message(Role::Tool, vec![result("functions.f:0", "1")]));
    let (body, _) = encode(&Request::chat(chat)).unwrap();
    assert_eq!(body["messages"][1]["content"][0]["id"], "functions_f_0");
    assert_eq!(body["messages"][2]["content"][0]["tool_use_id"], "functions_f_0");
}

#[test]
fn whether_to_stream_is_the_callers_option_alone() {
    let mut chat = Chat::user("hi");
    chat.extra.insert("stream", json!(true).into());
    let request = Request::chat(chat);
    assert_eq!(encode(&request).unwrap().0["stream"], false);
    let streamed = request.with_options(Options { stream: true, ..Options::default() });
    assert_eq!(encode(&streamed).unwrap().0["stream"], true);
}

#[test]
fn pictures_are_translated() {
    let picture = |source| Part::Image { source, extra: Extra::default() };
    let base64 = Source::Base64 { media_type: "image/png".into(), data: "AAAA".into() };
    let parts = vec![picture(base64), picture(Source::Url("https://e/x.png".into()))];
    let chat = Chat { messages: vec![message(Role::User, parts)], ..Chat::default() };
    let (body, _) = encode(&Request::chat(chat)).unwrap();
    assert_eq!(
        body["messages"][0]["content"],
        json!([
            {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AAAA"}},
            {"type": "image", "source": {"type": "url", "url": "https://e/x.png"}}
        ])
    );
}

#[test]
fn a_request_of_this_format_is_sent_on_as_it_came() {
    let text = r#"{ "model":"mine", "max_tokens":5, "future":[1.50], "messages":[{"role":"user","content":"x"}],"stream":true}"#;
    let request = AnthropicFront.read(&Bytes::from_static(text.as_bytes())).unwrap();
    let encoded = Anthropic::new().encode(&request, "theirs").unwrap();
    assert_eq!(encoded.body.to_bytes(), text.replace("mine", "theirs"));
    assert!(encoded.verbatim && encoded.dropped.is_empty() && !encoded.hide_usage);

    let unary = request.clone().with_options(Options::default());
    let body = Anthropic::new().encode(&unary, "m").unwrap().body.to_bytes();
    let body: serde_json::Value = serde_json::from_slice(&body).unwrap();
    assert!(body.get("stream").is_none());
}

#[test]
fn a_large_text_of_another_format_is_not_copied() {
    let source = Bytes::from(format!("\"{}\"", "x".repeat(1 << 20)));
    let text = Text::of(&source, serde_json::from_slice(&source).unwrap()).unwrap();
    let request = Request::new(Operation::CHAT, Input::received(OTHER, source.clone(), Chat::user(text)));
    let encoded = Anthropic::new().encode(&request, "m").unwrap();
    let shared = |segment: &Bytes| source.as_ptr_range().contains(&segment.as_ptr());
    assert!(encoded.body.segments().iter().any(|segment| segment.len() == 1 << 20 && shared(segment)));
    assert!(!encoded.verbatim);
}

fn sent(format: &Anthropic, beta: Option<&str>) -> OutgoingRequest {
    let headers = beta.map(|beta| ("Anthropic-Beta".into(), beta.into())).into_iter();
    let headers = headers.chain([("cookie".into(), "x".into())]).collect();
    let request = Request::chat(Chat::user("x")).with_options(Options { headers, ..Options::default() });
    let mut outgoing = OutgoingRequest::post("/v1/messages", Body::empty());
    format.headers(&request, &mut outgoing).unwrap();
    outgoing
}

#[test]
fn keys_and_tokens_go_into_their_own_headers() {
    let key = Anthropic::new().with_key("sk-ant-api03-x".to_owned().into());
    let headers = sent(&key, None).headers;
    assert_eq!(headers["x-api-key"], "sk-ant-api03-x");
    assert!(headers["x-api-key"].is_sensitive() && !headers.contains_key(AUTHORIZATION));
    assert_eq!(headers["anthropic-version"], "2023-06-01");
    assert!(!headers.contains_key("anthropic-beta") && !headers.contains_key("cookie"));

    let token = Anthropic::new().with_key("sk-ant-oat01-x".to_owned().into()).with_version("v2");
    let headers = sent(&token, Some("a, b")).headers;
    assert_eq!(headers[AUTHORIZATION], "Bearer sk-ant-oat01-x");
    assert_eq!(headers["anthropic-beta"], "a,b,oauth-2025-04-20");
    assert_eq!(headers["anthropic-version"], "v2");
    assert!(!headers.contains_key("x-api-key"));
    assert!(!format!("{token:?}").contains("oat01"));
}
