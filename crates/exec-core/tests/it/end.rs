//! `on_end` fires exactly once, whatever happens to the body.

use std::sync::{Arc, Mutex};

use exec_core::testing::{Answer, Script};
use exec_core::{Chat, Chunk, Context, End, ErrorKind, Executor, Output, Request, Response, Summary};
use futures_util::stream::{self, StreamExt};
use tokio::sync::Semaphore;

type Seen = Arc<Mutex<Vec<End>>>;

fn watched(response: Response) -> (Response, Seen) {
    let seen = Seen::default();
    let log = seen.clone();
    (response.on_end(move |end| log.lock().unwrap().push(end.clone())), seen)
}

fn streamed(complete: bool) -> Response {
    let end = complete.then(|| Chunk::End(Summary::default()));
    let chunks = ["a", "b"].map(|text| Chunk::Text(text.into())).into_iter().chain(end);
    Response::stream(stream::iter(chunks.map(Ok).collect::<Vec<_>>()))
}

fn ends(seen: &Seen) -> Vec<End> {
    seen.lock().unwrap().clone()
}

#[tokio::test]
async fn a_complete_body_ends_complete_once() {
    let (response, seen) = watched(streamed(true));
    let mut chunks = response.into_chunks();
    while chunks.next().await.is_some() {}
    assert!(chunks.next().await.is_none());
    drop(chunks);
    assert_eq!(ends(&seen), [End::Complete(Summary::default())]);
}

#[tokio::test]
async fn a_full_answer_has_ended_already() {
    let (response, seen) = watched(Response::full(Output::text_of("x")));
    assert_eq!(ends(&seen).len(), 1);
    drop(response);
    assert_eq!(ends(&seen), [End::Complete(Summary::default())]);
}

#[tokio::test]
async fn a_cut_body_ends_failed() {
    let (response, seen) = watched(streamed(false));
    assert!(response.collect().await.is_err());
    assert_eq!(ends(&seen), [End::Failed(ErrorKind::Upstream)]);
}

#[tokio::test]
async fn a_reader_who_leaves_is_told_as_dropped_wherever_it_leaves() {
    for read in 0..3 {
        let (response, seen) = watched(streamed(true));
        let mut chunks = response.into_chunks();
        for _ in 0..read {
            chunks.next().await.unwrap().unwrap();
        }
        drop(chunks);
        let expected = if read < 3 { End::Dropped } else { End::Complete(Summary::default()) };
        assert_eq!(ends(&seen), [expected], "after {read} chunks");
    }
    let (response, seen) = watched(streamed(true));
    drop(response);
    assert_eq!(ends(&seen), [End::Dropped], "never read");
}

#[tokio::test]
async fn watchers_fire_from_the_inside_out_and_see_the_mapped_stream() {
    let order = Arc::new(Mutex::new(Vec::new()));
    let note = |name: &'static str| {
        let order = order.clone();
        move |end: &End| order.lock().unwrap().push((name, end.clone()))
    };
    let response =
        streamed(true).on_end(note("inner")).map_chunks(|chunks| chunks.take(1)).on_end(note("outer"));
    assert!(response.collect().await.is_err());
    let failed = End::Failed(ErrorKind::Upstream);
    assert_eq!(*order.lock().unwrap(), [("inner", failed.clone()), ("outer", failed)]);
}

#[tokio::test]
async fn a_permit_lives_exactly_as_long_as_the_body() {
    let permits = Arc::new(Semaphore::new(1));
    let script = Script::new("s", [Answer::stream(&["a", "b"])]);
    let permit = permits.clone().try_acquire_owned().unwrap();
    let response = script.execute(Request::chat(Chat::user("x")), &Context::new("1")).await.unwrap();
    let mut body = response.on_end(move |_| drop(permit)).into_chunks();
    body.next().await.unwrap().unwrap();
    assert_eq!((permits.available_permits(), script.open()), (0, 1));
    drop(body);
    assert_eq!((permits.available_permits(), script.open()), (1, 0));
}
