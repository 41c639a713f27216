//! What cannot be reached, and what breaks.

use std::sync::atomic::Ordering;
use std::time::Duration;

use exec_pool::{ConnectError, OnConnectError, PoolError};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use crate::support::{Act, Failure, Mock, assert_true, config, pool, settle};

#[tokio::test(start_paused = true)]
async fn everyone_who_waits_gets_the_error_of_the_connection_at_once() {
    let mock = Mock::new(2);
    mock.set_create(Act::Error);
    let pool = pool(&mock, config(|config| config.max = 2));
    let start = Instant::now();
    let mut tasks = JoinSet::new();
    for _ in 0..10 {
        let pool = pool.clone();
        tasks.spawn(async move {
            match pool.get().await {
                Err(PoolError::Connect(ConnectError::Failed(error))) => assert_eq!(*error, Failure("create")),
                other => panic!("{other:?}"),
            }
        });
    }
    while let Some(ended) = tasks.join_next().await {
        ended.unwrap();
    }
    assert!(start.elapsed() < Duration::from_millis(50));
    assert_eq!(pool.stats().failed, 10);
    assert!(
        pool.stats().connect_failures <= 4,
        "{}: nobody tries on while it fails",
        pool.stats().connect_failures
    );
}

#[tokio::test(start_paused = true)]
async fn one_who_asks_in_a_pause_is_served_when_it_is_over() {
    let mock = Mock::new(1);
    mock.set_create(Act::Error);
    let pool = pool(&mock, config(|config| config.max = 1));
    for _ in 0..12 {
        assert!(pool.get().await.is_err());
    }
    mock.set_create(Act::Ok);
    let start = Instant::now();
    drop(pool.get().await.unwrap());
    assert!(
        (Duration::from_secs(2)..=Duration::from_secs(5)).contains(&start.elapsed()),
        "{:?}",
        start.elapsed()
    );
}

#[tokio::test(start_paused = true)]
async fn with_retry_it_is_tried_until_the_time_is_over_and_then_the_error_is_told() {
    let mock = Mock::new(1);
    mock.set_create(Act::Error);
    let retry = |config: &mut exec_pool::Config| {
        (config.max, config.wait, config.on_connect_error) =
            (1, Duration::from_secs(20), OnConnectError::Retry);
    };
    let pool = pool(&mock, config(retry));
    let start = Instant::now();
    assert!(matches!(pool.get().await, Err(PoolError::Connect(ConnectError::Failed(_)))));
    assert!(start.elapsed() >= Duration::from_secs(20) && start.elapsed() < Duration::from_millis(20_010));
    let tries = pool.stats().connect_failures;
    assert!((10..=20).contains(&tries), "{tries}");
    let healing = mock.clone();
    let mut later = JoinSet::new();
    later.spawn(async move {
        sleep(Duration::from_secs(8)).await;
        healing.set_create(Act::Ok);
    });
    drop(pool.get().await.unwrap());
    assert_eq!(mock.made(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_takes_too_long_is_an_error_of_its_own() {
    let mock = Mock::new(1);
    mock.set_create(Act::Never);
    let pool = pool(&mock, config(|config| (config.max, config.connect) = (1, Duration::from_secs(1))));
    let start = Instant::now();
    assert!(matches!(pool.get().await, Err(PoolError::Connect(ConnectError::TooSlow(_)))));
    assert_eq!(start.elapsed().as_secs(), 1);
}

#[tokio::test(start_paused = true)]
async fn what_breaks_in_use_is_replaced_and_starves_nobody() {
    let mock = Mock::new(3);
    let pool = pool(&mock, config(|config| config.max = 3));
    let mut tasks = JoinSet::new();
    for number in 0..60 {
        let pool = pool.clone();
        tasks.spawn(async move {
            let mut lease = pool.get().await.unwrap();
            sleep(Duration::from_millis(1)).await;
            match number % 3 {
                0 => lease.mark_broken(),
                1 => lease.break_it(),
                _ => {}
            }
        });
    }
    tasks.join_all().await;
    settle().await;
    assert_true(&pool);
    assert_eq!(pool.stats().closed.broken, 40);
    assert_eq!((mock.made(), mock.0.dropped.load(Ordering::SeqCst)), (40 + pool.stats().idle, 40));
}

#[tokio::test(start_paused = true)]
async fn one_that_closed_itself_while_idle_is_never_lent() {
    let mock = Mock::new(2);
    let pool = pool(&mock, config(|config| config.max = 2));
    let (one, two) = (pool.get().await.unwrap(), pool.get().await.unwrap());
    let (open, ids) = ([one.open.clone(), two.open.clone()], [one.id, two.id]);
    drop((one, two));
    open.iter().for_each(|open| open.store(false, Ordering::SeqCst));
    let lease = pool.get().await.unwrap();
    assert!(!ids.contains(&lease.id) && pool.stats().closed.broken == 2);
}

#[tokio::test(start_paused = true)]
async fn a_dead_one_found_by_a_check_is_replaced_within_the_same_call() {
    let mock = Mock::new(1);
    let pool = pool(&mock, config(|config| config.max = 1));
    drop(pool.get().await.unwrap());
    sleep(Duration::from_secs(1)).await;
    mock.set_check(Act::Error);
    assert_eq!(pool.get().await.unwrap().id, 1);
    assert_eq!((pool.stats().closed.dead, pool.stats().checks_failed), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn a_panic_with_a_lease_in_hand_gives_the_slot_back_and_not_the_connection() {
    let mock = Mock::new(1);
    let pool = pool(&mock, config(|config| config.max = 1));
    let mut task = JoinSet::new();
    let theirs = pool.clone();
    task.spawn(async move {
        let _lease = theirs.get().await.unwrap();
        panic!("in use");
    });
    assert!(task.join_next().await.unwrap().is_err());
    assert_eq!(pool.get().await.unwrap().id, 1);
}
