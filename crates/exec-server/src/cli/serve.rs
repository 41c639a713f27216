//! `exec-server serve`: answers requests until told to stop.

use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

use tokio::signal::unix::{Signal, SignalKind, signal};

use super::{FAILED, INTERRUPTED, tell, unusable};
use crate::config::Config;
use crate::metrics;
use crate::serve::{Server, StartError};

pub(super) async fn run(config: Config) -> ExitCode {
    if let Some(directory) = &config.server.data_dir
        && let Err(message) = usable(directory)
    {
        return unusable(&message);
    }
    for warning in config.warnings() {
        tracing::warn!(path = warning.path, "{}", warning.message);
    }
    metrics::install();
    let server = match Server::bind(&config).await {
        Ok(server) => server,
        Err(StartError::Config(error)) => return super::refused(&error),
        Err(error) => {
            tell(&error.to_string());
            return FAILED.into();
        }
    };
    let mut signals = match Signals::new() {
        Ok(signals) => signals,
        Err(error) => {
            tell(&format!("cannot listen for signals: {error}"));
            return FAILED.into();
        }
    };
    // The line others wait for. Whoever started us may have closed the pipe, which is no reason not to serve.
    let _ = writeln!(std::io::stdout(), "listening on http://{}", server.address());
    let _ = std::io::stdout().flush();
    let providers: Vec<&str> = config.providers.keys().map(String::as_str).collect();
    tracing::info!(address = %server.address(), providers = providers.join(", "), "serving");
    let (stop, stopped) = tokio::sync::oneshot::channel();
    let impatient = async {
        let name = signals.next().await;
        tracing::info!(signal = name, "stopping: executions under way may finish; a second signal ends them");
        // The server is there as long as this is polled.
        let _ = stop.send(());
        signals.next().await;
    };
    tokio::select! {
        cancelled = server.run(async { stopped.await.unwrap_or_default() }) => {
            tracing::info!(cancelled, "stopped");
            ExitCode::SUCCESS
        }
        _ = impatient => INTERRUPTED.into(),
    }
}

/// Makes sure that things can be stored in `directory`.
fn usable(directory: &Path) -> Result<(), String> {
    let failed = |error: std::io::Error| format!("--data-dir {}: {error}", directory.display());
    std::fs::create_dir_all(directory).map_err(failed)?;
    let probe = directory.join(format!(".probe-{}", std::process::id()));
    std::fs::write(&probe, b"").and_then(|()| std::fs::remove_file(&probe)).map_err(failed)
}

/// The signals that ask a server to stop.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    fn new() -> std::io::Result<Self> {
        Ok(Self { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
        }
    }
}
