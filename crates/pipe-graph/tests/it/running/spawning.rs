//! Runs on other threads.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::thread::ThreadId;

use futures_util::future::BoxFuture;
use pipe_graph::{Forward, Inputs, OnFailure, PlanRunner, Planner, Runner, Spawner, Task};

use super::clock::Virtual;
use super::work::{cap, statuses};
use crate::support::graph;

/// A thread for every task; told to be idle when all have ended.
#[derive(Clone, Default)]
struct Threads(Arc<(Mutex<usize>, Condvar)>);

impl Spawner for Threads {
    fn spawn(&self, task: BoxFuture<'static, ()>) {
        *self.0.0.lock().unwrap() += 1;
        let here = self.clone();
        std::thread::spawn(move || {
            block_on(task);
            *here.0.0.lock().unwrap() -= 1;
            here.0.1.notify_all();
        });
    }
}

impl Threads {
    fn join(&self) {
        let busy = self.0.0.lock().unwrap();
        drop(self.0.1.wait_while(busy, |busy| *busy > 0).unwrap());
    }
}

struct Unpark(std::thread::Thread);

impl std::task::Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

fn block_on<F: Future>(future: F) -> F::Output {
    let waker = Arc::new(Unpark(std::thread::current())).into();
    let mut future = std::pin::pin!(future);
    loop {
        if let std::task::Poll::Ready(output) =
            future.as_mut().poll(&mut std::task::Context::from_waker(&waker))
        {
            return output;
        }
        std::thread::park();
    }
}

/// Adds up, each pipe on whatever thread it is given; `stuck` never ends, and `bad` falls over.
#[derive(Default)]
struct Sum {
    threads: Mutex<BTreeSet<String>>,
    alive: Arc<AtomicUsize>,
}

struct Alive(Arc<AtomicUsize>);

impl Drop for Alive {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Runner for Sum {
    type Output = u64;
    type Error = String;

    async fn run(&self, task: Task<'_>, inputs: Inputs<'_, u64>) -> Result<Option<u64>, String> {
        self.alive.fetch_add(1, Ordering::SeqCst);
        let _alive = Alive(Arc::clone(&self.alive));
        let thread: ThreadId = std::thread::current().id();
        self.threads.lock().unwrap().insert(format!("{thread:?}"));
        match task.id() {
            "stuck" => std::future::pending().await,
            "bad" => panic!("fell over"),
            _ => Ok(Some(1 + inputs.iter().filter_map(|input| input.get()).sum::<u64>())),
        }
    }
}

#[test]
fn pipes_run_on_the_threads_of_the_spawner() {
    for _ in 0..100 {
        let plan =
            Forward.plan(&graph(&["a: > A", "b: A > B", "c: A > C", "d: B C > D", "bad: > E"])).unwrap();
        let (threads, sum) = (Threads::default(), Arc::new(Sum::default()));
        let runner = PlanRunner::new().on_failure(OnFailure::SkipDependents);
        let report = block_on(runner.run_on(&threads, &plan, Arc::clone(&sum), std::future::pending()));
        assert_eq!(report.output("d"), Some(&5));
        assert_eq!(report.totals().failed, 1);
        let here = format!("{:?}", std::thread::current().id());
        assert!(!sum.threads.lock().unwrap().contains(&here));
        threads.join();
    }
}

#[test]
fn dropping_the_run_ends_what_runs_elsewhere() {
    for _ in 0..100 {
        let plan = Forward.plan(&graph(&["a: > A", "stuck: A > S"])).unwrap();
        let (threads, sum) = (Threads::default(), Arc::new(Sum::default()));
        let runner = PlanRunner::new();
        let run = runner.run_on(&threads, &plan, Arc::clone(&sum), std::future::pending());
        let alive = Arc::clone(&sum.alive);
        let started = std::future::poll_fn(|context| {
            let started = sum.threads.lock().unwrap().len() >= 2 || alive.load(Ordering::SeqCst) == 1;
            context.waker().wake_by_ref();
            if started { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
        });
        block_on(async {
            let run = std::pin::pin!(run);
            drop(futures_util::future::select(run, started).await);
        });
        threads.join();
        assert_eq!(sum.alive.load(Ordering::SeqCst), 0);
    }
}

/// Has no thread to give.
struct Closed;

impl Spawner for Closed {
    fn spawn(&self, task: BoxFuture<'static, ()>) {
        drop(task);
    }
}

#[test]
fn a_spawner_that_is_shut_down_is_a_failure_and_not_a_panic() {
    let plan = Forward.plan(&graph(&["a: > A"])).unwrap();
    let runner = PlanRunner::new().concurrency(cap(1));
    let run = runner.run_on(&Closed, &plan, Arc::new(Sum::default()), std::future::pending());
    let report = Virtual::default().block_on(run);
    assert_eq!(statuses(&report), ["a: failed (panicked: its runtime has shut down)"]);
}
