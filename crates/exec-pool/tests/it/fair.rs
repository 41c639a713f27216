//! First come, first served.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use exec_pool::PoolError;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use crate::support::{Mock, config, pool, settle};

#[tokio::test(start_paused = true)]
async fn fifty_are_served_in_order_and_the_one_who_had_it_is_the_last() {
    let mock = Mock::new(1);
    let pool = pool(&mock, config(|config| config.max = 1));
    let lease = pool.get().await.unwrap();
    let order = Arc::new(Mutex::new(Vec::new()));
    let mut tasks = JoinSet::new();
    for number in 0..50 {
        let (pool, order) = (pool.clone(), order.clone());
        tasks.spawn(async move {
            let _lease = pool.get().await.unwrap();
            order.lock().unwrap().push(number);
            sleep(Duration::from_millis(3)).await;
        });
        settle().await;
    }
    assert_eq!(pool.stats().waiting, 50);
    // The releaser asks again at once, before anybody else runs.
    drop(lease);
    let again = pool.get().await.unwrap();
    order.lock().unwrap().push(50);
    drop(again);
    tasks.join_all().await;
    assert_eq!(*order.lock().unwrap(), (0..=50).collect::<Vec<_>>());
}

#[tokio::test(start_paused = true)]
async fn nobody_waits_more_than_twice_as_long_as_the_mean() {
    let mock = Mock::new(4);
    let pool = pool(&mock, config(|config| config.max = 4));
    let waits = Arc::new(Mutex::new(Vec::new()));
    let mut tasks = JoinSet::new();
    for _ in 0..40 {
        let (pool, waits) = (pool.clone(), waits.clone());
        tasks.spawn(async move {
            for _ in 0..50 {
                let start = Instant::now();
                let _lease = pool.get().await.unwrap();
                waits.lock().unwrap().push(start.elapsed());
                sleep(Duration::from_millis(5)).await;
            }
        });
    }
    tasks.join_all().await;
    let waits = waits.lock().unwrap();
    let mean = waits.iter().sum::<Duration>() / u32::try_from(waits.len()).unwrap();
    let worst = *waits.iter().max().unwrap();
    assert!(worst <= 2 * mean, "worst {worst:?}, mean {mean:?}");
}

#[tokio::test(start_paused = true)]
async fn one_more_than_may_wait_is_refused_at_once() {
    let mock = Mock::new(1);
    let pool = pool(&mock, config(|config| (config.max, config.max_waiting) = (1, 2)));
    let lease = pool.get().await.unwrap();
    let mut waiting = JoinSet::new();
    for _ in 0..2 {
        let pool = pool.clone();
        waiting.spawn(async move { pool.get().await.map(drop) });
    }
    settle().await;
    let start = Instant::now();
    assert!(matches!(pool.get().await, Err(PoolError::Full { waiting: 2 })));
    assert_eq!((start.elapsed(), pool.stats().refused), (Duration::ZERO, 1));
    drop(lease);
    waiting.join_all().await.into_iter().for_each(|ended| ended.unwrap());
}

#[tokio::test(start_paused = true)]
async fn the_time_for_waiting_is_exact_for_everyone() {
    let mock = Mock::new(1);
    let pool = pool(&mock, config(|config| (config.max, config.wait) = (1, Duration::from_secs(2))));
    let _lease = pool.get().await.unwrap();
    let mut tasks = JoinSet::new();
    for number in 0..20_u64 {
        let pool = pool.clone();
        tasks.spawn(async move {
            sleep(Duration::from_millis(137 * number)).await;
            let start = Instant::now();
            // Some have a limit of their own.
            let limit = Duration::from_millis(if number % 3 == 0 { 900 + 400 * number } else { 2000 });
            let ended = if number % 3 == 0 { pool.get_within(limit).await } else { pool.get().await };
            assert!(matches!(ended, Err(PoolError::Timeout { .. })));
            // The timer of tokio has steps of 1 ms.
            let over = start.elapsed().checked_sub(limit).unwrap();
            assert!(over <= Duration::from_millis(1), "{number}: {over:?} late");
        });
    }
    while let Some(ended) = tasks.join_next().await {
        ended.unwrap();
    }
    assert_eq!((pool.stats().timeouts.queue, pool.stats().waiting), (20, 0));
}
