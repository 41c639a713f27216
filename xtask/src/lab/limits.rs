//! How many files this process may hold open; the processes it starts inherit it.

use crate::shell::{self, Result};
use std::process::Command;

/// Raises the limit to `wanted` as far as the hard limit allows, and says what it is now. It takes util-linux's
/// `prlimit`; without it the limit stays.
pub(crate) fn raise_open_files(wanted: u64) -> Result<u64> {
    let (soft, hard) = limits()?;
    let reachable = wanted.min(hard);
    if soft < reachable {
        let mut prlimit = Command::new("prlimit");
        prlimit.arg(format!("--pid={}", std::process::id())).arg(format!("--nofile={reachable}:{hard}"));
        if let Err(error) = shell::read(&mut prlimit) {
            println!("the limit of open files stays at {soft}: {error}");
        }
    }
    Ok(limits()?.0)
}

/// The soft and the hard limit, as the kernel tells them.
fn limits() -> Result<(u64, u64)> {
    let text = std::fs::read_to_string("/proc/self/limits")?;
    let line = text.lines().find_map(|line| line.strip_prefix("Max open files"));
    let mut numbers =
        line.unwrap_or_default().split_whitespace().map(|word| word.parse().unwrap_or(u64::MAX));
    Ok(numbers.next().zip(numbers.next()).ok_or("the kernel says no limit of open files")?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_that_is_there_already_stays() {
        let (soft, _) = limits().unwrap();
        assert_eq!(raise_open_files(1).unwrap(), soft);
    }
}
