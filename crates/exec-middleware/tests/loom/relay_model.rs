//! One stream for many: nobody misses anything, and whoever leaves, the others go on.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use futures_util::{Stream, StreamExt};
use loom::future::block_on;
use loom::sync::Mutex;
use loom::thread;

use crate::cache::relay::{Gone, Reader, Relay};

/// What somebody else puts in, and the reader who waits for it.
struct Pipe(Mutex<(Vec<u32>, bool, Option<Waker>)>);

struct Source(Arc<Pipe>);

impl Pipe {
    fn put(&self, item: Option<u32>) {
        let mut pipe = self.0.lock().unwrap();
        match item {
            Some(item) => pipe.0.push(item),
            None => pipe.1 = true,
        }
        let waker = pipe.2.take();
        drop(pipe);
        waker.into_iter().for_each(Waker::wake);
    }
}

impl Stream for Source {
    type Item = u32;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<u32>> {
        let mut pipe = self.0.0.lock().unwrap();
        if !pipe.0.is_empty() {
            return Poll::Ready(Some(pipe.0.remove(0)));
        }
        if pipe.1 {
            return Poll::Ready(None);
        }
        pipe.2 = Some(cx.waker().clone());
        Poll::Pending
    }
}

fn relay(room: usize) -> (Arc<Pipe>, Arc<Relay<Source>>) {
    let pipe = Arc::new(Pipe(Mutex::new((Vec::new(), false, None))));
    (pipe.clone(), Relay::new(Source(pipe), room, |_| 1))
}

fn all(reader: Reader<Source>) -> Vec<Result<u32, Gone>> {
    block_on(reader.collect())
}

/// Every interleaving with at most so many threads interrupted: all of them are too many to try.
fn model(check: impl Fn() + Send + Sync + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(2);
    builder.check(check);
}

#[test]
fn two_readers_get_everything_whoever_asks_the_source() {
    model(|| {
        let (pipe, relay) = relay(10);
        let (one, two) = (relay.join().unwrap(), relay.join().unwrap());
        let reading = thread::spawn(move || all(one));
        pipe.put(Some(1));
        pipe.put(None);
        assert_eq!(all(two), [Ok(1)]);
        assert_eq!(reading.join().unwrap(), [Ok(1)]);
    });
}

#[test]
fn a_reader_who_leaves_while_it_waits_leaves_the_source_to_the_other() {
    model(|| {
        let (pipe, relay) = relay(10);
        let (mut one, two) = (relay.join().unwrap(), relay.join().unwrap());
        let leaving = thread::spawn(move || {
            // Asks once, and may so be the one who polls the source when the other comes.
            let _asked = one.poll_next_unpin(&mut Context::from_waker(Waker::noop()));
            drop(one);
            pipe.put(Some(1));
            pipe.put(None);
        });
        assert_eq!(all(two), [Ok(1)]);
        leaving.join().unwrap();
    });
}

#[test]
fn who_joins_late_gets_all_or_is_told_to_make_a_call_of_its_own() {
    model(|| {
        let (pipe, relay) = relay(1);
        pipe.put(Some(1));
        pipe.put(Some(2));
        pipe.put(None);
        let first = relay.join().unwrap();
        let late = relay.clone();
        let joining = thread::spawn(move || late.join().map(all));
        assert_eq!(all(first), [Ok(1), Ok(2)]);
        if let Some(got) = joining.join().unwrap() {
            assert_eq!(got, [Ok(1), Ok(2)]);
        }
        assert!(relay.join().is_none());
    });
}
