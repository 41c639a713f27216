//! Statistics that are true.

use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::support::{Mock, assert_true, config, pool, settle};

#[tokio::test(start_paused = true)]
async fn waits_utilisation_and_counters_say_what_happened() {
    let mock = Mock::new(4);
    let pool = pool(&mock, config(|config| (config.max, config.max_connecting) = (4, 1)));
    let one = pool.get().await.unwrap();
    assert!((pool.stats().utilisation() - 0.25).abs() < 1e-9);
    let rest = [pool.get().await.unwrap(), pool.get().await.unwrap(), pool.get().await.unwrap()];
    let mut waiting = JoinSet::new();
    for _ in 0..2 {
        let pool = pool.clone();
        waiting.spawn(async move { drop(pool.get().await.unwrap()) });
    }
    sleep(Duration::from_millis(100)).await;
    assert_eq!((pool.stats().waiting, pool.stats().leases), (2, 4));
    drop(one);
    waiting.join_all().await;
    drop(rest);
    let stats = pool.stats();
    assert_eq!((stats.lent, stats.waits.count(), stats.waits.at_once()), (6, 6, 4));
    assert_eq!(stats.waits.percentile(100.0), Some(Duration::from_micros(131_072)));
    assert_eq!(stats.waits.mean(), Duration::from_millis(200) / 6 - Duration::from_nanos(333));
    assert_eq!((stats.peak_in_use, stats.created, stats.idle), (4, 4, 4));
    assert_true(&pool);
}

#[tokio::test(start_paused = true)]
async fn one_who_leaves_is_counted_as_such() {
    let mock = Mock::new(1);
    let pool = pool(&mock, config(|config| config.max = 1));
    let lease = pool.get().await.unwrap();
    let left = tokio::time::timeout(Duration::from_millis(5), pool.get()).await;
    assert!(left.is_err());
    drop(lease);
    settle().await;
    assert_eq!((pool.stats().left, pool.stats().lent, pool.stats().timeouts.total()), (1, 1, 0));
}
