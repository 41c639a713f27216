//! Callers who leave: every outcome of making and checking, left at every await.

use std::future::Future;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use exec_pool::{Config, Pool, PoolError, Stage};
use tokio::time::{Instant, advance, sleep};

use crate::support::{Act, Mock, SLOW, assert_true, config, pool, settle};

const ACTS: [Act; 4] = [Act::Ok, Act::Error, Act::Slow, Act::Never];

/// Everything has an end within a second, so that "never" can be waited for.
fn limits() -> Config {
    config(|config| {
        config.max = 1;
        config.wait = Duration::from_secs(3);
        config.connect = Duration::from_secs(1);
        config.check = Duration::from_secs(1);
    })
}

/// A pool of one connection, idle for so long that it must be checked.
async fn stale(mock: &Mock) -> Pool<Mock> {
    let pool = pool(mock, limits());
    drop(pool.get().await.unwrap());
    advance(Duration::from_secs(1)).await;
    pool
}

/// Asks for a connection and leaves at the await of this number, each a moment after the other. False when the call had
/// ended before.
async fn leave_at(pool: &Pool<Mock>, number: usize) -> bool {
    let mut get = Box::pin(pool.get());
    for _ in 0..=number {
        if let Poll::Ready(ended) = get.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            drop(ended);
            return false;
        }
        // First what runs at once, then what takes its time.
        settle().await;
        if number > 0 {
            advance(SLOW / 2).await;
        }
    }
    drop(get);
    true
}

/// Whatever happened, the pool has its capacity: one connection can be had, and not two.
async fn assert_whole(mock: &Mock, pool: &Pool<Mock>) {
    mock.set_create(Act::Ok);
    mock.set_check(Act::Ok);
    // An attempt that hangs goes on until its limit, and its error is told to whoever waits then.
    sleep(Duration::from_secs(2)).await;
    let lease = pool.get().await.unwrap();
    assert!(pool.try_get().is_none());
    assert_true(pool);
    drop(lease);
    let stats = pool.stats();
    assert_eq!((stats.total, stats.idle, stats.waiting, stats.leases), (1, 1, 0, 0), "{stats:?}");
    assert_eq!(mock.live(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_caller_who_leaves_while_one_is_made_loses_nothing() {
    for create in ACTS {
        for number in 0..30 {
            let mock = Mock::new(1);
            mock.set_create(create);
            let pool = pool(&mock, limits());
            let left = leave_at(&pool, number).await;
            assert_true(&pool);
            assert_whole(&mock, &pool).await;
            if left && matches!(create, Act::Ok | Act::Slow) {
                assert_eq!(mock.made(), 1, "{create:?} {number}: what was being made was thrown away");
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_caller_who_leaves_during_a_check_destroys_no_healthy_connection() {
    for create in ACTS {
        for check in ACTS {
            for number in 0..30 {
                let mock = Mock::new(1);
                let pool = stale(&mock).await;
                mock.set_create(create);
                mock.set_check(check);
                leave_at(&pool, number).await;
                assert_true(&pool);
                assert_whole(&mock, &pool).await;
                if matches!(check, Act::Ok | Act::Slow) {
                    assert_eq!(mock.made(), 1, "{create:?} {check:?} {number}: a healthy connection is gone");
                }
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn every_outcome_of_making_and_checking_ends_in_time() {
    for create in ACTS {
        for check in ACTS {
            let mock = Mock::new(1);
            let pool = stale(&mock).await;
            mock.set_create(create);
            mock.set_check(check);
            let start = Instant::now();
            let ended = pool.get().await;
            assert!(start.elapsed() <= Duration::from_secs(3), "{create:?} {check:?}: {:?}", start.elapsed());
            let good = matches!(check, Act::Ok | Act::Slow) || matches!(create, Act::Ok | Act::Slow);
            match &ended {
                Ok(_) => assert!(good),
                Err(PoolError::Connect(_)) => assert!(!good),
                Err(other) => panic!("{create:?} {check:?}: {other}"),
            }
            drop(ended);
            assert_whole(&mock, &pool).await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn one_limit_holds_over_check_connect_and_queue_and_says_where_it_ended() {
    let mock = Mock::new(1);
    let pool = stale(&mock).await;
    mock.set_create(Act::Never);
    mock.set_check(Act::Never);
    let start = Instant::now();
    let stage_at = async |limit: u64| match pool.get_within(Duration::from_millis(limit)).await {
        Err(PoolError::Timeout { stage, waited }) => {
            assert_eq!(waited, Duration::from_millis(limit));
            stage
        }
        other => panic!("{other:?}"),
    };
    assert_eq!(stage_at(300).await, Stage::Check);
    assert_eq!(stage_at(1200).await, Stage::Connect);
    assert_eq!(start.elapsed(), Duration::from_millis(1500));
    let timeouts = pool.stats().timeouts;
    assert_eq!((timeouts.check, timeouts.connect, timeouts.queue), (1, 1, 0));
    mock.set_create(Act::Ok);
    sleep(Duration::from_secs(1)).await;
    let lease = pool.get().await.unwrap();
    assert_eq!(stage_at(50).await, Stage::Queue);
    drop(lease);
}

#[tokio::test(start_paused = true)]
async fn what_panics_is_a_failure_and_not_the_end() {
    let mock = Mock::new(1);
    let pool = stale(&mock).await;
    mock.set_check(Act::Panic);
    mock.set_create(Act::Panic);
    assert!(matches!(pool.get().await, Err(PoolError::Connect(_))));
    assert_whole(&mock, &pool).await;
    drop(pool.get().await.unwrap());
}
