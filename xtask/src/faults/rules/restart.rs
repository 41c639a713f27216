//! Two servers under load, each restarted in turn, behind callers that do what any balancer does: who is refused because a
//! server stops, or finds nobody listening, goes to the other, and nobody comes back until a new one is there.

use super::LIMIT;
use crate::faults::house::{KEYS, Wire};
use crate::faults::verdict::Checks;
use crate::lab::{Call, Client, Dialect, Gateway, Heard, Lab, Told};
use crate::shell::Result;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::Instant;
use xtask::upstream::{DEFAULT_TOKENS, Upstream, text};

const CALLERS: usize = 16;
/// Load before, between and after the restarts.
const WHILE: Duration = Duration::from_millis(700);
/// How long a caller waits when nobody is there at all.
const AGAIN: Duration = Duration::from_millis(20);

pub(super) async fn run(lab: &Lab, wire: Wire) -> Result<Checks> {
    let mut checks = Checks::new();
    let upstream = Upstream::start().await?;
    let config = wire.provider("first", &upstream.url(), KEYS[0], "fault:gap=5ms", "");
    let mut servers = [lab.start(&config, &[])?, lab.start(&config, &[])?];
    let pair = Arc::new(Pair::new(&servers));
    let mut callers = JoinSet::new();
    for n in 0..CALLERS {
        callers.spawn(Arc::clone(&pair).calls(n));
    }
    for (which, server) in servers.iter_mut().enumerate() {
        tokio::time::sleep(WHILE).await;
        server.signal("-TERM")?;
        let code = server.exit(LIMIT).await?;
        checks.must(code == Some(0), || format!("server {which} ended with {code:?}"));
        *server = lab.start(&config, &[])?;
        pair.set(which, Some(server.client()));
    }
    tokio::time::sleep(WHILE).await;
    pair.over.store(true, Ordering::Relaxed);
    let (mut answers, mut wrong) = (0, Vec::new());
    while let Some(ended) = callers.join_next().await {
        let (good, bad) = ended?;
        answers += good;
        wrong.extend(bad);
    }
    checks.must(wrong.is_empty(), || format!("{} failed: {}", wrong.len(), wrong[0]));
    checks.must(answers > CALLERS * 2, || format!("only {answers} answers"));
    checks.saw("no failed request; both servers exit with 0");
    Ok(checks)
}

/// Who is there.
#[derive(Debug)]
struct Pair {
    servers: Mutex<[Option<Client>; 2]>,
    over: AtomicBool,
}

impl Pair {
    fn new(servers: &[Gateway; 2]) -> Self {
        let clients = [Some(servers[0].client()), Some(servers[1].client())];
        Self { servers: Mutex::new(clients), over: AtomicBool::new(false) }
    }

    fn set(&self, which: usize, client: Option<Client>) {
        self.servers.lock().unwrap_or_else(PoisonError::into_inner)[which] = client;
    }

    fn get(&self, which: usize) -> Option<Client> {
        self.servers.lock().unwrap_or_else(PoisonError::into_inner)[which]
    }

    /// Calls until all is over: how many were answered, and what went wrong.
    async fn calls(self: Arc<Self>, number: usize) -> (usize, Vec<String>) {
        let (mut answers, mut wrong) = (0, Vec::new());
        for n in number.. {
            if self.over.load(Ordering::Relaxed) {
                break;
            }
            match self.call(n).await {
                Ok(()) => answers += 1,
                Err(what) => wrong.push(what),
            }
        }
        (answers, wrong)
    }

    async fn call(&self, n: usize) -> std::result::Result<(), String> {
        let (dialect, stream) = (Dialect::ALL[n % 3], n.is_multiple_of(2));
        let until = Instant::now() + LIMIT;
        while Instant::now() < until {
            for which in [n % 2, (n + 1) % 2] {
                let Some(client) = self.get(which) else { continue };
                match client.begin(&Call::ask(dialect, "any", stream)).await {
                    Err(_) => self.set(which, None),
                    Ok(talk) => {
                        let heard = talk.finish(until).await;
                        let told = Told::read(dialect, &heard);
                        if told.complete && told.broken.is_empty() && told.text == text(DEFAULT_TOKENS) {
                            return Ok(());
                        }
                        if !stops(&heard, &told) {
                            return Err(format!("{} {told:?}", heard.status));
                        }
                        self.set(which, None);
                    }
                }
            }
            tokio::time::sleep(AGAIN).await;
        }
        Err("nobody was there".to_owned())
    }
}

/// Whether the server says that it stops, and so did nothing.
fn stops(heard: &Heard, told: &Told) -> bool {
    heard.status == 503 && (told.failure.as_ref().is_some_and(|failure| failure.message.contains("stopping")))
}
