//! The built server as a process: its configuration in a file, port 0, signals, its memory.

use super::{Call, Client};
use crate::serve::{self, Served};
use crate::shell::{self, Result};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::time::Instant;

/// How often a process is asked whether it is gone.
const LOOK: Duration = Duration::from_millis(5);

/// The binary, and a folder for what the servers read and write.
#[derive(Debug)]
pub(crate) struct Lab {
    binary: PathBuf,
    folder: PathBuf,
    started: AtomicUsize,
}

impl Lab {
    /// Builds the server; its folder is `JOB` in the target folder, empty at first.
    pub(crate) fn build(root: &Path, job: &str, debug: bool) -> Result<Self> {
        let mut words = vec!["build", "-p", "exec-server"];
        words.extend((!debug).then_some("--release"));
        shell::pass(&mut shell::cargo(root, &words))?;
        let target = shell::target_dir(root)?;
        let folder = target.join(job);
        if folder.exists() {
            std::fs::remove_dir_all(&folder)?;
        }
        std::fs::create_dir_all(&folder)?;
        let binary = target.join(if debug { "debug" } else { "release" }).join("exec-server");
        Ok(Self { binary, folder, started: AtomicUsize::new(0) })
    }

    /// Starts a server with a configuration in TOML; `words` follow on its command line.
    pub(crate) fn start(&self, config: &str, words: &[&str]) -> Result<Gateway> {
        let name = format!("server-{}", self.started.fetch_add(1, Ordering::Relaxed));
        let file = self.folder.join(format!("{name}.toml"));
        std::fs::write(&file, config)?;
        let mut command = Command::new(&self.binary);
        command.arg("--config").arg(&file).args(["--listen", "127.0.0.1:0"]).args(words);
        // The runtime's other thread goes on while this one waits for the first line.
        let served = tokio::task::block_in_place(|| serve::start(&self.folder, &name, &mut command))?;
        let address = served.address.strip_prefix("http://").ok_or("the server says no address")?.parse()?;
        Ok(Gateway { address, served })
    }
}

/// A running server; killed when dropped.
#[derive(Debug)]
pub(crate) struct Gateway {
    pub(crate) address: SocketAddr,
    served: Served,
}

impl Gateway {
    pub(crate) fn client(&self) -> Client {
        Client::new(self.address)
    }

    /// Everything it logged so far.
    pub(crate) fn log(&self) -> Result<String> {
        Ok(std::fs::read_to_string(&self.served.log)?)
    }

    fn id(&self) -> u32 {
        self.served.process.0.id()
    }

    /// Sends a signal such as `-TERM`.
    pub(crate) fn signal(&self, name: &str) -> Result {
        shell::read(Command::new("kill").args([name, &self.id().to_string()])).map(drop)
    }

    /// Waits until the process has ended, and gives its exit code; `None` if it did not end or was killed.
    pub(crate) async fn exit(&mut self, limit: Duration) -> Result<Option<i32>> {
        let until = Instant::now() + limit;
        loop {
            match self.served.process.0.try_wait()? {
                Some(status) => return Ok(status.code()),
                None if Instant::now() > until => return Ok(None),
                None => tokio::time::sleep(LOOK).await,
            }
        }
    }

    /// Its resident memory in KiB, as Linux tells it.
    pub(crate) fn memory(&self) -> Result<u64> {
        let text = std::fs::read_to_string(format!("/proc/{}/status", self.id()))?;
        let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let number = line.and_then(|line| line.split_whitespace().next()).ok_or("no VmRSS")?;
        Ok(number.parse()?)
    }

    /// How many files it has open, connections included, as Linux tells it.
    pub(crate) fn files(&self) -> Result<u64> {
        Ok(std::fs::read_dir(format!("/proc/{}/fd", self.id()))?.count() as u64)
    }

    /// The body of a page, which must be there.
    pub(crate) async fn page(&self, path: &str, limit: Duration) -> Result<String> {
        let heard = self.client().send(&Call::get(path), limit).await;
        if heard.status != 200 {
            return Err(format!("{path} answers {}", heard.status).into());
        }
        Ok(String::from_utf8(heard.body)?)
    }
}
