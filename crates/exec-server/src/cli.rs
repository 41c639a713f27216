//! The command line: `serve` (what it does when told nothing), `check`, `execute` and `plan`.

mod check;
mod execute;
mod plan;
mod serve;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use tracing_subscriber::EnvFilter;

use crate::config::{Config, ConfigError, Environment};

/// Exit codes: 0 done, 1 failed while running, 2 told something that cannot work, 130 interrupted.
const FAILED: u8 = 1;
const UNUSABLE: u8 = 2;
const INTERRUPTED: u8 = 130;

/// An execution engine and gateway for models, tools and other remote operations.
#[derive(Debug, Parser)]
#[command(name = "exec-server", version, max_term_width = 80)]
struct Arguments {
    /// The configuration: a .toml, .yaml, .yml or .json file. Without one: the simulator, and a provider for every
    /// API key in the environment
    #[arg(long, env = "EXEC_CONFIG", value_name = "FILE", global = true)]
    config: Option<PathBuf>,
    /// Where to accept requests; port 0 picks a free one
    #[arg(long, env = "EXEC_LISTEN", value_name = "ADDR", global = true)]
    listen: Option<SocketAddr>,
    /// Where the server keeps what it stores
    #[arg(long, env = "EXEC_DATA_DIR", value_name = "DIR", global = true)]
    data_dir: Option<PathBuf>,
    /// What to log, to stderr: error, warn, info, debug, trace, or a list such as info,exec::event=debug
    #[arg(long, env = "EXEC_LOG", value_name = "FILTER", default_value = "info", global = true)]
    log: String,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Answer requests until told to stop (the default)
    Serve,
    /// Read the configuration and say what is wrong with it, or what it means
    Check,
    /// Run one prompt and stream the answer to the terminal; Ctrl-C cancels it
    Execute(execute::Prompt),
    /// Put the pipes of a file in order and show the plan, or all that is wrong with them
    Plan(plan::Asked),
}

/// Runs the command line of this process.
#[must_use]
pub fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            // Help and version are no failures and go to stdout; the rest says what was meant.
            let _ = error.print();
            return if error.use_stderr() { UNUSABLE.into() } else { ExitCode::SUCCESS };
        }
    };
    match prepare(&arguments) {
        Ok(runtime) => runtime.block_on(run(arguments)),
        Err(message) => unusable(&message),
    }
}

fn prepare(arguments: &Arguments) -> Result<tokio::runtime::Runtime, String> {
    // Two TLS back ends in one process are a panic at the first connection: this one is chosen before any.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let filter = EnvFilter::try_new(&arguments.log).map_err(|error| format!("--log: {error}"))?;
    let ansi = std::io::IsTerminal::is_terminal(&std::io::stderr());
    tracing_subscriber::fmt().with_env_filter(filter).with_ansi(ansi).with_writer(std::io::stderr).init();
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| format!("cannot start: {error}"))
}

async fn run(arguments: Arguments) -> ExitCode {
    // A plan needs no configuration, so a broken one is not in its way.
    if let Some(Command::Plan(asked)) = &arguments.command {
        return plan::run(asked);
    }
    let config = match load(&arguments).await {
        Ok(config) => config,
        Err(error) => return refused(&error),
    };
    match arguments.command {
        None | Some(Command::Serve) => serve::run(config).await,
        Some(Command::Check) => check::run(&config),
        Some(Command::Execute(prompt)) => execute::run(&config, prompt).await,
        Some(Command::Plan(asked)) => plan::run(&asked),
    }
}

async fn load(arguments: &Arguments) -> Result<Config, ConfigError> {
    let environment = Environment::of_process();
    let mut config = match &arguments.config {
        Some(path) => Config::load(path, &environment)?,
        None => Config::from_environment(&environment, ollama_answers().await)?,
    };
    if let Some(listen) = arguments.listen {
        config.server.listen = listen;
    }
    if let Some(data_dir) = &arguments.data_dir {
        config.server.data_dir = Some(data_dir.clone());
    }
    Ok(config)
}

/// Whether something listens where an Ollama usually does. On this machine, so a moment is enough.
async fn ollama_answers() -> bool {
    let limit = std::time::Duration::from_millis(100);
    let connect = tokio::net::TcpStream::connect(crate::config::OLLAMA);
    matches!(tokio::time::timeout(limit, connect).await, Ok(Ok(_)))
}

fn refused(error: &ConfigError) -> ExitCode {
    let count = error.0.len();
    let things = if count == 1 { "one problem" } else { "problems" };
    unusable(&format!("the configuration cannot be used ({count} {things}):\n{error}"))
}

fn unusable(message: &str) -> ExitCode {
    tell(message);
    UNUSABLE.into()
}

/// Says something to the person at the terminal. Nobody may be there to hear it.
#[expect(clippy::print_stderr, reason = "the command line's own output")]
fn tell(message: &str) {
    eprintln!("exec-server: {message}");
}
