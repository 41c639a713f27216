//! Connections that serve several leases at once.

use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::support::{Mock, assert_true, config, pool, settle};

#[tokio::test(start_paused = true)]
async fn as_many_share_as_may_and_then_another_is_made() {
    let mock = Mock::new(2);
    mock.0.streams.store(3, Ordering::SeqCst);
    let pool = pool(&mock, config(|config| (config.max, config.max_connecting) = (2, 1)));
    let mut leases = Vec::new();
    for _ in 0..6 {
        leases.push(pool.get().await.unwrap());
    }
    let of = |id| leases.iter().filter(|lease| lease.id == id).count();
    assert_eq!((of(0), of(1), mock.made()), (3, 3, 2));
    assert!(pool.try_get().is_none());
    assert_eq!((pool.stats().in_use, pool.stats().leases), (2, 6));
    drop(leases.remove(0));
    assert_eq!(pool.get().await.unwrap().id, 0, "the one with room");
    drop(leases);
    assert_eq!((pool.stats().idle, pool.stats().in_use), (2, 0));
    assert_true(&pool);
}

#[tokio::test(start_paused = true)]
async fn one_that_breaks_takes_no_more_and_is_closed_by_its_last_user() {
    let mock = Mock::new(2);
    mock.0.streams.store(10, Ordering::SeqCst);
    let pool = pool(&mock, config(|config| config.max = 2));
    let mut one = pool.get().await.unwrap();
    let two = pool.get().await.unwrap();
    assert_eq!((one.id, two.id), (0, 0));
    one.mark_broken();
    drop(one);
    assert_eq!(pool.get().await.unwrap().id, 1);
    assert_eq!(pool.stats().closed.broken, 0);
    drop(two);
    settle().await;
    assert_eq!((pool.stats().closed.broken, mock.live()), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn a_crowd_shares_few_connections_and_an_old_one_is_left_alone() {
    let mock = Mock::new(4);
    mock.0.streams.store(8, Ordering::SeqCst);
    let limits = config(|config| {
        (config.max, config.lifetime, config.jitter) = (4, Duration::from_secs(2), 0.0);
    });
    let pool = pool(&mock, limits);
    let mut tasks = JoinSet::new();
    for number in 0..32 {
        let pool = pool.clone();
        tasks.spawn(async move {
            for _ in 0..300 {
                let _lease = pool.get().await.unwrap();
                sleep(Duration::from_millis(10 + number % 7)).await;
            }
        });
    }
    tasks.join_all().await;
    settle().await;
    assert_true(&pool);
    assert!(pool.stats().closed.lifetime > 0 && pool.stats().leases == 0);
    assert!(mock.made() <= 4 + usize::try_from(pool.stats().closed.total()).unwrap());
}
