//! What it gets wrong when told to.

use exec_core::{ErrorKind, Health, Message, Operation, Provider, Remedy, Role};
use serde_json::json;
use tokio::time::Instant;

use super::super::Failure;
use super::*;

async fn error(simulator: &Simulator, request: Request) -> Error {
    simulator.execute(request, &context()).await.unwrap_err()
}

fn fault(list: &str) -> Request {
    ask("hi").with_model(format!("simulator/fault:{list}"))
}

fn prefilled() -> Chat {
    Chat::user("hi").with_message(Message::new(Role::Assistant, "I think"))
}

#[tokio::test(start_paused = true)]
async fn every_failure_comes_before_anything() {
    let simulator = simulator(SimulatorConfig::default());
    for failure in Failure::ALL {
        let request = Request::chat(prefilled()).with_model(format!("fault:{}", failure.as_str()));
        let expected = failure.error(&"simulator".into(), None);
        for request in [request.clone(), streamed(request)] {
            let error = error(&simulator, request).await;
            assert_eq!((error.kind(), error.remedy()), (expected.kind(), expected.remedy()));
        }
    }
    let limited = error(&simulator, fault("rate_limited=7s")).await;
    assert_eq!((limited.remedy(), limited.retry_after()), (Remedy::Retry, Some(7 * SECOND)));
}

#[tokio::test(start_paused = true)]
async fn silence_lasts_until_the_deadline_or_the_caller_leaves() {
    let simulator = with_fault(Fault::Silent {});
    let start = Instant::now();
    let error = simulator.execute(ask("hi"), &context().with_timeout(9 * SECOND)).await.unwrap_err();
    assert_eq!((error.kind(), start.elapsed()), (ErrorKind::DeadlineExceeded, 9 * SECOND));
    let left = tokio::time::timeout(3600 * SECOND, simulator.execute(ask("hi"), &context())).await;
    assert!(left.is_err());
}

#[tokio::test(start_paused = true)]
async fn a_slow_first_chunk_is_waited_for_before_the_answer_is_committed() {
    let simulator = simulator(SimulatorConfig::default());
    let start = Instant::now();
    drop(simulator.execute(streamed(fault("slow")), &context()).await.unwrap());
    assert_eq!(start.elapsed(), 20 * SECOND);
    let error =
        simulator.execute(streamed(fault("slow")), &context().with_timeout(SECOND)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::DeadlineExceeded);
}

#[tokio::test(start_paused = true)]
async fn a_cut_comes_after_its_token_wherever_it_is() {
    let simulator = simulator(SimulatorConfig { tokens: 60, ..SimulatorConfig::default() });
    for after in 1..60 {
        let (words, error) = broken(&simulator, fault(&format!("cut={after}"))).await;
        assert_eq!((words, error.kind(), error.code()), (after, ErrorKind::Upstream, "stream_cut"));
        assert_eq!(error.provider().unwrap().as_ref(), "simulator");
    }
    let at_once = error(&simulator, streamed(fault("cut=0"))).await;
    assert_eq!(at_once.code(), "stream_cut", "nothing was committed");
    assert_eq!(broken(&simulator, fault("cut=999")).await.0, 60, "before the end at the latest");
    assert_eq!(error(&simulator, fault("cut=40")).await.code(), "stream_cut", "a whole answer never comes");
}

#[tokio::test(start_paused = true)]
async fn an_end_that_is_missing_is_an_error_after_all_words() {
    let (words, error) = broken(&simulator(SimulatorConfig::default()), fault("no_end")).await;
    assert_eq!((words, error.code()), (40, "stream_cut"));
}

#[tokio::test(start_paused = true)]
async fn a_malformed_chunk_ends_the_stream_with_an_error() {
    let (words, error) = broken(&simulator(SimulatorConfig::default()), fault("malformed=5")).await;
    assert_eq!((words, error.kind(), error.code()), (5, ErrorKind::Upstream, "malformed_event"));
}

#[tokio::test(start_paused = true)]
async fn a_stall_stands_still_and_goes_on() {
    let simulator = simulator(SimulatorConfig::default());
    let start = Instant::now();
    let mut chunks = simulator.execute(streamed(fault("stall=2")), &context()).await.unwrap().into_chunks();
    for _ in 0..2 {
        chunks.next().await.unwrap().unwrap();
    }
    assert_eq!(start.elapsed(), Duration::ZERO);
    chunks.next().await.unwrap().unwrap();
    assert_eq!(start.elapsed(), 30 * SECOND);
    assert_eq!(chunks.count().await, 40 - 3 + 1);
    assert_eq!(start.elapsed(), 30 * SECOND);
}

