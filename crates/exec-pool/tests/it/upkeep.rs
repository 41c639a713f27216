//! What time does to connections.

use std::time::Duration;

use exec_pool::Config;
use tokio::time::{Instant, advance, sleep};

use crate::support::{Act, Mock, assert_true, config, pool, settle};

const SECOND: Duration = Duration::from_secs(1);

/// So many idle connections.
async fn filled(mock: &Mock, count: usize, config: Config) -> exec_pool::Pool<Mock> {
    let pool = pool(mock, config);
    let mut leases = Vec::new();
    for _ in 0..count {
        leases.push(pool.get().await.unwrap());
    }
    drop(leases);
    pool
}

#[tokio::test(start_paused = true)]
async fn idle_ones_are_closed_in_time_and_never_below_the_minimum() {
    let mock = Mock::new(10);
    let limits = config(|config| (config.min_idle, config.idle) = (3, 60 * SECOND));
    let pool = filled(&mock, 8, limits).await;
    sleep(60 * SECOND - Duration::from_millis(5)).await;
    assert!(pool.stats().idle >= 8);
    for _ in 0..100 {
        sleep(SECOND).await;
        assert!(pool.stats().idle >= 3);
    }
    assert_eq!(pool.stats().idle, 3);
    assert_eq!(pool.stats().closed.idle, mock.made() as u64 - 3);
}

#[tokio::test(start_paused = true)]
async fn the_ones_used_last_are_used_first_so_that_the_rest_can_go() {
    let mock = Mock::new(5);
    let pool = filled(&mock, 5, config(|config| (config.max, config.idle) = (5, 10 * SECOND))).await;
    for _ in 0..100 {
        drop(pool.get().await.unwrap());
        sleep(SECOND / 5).await;
    }
    assert_eq!((pool.stats().idle, mock.made()), (1, 5));
}

#[tokio::test(start_paused = true)]
async fn a_hundred_made_together_do_not_end_together_and_none_in_use_is_cut_off() {
    let mock = Mock::new(100);
    let lifetime = 1000 * SECOND;
    let limits =
        config(|config| (config.max, config.lifetime, config.idle) = (100, lifetime, Duration::ZERO));
    let pool = filled(&mock, 100, limits).await;
    let held = pool.get().await.unwrap();
    let mut ended = Vec::new();
    for _ in 0..1010 {
        sleep(SECOND).await;
        ended.push(pool.stats().closed.lifetime);
    }
    assert_eq!(*ended.last().unwrap(), 99, "all but the one in use");
    let most = ended.windows(11).map(|window| window[10] - window[0]).max().unwrap();
    assert!(most <= 10, "{most} of 100 ended within 1 % of the lifetime");
    assert_eq!(ended[795], 0, "nobody ends before the jitter allows");
    let before = pool.stats().closed.lifetime;
    drop(held);
    assert_eq!(pool.stats().closed.lifetime + pool.stats().closing as u64, before + 1);
}

#[tokio::test(start_paused = true)]
async fn a_check_is_skipped_for_what_was_just_used_and_made_for_what_was_not() {
    let mock = Mock::new(1);
    let pool = filled(&mock, 1, config(|config| config.max = 1)).await;
    let lease = pool.get().await.unwrap();
    advance(SECOND).await;
    drop(lease);
    advance(Duration::from_millis(499)).await;
    drop(pool.get().await.unwrap());
    assert_eq!(mock.checks(), 0, "what counts is when it came back");
    advance(Duration::from_millis(501)).await;
    drop(pool.get().await.unwrap());
    assert_eq!(mock.checks(), 1);
}

#[tokio::test(start_paused = true)]
async fn with_no_trust_every_lease_is_checked() {
    let mock = Mock::new(1);
    let pool = filled(&mock, 1, config(|config| (config.max, config.trust) = (1, Duration::ZERO))).await;
    for _ in 0..5 {
        drop(pool.get().await.unwrap());
    }
    let lease = pool.get().await.unwrap();
    let mut waiting = std::pin::pin!(pool.get());
    let none = std::future::poll_fn(|cx| std::task::Poll::Ready(waiting.as_mut().poll(cx).is_pending()));
    assert!(none.await);
    let before = mock.checks();
    drop(lease);
    drop(waiting.await.unwrap());
    assert_eq!((before, mock.checks(), mock.made()), (6, 7, 1));
}

#[tokio::test(start_paused = true)]
async fn idle_ones_are_asked_now_and_then_and_dead_ones_replaced() {
    let mock = Mock::new(4);
    let limits = config(|config| {
        (config.max, config.min_idle) = (4, 2);
        (config.keep_alive, config.idle) = (30 * SECOND, Duration::ZERO);
    });
    let pool = filled(&mock, 2, limits).await;
    let held = pool.get().await.unwrap();
    sleep(31 * SECOND).await;
    assert_eq!(mock.checks(), 2, "the two that are idle, and not the one in use");
    mock.set_check(Act::Error);
    sleep(31 * SECOND).await;
    mock.set_check(Act::Ok);
    assert!(pool.stats().closed.dead >= 2);
    sleep(SECOND).await;
    assert!(pool.stats().idle >= 2 && pool.stats().in_use == 1, "{:?}", pool.stats());
    drop(held);
    assert_true(&pool);
}

#[tokio::test(start_paused = true)]
async fn being_asked_does_not_keep_an_unused_one_young() {
    let mock = Mock::new(1);
    let limits = config(|config| {
        (config.max, config.keep_alive, config.idle) = (1, 7 * SECOND, 60 * SECOND);
    });
    let pool = filled(&mock, 1, limits).await;
    let start = Instant::now();
    while pool.stats().total > 0 {
        sleep(SECOND / 10).await;
    }
    assert!(start.elapsed() <= 61 * SECOND && mock.checks() >= 8, "{:?}", start.elapsed());
}

#[tokio::test(start_paused = true)]
async fn what_must_be_ready_is_made_at_the_start_and_again_after_a_loss() {
    let mock = Mock::new(6);
    let pool = pool(&mock, config(|config| (config.max, config.min_idle) = (6, 3)));
    settle().await;
    assert_eq!((pool.stats().idle, pool.stats().created), (3, 3));
    for _ in 0..3 {
        let mut lease = pool.get().await.unwrap();
        lease.mark_broken();
    }
    settle().await;
    assert!(pool.stats().idle >= 3, "{:?}", pool.stats());
    mock.set_create(Act::Error);
    for _ in 0..3 {
        pool.get().await.unwrap().mark_broken();
    }
    sleep(60 * SECOND).await;
    assert!(pool.stats().connect_failures < 40, "{}", pool.stats().connect_failures);
    mock.set_create(Act::Ok);
    sleep(6 * SECOND).await;
    assert!(pool.stats().idle >= 3, "it heals by itself");
}

#[tokio::test(start_paused = true)]
async fn another_size_cuts_nobody_off() {
    let mock = Mock::new(4);
    let pool = pool(&mock, config(|config| config.max = 4));
    let mut leases = Vec::new();
    for _ in 0..4 {
        leases.push(pool.get().await.unwrap());
    }
    pool.resize(2, 0).unwrap();
    assert_eq!((pool.stats().in_use, pool.stats().max), (4, 2));
    drop(leases.split_off(1));
    settle().await;
    assert_eq!((pool.stats().total, pool.stats().closed.shrunk), (2, 2));
    mock.set_most(5);
    pool.resize(5, 5).unwrap();
    settle().await;
    assert_eq!((pool.stats().total, pool.stats().in_use), (5, 1));
    assert!(pool.resize(2, 3).is_err() && pool.stats().max == 5);
}
