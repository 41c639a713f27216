//! Running other programs, and where things are. What a step's outcome means is in `steps`.

use std::error::Error;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// What a job returns; errors are for people, so a boxed sentence is enough.
pub(crate) type Result<T = ()> = std::result::Result<T, Box<dyn Error>>;

/// The root of the workspace: the nearest folder upwards that holds `xtask/Cargo.toml`.
pub(crate) fn root() -> Result<PathBuf> {
    let here = std::env::current_dir()?;
    let found = here.ancestors().find(|dir| dir.join("xtask/Cargo.toml").is_file());
    Ok(found.ok_or("run me inside the workspace")?.to_path_buf())
}

/// A cargo command in the root of the workspace, with the same cargo that runs us.
pub(crate) fn cargo(root: &Path, args: &[&str]) -> Command {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.current_dir(root).args(args);
    command
}

/// Runs a command with our own terminal; an exit code other than 0 is an error that names the command.
pub(crate) fn pass(command: &mut Command) -> Result {
    println!("$ {}", shown(command));
    let status = command.status().map_err(|e| format!("cannot start {}: {e}", shown(command)))?;
    if status.success() { Ok(()) } else { Err(format!("{} ended with {status}", shown(command)).into()) }
}

/// The standard output of a command that must succeed; its standard error is part of the error.
pub(crate) fn read(command: &mut Command) -> Result<String> {
    let output = command.output().map_err(|e| format!("cannot start {}: {e}", shown(command)))?;
    if output.status.success() {
        return Ok(String::from_utf8(output.stdout)?);
    }
    let errors = String::from_utf8(output.stderr)?;
    Err(format!("{} ended with {}: {}", shown(command), output.status, errors.trim()).into())
}

/// Whether the program can be started and says its version.
pub(crate) fn has(command: &mut Command) -> bool {
    let quiet = command.arg("--version").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    quiet.status().is_ok_and(|status| status.success())
}

/// Runs a command with all its output in `log`; longer than `limit` is an error, and the process is killed.
pub(crate) fn pass_within(command: &mut Command, log: &Path, limit: Duration) -> Result {
    let file = File::create(log)?;
    command.stdin(Stdio::null()).stdout(file.try_clone()?).stderr(file);
    let child = command.spawn().map_err(|e| format!("cannot start {}: {e}", shown(command)))?;
    let mut child = Killed(child);
    let start = now();
    loop {
        match child.0.try_wait()? {
            Some(status) if status.success() => return Ok(()),
            Some(status) => return Err(format!("{} ended with {status}", shown(command)).into()),
            None if start.elapsed() > limit => {
                return Err(format!("{} took longer than {limit:?}", shown(command)).into());
            }
            None => std::thread::park_timeout(Duration::from_millis(50)),
        }
    }
}

/// A child process that never outlives its owner.
#[derive(Debug)]
pub(crate) struct Killed(pub(crate) Child);

impl Drop for Killed {
    fn drop(&mut self) {
        // Both fail only if the process is gone already.
        let _gone = self.0.kill();
        let _reaped = self.0.wait();
    }
}

/// Now, for timing steps and limits of real processes.
#[expect(clippy::disallowed_methods, reason = "real processes run on the real clock")]
pub(crate) fn now() -> Instant {
    Instant::now()
}

/// The folder that cargo builds into.
pub(crate) fn target_dir(root: &Path) -> Result<PathBuf> {
    let text = read(&mut cargo(root, &["metadata", "--no-deps", "--format-version", "1"]))?;
    let metadata: serde_json::Value = serde_json::from_str(&text)?;
    let dir = metadata["target_directory"].as_str().ok_or("cargo metadata names no target directory")?;
    Ok(PathBuf::from(dir))
}

/// Whether the environment says that this is a CI run.
pub(crate) fn is_ci() -> bool {
    std::env::var("CI").is_ok_and(|value| !matches!(value.as_str(), "" | "0" | "false"))
}

fn shown(command: &Command) -> String {
    let program = Path::new(command.get_program());
    let name = program.file_name().unwrap_or(command.get_program()).to_string_lossy();
    let args: Vec<_> = command.get_args().map(|arg| arg.to_string_lossy()).collect();
    format!("{name} {}", args.join(" ")).trim_end().to_owned()
}
