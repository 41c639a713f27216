//! A pool that is made outside of a runtime, or outlives one.

use std::time::Duration;

use exec_pool::PoolError;
use tokio::runtime::{Builder, Runtime};

use crate::support::{Mock, config, pool};

fn runtime() -> Runtime {
    Builder::new_current_thread().enable_all().start_paused(true).build().unwrap()
}

#[test]
fn it_begins_with_the_first_call() {
    let mock = Mock::new(3);
    let pool = pool(&mock, config(|config| (config.max, config.min_idle) = (3, 2)));
    assert_eq!(pool.stats().total, 0);
    runtime().block_on(async {
        drop(pool.get().await.unwrap());
        crate::support::settle().await;
        assert!(pool.stats().idle >= 2);
    });
}

#[test]
fn it_goes_on_in_another_runtime_when_its_own_has_ended() {
    let mock = Mock::new(1);
    let limits = config(|config| (config.max, config.wait) = (1, Duration::from_secs(2)));
    let pool = pool(&mock, limits);
    let lease = runtime().block_on(pool.get()).unwrap();
    runtime().block_on(async {
        for _ in 0..2 {
            let late = pool.get().await;
            assert!(matches!(late, Err(PoolError::Timeout { .. })), "{late:?}");
        }
    });
    // Outside of every runtime.
    drop(lease);
    runtime().block_on(async { drop(pool.get().await.unwrap()) });
    assert_eq!(mock.made(), 1);
}

#[test]
fn one_who_waits_in_one_runtime_is_on_time_while_the_keepers_runtime_stands_still() {
    let mock = Mock::new(1);
    let limits = config(|config| (config.max, config.wait) = (1, Duration::from_secs(2)));
    let pool = pool(&mock, limits);
    let keepers = runtime();
    let _lease = keepers.block_on(pool.get()).unwrap();
    let late = runtime().block_on(pool.get());
    assert!(matches!(late, Err(PoolError::Timeout { .. })), "{late:?}");
}

#[test]
fn a_lease_that_breaks_outside_of_every_runtime_gives_its_place_back() {
    let mock = Mock::new(1);
    let pool = pool(&mock, config(|config| config.max = 1));
    let mut lease = runtime().block_on(pool.get()).unwrap();
    lease.mark_broken();
    drop(lease);
    assert_eq!(pool.stats().total, 0);
    assert_eq!(runtime().block_on(pool.get()).unwrap().id, 1);
}
