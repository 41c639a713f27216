//! A panic below is an error above.

use exec_core::testing::{Answer, Script};
use exec_core::{Chunk, Context, ErrorKind, Executor};
use exec_middleware::CatchPanic;
use futures_util::StreamExt;

use crate::{around, unary};

#[tokio::test]
async fn a_panic_of_the_call_is_an_error_and_the_next_call_works() {
    let script = Script::new("s", [Answer::panic(), Answer::text("fine")]);
    let pipeline = around(&script, CatchPanic);
    let error = pipeline.execute(unary(), &Context::new("1")).await.unwrap_err();
    assert_eq!((error.kind(), error.code()), (ErrorKind::Internal, "panic"));
    assert!(!error.to_string().contains("as it was told"), "the panic's words are for the log: {error}");
    let answer = pipeline.execute(unary(), &Context::new("2")).await.unwrap();
    assert_eq!(answer.collect().await.unwrap().text(), "fine");
    assert_eq!(script.open(), 0);
}

#[tokio::test]
async fn a_panic_in_the_body_ends_it_with_an_error() {
    let script = Script::new("s", [Answer::cut(&["a", "b"]).then_panic()]);
    let answer = around(&script, CatchPanic).execute(unary(), &Context::new("1")).await.unwrap();
    let items: Vec<_> = answer.into_chunks().collect().await;
    assert_eq!(items.len(), 3);
    assert_eq!(*items[1].as_ref().unwrap(), Chunk::Text("b".into()));
    assert_eq!(items[2].as_ref().unwrap_err().kind(), ErrorKind::Internal);
    assert_eq!(script.open(), 0);
}