#[tokio::test(start_paused = true)]
async fn a_flapping_route_is_down_for_some_calls_and_then_up() {
    let simulator = with_fault(Fault::Flap { down: 2, up: 0 });
    assert_eq!(simulator.check().await, Health::Unhealthy);
    let mut fine = Vec::new();
    for _ in 0..5 {
        fine.push(output(&simulator, ask("hi")).await.is_ok());
    }
    assert_eq!(fine, [false, false, true, true, true]);
    assert_eq!(simulator.check().await, Health::Healthy);
    let mut again = Vec::new();
    for _ in 0..6 {
        again.push(output(&simulator, fault("flap=1/2")).await.is_ok());
    }
    assert_eq!(again, [false, true, true, false, true, true], "another name has a count of its own");
}

#[tokio::test(start_paused = true)]
async fn an_outage_lasts_its_time_from_the_first_call_on() {
    let simulator = simulator(SimulatorConfig::default());
    tokio::time::advance(100 * SECOND).await;
    let down = error(&simulator, fault("outage=30s")).await;
    assert_eq!((down.kind(), down.remedy()), (ErrorKind::Overloaded, Remedy::Retry));
    tokio::time::advance(29 * SECOND).await;
    error(&simulator, fault("outage=30s")).await;
    tokio::time::advance(SECOND).await;
    output(&simulator, fault("outage=30s")).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_prompt_longer_than_the_window_is_refused() {
    let simulator = simulator(SimulatorConfig { context_window: 2, ..SimulatorConfig::default() });
    output(&simulator, ask("12345678")).await.unwrap();
    let long = error(&simulator, ask("123456789")).await;
    assert_eq!((long.kind(), long.remedy()), (ErrorKind::ContextLength, Remedy::Stop));
}

#[tokio::test(start_paused = true)]
async fn a_prefill_is_refused_where_told_and_nothing_else_is() {
    let by_config = simulator(SimulatorConfig { reject_prefill: true, ..SimulatorConfig::default() });
    assert!(!by_config.capabilities().prefill);
    let by_name = simulator(SimulatorConfig::default());
    for (simulator, model) in [(&by_config, "m"), (&by_name, "fault:prefill_rejected")] {
        let refused = error(simulator, Request::chat(prefilled()).with_model(model)).await;
        assert_eq!((refused.kind(), refused.code()), (ErrorKind::Unsupported, "prefill_rejected"));
        output(simulator, ask("hi").with_model(model)).await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn the_report_names_the_model_that_really_answered() {
    let simulator = with_fault(Fault::AnswersAs { model: "mini".to_owned() });
    let response = simulator.execute(ask("hi").with_model("large"), &context()).await.unwrap();
    assert_eq!(response.report.model.as_deref(), Some("simulator/mini"));
}

#[tokio::test(start_paused = true)]
async fn faults_add_up_and_meet_other_operations() {
    let simulator = simulator(SimulatorConfig::default());
    let start = Instant::now();
    let (words, _) = broken(&simulator, fault("slow=2s,stall=1@3s,cut=4")).await;
    assert_eq!((words, start.elapsed()), (4, 5 * SECOND));
    let embed = Request::new(Operation::EMBED, json!({"input": "x"}));
    assert_eq!(
        error(&simulator, embed.clone().with_model("fault:overloaded")).await.kind(),
        ErrorKind::Overloaded
    );
    assert_eq!(error(&simulator, embed.with_model("fault:cut")).await.code(), "stream_cut");
}

#[tokio::test]
async fn its_health_is_what_it_was_told_to_be() {
    let error = |kind| Fault::Error { kind, retry_after: None };
    let cases = [
        (error(Failure::ServerError), Health::Unhealthy),
        (error(Failure::ContentFilter), Health::Healthy),
        (Fault::Silent {}, Health::Unhealthy),
        (Fault::Cut { after: 1 }, Health::Degraded),
        (Fault::AnswersAs { model: "x".to_owned() }, Health::Healthy),
        (Fault::Outage { lasts: SECOND }, Health::Unhealthy),
    ];
    for (fault, health) in cases {
        assert_eq!(with_fault(fault.clone()).check().await, health, "{fault:?}");
    }
}
