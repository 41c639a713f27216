//! A stream that breaks after any token, under every policy, for every format on both sides: what the caller has at the
//! end is the text of one policy, and no span of it came twice.

use serde_json::{Value, json};
use xtask::upstream::text;

use crate::support::{Answer, House, chat, execution, message};

const TOKENS: u64 = 60;
const DOORS: [&str; 3] = ["/v1/chat/completions", "/v1/messages", "/api/v2/execution"];

fn body(door: &str, model: &str) -> Value {
    match door {
        "/v1/messages" => message(model, true),
        "/api/v2/execution" => execution(model, true),
        _ => chat(model, true),
    }
}

/// A house in which `one` of format `first` breaks as the model's name says, and `two` of format `second` does not.
async fn house(first: &str, second: &str, rules: Value) -> House {
    House::with(|config| {
        let names = [("openai", "up"), ("anthropic", "claude")];
        let like = |format: &str| names.iter().find(|(kind, _)| *kind == format).unwrap().1;
        let mut one = config["providers"][like(first)].clone();
        one["timeout"] = json!({"idle": "300ms"});
        let mut two = config["providers"][like(second)].clone();
        two["models"] = json!({"*": "good"});
        let mut both = rules;
        both["type"] = "fallback".into();
        both["members"] = json!(["one", "two"]);
        config["providers"]["one"] = one;
        config["providers"]["two"] = two;
        config["providers"]["both"] = both;
        config["server"]["default_provider"] = "both".into();
    })
    .await
}

/// The words of an answer that count at its end: what came before a restart is void.
fn words(answer: &Answer) -> String {
    let places = ["/choices/0/delta/content", "/delta/text", "/content"];
    let mut said = String::new();
    for event in answer.events() {
        let Ok(event) = serde_json::from_str::<Value>(&event) else { continue };
        if event.get("broken").is_some() && event.get("provider").is_some() && event.get("success").is_none()
        {
            said.clear();
        }
        said += places.iter().find_map(|place| event.pointer(place)?.as_str()).unwrap_or_default();
    }
    said
}

/// What the answer says of itself beyond its format.
fn about(answer: &Answer) -> Value {
    let events = answer.events();
    let mut events = events.iter().filter_map(|event| serde_json::from_str::<Value>(event).ok());
    events
        .find_map(|event| {
            let native = event.get("data").filter(|data| data.get("integrity").is_some()).cloned();
            event.get("exec").cloned().or(native)
        })
        .unwrap_or_default()
}

fn assert_ended(answer: &Answer, door: &str, what: &str) {
    let body = &answer.body;
    let (end, finish) = match door {
        "/v1/messages" => ("\"type\":\"message_stop\"}\n\n", "\"stop_reason\":\"end_turn\""),
        "/api/v2/execution" => ("\n\n", "event: done"),
        _ => ("data: [DONE]\n\n", "\"finish_reason\":\"stop\""),
    };
    assert!(body.ends_with(end), "{what}: {body}");
    assert_eq!(body.matches(finish).count(), 1, "{what}: {body}");
    assert!(!body.contains("\"error\""), "{what}: {body}");
    let starts = body.matches("message_start").count();
    assert!(door != "/v1/messages" || starts == 2, "{what}: one event and its type, {starts}");
}

async fn sweep(first: &str, second: &str, policy: &str, fault: &str) {
    let house = house(first, second, json!({"mid_stream": policy})).await;
    for k in 0..TOKENS {
        for door in DOORS {
            let what = format!("{policy} {first} {second} {door} {fault}={k}");
            let model = format!("fault:tokens={TOKENS},{fault}={k}");
            let answer = house.client.post(door, &body(door, &model)).await;
            assert_eq!(answer.status, 200, "{what}: {answer:?}");
            if k > 0 && policy == "fail" {
                assert_eq!(words(&answer), text(k), "{what}");
                assert!(answer.events().pop().unwrap().contains("\"error\""), "{what}: {answer:?}");
                continue;
            }
            assert_eq!(words(&answer), text(TOKENS), "{what}: {}", answer.body);
            assert_ended(&answer, door, &what);
            if k > 0 {
                let integrity =
                    if policy == "continue" && second == "anthropic" { "continued" } else { "restarted" };
                let about = about(&answer);
                assert_eq!(about["integrity"], integrity, "{what}: {}", answer.body);
                assert_eq!(about["provider"], "two", "{what}");
                let at = text(k).chars().count();
                assert_eq!(about["broken"], json!({"provider": "one", "at": at}), "{what}");
            }
        }
    }
    house.quiet().await;
}

