//! Puts the pinned SDKs below `target/clients`, once per set of pins.

use crate::shell::{self, Result};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Whether the SDKs are there.
#[derive(Debug)]
pub(super) enum Installed {
    /// The interpreter (Python) or the folder to run in (Node).
    At(PathBuf),
    /// The sentence says what could not be fetched or started.
    Unreachable(String),
}

/// A virtual environment with `requirements.txt` in it.
pub(super) fn python(tests: &Path, target: &Path) -> Installed {
    let venv = target.join("venv");
    let program = venv.join("bin/python");
    let pins = tests.join("python/requirements.txt");
    let install = || {
        let mut make = Command::new("python3");
        quietly(make.args(["-m", "venv", "--clear"]).arg(&venv))?;
        let mut pip = Command::new(&program);
        let words = "-m pip install --quiet --retries 2 --disable-pip-version-check -r";
        quietly(pip.args(words.split(' ')).arg(&pins))
    };
    match once(&pins, &venv, install) {
        Ok(()) => Installed::At(program),
        Err(error) => Installed::Unreachable(format!("cannot install the Python SDKs: {error}")),
    }
}

/// A folder with `node_modules` and a copy of the tests, since Node resolves packages from where a file is.
pub(super) fn node(tests: &Path, target: &Path) -> Installed {
    let folder = target.join("node");
    let pins = tests.join("node/package.json");
    let install = || {
        std::fs::create_dir_all(&folder)?;
        std::fs::copy(&pins, folder.join("package.json"))?;
        let mut npm = Command::new("npm");
        let words = "install --no-audit --no-fund --no-package-lock --fetch-retries 1";
        quietly(npm.args(words.split(' ')).current_dir(&folder))
    };
    let ready = once(&pins, &folder, install).and_then(|()| copy_tests(&tests.join("node"), &folder));
    match ready {
        Ok(()) => Installed::At(folder),
        Err(error) => Installed::Unreachable(format!("cannot install the Node SDK: {error}")),
    }
}

fn copy_tests(from: &Path, to: &Path) -> Result {
    for entry in std::fs::read_dir(from)? {
        let path = entry?.path();
        if let (Some("mjs"), Some(name)) = (path.extension().and_then(|e| e.to_str()), path.file_name()) {
            std::fs::copy(&path, to.join(name))?;
        }
    }
    Ok(())
}

/// Runs `install` unless a stamp in `folder` says that the same pins were installed to the end.
fn once(pins: &Path, folder: &Path, install: impl FnOnce() -> Result) -> Result {
    let wanted = std::fs::read_to_string(pins)?;
    let stamp = folder.join(".pins");
    if std::fs::read_to_string(&stamp).is_ok_and(|there| there == wanted) {
        return Ok(());
    }
    install()?;
    Ok(std::fs::write(stamp, wanted)?)
}

fn quietly(command: &mut Command) -> Result {
    shell::read(command.stdin(Stdio::null())).map(drop)
}

#[cfg(test)]
mod tests {
    use super::once;

    #[test]
    fn the_same_pins_are_installed_once_and_a_failure_is_tried_again() {
        let dir = std::env::temp_dir().join(format!("xtask-once-{}", std::process::id()));
        std::fs::create_dir_all(&dir).unwrap();
        let pins = dir.join("pins");
        let mut runs = 0;
        let mut go = |text: &str, works: bool| {
            std::fs::write(&pins, text).unwrap();
            let result = once(&pins, &dir, || {
                runs += 1;
                if works { Ok(()) } else { Err("no network".into()) }
            });
            (result.is_ok(), runs)
        };
        assert_eq!(go("a==1", false), (false, 1));
        assert_eq!(go("a==1", true), (true, 2));
        assert_eq!(go("a==1", true), (true, 2));
        assert_eq!(go("a==2", true), (true, 3));
        std::fs::remove_dir_all(&dir).unwrap();
    }
}
