//! Pools by key.

use std::time::Duration;

use exec_pool::{Config, Pools, PoolsError, SecondConfig};

use crate::support::Mock;

#[tokio::test(start_paused = true)]
async fn a_key_has_one_pool_and_there_are_only_so_many() {
    let pools = Pools::new(2, SecondConfig::Ignore);
    let one = pools.get_or_create("a", &Config::new(1), || Mock::new(1)).unwrap();
    let same = pools.get_or_create("a", &Config::new(9), || panic!("there is one")).unwrap();
    let lease = one.get().await.unwrap();
    assert!(same.try_get().is_none() && same.config().max == 1);
    pools.get_or_create("b", &Config::new(1), || Mock::new(1)).unwrap();
    let third = pools.get_or_create("c", &Config::new(1), || Mock::new(1));
    assert_eq!(third.unwrap_err(), PoolsError::Full(2));
    assert!(pools.remove(&"b").is_some() && pools.get(&"b").is_none());
    assert_eq!(pools.stats().len(), 1);
    drop(lease);
}

#[tokio::test(start_paused = true)]
async fn another_configuration_is_an_error_if_that_is_wanted_and_a_bad_one_always() {
    let pools = Pools::new(2, SecondConfig::Error);
    let pool = pools.get_or_create(1, &Config::new(2), || Mock::new(3)).unwrap();
    pool.resize(3, 0).unwrap();
    assert!(pools.get_or_create(1, &Config::new(2), || Mock::new(2)).is_ok(), "as it was asked for first");
    let other = pools.get_or_create(1, &Config::new(3), || Mock::new(2));
    assert_eq!(other.unwrap_err(), PoolsError::OtherConfig);
    assert!(matches!(pools.get_or_create(2, &Config::new(0), || Mock::new(1)), Err(PoolsError::Config(_))));
    assert_eq!(pools.stats().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn all_are_closed_together_and_the_one_that_is_not_empty_is_named() {
    let pools = Pools::new(9, SecondConfig::Ignore);
    let mut leases = Vec::new();
    for key in ["a", "b", "c"] {
        let pool = pools.get_or_create(key, &Config::new(1), || Mock::new(1)).unwrap();
        leases.push(pool.get().await.unwrap());
    }
    leases.truncate(1);
    let left = pools.close(Duration::from_secs(2)).await.unwrap_err();
    assert_eq!(left.len(), 1);
    assert_eq!((left[0].0, left[0].1.connections), ("a", 1));
    assert!(pools.stats().is_empty());
    assert!(pools.get_or_create("a", &Config::new(1), || Mock::new(1)).is_ok());
}
