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
    for (name, ask) in cases() {
        for connections in CONNECTIONS {
            let time = Duration::from_millis(effort.pick(400, 100, 0));
            let tracks = stage.measure(&ask, Load { connections, time }, effort.pick(9, 3, 0)).await?;
            report(&format!("{name} c{connections}"), &tracks, ask.body.len());
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

fn cases() -> [(&'static str, Ask); 3] {
    let ask = |prompt: usize, stream: bool, ending: &'static [u8]| {
        let words = "word ".repeat(prompt / 5);
        let body = format!(
            r#"{{"model":"fault:tokens=60","stream":{stream},"messages":[{{"role":"user","content":"{words}"}}]}}"#
        );
        Ask { path: "/v1/chat/completions", body: body.into(), ending }
    };
    [
        ("unary 1k", ask(1 << 10, false, b"}")),
        ("unary 200k", ask(200 << 10, false, b"}")),
        ("stream 60", ask(1 << 10, true, b"data: [DONE]\n\n")),
    ]
}

/// What is measured: the upstream itself, and the two ways to it.
struct Stage {
    upstream: SocketAddr,
    gateway: Process,
    proxy: Option<Process>,
}

/// The rounds of one way.
#[derive(Default)]
struct Track {
    rounds: Vec<Seen>,
    cpu: Duration,
}

struct Tracks {
    direct: Track,
    ours: Track,
    proxy: Option<Track>,
}

impl Stage {
    /// Rounds of direct, ours, direct, proxy: each way has its direct neighbour.
    async fn measure(&self, ask: &Ask, load: Load, rounds: usize) -> Result<Tracks> {
        let proxy = self.proxy.as_ref().map(|_| Track::default());
        let mut tracks = Tracks { direct: Track::default(), ours: Track::default(), proxy };
        // A round that nobody counts warms pools and caches.
        load::run(self.gateway.addr(), ask, Load { time: load.time / 4, ..load }).await?;
        for _ in 0..rounds {
            tracks.direct.rounds.push(load::run(self.upstream, ask, load).await?);
            tracks.ours.round(&self.gateway, ask, load).await?;
            if let (Some(track), Some(proxy)) = (&mut tracks.proxy, &self.proxy) {
                track.round(proxy, ask, load).await?;
            }
        }
        Ok(tracks)
    }
}

impl Track {
    async fn round(&mut self, process: &Process, ask: &Ask, load: Load) -> Result {
        let before = process.cpu()?;
        self.rounds.push(load::run(process.addr(), ask, load).await?);
        self.cpu += process.cpu()?.saturating_sub(before);
        Ok(())
    }

    fn median(&self, figure: impl Fn(&Seen) -> f64) -> f64 {
        median(self.rounds.iter().map(figure))
    }

    /// By how much `figure` is above the direct way's, round by round.
    fn above(&self, direct: &Self, figure: impl Fn(&Seen) -> f64) -> Vec<f64> {
        self.rounds.iter().zip(&direct.rounds).map(|(via, direct)| figure(via) - figure(direct)).collect()
    }

    /// Microseconds of CPU time per request, over all rounds.
    fn cpu_per_request(&self) -> f64 {
        let requests: usize = self.rounds.iter().map(Seen::requests).sum();
        self.cpu.as_secs_f64() * 1e6 / requests as f64
    }
}

fn report(case: &str, tracks: &Tracks, prompt: usize) {
    println!("\n{case}: {prompt} bytes of request");
    for (name, track) in [
        ("direct", Some(&tracks.direct)),
        ("exec-server", Some(&tracks.ours)),
        ("nginx", tracks.proxy.as_ref()),
    ] {
        if let Some(track) = track {
            println!(
                "  {name:12} p50 {:8.0} us  p99 {:8.0} us  first bytes p50 {:8.0} us  {:8.0} requests/s",
                track.median(|seen| seen.whole(50)),
                track.median(|seen| seen.whole(99)),
                track.median(|seen| seen.first(50)),
                track.median(Seen::rate),
            );
        }
    }
    added(case, "added p50", tracks, |seen| seen.whole(50));
    added(case, "added p99", tracks, |seen| seen.whole(99));
    added(case, "added first", tracks, |seen| seen.first(50));
    let rates: Vec<(f64, f64)> = tracks
        .ours
        .rounds
        .iter()
        .zip(&tracks.direct.rounds)
        .map(|(via, direct)| (via.rate(), direct.rate()))
        .collect();
    Figure::of("gateway", &format!("{case} rate"), Pair::of(&rates), "1/s", "direct").print();
    let proxy = tracks.proxy.as_ref().map(|proxy| vec![proxy.cpu_per_request()]);
    versus(case, "cpu", &[tracks.ours.cpu_per_request()], proxy.as_deref());
}

fn added(case: &str, what: &str, tracks: &Tracks, figure: impl Fn(&Seen) -> f64) {
    let ours = tracks.ours.above(&tracks.direct, &figure);
    let proxy = tracks.proxy.as_ref().map(|proxy| proxy.above(&tracks.direct, &figure));
    versus(case, what, &ours, proxy.as_deref());
}

/// Microseconds of ours beside those of the proxy, if there is one.
fn versus(case: &str, what: &str, ours: &[f64], proxy: Option<&[f64]>) {
    let name = format!("{case} {what}");
    let figure = Figure::alone("gateway", &name, median(ours.iter().copied()), "us");
    match proxy {
        None => figure.print(),
        Some(proxy) => {
            let rounds: Vec<(f64, f64)> = ours.iter().copied().zip(proxy.iter().copied()).collect();
            figure.against("nginx", Pair::of(&rounds)).print();
        }
    }
}
