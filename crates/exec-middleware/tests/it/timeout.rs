//! Each of the four limits ends what it should and nothing else.

use std::time::Duration;

use exec_core::testing::{Answer, Script};
use exec_core::{
    Chunk, Context, ErrorKind, Executor, Remedy, Request, Response, Result, Summary, Verbatim, Wire,
};
use exec_middleware::{Timeout, TimeoutConfig};
use futures_util::StreamExt;
use tokio::time::Instant;

use crate::{around, streamed, unary};

const SECOND: Duration = Duration::from_secs(1);

fn limits(change: impl FnOnce(&mut TimeoutConfig)) -> Timeout {
    let mut config = TimeoutConfig::default();
    change(&mut config);
    Timeout::new(config)
}

async fn run(
    answer: Answer,
    timeout: Timeout,
    request: Request,
) -> (Result<Response>, std::sync::Arc<Script>) {
    let script = Script::new("s", [answer]);
    (around(&script, timeout).execute(request, &Context::new("1")).await, script)
}

#[tokio::test(start_paused = true)]
async fn the_first_chunk_of_a_stream_must_come_in_time() {
    let timeout = limits(|c| c.first_chunk = Some(SECOND));
    let (answer, script) = run(Answer::stream(&["a"]).after(2 * SECOND), timeout, streamed()).await;
    let error = answer.unwrap_err();
    assert_eq!((error.kind(), error.code()), (ErrorKind::DeadlineExceeded, "first_chunk_timeout"));
    assert_eq!((error.remedy(), script.open()), (Remedy::Elsewhere, 0));
}

#[tokio::test(start_paused = true)]
async fn an_answer_asked_for_whole_has_no_first_chunk_limit() {
    let timeout = limits(|c| c.first_chunk = Some(SECOND));
    let (answer, _) = run(Answer::text("a").after(5 * SECOND), timeout, unary()).await;
    assert_eq!(answer.unwrap().collect().await.unwrap().text(), "a");
}

#[tokio::test(start_paused = true)]
async fn silence_ends_the_stream_and_a_long_stream_without_silence_passes() {
    let timeout = || limits(|c| c.idle = Some(SECOND));
    let (answer, script) = run(Answer::cut(&["a", "b"]).stall(), timeout(), streamed()).await;
    let started = Instant::now();
    let error = answer.unwrap().collect().await.unwrap_err();
    assert_eq!((error.code(), started.elapsed(), script.open()), ("idle_timeout", SECOND, 0));

    let mut long = Answer::cut(&[]);
    for _ in 0..200 {
        long = long.pause(SECOND * 9 / 10).chunk(Chunk::Text("x".into()));
    }
    let (answer, _) = run(long.chunk(Chunk::End(Summary::default())), timeout(), streamed()).await;
    assert_eq!(answer.unwrap().collect().await.unwrap().text().len(), 200);
}

#[tokio::test(start_paused = true)]
async fn signs_of_life_are_no_content() {
    let ping = || {
        Chunk::Verbatim(Verbatim {
            wire: Wire::new("w"),
            event: None,
            data: "ping".into(),
            means: Vec::new(),
        })
    };
    let mut drip = Answer::cut(&["a"]);
    for _ in 0..10 {
        drip = drip.pause(SECOND / 2).chunk(ping());
    }
    let (answer, _) = run(drip, limits(|c| c.idle = Some(SECOND)), streamed()).await;
    assert_eq!(answer.unwrap().collect().await.unwrap_err().code(), "idle_timeout");
}

#[tokio::test(start_paused = true)]
async fn a_slow_reader_is_not_a_silent_stream() {
    let (answer, _) =
        run(Answer::stream(&["a", "b", "c"]), limits(|c| c.idle = Some(SECOND)), streamed()).await;
    let mut chunks = answer.unwrap().into_chunks();
    let mut texts = 0;
    while let Some(chunk) = chunks.next().await {
        texts += usize::from(matches!(chunk.unwrap(), Chunk::Text(_)));
        tokio::time::sleep(10 * SECOND).await;
    }
    assert_eq!(texts, 3);
}

#[tokio::test(start_paused = true)]
async fn the_total_limit_covers_call_and_body() {
    let timeout = || limits(|c| c.total = Some(SECOND));
    let (answer, _) = run(Answer::hang(), timeout(), unary()).await;
    let error = answer.unwrap_err();
    assert_eq!((error.code(), error.remedy()), ("total_timeout", Remedy::Elsewhere));

    let mut body = Answer::cut(&["a"]);
    for _ in 0..10 {
        body = body.pause(SECOND / 4).chunk(Chunk::Text("x".into()));
    }
    let (answer, script) = run(body.clone().after(SECOND / 2), timeout(), streamed()).await;
    let started = Instant::now();
    let error = answer.unwrap().collect().await.unwrap_err();
    assert_eq!((error.code(), started.elapsed(), script.open()), ("total_timeout", SECOND / 2, 0));
}

#[tokio::test(start_paused = true)]
async fn a_body_ends_with_the_deadline_and_the_cancellation_of_its_context() {
    let script = Script::new("s", [Answer::cut(&["a"]).stall()]);
    let pipeline = around(&script, Timeout::default());

    let context = Context::new("1").with_timeout(SECOND);
    let answer = pipeline.execute(streamed(), &context).await.unwrap();
    assert_eq!(answer.collect().await.unwrap_err().code(), "deadline_exceeded");

    let context = Context::new("2");
    let body = pipeline.execute(streamed(), &context).await.unwrap().collect();
    let cancel = async {
        tokio::time::sleep(SECOND).await;
        context.cancel();
    };
    let (result, ()) = tokio::join!(body, cancel);
    assert_eq!(result.unwrap_err().kind(), ErrorKind::Cancelled);
    assert_eq!(script.open(), 0);
}

#[tokio::test(start_paused = true)]
async fn the_deadline_of_the_execution_leaves_no_time_elsewhere() {
    let script = Script::new("s", [Answer::hang()]);
    let pipeline = around(&script, limits(|c| c.total = Some(2 * SECOND)));
    let error = pipeline.execute(unary(), &Context::new("1").with_timeout(SECOND)).await.unwrap_err();
    assert_eq!((error.code(), error.remedy()), ("deadline_exceeded", Remedy::Stop));
}

#[tokio::test]
async fn the_connect_limit_is_handed_to_whoever_connects() {
    let seen = exec_core::executor_fn(|_, context| {
        let limit = context.connect_limit();
        Box::pin(async move { Err(exec_core::Error::new(ErrorKind::Internal, format!("{limit:?}"))) })
    });
    let pipeline = exec_core::Pipeline::new(seen).with(limits(|c| c.connect = Some(SECOND)));
    assert_eq!(pipeline.execute(unary(), &Context::new("1")).await.unwrap_err().message(), "Some(1s)");
}

#[test]
fn configuration_is_read_strictly() {
    let config: TimeoutConfig = serde_json::from_str(r#"{"connect": "2s", "idle": "500ms"}"#).unwrap();
    assert_eq!((config.connect, config.idle), (Some(2 * SECOND), Some(SECOND / 2)));
    assert!(serde_json::from_str::<TimeoutConfig>(r#"{"conect": "2s"}"#).is_err());
}