#[tokio::test]
async fn openai_then_anthropic() {
    for policy in ["fail", "restart", "continue"] {
        sweep("openai", "anthropic", policy, "cut").await;
    }
}

#[tokio::test]
async fn anthropic_then_openai() {
    for policy in ["fail", "restart", "continue"] {
        sweep("anthropic", "openai", policy, "cut").await;
    }
}

#[tokio::test]
async fn openai_then_openai() {
    for policy in ["restart", "continue"] {
        sweep("openai", "openai", policy, "cut-clean").await;
    }
}

#[tokio::test]
async fn anthropic_then_anthropic() {
    for policy in ["restart", "continue"] {
        sweep("anthropic", "anthropic", policy, "stream-error").await;
    }
}

#[tokio::test]
async fn however_it_breaks_somebody_goes_on() {
    let continued = house("openai", "anthropic", json!({"mid_stream": "continue"})).await;
    for fault in ["stall=40", "malformed=40", "cut=40", "cut-clean=40", "stream-error=40", "bytewise,cut=40"]
    {
        for door in DOORS {
            let answer = continued.client.post(door, &body(door, &format!("fault:{fault}"))).await;
            assert_eq!(words(&answer), text(TOKENS), "{door} {fault}: {}", answer.body);
            assert_ended(&answer, door, fault);
        }
    }
    // Anthropic's finish is not its terminal event: all was said, and somebody says that it was.
    let house = house("anthropic", "anthropic", json!({"mid_stream": "continue"})).await;
    for door in DOORS {
        let answer = house.client.post(door, &body(door, "fault:no-done")).await;
        assert_eq!(words(&answer), text(TOKENS), "{door}: {}", answer.body);
        assert_ended(&answer, door, "no-done");
    }
}

#[tokio::test]
async fn who_refuses_to_go_on_is_asked_to_say_it_all_again() {
    let house = House::with(|config| {
        let mut one = config["providers"]["up"].clone();
        let mut two = config["providers"]["claude"].clone();
        one["models"] = json!({"*": "fault:cut=40"});
        two["models"] = json!({"*": "fault:no-prefill"});
        config["providers"]["one"] = one;
        config["providers"]["two"] = two;
        config["providers"]["both"] =
            json!({"type": "fallback", "members": ["one", "two"], "mid_stream": "continue"});
        config["server"]["default_provider"] = "both".into();
    })
    .await;
    for door in DOORS {
        house.upstream.reset();
        let answer = house.client.post(door, &body(door, "any")).await;
        assert_eq!(words(&answer), text(TOKENS), "{door}: {}", answer.body);
        assert_ended(&answer, door, "refused");
        assert_eq!(about(&answer)["integrity"], "restarted");
        assert_eq!(house.upstream.stats().calls, 3);
    }
}

#[tokio::test]
async fn the_sdk_of_a_caller_finds_one_message_with_one_block() {
    let house = house("anthropic", "anthropic", json!({"mid_stream": "continue"})).await;
    let answer = house.client.post("/v1/messages", &message("fault:cut=10", true)).await;
    let events: Vec<Value> =
        answer.events().iter().map(|event| serde_json::from_str(event).unwrap()).collect();
    let count = |kind: &str| events.iter().filter(|event| event["type"] == kind).count();
    assert_eq!(
        (count("message_start"), count("content_block_start"), count("content_block_stop")),
        (1, 1, 1)
    );
    let indexes = events.iter().filter_map(|event| event["index"].as_u64());
    assert!(indexes.into_iter().all(|index| index == 0), "{}", answer.body);
}

#[tokio::test]
async fn a_restart_is_an_event_of_the_native_format() {
    let house = house("openai", "openai", json!({"mid_stream": "restart"})).await;
    let answer = house.client.post("/api/v2/execution", &execution("fault:cut=10", true)).await;
    assert_eq!(answer.body.matches("event: restart\n").count(), 1, "{}", answer.body);
    let said = answer.body.matches("tok9\\\"q\\\"").count();
    assert_eq!(said, 2, "it is said again after the event: {}", answer.body);
}
