//! What the gateway adds to a call: latency, throughput and CPU time, against calling the upstream directly and against
//! nginx as a plain proxy in front of the same upstream.
//!
//! `cargo bench -p benches --bench gateway`. Upstream, gateway and proxy are processes of their own; the load comes from
//! one thread here. All of them share the machine, so throughput with several connections is a share of its cores.
#![expect(clippy::print_stdout, reason = "a bench talks to the developer on the terminal")]

use benches::load::{self, Ask, Load, Seen};
use benches::process::{self, Process};
use benches::{Effort, Figure, Pair, Result, median, proxy};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;
use tokio::process::Command;

const CONNECTIONS: [usize; 2] = [1, 16];

fn main() -> ExitCode {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    match runtime.map_err(Into::into).and_then(|runtime| runtime.block_on(run(Effort::asked()))) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            println!("gateway: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(effort: Effort) -> Result {
    if effort == Effort::Smoke {
        println!(
            "gateway: skipped, it measures release builds; run `cargo bench -p benches --bench gateway`"
        );
        return Ok(());
    }
    let bin = process::build(&["xtask", "exec-server"])?;
    let upstream = Process::telling(Command::new(bin.join("xtask")).arg("upstream")).await?;
    let dir = bin.join("bench-gateway");
    let gateway = gateway(&bin, &dir, upstream.addr()).await?;
    let proxy = proxy::nginx(upstream.addr(), &dir.join("nginx")).await?;
    if proxy.is_none() {
        println!("gateway: no comparison with a plain proxy, because nginx is not installed");
    }
    let stage = Stage { upstream: upstream.addr(), gateway, proxy };
    let budget = Duration::from_millis(effort.pick(2500, 300, 0));
    for Case { name, ask, connections, round: time } in cases() {
        let rounds = budget.div_duration_f64(time).ceil() as usize;
        for connections in connections.iter().copied() {
            let tracks = stage.measure(&ask, Load { connections, time }, rounds).await?;
            report(&format!("{name} c{connections}"), &tracks);
        }
    }
    Ok(())
}

async fn gateway(bin: &Path, dir: &Path, upstream: SocketAddr) -> Result<Process> {
    std::fs::create_dir_all(dir)?;
    let config: PathBuf = dir.join("exec.toml");
    let text = format!(
        "[server]\nlisten = \"127.0.0.1:0\"\ndefault_provider = \"up\"\n\
         [providers.up]\ntype = \"openai\"\nbase_url = \"http://{upstream}/v1\"\napi_key = \"good-key\"\n"
    );
    std::fs::write(&config, text)?;
    // The proxy logs no requests either.
    let mut command = Command::new(bin.join("exec-server"));
    Process::telling(command.arg("--config").arg(&config).env("EXEC_LOG", "warn")).await
}

/// A name, what is asked, with how many connections, and for how long in one round. Short rounds, because a machine
/// that others use changes its mind within a second.
struct Case {
    name: &'static str,
    ask: Ask,
    connections: &'static [usize],
    round: Duration,
}

const ROUND: Duration = Duration::from_millis(100);

/// `paced` has a millisecond between tokens, so that each is passed on alone; the other stream comes at once, and
/// whoever is slow passes on several together. With one connection `paced` would measure the pause.
fn cases() -> [Case; 4] {
    [
        Case {
            name: "unary 1k",
            ask: ask("tokens=60", 1 << 10, false),
            connections: &CONNECTIONS,
            round: ROUND,
        },
        Case {
            name: "unary 200k",
            ask: ask("tokens=60", 200 << 10, false),
            connections: &CONNECTIONS,
            round: ROUND,
        },
        Case {
            name: "stream",
            ask: ask("tokens=60", 1 << 10, true),
            connections: &CONNECTIONS,
            round: ROUND,
        },
        Case {
            name: "paced",
            ask: ask("tokens=60,gap=1ms", 1 << 10, true),
            connections: &[32],
            round: 3 * ROUND,
        },
    ]
}

fn ask(scenario: &str, prompt: usize, stream: bool) -> Ask {
    let words = "word ".repeat(prompt / 5);
    let body = format!(
        r#"{{"model":"fault:{scenario}","stream":{stream},"messages":[{{"role":"user","content":"{words}"}}]}}"#
    );
    let ending: &[u8] = if stream { b"data: [DONE]\n\n" } else { b"}" };
    Ask { path: "/v1/chat/completions", body: body.into(), ending }
}

/// What is measured: the upstream itself, and the two ways to it.
struct Stage {
    upstream: SocketAddr,
    gateway: Process,
    proxy: Option<Process>,
}

/// The rounds of one way: each beside a round of calling the upstream directly.
#[derive(Default)]
struct Track {
    rounds: Vec<(Seen, Seen)>,
    cpu: Duration,
}

impl Stage {
    /// Direct, through the gateway, direct, through the proxy, and again; after one turn that nobody counts, which warms
    /// pools and caches. The track of the proxy has no rounds where there is none.
    async fn measure(&self, ask: &Ask, load: Load, rounds: usize) -> Result<[Track; 2]> {
        let mut tracks = [Track::default(), Track::default()];
        for round in 0..=rounds {
            for (track, process) in tracks.iter_mut().zip([Some(&self.gateway), self.proxy.as_ref()]) {
                let Some(process) = process else { continue };
                track.round(self.upstream, process, ask, load).await?;
                if round == 0 {
                    *track = Track::default();
                }
            }
        }
        Ok(tracks)
    }
}

impl Track {
    async fn round(&mut self, upstream: SocketAddr, process: &Process, ask: &Ask, load: Load) -> Result {
        let direct = load::run(upstream, ask, load).await?;
        let before = process.cpu()?;
        let via = load::run(process.addr(), ask, load).await?;
        self.cpu += process.cpu()?.saturating_sub(before);
        self.rounds.push((direct, via));
        Ok(())
    }

    /// What this way adds to `figure`, round by round.
    fn added(&self, figure: impl Fn(&Seen) -> f64) -> Vec<f64> {
        self.rounds.iter().map(|(direct, via)| figure(via) - figure(direct)).collect()
    }

    /// Microseconds of CPU time per request, over all rounds.
    fn cpu_per_request(&self) -> f64 {
        let requests: usize = self.rounds.iter().map(|(_, via)| via.requests()).sum();
        self.cpu.as_secs_f64() * 1e6 / requests as f64
    }
}

/// A figure of a run.
type OfRun = fn(&Seen) -> f64;

fn report(case: &str, [ours, proxy]: &[Track; 2]) {
    println!("\n{case}");
    row("direct", &ours.rounds, |(direct, _)| direct);
    row("exec-server", &ours.rounds, |(_, via)| via);
    row("nginx", &proxy.rounds, |(_, via)| via);
    let figures: [(&str, OfRun); 3] =
        [("+p50", |seen| seen.whole(50)), ("+p99", |seen| seen.whole(99)), ("+first", |seen| seen.first(50))];
    for (what, figure) in figures {
        versus(&format!("{case} {what}"), &ours.added(figure), &proxy.added(figure));
    }
    let rates: Vec<_> = ours.rounds.iter().map(|(direct, via)| (via.rate(), direct.rate())).collect();
    Figure::of("gateway", &format!("{case} rate"), Pair::of(&rates), "1/s", "direct").print();
    let cpu: Vec<f64> = proxy.rounds.first().map(|_| proxy.cpu_per_request()).into_iter().collect();
    versus(&format!("{case} cpu"), &[ours.cpu_per_request()], &cpu);
}

fn row(name: &str, rounds: &[(Seen, Seen)], side: fn(&(Seen, Seen)) -> &Seen) {
    if rounds.is_empty() {
        return;
    }
    let of = |figure: OfRun| median(rounds.iter().map(|round| figure(side(round))));
    println!(
        "  {name:12} p50 {:6.0} us  p99 {:6.0} us  first bytes p50 {:6.0} us  {:7.0} requests/s",
        of(|seen| seen.whole(50)),
        of(|seen| seen.whole(99)),
        of(|seen| seen.first(50)),
        of(Seen::rate),
    );
}

/// Microseconds of ours, beside those of the proxy if there are any. No ratio where the proxy adds nothing that stands
/// out of the noise: it may even be negative, because a proxy that gathers tokens spares the client reads.
fn versus(name: &str, ours: &[f64], proxy: &[f64]) {
    let figure = Figure::alone("gateway", name, median(ours.iter().copied()), "us");
    if proxy.is_empty() {
        return figure.print();
    }
    let pair = Pair::of(&ours.iter().copied().zip(proxy.iter().copied()).collect::<Vec<_>>());
    let added = proxy.iter().filter(|figure| **figure > 0.0).count();
    if added * 4 < proxy.len() * 3 {
        return figure.beside("nginx", pair.rival).print();
    }
    figure.against("nginx", pair).print();
}
