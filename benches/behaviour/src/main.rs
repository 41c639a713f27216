//! What our guards and the crates one would take instead do in the same situation: counts, not times.
//!
//! `cargo xtask bench --behaviour` runs it and makes the tables of `docs/middleware.md` of its lines `@behaviour {JSON}`.
//! Every probe first shows that the situation is the one it is about, or the run fails; so does a promise of ours that
//! is not kept. Where a rival asks tokio or a clock that can be handed in, time is virtual. The other breakers ask the
//! clock of the machine: they really wait, a few seconds in all.

mod breaker;
mod cache;
mod hedge;
mod limiter;
mod retry;
mod row;
mod stream;

use std::process::ExitCode;

use row::{Result, Row};

const PROBES: [fn() -> Result<Vec<Row>>; 6] =
    [breaker::rows, limiter::rows, cache::rows, retry::rows, hedge::rows, stream::rows];

#[expect(clippy::print_stderr, reason = "a probe that failed is told to the developer")]
fn main() -> ExitCode {
    for probe in PROBES {
        match probe() {
            Ok(rows) => rows.iter().for_each(Row::print),
            Err(error) => {
                eprintln!("behaviour: {error}");
                return ExitCode::FAILURE;
            }
        }
    }
    ExitCode::SUCCESS
}
