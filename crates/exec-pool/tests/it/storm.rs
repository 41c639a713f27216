//! Many tasks, random leaving: on several threads and the real clock of a runtime, and on a paused one.

use std::time::Duration;

use exec_pool::{Config, Pool};
use tokio::task::{JoinSet, yield_now};
use tokio::time::{sleep, timeout};

use crate::support::{Held, Mock, assert_true, config, pool, settle};

/// Numbers that look random: the state of a linear generator.
struct Dice(u64);

impl Dice {
    fn below(&mut self, most: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % most
    }
}

/// 200 gets, each left after a random while.
async fn rush(pool: Pool<Mock>, mock: Mock, seed: u64) {
    let mut dice = Dice(seed);
    for _ in 0..200 {
        let patience = Duration::from_micros(dice.below(3000));
        let Ok(Ok(mut lease)) = timeout(patience, pool.get()).await else {
            continue;
        };
        let held = Held::of(&mock, &lease);
        if dice.below(50) == 0 {
            lease.mark_broken();
        }
        match dice.below(3) {
            0 => sleep(Duration::from_micros(dice.below(2000))).await,
            _ => yield_now().await,
        }
        drop(held);
    }
}

fn stormy() -> Config {
    config(|config| {
        config.max = 4;
        // Checks are part of the storm.
        config.trust = Duration::from_micros(200);
    })
}

async fn storm(seed: u64) {
    let mock = Mock::new(4);
    let pool = pool(&mock, stormy());
    let mut tasks = JoinSet::new();
    for number in 0..64 {
        tasks.spawn(rush(pool.clone(), mock.clone(), seed * 1000 + number));
        assert_true(&pool);
    }
    while let Some(ended) = tasks.join_next().await {
        ended.unwrap();
        assert_true(&pool);
    }
    let mut leases = Vec::new();
    for _ in 0..4 {
        leases.push(pool.get().await.unwrap());
    }
    drop(leases);
    settle().await;
    let stats = pool.stats();
    let replaced = usize::try_from(stats.closed.broken).unwrap();
    assert!(mock.made() <= 4 + replaced, "{} made, {replaced} replaced: {stats:?}", mock.made());
    assert_eq!((stats.closed.total(), stats.checks_failed), (stats.closed.broken, 0));
    assert_eq!((stats.leases, stats.waiting, stats.in_use - stats.closing), (0, 0, 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn sixty_four_tasks_that_leave_at_random_waste_no_connection() {
    storm(1).await;
}

#[tokio::test(start_paused = true)]
async fn the_same_in_many_orders_of_events() {
    for seed in 2..12 {
        storm(seed).await;
    }
}
