//! What it answers, when, and for how much.

use std::sync::Arc;

use exec_core::chat::Sampling;
use exec_core::testing::Recorder;
use exec_core::{
    Budget, End, ErrorKind, Event, Finish, Health, Message, Money, Operation, Provider, Response, Role, Usage,
};
use serde_json::{Value, json};
use tokio::time::Instant;

use super::super::{Failure, Latency, Price};
use super::*;

/// Every chunk with the time it came at.
async fn timeline(simulator: &Simulator, request: Request) -> Vec<(Duration, Chunk)> {
    let start = Instant::now();
    let mut chunks = simulator.execute(request, &context()).await.unwrap().into_chunks();
    let mut seen = Vec::new();
    while let Some(chunk) = chunks.next().await {
        seen.push((start.elapsed(), chunk.unwrap()));
    }
    seen
}

fn paced() -> SimulatorConfig {
    SimulatorConfig {
        seed: 3,
        latency: Latency { first_chunk: SECOND, jitter: 0.5 },
        tokens_per_second: 10.0,
        ..SimulatorConfig::default()
    }
}

#[tokio::test(start_paused = true)]
async fn the_same_seed_and_request_are_the_same_answer_at_the_same_times() {
    let one = timeline(&simulator(paced()), streamed(ask("hi"))).await;
    assert_eq!(one, timeline(&simulator(paced()), streamed(ask("hi"))).await);
    let same = simulator(paced());
    assert_eq!(one, timeline(&same, streamed(ask("hi"))).await);
    assert_eq!(one, timeline(&same, streamed(ask("hi"))).await, "also the second time");
    assert_ne!(one, timeline(&same, streamed(ask("ho"))).await);
    assert_ne!(one, timeline(&same, streamed(ask("hi").with_model("other"))).await);
    assert_ne!(one, timeline(&simulator(SimulatorConfig { seed: 4, ..paced() }), streamed(ask("hi"))).await);
}

#[tokio::test(start_paused = true)]
async fn a_streamed_answer_is_the_whole_one_in_pieces() {
    let simulator = simulator(SimulatorConfig::default());
    let whole = simulator.execute(ask("hi"), &context()).await.unwrap();
    assert!(whole.is_full());
    let pieces = simulator.execute(streamed(ask("hi")), &context()).await.unwrap();
    assert!(!pieces.is_full());
    assert_eq!(whole.report, pieces.report);
    assert_eq!(whole.collect().await.unwrap(), pieces.collect().await.unwrap());
}

#[tokio::test(start_paused = true)]
async fn tokens_come_at_their_rate_and_the_first_after_the_latency() {
    let latency = Latency { first_chunk: SECOND, jitter: 0.0 };
    let config =
        SimulatorConfig { latency, tokens_per_second: 10.0, tokens: 21, ..SimulatorConfig::default() };
    let start = Instant::now();
    let response = simulator(config.clone()).execute(streamed(ask("hi")), &context()).await.unwrap();
    assert_eq!(start.elapsed(), SECOND, "the first chunk is in hand");
    response.collect().await.unwrap();
    assert_eq!(start.elapsed(), 3 * SECOND);
    let start = Instant::now();
    output(&simulator(config), ask("hi")).await.unwrap();
    assert_eq!(start.elapsed(), 3 * SECOND, "a whole answer takes as long");
}

#[tokio::test(start_paused = true)]
async fn jitter_stays_in_its_bounds() {
    for prompt in 0..50 {
        let seen = timeline(&simulator(paced()), streamed(ask(&prompt.to_string()))).await;
        let first = seen[0].0;
        assert!((SECOND / 2..=SECOND * 3 / 2).contains(&first), "{first:?}");
        let gaps = seen.windows(2).take(39).map(|pair| pair[1].0 - pair[0].0);
        // The timer rounds each of the two up to a millisecond.
        assert!(gaps.into_iter().all(|gap| (49..=151).contains(&gap.as_millis())));
    }
}

