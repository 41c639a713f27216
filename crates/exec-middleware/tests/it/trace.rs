//! The life of a call is told once, whatever happens.

use std::sync::Arc;

use exec_core::testing::{Answer, Recorder, Script};
use exec_core::{Context, End, ErrorKind, Event, Executor};
use exec_middleware::Trace;
use futures_util::{FutureExt, StreamExt};

use crate::{around, streamed};

fn context() -> (Context, Arc<Recorder>) {
    let events = Arc::new(Recorder::default());
    (Context::new("1").with_events(events.clone()), events)
}

fn ends(events: &Recorder) -> Vec<End> {
    let ended = |event| if let Event::Ended { end, .. } = event { Some(end) } else { None };
    events.events().into_iter().filter_map(ended).collect()
}

#[tokio::test]
async fn a_complete_call_is_told_from_start_to_end() {
    let (context, events) = context();
    let script = Script::new("s", [Answer::stream(&["a"])]);
    around(&script, Trace).execute(streamed(), &context).await.unwrap().collect().await.unwrap();
    assert_eq!(events.names(), ["started", "first_chunk", "ended"]);
    assert!(matches!(ends(&events)[..], [End::Complete(_)]));
}

#[tokio::test]
async fn a_failure_before_and_in_the_body_is_told_once() {
    for (answer, names) in [
        (Answer::error(ErrorKind::Overloaded), &["started", "ended"][..]),
        (Answer::cut(&["a"]).then_error(ErrorKind::Overloaded), &["started", "first_chunk", "ended"][..]),
    ] {
        let (context, events) = context();
        let result = around(&Script::new("s", [answer]), Trace).execute(streamed(), &context).await;
        if let Ok(response) = result {
            response.collect().await.unwrap_err();
        }
        assert_eq!(events.names(), names);
        assert_eq!(ends(&events), [End::Failed(ErrorKind::Overloaded)]);
    }
}

#[tokio::test]
async fn a_caller_who_leaves_is_told_wherever_it_leaves() {
    let script = Script::new("s", [Answer::hang(), Answer::cut(&["a", "b"]).stall()]);
    let pipeline = around(&script, Trace);

    let (before, events) = context();
    assert!(pipeline.execute(streamed(), &before).now_or_never().is_none());
    assert_eq!(ends(&events), [End::Dropped], "before the first chunk");

    let (unread, events) = context();
    drop(pipeline.execute(streamed(), &unread).await.unwrap());
    assert_eq!(ends(&events), [End::Dropped], "with the body unread");

    let (middle, events) = context();
    let mut body = pipeline.execute(streamed(), &middle).await.unwrap().into_chunks();
    body.next().await.unwrap().unwrap();
    drop(body);
    assert_eq!(ends(&events), [End::Dropped], "in the middle");
    assert_eq!(script.open(), 0);
}

#[tokio::test]
async fn a_call_that_was_never_polled_never_began() {
    let (context, events) = context();
    drop(around(&Script::new("s", []), Trace).execute(streamed(), &context));
    assert!(events.names().is_empty());
}
