//! Far more callers than connections: who is served first by what comes first.

use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use crate::support::{Mock, config, pool, settle};

#[tokio::test(start_paused = true)]
async fn fifty_callers_are_served_by_five_connections_before_a_new_one_is_made() {
    let mock = Mock::new(50);
    let pool = pool(&mock, config(|config| (config.max, config.min_idle) = (50, 5)));
    settle().await;
    assert_eq!((pool.stats().idle, mock.made()), (5, 5), "made ahead");
    *mock.0.connect.lock().unwrap() = Duration::from_millis(150);
    let start = Instant::now();
    let mut tasks = JoinSet::new();
    for _ in 0..50 {
        let pool = pool.clone();
        tasks.spawn(async move {
            let _lease = pool.get().await.unwrap();
            sleep(Duration::from_millis(2)).await;
        });
    }
    tasks.join_all().await;
    assert!(start.elapsed() < Duration::from_millis(150), "{:?}", start.elapsed());
    sleep(Duration::from_secs(1)).await;
    assert!(mock.made() <= 5 + 4, "{} made: only so many are begun at once", mock.made());
}

#[tokio::test(start_paused = true)]
async fn one_who_waits_gets_whichever_comes_first() {
    let mock = Mock::new(2);
    let pool = pool(&mock, config(|config| config.max = 2));
    let lease = pool.get().await.unwrap();
    *mock.0.connect.lock().unwrap() = Duration::from_millis(100);
    let start = Instant::now();
    let waiting = {
        let pool = pool.clone();
        tokio::task::JoinSet::from_iter([async move { pool.get().await.unwrap().id }])
    };
    settle().await;
    let first = lease.id;
    drop(lease);
    assert_eq!((waiting.join_all().await, start.elapsed()), (vec![first], Duration::ZERO));
    // What was begun is kept for the next.
    sleep(Duration::from_millis(200)).await;
    assert_eq!((pool.stats().idle, mock.made()), (2, 2));
}