#[tokio::test(start_paused = true)]
async fn a_slow_reader_is_not_made_to_wait_twice() {
    let config = SimulatorConfig { tokens_per_second: 10.0, ..SimulatorConfig::default() };
    let mut chunks = simulator(config).execute(streamed(ask("hi")), &context()).await.unwrap().into_chunks();
    tokio::time::sleep(10 * SECOND).await;
    let start = Instant::now();
    while let Some(chunk) = chunks.next().await {
        chunk.unwrap();
    }
    assert_eq!(start.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn it_says_what_it_is() {
    let report = |response: Response| (response.report.provider.unwrap(), response.report.model.unwrap());
    let plain = simulator(SimulatorConfig::default());
    let own = report(plain.execute(ask("hi"), &context()).await.unwrap());
    assert_eq!((&*own.0, &*own.1), ("simulator", "simulator"));
    let named = Simulator::new("primary", SimulatorConfig::default()).unwrap();
    for asked in ["gpt-4o", "simulator/gpt-4o"] {
        let other = report(named.execute(ask("hi").with_model(asked), &context()).await.unwrap());
        assert_eq!((&*other.0, &*other.1), ("primary (simulator)", "simulator/gpt-4o"));
    }
    assert!(output(&plain, ask("hi")).await.unwrap().text().contains("[simulator]"));
    assert_eq!(
        Simulator::new("", SimulatorConfig { tokens: 0, ..SimulatorConfig::default() }).unwrap_err().len(),
        2
    );
}

#[tokio::test(start_paused = true)]
async fn usage_is_counted_and_paid_for() {
    let price = Price { input: Money::micros(1_000_000), output: Money::micros(3_000_000) };
    let simulator = simulator(SimulatorConfig { price, ..SimulatorConfig::default() });
    let summary = output(&simulator, ask("nine byte")).await.unwrap().summary;
    assert_eq!(summary.usage, Some(Usage { input: 3, output: 40, ..Usage::default() }));
    assert_eq!(summary.cost.unwrap().total(), Money::micros(3 + 3 * 40));
    let sampling = Sampling { max_tokens: Some(5), ..Sampling::default() };
    let short =
        output(&simulator, Request::chat(Chat { sampling, ..Chat::user("nine byte") })).await.unwrap();
    assert_eq!((short.summary.finish, short.summary.usage.unwrap().output), (Finish::Length, 5));
}

#[tokio::test(start_paused = true)]
async fn a_stop_sequence_ends_the_answer_in_a_stream_too() {
    let sampling = Sampling { stop: vec!["model".to_owned()], ..Sampling::default() };
    let request = Request::chat(Chat { sampling, ..Chat::user("hi") });
    let answer = output(&simulator(SimulatorConfig::default()), streamed(request)).await.unwrap();
    assert_eq!(answer.text(), "[simulator] no ");
    assert_eq!(answer.summary.stop_sequence.as_deref(), Some("model"));
}

#[tokio::test(start_paused = true)]
async fn tools_are_called_in_a_stream() {
    let chat: Chat = serde_json::from_value(json!({
        "messages": [{"role": "user", "parts": [{"type": "text", "text": "now [call:f] please"}]}],
        "tools": [{"type": "function", "name": "f", "parameters": {
            "type": "object", "required": ["n"], "properties": {"n": {"type": "integer"}}}}]
    }))
    .unwrap();
    let answer = output(&simulator(SimulatorConfig::default()), streamed(Request::chat(chat))).await.unwrap();
    let call = answer.tool_calls().next().unwrap();
    assert_eq!(serde_json::from_str::<Value>(&call.arguments.to_str()).unwrap(), json!({"n": 1}));
    assert_eq!(answer.summary.finish, Finish::ToolCalls);
}

#[tokio::test(start_paused = true)]
async fn a_prefill_is_continued() {
    let chat = Chat::user("hi").with_message(Message::new(Role::Assistant, "I think"));
    let simulator = simulator(SimulatorConfig::default());
    assert!(simulator.capabilities().prefill);
    assert!(
        output(&simulator, Request::chat(chat)).await.unwrap().text().starts_with(" [simulator] goes on:")
    );
}

#[tokio::test(start_paused = true)]
async fn it_embeds_and_lists_its_models() {
    let config =
        SimulatorConfig { models: vec!["a".to_owned(), "b".to_owned()], ..SimulatorConfig::default() };
    let simulator = simulator(config);
    let embed = Request::new(Operation::EMBED, json!({"input": ["a", "b"], "dimensions": 8})).with_model("e");
    let answer = output(&simulator, embed).await.unwrap();
    assert_eq!(answer.data.len(), 2);
    assert_eq!(answer.data[1].to_value().as_array().unwrap().len(), 8);
    assert_eq!(answer.summary.usage.unwrap().input, 1);
    let list = output(&simulator, Request::new(Operation::MODELS, Value::Null)).await.unwrap();
    assert_eq!(list.data[1].to_value(), "b");
    let other = output(&simulator, Request::new("instances.create".into(), Value::Null)).await.unwrap_err();
    assert_eq!((other.kind(), &**other.provider().unwrap()), (ErrorKind::Unsupported, "simulator"));
    assert!(simulator.capabilities().any_model && simulator.capabilities().supports(&streamed(ask("hi"))));
    assert_eq!(simulator.check().await, Health::Healthy);
}

#[tokio::test(start_paused = true)]
async fn each_call_takes_an_attempt_and_says_so() {
    let recorder = Arc::new(Recorder::default());
    let context = context().with_budget(Arc::new(Budget::new(1, None))).with_events(recorder.clone());
    let simulator = simulator(SimulatorConfig::default());
    let wrong = simulator.execute(ask("hi").with_model("fault:nope"), &context).await.unwrap_err();
    assert_eq!((wrong.kind(), context.budget().attempts_left()), (ErrorKind::InvalidRequest, 1));
    assert_eq!(wrong.fields()[0].path, "model");
    drop(simulator.execute(ask("hi"), &context).await.unwrap());
    let spent = simulator.execute(ask("hi"), &context).await.unwrap_err();
    assert_eq!(spent.kind(), ErrorKind::Exhausted);
    assert_eq!(recorder.events(), [Event::Dispatched { provider: "simulator".into(), attempt: 1 }]);
}

#[tokio::test(start_paused = true)]
async fn dropping_the_body_ends_the_answer() {
    let (tx, rx) = std::sync::mpsc::channel();
    let response = simulator(paced()).execute(streamed(ask("hi")), &context()).await.unwrap();
    let mut chunks = response.on_end(move |end| tx.send(end.clone()).unwrap()).into_chunks();
    chunks.next().await.unwrap().unwrap();
    assert!(rx.try_recv().is_err());
    drop(chunks);
    assert_eq!(rx.recv().unwrap(), End::Dropped);
    assert_eq!(tokio::runtime::Handle::current().metrics().num_alive_tasks(), 0);
}

#[tokio::test(start_paused = true)]
async fn the_share_of_failures_is_the_one_configured() {
    let errors = vec![Failure::Overloaded, Failure::RateLimited];
    let config = SimulatorConfig { error_rate: 0.2, errors, ..SimulatorConfig::default() };
    let (one, two) = (simulator(config.clone()), simulator(config));
    let mut kinds = Vec::new();
    for prompt in 0..1_000 {
        let kind = output(&one, ask(&prompt.to_string())).await.map_err(|error| error.kind()).err();
        assert_eq!(kind, output(&two, ask(&prompt.to_string())).await.map_err(|error| error.kind()).err());
        kinds.extend(kind);
    }
    assert!((150..=250).contains(&kinds.len()), "{}", kinds.len());
    let limited = kinds.iter().filter(|kind| **kind == ErrorKind::RateLimited).count();
    assert!((50..=150).contains(&limited), "{limited}");
    let mut again = 0;
    for _ in 0..200 {
        again += usize::from(output(&one, ask("the same")).await.is_err());
    }
    assert!((20..=60).contains(&again), "a retry of the same request may succeed: {again}");
}
