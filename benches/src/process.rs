//! The processes a bench measures: built, started, waited for, and asked what they cost.

use crate::Result;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::net::TcpStream;
use tokio::process::{Child, ChildStdout, Command};
use tokio::time::{sleep, timeout};

/// How long a process may take until it serves.
const START: Duration = Duration::from_secs(10);

/// Builds the binaries of these packages as users get them (`--release`) and says in which folder they are.
///
/// # Errors
/// When cargo cannot be started or fails.
pub fn build(packages: &[&str]) -> Result<PathBuf> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = std::process::Command::new(cargo);
    command.args(["build", "--release", "--quiet", "--bins"]);
    for package in packages {
        command.args(["--package", package]);
    }
    let status = command.status()?;
    if !status.success() {
        return Err(format!("cargo build ended with {status}").into());
    }
    // A bench is target/release/deps/NAME.
    let bench = std::env::current_exe()?;
    Ok(bench.parent().and_then(|deps| deps.parent()).ok_or("the bench is in no target folder")?.to_path_buf())
}

/// A server in a process of its own. It is killed when this is dropped.
#[derive(Debug)]
pub struct Process {
    addr: SocketAddr,
    id: u32,
    _child: Child,
    /// Kept open: a server that writes to a closed pipe would fail.
    _stdout: Option<BufReader<ChildStdout>>,
}

impl Process {
    /// Starts a server whose first line on stdout is `listening on http://ADDR`.
    ///
    /// # Errors
    /// When it cannot be started, or says something else, or nothing within 10 s.
    pub async fn telling(command: &mut Command) -> Result<Self> {
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).kill_on_drop(true).spawn()?;
        let mut stdout = BufReader::new(child.stdout.take().ok_or("the process has no stdout")?);
        let mut line = String::new();
        timeout(START, stdout.read_line(&mut line)).await??;
        let addr = line.trim_end().strip_prefix("listening on http://").and_then(|addr| addr.parse().ok());
        let addr = addr.ok_or_else(|| format!("{:?} began with {line:?}", command.as_std().get_program()))?;
        Ok(Self { addr, id: id(&child)?, _child: child, _stdout: Some(stdout) })
    }

    /// Starts a server that is known to listen on `addr`, and waits until it does.
    ///
    /// # Errors
    /// When it cannot be started or does not accept within 10 s.
    pub async fn at(command: &mut Command, addr: SocketAddr) -> Result<Self> {
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).kill_on_drop(true).spawn()?;
        let accepts = async {
            while TcpStream::connect(addr).await.is_err() {
                sleep(Duration::from_millis(10)).await;
            }
        };
        timeout(START, accepts).await.map_err(|_| format!("nothing listens on {addr}"))?;
        Ok(Self { addr, id: id(&child)?, _child: child, _stdout: None })
    }

    /// Where it listens.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// The CPU time of all its threads so far, user and system, in steps of 10 ms. Linux only.
    ///
    /// # Errors
    /// When the process is gone or there is no `/proc`.
    pub fn cpu(&self) -> Result<Duration> {
        cpu_of(self.id)
    }
}

/// The CPU time of this process, as [`Process::cpu`].
///
/// # Errors
/// When there is no `/proc`.
pub fn own_cpu() -> Result<Duration> {
    cpu_of(std::process::id())
}

fn cpu_of(id: u32) -> Result<Duration> {
    let stat = std::fs::read_to_string(format!("/proc/{id}/stat"))?;
    ticks(&stat).map(|ticks| Duration::from_millis(10) * ticks).ok_or_else(|| "bad /proc/PID/stat".into())
}

fn id(child: &Child) -> Result<u32> {
    child.id().ok_or_else(|| "the process has ended".into())
}

/// `utime` and `stime`, the fields 14 and 15 of proc(5), in ticks of 1/100 s. The name in field 2 may hold anything, so
/// counting starts at its closing bracket.
fn ticks(stat: &str) -> Option<u32> {
    let (_, rest) = stat.rsplit_once(')')?;
    let mut fields = rest.split_ascii_whitespace().skip(11);
    let (user, system): (u32, u32) = (fields.next()?.parse().ok()?, fields.next()?.parse().ok()?);
    Some(user + system)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cpu_time_is_user_plus_system_whatever_the_name_is() {
        assert_eq!(ticks("7 (a) b 1) S 1 2 3 4 5 6 7 8 9 10 30 12 0 0 20"), Some(42));
        assert_eq!(ticks("7 (a) S 1"), None);
    }
}
