//! The managers of exec-pool, and its pools over a PostgreSQL and a Redis that are killed and frozen meanwhile.

use crate::shell;
use crate::steps::{Steps, Verdict};
use std::path::{Path, PathBuf};
use std::process::Command;

/// One step for what needs no server, and one for each server; a server that is not installed is a skip that says so.
pub(crate) fn run(root: &Path, steps: &mut Steps) {
    steps.step("exec-pool with its managers", || shell::pass(&mut tests(root, &[])));
    let postgres =
        postgres().ok_or("PostgreSQL is not installed: no initdb in /usr/lib/postgresql or the PATH");
    let redis = in_path("redis-server").ok_or("Redis is not installed: no redis-server in the PATH");
    for (name, variable, found) in
        [("postgres", "EXEC_POOL_POSTGRES", postgres), ("redis", "EXEC_POOL_REDIS", redis)]
    {
        steps.step(&format!("exec-pool over {name}"), || match found {
            Ok(place) => {
                let filter = format!("servers::{name}");
                let mut command = tests(root, &["--", "--ignored", &filter]);
                shell::pass(command.env(variable, place)).into()
            }
            Err(why) => Verdict::Skipped(why.to_owned()),
        });
    }
}

fn tests(root: &Path, more: &[&str]) -> Command {
    let words = ["test", "-p", "exec-pool", "--all-features", "--test", "it"];
    shell::cargo(root, &[&words[..], more].concat())
}

/// The folder of PostgreSQL's programs. Debian keeps them out of the PATH, one folder for each version.
fn postgres() -> Option<PathBuf> {
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let found = versions.map(|version| version.path().join("bin")).filter(|bin| bin.join("initdb").is_file());
    found.max().or_else(|| in_path("initdb")?.parent().map(Path::to_path_buf))
}

fn in_path(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join(program)).find(|file| file.is_file())
}
