//! The servers as processes: in a folder of their own, on a free port, gone with the test.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tempfile::TempDir;
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

/// A server that can be killed, frozen and started again.
pub(super) struct Server {
    program: PathBuf,
    arguments: Vec<String>,
    port: u16,
    child: Child,
    _folder: TempDir,
}

/// The program an environment variable names.
fn named(variable: &str) -> PathBuf {
    std::env::var_os(variable).map(PathBuf::from).unwrap_or_else(|| panic!("{variable} is not set"))
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// A command, as the user `postgres` if we are root: PostgreSQL refuses to run as root.
fn humble(program: &Path) -> Command {
    let who = Command::new("id").arg("-u").output().unwrap();
    if who.stdout.trim_ascii() != b"0" {
        return Command::new(program);
    }
    let mut command = Command::new("setpriv");
    command.args(["--reuid=postgres", "--regid=postgres", "--clear-groups"]).arg(program);
    command
}

impl Server {
    pub(super) async fn postgres() -> Self {
        let programs = named("EXEC_POOL_POSTGRES");
        let (folder, port) = (tempfile::tempdir().unwrap(), free_port());
        // Whoever the server runs as must be able to make its own folder in it.
        assert!(Command::new("chmod").arg("777").arg(folder.path()).status().unwrap().success());
        let data = folder.path().join("data").to_str().unwrap().to_owned();
        let mut initdb = humble(&programs.join("initdb"));
        initdb.args(["--no-sync", "--auth=trust", "--username=postgres", "-D", &data]);
        let made = initdb.current_dir("/").stdout(Stdio::null()).status().unwrap();
        assert!(made.success(), "initdb ended with {made}");
        let port_text = port.to_string();
        let words = ["-D", &data, "-p", &port_text, "-h", "127.0.0.1", "-k", "", "-F"];
        Self::run(programs.join("postgres"), &words, port, folder).await
    }

    pub(super) async fn redis() -> Self {
        let program = named("EXEC_POOL_REDIS");
        let (folder, port) = (tempfile::tempdir().unwrap(), free_port());
        let data = folder.path().to_str().unwrap().to_owned();
        let port_text = port.to_string();
        let words =
            ["--port", &port_text, "--bind", "127.0.0.1", "--dir", &data, "--save", "", "--daemonize", "no"];
        Self::run(program, &words, port, folder).await
    }

    async fn run(program: PathBuf, words: &[&str], port: u16, folder: TempDir) -> Self {
        let arguments: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
        let child = launch(&program, &arguments);
        let server = Self { program, arguments, port, child, _folder: folder };
        server.listens().await;
        server
    }

    pub(super) fn port(&self) -> u16 {
        self.port
    }

    /// Starts it again, after [`kill`](Self::kill).
    pub(super) async fn start(&mut self) {
        self.child = launch(&self.program, &self.arguments);
        self.listens().await;
    }

    async fn listens(&self) {
        let listening = async {
            while TcpStream::connect(("127.0.0.1", self.port)).await.is_err() {
                sleep(Duration::from_millis(20)).await;
            }
        };
        timeout(Duration::from_secs(30), listening).await.unwrap();
    }

    /// Stops it and all it has started, at once and without warning.
    pub(super) fn kill(&mut self) {
        // The children first: a server that lives may replace them.
        self.signal("-STOP");
        self.signal("-KILL");
        self.child.wait().unwrap();
    }

    pub(super) fn freeze(&self) {
        self.signal("-STOP");
    }

    pub(super) fn thaw(&self) {
        self.signal("-CONT");
    }

    fn signal(&self, name: &str) {
        let id = self.child.id();
        let children = std::fs::read_to_string(format!("/proc/{id}/task/{id}/children")).unwrap_or_default();
        let all = children.split_whitespace().map(str::to_owned).chain([id.to_string()]);
        // A child that is gone meanwhile is no failure.
        let _sent = Command::new("kill").arg(name).args(all).stderr(Stdio::null()).status().unwrap();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}

fn launch(program: &Path, arguments: &[String]) -> Child {
    let is_postgres = program.ends_with("postgres");
    let mut command = if is_postgres { humble(program) } else { Command::new(program) };
    command.args(arguments).current_dir("/").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.spawn().unwrap()
}
