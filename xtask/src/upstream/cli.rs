//! `xtask upstream`: the upstream as a process, for tests and benches that are not written in Rust.
use super::Upstream;
use std::io::Write as _;
use tokio::signal::unix::{SignalKind, signal};

/// Runs the upstream until SIGINT or SIGTERM; the first line on standard output says where it listens.
///
/// Arguments: `--listen ADDR`, by default `127.0.0.1:0`.
///
/// # Errors
/// A sentence for people: an unknown argument, an address that cannot be bound, no runtime.
pub fn run(args: &[String]) -> Result<(), String> {
    let listen = listen(args)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| format!("failed to start the runtime: {error}"))?;
    runtime.block_on(until_signal(&listen))
}

fn listen(args: &[String]) -> Result<String, String> {
    match args {
        [] => Ok("127.0.0.1:0".to_owned()),
        [flag, addr] if flag == "--listen" => Ok(addr.clone()),
        _ => Err(format!("unknown arguments {args:?}; only --listen ADDR is known")),
    }
}

async fn until_signal(listen: &str) -> Result<(), String> {
    let failed = |what: &str, error: std::io::Error| format!("failed to {what}: {error}");
    let mut terminate = signal(SignalKind::terminate()).map_err(|e| failed("watch SIGTERM", e))?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(|e| failed("watch SIGINT", e))?;
    let upstream = Upstream::bind(listen).await.map_err(|e| failed(&format!("listen on {listen}"), e))?;
    let mut out = std::io::stdout();
    writeln!(out, "listening on {}", upstream.url())
        .and_then(|()| out.flush())
        .map_err(|e| failed("say where it listens", e))?;
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    upstream.stop().await;
    Ok(())
}
