//! Leases that are held for long, and the hooks that hear of it.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use exec_pool::{Event, Pool};
use tokio::time::sleep;

use crate::support::{Act, Mock, config, settle};

#[tokio::test(start_paused = true)]
async fn a_lease_held_for_long_is_reported_once_with_its_place() {
    let mock = Mock::new(2);
    let heard = Arc::new(Mutex::new(Vec::new()));
    let ear = heard.clone();
    let limits = config(|config| config.leak = Duration::from_secs(10));
    let builder = Pool::builder(mock).config(limits);
    let pool = builder.on_event(move |event| {
        if let Event::Leak(lease) = event {
            ear.lock().unwrap().push((lease.site.file(), lease.site.line(), lease.held));
        }
    });
    let pool = pool.build().unwrap();
    let lease = pool.get().await.unwrap();
    let line = line!() - 1;
    sleep(Duration::from_secs(5)).await;
    drop(pool.get().await.unwrap());
    assert!(heard.lock().unwrap().is_empty());
    sleep(Duration::from_secs(60)).await;
    let heard = heard.lock().unwrap().clone();
    assert_eq!(heard.len(), 1);
    assert!(heard[0].0.ends_with("leaks.rs") && heard[0].1 == line, "{heard:?}");
    assert!(heard[0].2 >= Duration::from_secs(10) && heard[0].2 < Duration::from_millis(10_010), "{heard:?}");
    assert_eq!((pool.stats().suspected_leaks, pool.leases().len()), (1, 1));
    drop(lease);
}

#[tokio::test(start_paused = true)]
async fn hooks_see_every_connection_where_they_say() {
    let mock = Mock::new(1);
    let seen = Arc::new(Mutex::new(Vec::new()));
    let note = |what: &'static str| {
        let seen = seen.clone();
        move || seen.lock().unwrap().push(what)
    };
    let (made, lent, back, event) = (note("made"), note("lent"), note("back"), seen.clone());
    let pool = Pool::builder(mock.clone()).config(config(|config| config.max = 1));
    let pool = pool.on_create(move |_| made()).on_lend(move |_| lent()).on_return(move |connection| {
        back();
        connection.id != 1
    });
    let pool = pool.on_event(move |what| {
        event.lock().unwrap().push(match what {
            Event::Created => "created",
            Event::Closed(_) => "closed",
            Event::ConnectFailed(_) => "failed",
            _ => "other",
        });
    });
    let pool = pool.build().unwrap();
    drop(pool.get().await.unwrap());
    assert_eq!(std::mem::take(&mut *seen.lock().unwrap()), ["made", "created", "lent", "back"]);
    pool.get().await.unwrap().break_it();
    drop(pool.get().await.unwrap());
    settle().await;
    let words = ["lent", "back", "closed", "made", "created", "lent", "back", "closed"];
    assert_eq!(std::mem::take(&mut *seen.lock().unwrap()), words, "the hook refused the second");
    mock.set_create(Act::Error);
    assert!(pool.get().await.is_err());
    assert_eq!(*seen.lock().unwrap(), ["failed"]);
}

#[tokio::test(start_paused = true)]
async fn one_who_listens_and_panics_costs_no_slot() {
    let mock = Mock::new(1);
    let limits = config(|config| (config.max, config.trust) = (1, Duration::ZERO));
    let pool =
        Pool::builder(mock.clone()).config(limits).on_event(|event| panic!("{event:?}")).build().unwrap();
    drop(pool.get().await.unwrap());
    mock.set_check(Act::Error);
    drop(pool.get().await.unwrap());
    mock.set_create(Act::Error);
    pool.get().await.unwrap_err();
    mock.set_create(Act::Ok);
    drop(pool.get().await.unwrap());
    assert_eq!((pool.stats().total, pool.stats().connect_failures, mock.live()), (1, 1, 1));
}
