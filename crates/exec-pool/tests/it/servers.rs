//! Real servers, PostgreSQL and Redis, which are killed, frozen and started again while everybody uses them.
//!
//! `cargo xtask test` says where their programs are, in `EXEC_POOL_POSTGRES` (the folder of `initdb` and `postgres`) and
//! `EXEC_POOL_REDIS` (`redis-server`), and runs these tests, which are left out otherwise.

mod process;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use exec_pool::postgres::Postgres;
use exec_pool::redis::Redis;
use exec_pool::{Config, Lease, Manager, Pool};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};

use process::Server;

const SECOND: Duration = Duration::from_secs(1);
const USERS: usize = 16;
const CONNECTIONS: usize = 4;
/// How long one use may take before its user gives it up.
const PATIENCE: Duration = Duration::from_secs(1);
/// How much later than its limit a call may end on a busy machine.
const GRACE: Duration = Duration::from_secs(2);

fn config() -> Config {
    Config {
        min_idle: 1,
        wait: 2 * SECOND,
        connect: SECOND,
        check: SECOND,
        goodbye: SECOND / 5,
        trust: SECOND / 10,
        ..Config::new(CONNECTIONS)
    }
}

/// What users see of a pool.
#[derive(Default)]
struct Seen {
    good: AtomicUsize,
    bad: AtomicUsize,
    stop: AtomicBool,
}

/// Uses the pool until told to stop. No call may take longer than its limit.
async fn user<M: Manager>(pool: Pool<M>, seen: Arc<Seen>, work: impl AsyncFn(&mut Lease<M>) -> bool) {
    while !seen.stop.load(Ordering::SeqCst) {
        let start = Instant::now();
        let got = pool.get().await;
        assert!(start.elapsed() <= config().wait + GRACE, "a get took {:?}", start.elapsed());
        let good = match got {
            Ok(mut lease) => {
                // Who is left in the middle by a server that says nothing gives the connection up.
                lease.mark_broken();
                let good = timeout(PATIENCE, work(&mut lease)).await.unwrap_or(false);
                if good {
                    lease.mark_sound();
                }
                good
            }
            Err(_) => false,
        };
        let count = if good { &seen.good } else { &seen.bad };
        count.fetch_add(1, Ordering::SeqCst);
        sleep(Duration::from_millis(2)).await;
    }
}

/// Waits until users are served again, well beyond every pause of the pool.
async fn healed(seen: &Seen, what: &str) {
    let before = seen.good.load(Ordering::SeqCst);
    let served = async {
        while seen.good.load(Ordering::SeqCst) < before + 50 {
            sleep(SECOND / 20).await;
        }
    };
    assert!(timeout(30 * SECOND, served).await.is_ok(), "not healed after {what}");
}

/// Kills, freezes and restarts the server under the users, and then looks whether everything is as it was.
async fn torment<M: Manager>(
    mut server: Server,
    pool: Pool<M>,
    enter: impl Fn(&mut JoinSet<()>, Pool<M>, Arc<Seen>),
) {
    let (seen, mut users) = (Arc::new(Seen::default()), JoinSet::new());
    for _ in 0..USERS {
        enter(&mut users, pool.clone(), seen.clone());
    }
    healed(&seen, "the start").await;
    server.freeze();
    sleep(4 * SECOND).await;
    assert!(seen.bad.load(Ordering::SeqCst) > 0, "a frozen server serves nobody");
    server.thaw();
    healed(&seen, "a freeze").await;
    for _ in 0..2 {
        server.kill();
        let before = seen.bad.load(Ordering::SeqCst);
        sleep(2 * SECOND).await;
        assert!(seen.bad.load(Ordering::SeqCst) > before, "a dead server serves nobody");
        server.start().await;
        healed(&seen, "a restart").await;
    }
    seen.stop.store(true, Ordering::SeqCst);
    while let Some(ended) = users.join_next().await {
        ended.unwrap();
    }
    let stats = pool.stats();
    assert_eq!((stats.leases, stats.waiting), (0, 0), "{stats:?}");
    assert_eq!(stats.created, (stats.total - stats.connecting) as u64 + stats.closed.total(), "{stats:?}");
    assert!(stats.peak_in_use <= CONNECTIONS && stats.connect_failures > 0, "{stats:?}");
    pool.close(5 * SECOND).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs PostgreSQL: `cargo xtask test` finds and runs it"]
async fn postgres_killed_frozen_and_restarted_under_load() {
    let server = Server::postgres().await;
    let address = format!("host=127.0.0.1 port={} user=postgres dbname=postgres", server.port());
    let pool = Pool::new(Postgres::new(address.parse().unwrap()), config()).unwrap();
    torment(server, pool, |users, pool, seen| {
        users.spawn(user(pool, seen, async |lease: &mut Lease<Postgres>| {
            lease.query_one("SELECT 1 + 1", &[]).await.is_ok_and(|row| row.get::<_, i32>(0) == 2)
        }));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs Redis: `cargo xtask test` finds and runs it"]
async fn redis_killed_frozen_and_restarted_under_load() {
    let server = Server::redis().await;
    let client = redis::Client::open(format!("redis://127.0.0.1:{}/", server.port())).unwrap();
    let pool = Pool::new(Redis::new(client), config()).unwrap();
    torment(server, pool, |users, pool, seen| {
        users.spawn(user(pool, seen, async |lease: &mut Lease<Redis>| {
            let answer = redis::cmd("ECHO").arg("word").query_async::<String>(&mut **lease).await;
            answer.is_ok_and(|word| word == "word")
        }));
    })
    .await;
}
