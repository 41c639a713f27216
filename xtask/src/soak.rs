//! `cargo xtask soak`: thousands of callers at once, a tenth of them leaving and a tenth of them failed; afterwards nothing may
//! be left taken, and every operation must be accounted for, by the callers and by the server alike.

mod account;
mod dice;
mod figures;
mod operation;
mod setup;

use crate::lab::{self, Lab};
use crate::shell::{self, Result};
use account::{Account, Books};
use operation::Operation;
use setup::Setup;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::Instant;

const USAGE: &str =
    "usage: cargo xtask soak [--minutes N] [--operations N] [--callers N] [--seed N] [--quick] [--debug]";
/// Each caller has a connection here and one in the server, which has as many again towards the upstreams.
const FILES_A_CALLER: u64 = 3;
/// Files that everything else takes.
const OTHER_FILES: u64 = 500;

/// What was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Options {
    /// Operations at one time.
    callers: u64,
    /// Operations of one round.
    operations: u64,
    /// Rounds are begun until so much time has passed.
    lasts: Duration,
    seed: u64,
    debug: bool,
}

impl Options {
    fn read(words: &[String]) -> Result<Self> {
        let mut options = Self {
            callers: 5000,
            operations: 50_000,
            lasts: Duration::from_secs(180),
            seed: 1,
            debug: false,
        };
        let mut words = words.iter().map(String::as_str);
        while let Some(word) = words.next() {
            let mut number = || -> Result<u64> { Ok(words.next().ok_or(USAGE)?.parse().map_err(|_| USAGE)?) };
            match word {
                "--debug" => options.debug = true,
                "--quick" => (options.operations, options.lasts) = (10_000, Duration::ZERO),
                "--minutes" => options.lasts = Duration::from_secs(60 * number()?),
                "--operations" => (options.operations, options.lasts) = (number()?, Duration::ZERO),
                "--callers" => options.callers = number()?,
                "--seed" => options.seed = number()?,
                _ => return Err(USAGE.into()),
            }
        }
        if options.callers == 0 || options.operations == 0 {
            return Err(USAGE.into());
        }
        Ok(options)
    }

    /// As many callers as there may be files for.
    fn within_limits(mut self) -> Result<Self> {
        let files = lab::raise_open_files(self.callers * FILES_A_CALLER + OTHER_FILES)?;
        let most = files.saturating_sub(OTHER_FILES) / FILES_A_CALLER;
        if most < self.callers {
            println!("{files} open files are allowed: {most} callers instead of {}", self.callers);
            self.callers = most.max(1);
        }
        Ok(self)
    }
}

pub(crate) fn run(words: &[String]) -> Result<bool> {
    let options = Options::read(words)?.within_limits()?;
    let lab = Lab::build(&shell::root()?, "soak", options.debug)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(soak(&lab, options))
}

async fn soak(lab: &Lab, options: Options) -> Result<bool> {
    let setup = Setup::open(lab).await?;
    let mut books = Books::open(&setup).await?;
    println!(
        "{} callers at once, {} operations a round, seed {}; the server takes {} KiB\n",
        options.callers,
        options.operations,
        options.seed,
        setup.gateway.memory()?
    );
    println!("{}", Account::HEAD);
    let end = Instant::now() + options.lasts;
    let mut round = 0;
    loop {
        let account = one_round(&setup, options, round).await?;
        books.close_round(&setup, account).await?;
        round += 1;
        if Instant::now() >= end {
            break;
        }
    }
    books.settle(&setup).await
}

/// All operations of a round, `callers` at a time.
async fn one_round(setup: &Setup, options: Options, round: u64) -> Result<Account> {
    let (next, last) = (round * options.operations, (round + 1) * options.operations);
    let next = Arc::new(AtomicU64::new(next));
    let start = Instant::now();
    let mut callers = JoinSet::new();
    for _ in 0..options.callers.min(options.operations) {
        let (next, client) = (Arc::clone(&next), setup.gateway.client());
        callers.spawn(async move {
            let mut account = Account::default();
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if number >= last {
                    return account;
                }
                account.add(Operation::of(options.seed, number).run(client).await);
            }
        });
    }
    let mut account = Account::default();
    while let Some(ended) = callers.join_next().await {
        account.join(ended?);
    }
    account.took = start.elapsed();
    Ok(account)
}

#[cfg(test)]
mod tests {
    use super::operation::Outcome;
    use super::*;

    fn options(words: &str) -> Result<Options> {
        Options::read(&words.split_whitespace().map(str::to_owned).collect::<Vec<_>>())
    }

    #[test]
    fn options_are_read() {
        assert_eq!(options("").unwrap().callers, 5000);
        let quick = options("--quick --callers 10 --seed 7 --debug").unwrap();
        assert_eq!((quick.callers, quick.seed, quick.lasts, quick.debug), (10, 7, Duration::ZERO, true));
        assert_eq!(options("--minutes 2").unwrap().lasts, Duration::from_secs(120));
        for wrong in ["--minutes", "--minutes x", "--callers 0", "more"] {
            assert!(options(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn an_operation_has_one_outcome() {
        let mut account = Account::default();
        account.add(Outcome::Answered);
        account.add(Outcome::Wrong("x".to_owned()));
        assert_eq!(account.operations(), 2);
    }
}
