//! What the transport of exec-providers costs with each of those who can keep its connections: its own pool, which drives a
//! connection in the task of whoever reads the answer, and a pool of exec-pool, with a task for each connection.
//!
//! `cargo bench -p benches --bench transport`. The upstream is a process of its own; requests are made here, by a runtime
//! with two threads, and the CPU time is that of this process, for both in the same rounds. Nothing else differs: the
//! same connector, buffers, requests and reading.
#![expect(clippy::print_stdout, reason = "a bench talks to the developer on the terminal")]

use benches::process::{self, Process};
use benches::{Effort, Figure, Pair, Result};
use bytes::Bytes;
use exec_providers::http::{Body, OutgoingRequest, Pooling, Transport, TransportConfig};
use futures_util::StreamExt;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;
use tokio::process::Command;
use tokio::task::JoinSet;
use tokio::time::Instant;

/// How long one round is. Short, because a machine that others use changes its mind within a second.
const ROUND: Duration = Duration::from_millis(100);
const THREADS: usize = 2;
/// No answer is larger.
const LARGEST: usize = 1 << 20;

fn main() -> ExitCode {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(THREADS).enable_all().build();
    match runtime.map_err(Into::into).and_then(|runtime| runtime.block_on(run(Effort::asked()))) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            println!("transport: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(effort: Effort) -> Result {
    if effort == Effort::Smoke {
        println!(
            "transport: skipped, it measures release builds; run `cargo bench -p benches --bench transport`"
        );
        return Ok(());
    }
    let bin = process::build(&["xtask"])?;
    let upstream = Process::telling(Command::new(bin.join("xtask")).arg("upstream")).await?;
    let rounds = effort.pick(40, 8, 0);
    for case in CASES {
        let [own, pooled] =
            [Pooling::Own, Pooling::ExecPool].map(|pool| case.transport(upstream.addr(), pool));
        let (own, pooled) = (own?, pooled?);
        // Connections are made and everything is warm before anybody counts.
        let (first, _) = (case.round(&own).await?, case.round(&pooled).await?);
        println!("\n{}: answers of {} bytes", case.name, first.bytes / first.times.len());
        let mut seen = Vec::with_capacity(rounds);
        for round in 0..rounds {
            seen.push(if round % 2 == 0 {
                let first = case.round(&own).await?;
                (first, case.round(&pooled).await?)
            } else {
                let first = case.round(&pooled).await?;
                (case.round(&own).await?, first)
            });
        }
        report(case.name, &seen);
    }
    Ok(())
}

/// A scenario of the upstream, asked by so many callers over so many connections.
struct Case {
    name: &'static str,
    scenario: &'static str,
    stream: bool,
    callers: usize,
    connections: usize,
}

/// The tokens of `stream` come at once; those of `paced` a millisecond apart, so that each is read alone.
const CASES: [Case; 5] = [
    Case { name: "unary c1", scenario: "tokens=120", stream: false, callers: 1, connections: 1 },
    Case { name: "unary 64 on 8", scenario: "tokens=120", stream: false, callers: 64, connections: 8 },
    Case { name: "stream c1", scenario: "tokens=60", stream: true, callers: 1, connections: 1 },
    Case { name: "stream 64 on 8", scenario: "tokens=60", stream: true, callers: 64, connections: 8 },
    Case {
        name: "paced 32 on 32",
        scenario: "tokens=60,gap=1ms",
        stream: true,
        callers: 32,
        connections: 32,
    },
];

impl Case {
    fn transport(&self, upstream: SocketAddr, pool: Pooling) -> Result<Arc<Transport>> {
        let mut config = TransportConfig::new(format!("http://{upstream}/v1"));
        (config.pool, config.max_connections) = (pool, self.connections);
        Ok(Arc::new(Transport::new(&config)?))
    }

    fn request(&self) -> Result<OutgoingRequest> {
        let Self { scenario, stream, .. } = self;
        let words = "word ".repeat(200);
        let body = format!(
            r#"{{"model":"fault:{scenario}","stream":{stream},"messages":[{{"role":"user","content":"{words}"}}]}}"#
        );
        let mut request = OutgoingRequest::post("/chat/completions", Body::from(Bytes::from(body)));
        request.secret_header(hyper::header::AUTHORIZATION, "Bearer good-key")?;
        Ok(request)
    }

    async fn round(&self, transport: &Arc<Transport>) -> Result<Seen> {
        let (start, cpu) = (Instant::now(), process::own_cpu()?);
        let mut callers = JoinSet::new();
        for _ in 0..self.callers {
            let ending: &[u8] = if self.stream { b"data: [DONE]\n\n" } else { b"}" };
            callers.spawn(call_until(transport.clone(), self.request()?, ending, start + ROUND));
        }
        let mut seen = Seen::default();
        while let Some(caller) = callers.join_next().await {
            let mut one = caller??;
            seen.times.append(&mut one.times);
            seen.bytes += one.bytes;
        }
        seen.took = start.elapsed();
        seen.cpu = process::own_cpu()?.saturating_sub(cpu);
        Ok(seen)
    }
}

/// What a round saw.
#[derive(Default)]
struct Seen {
    times: Vec<Duration>,
    bytes: usize,
    took: Duration,
    cpu: Duration,
}

impl Seen {
    /// Microseconds until the answer was read to its end, with the wait for a connection.
    fn whole(&self, percentile: usize) -> f64 {
        let mut sorted = self.times.clone();
        sorted.sort_unstable();
        sorted.get(sorted.len() * percentile / 100).map_or(f64::NAN, |time| time.as_secs_f64() * 1e6)
    }

    fn rate(&self) -> f64 {
        self.times.len() as f64 / self.took.as_secs_f64()
    }
}

async fn call_until(
    transport: Arc<Transport>,
    request: OutgoingRequest,
    ending: &[u8],
    until: Instant,
) -> Result<Seen> {
    let mut seen = Seen::default();
    while Instant::now() < until {
        let start = Instant::now();
        let mut answer = transport.send(request.clone(), None).await?;
        let (mut bytes, mut ended) = (0, false);
        while let Some(chunk) = answer.body.next().await {
            let chunk = chunk?;
            (bytes, ended) = (bytes + chunk.len(), chunk.ends_with(ending));
        }
        if !answer.status.is_success() || !ended || bytes > LARGEST {
            return Err(format!("an answer with {} of {bytes} bytes is not whole", answer.status).into());
        }
        seen.times.push(start.elapsed());
        seen.bytes += bytes;
    }
    Ok(seen)
}

fn report(case: &str, rounds: &[(Seen, Seen)]) {
    let pair = |figure: fn(&Seen) -> f64| {
        Pair::of(&rounds.iter().map(|(own, pooled)| (figure(own), figure(pooled))).collect::<Vec<_>>())
    };
    let print = |what: &str, pair: Pair, unit: &str| {
        Figure::of("transport", &format!("{case} {what}"), pair, unit, "exec-pool").print();
    };
    print("p50", pair(|seen| seen.whole(50)), "us");
    print("p99", pair(|seen| seen.whole(99)), "us");
    print("rate", pair(Seen::rate), "1/s");
    // One round is a few steps of the clock of CPU time, so all rounds are one.
    let cpu = |side: fn(&(Seen, Seen)) -> &Seen| {
        let (cpu, requests) = rounds.iter().map(side).fold((0.0, 0), |(cpu, requests), seen| {
            (cpu + seen.cpu.as_secs_f64() * 1e6, requests + seen.times.len())
        });
        cpu / requests as f64
    };
    print("cpu", Pair::of(&[(cpu(|(own, _)| own), cpu(|(_, pooled)| pooled))]), "us");
}
