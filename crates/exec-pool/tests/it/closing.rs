//! The end of a pool.

use std::sync::atomic::Ordering;
use std::time::Duration;

use exec_pool::PoolError;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use crate::support::{Act, Mock, config, pool, settle};

const SECOND: Duration = Duration::from_secs(1);

#[tokio::test(start_paused = true)]
async fn who_waits_is_told_at_once_and_who_has_one_may_finish() {
    let mock = Mock::new(2);
    let pool = pool(&mock, config(|config| config.max = 2));
    let held = [pool.get().await.unwrap(), pool.get().await.unwrap()];
    let mut waiting = JoinSet::new();
    for _ in 0..10 {
        let pool = pool.clone();
        waiting.spawn(async move { pool.get().await.map(drop) });
    }
    settle().await;
    let start = Instant::now();
    let mut users = JoinSet::new();
    for (number, lease) in held.into_iter().enumerate() {
        users.spawn(async move {
            sleep(SECOND * (number as u32 + 1)).await;
            drop(lease);
        });
    }
    let told = async {
        while let Some(ended) = waiting.join_next().await {
            assert!(matches!(ended.unwrap(), Err(PoolError::Closed)));
        }
        start.elapsed()
    };
    let (told, closed) = tokio::join!(told, pool.close(5 * SECOND));
    closed.unwrap();
    assert_eq!((told, start.elapsed().as_secs()), (Duration::ZERO, 2));
    assert!(matches!(pool.get().await, Err(PoolError::Closed)) && pool.try_get().is_none());
    assert_eq!((mock.live(), pool.stats().closed.closed, pool.stats().total), (0, 2, 0));
    users.join_all().await;
}

#[tokio::test(start_paused = true)]
async fn a_lease_that_is_kept_is_named_with_the_place_it_was_taken_at() {
    let mock = Mock::new(1);
    let pool = pool(&mock, config(|config| config.max = 1));
    let lease = pool.get().await.unwrap();
    let line = line!() - 1;
    sleep(SECOND).await;
    let start = Instant::now();
    let left = pool.close(3 * SECOND).await.unwrap_err();
    assert_eq!((start.elapsed(), left.connections, left.leases.len()), (3 * SECOND, 1, 1));
    assert_eq!((left.leases[0].site.line(), left.leases[0].held), (line, 4 * SECOND));
    assert!(left.to_string().contains("closing.rs"), "{left}");
    drop(lease);
    pool.close(SECOND).await.unwrap();
    assert_eq!(mock.live(), 0);
}

#[tokio::test(start_paused = true)]
async fn what_was_being_made_or_checked_ends_too() {
    let mock = Mock::new(2);
    let pool = pool(&mock, config(|config| config.max = 2));
    drop(pool.get().await.unwrap());
    sleep(SECOND).await;
    mock.set_check(Act::Never);
    mock.set_create(Act::Never);
    let mut tasks = JoinSet::new();
    for _ in 0..2 {
        let pool = pool.clone();
        tasks.spawn(async move { pool.get().await.map(drop) });
    }
    settle().await;
    assert_eq!((pool.stats().checking, pool.stats().connecting), (1, 1));
    let start = Instant::now();
    pool.close(SECOND).await.unwrap();
    assert_eq!((start.elapsed(), mock.live()), (Duration::ZERO, 0));
    assert!(tasks.join_all().await.iter().all(|ended| matches!(ended, Err(PoolError::Closed))));
}

#[tokio::test(start_paused = true)]
async fn a_farewell_that_never_ends_is_cut_short_and_holds_its_slot_until_then() {
    let mock = Mock::new(1);
    *mock.0.close.lock().unwrap() = Act::Never;
    let pool = pool(&mock, config(|config| config.max = 1));
    pool.get().await.unwrap().mark_broken();
    let start = Instant::now();
    drop(pool.get().await.unwrap());
    assert_eq!((start.elapsed().as_secs(), mock.made()), (1, 2));
    pool.close(5 * SECOND).await.unwrap();
    assert_eq!(mock.live(), 0);
}

#[tokio::test(start_paused = true)]
async fn the_last_handle_takes_everything_along() {
    let mock = Mock::new(5);
    let pool = pool(&mock, config(|config| (config.max, config.min_idle) = (5, 4)));
    settle().await;
    let lease = pool.get().await.unwrap();
    assert_eq!(mock.live(), 4);
    drop(pool);
    settle().await;
    assert_eq!(mock.live(), 1, "only what is in use");
    drop(lease);
    settle().await;
    assert_eq!(mock.live(), 0);
    assert_eq!(tokio::runtime::Handle::current().metrics().num_alive_tasks(), 0, "no task is left");
}

#[tokio::test(start_paused = true)]
async fn a_detached_connection_belongs_to_its_user_and_its_place_is_free() {
    let mock = Mock::new(2);
    let pool = pool(&mock, config(|config| config.max = 1));
    let mine = pool.get().await.unwrap().detach();
    let other = pool.get().await.unwrap();
    assert!(mine.id != other.id && pool.stats().closed.detached == 1);
    drop(other);
    pool.close(SECOND).await.unwrap();
    assert_eq!((mock.live(), mock.0.dropped.load(Ordering::SeqCst)), (1, 1));
    drop(mine);
}
