//! Shared measuring for the benches. What is measured is in `benches/`, one file per question.
//!
//! Every figure stands beside the one of a named rival from the same run: [`pair`] takes turns between the two, so that
//! a machine that slows down or speeds up meets both. [`Figure`] prints the lines that `cargo xtask bench` collects.
//! [`chains`] holds the layers the `layers` bench compares; [`load`], [`process`] and [`proxy`] are for whole processes.

pub mod chains;
pub mod load;
pub mod process;
pub mod proxy;

mod pairs;
mod result;

pub use pairs::{Pair, median, pair};
pub use result::Figure;

/// What fails in a bench is said to a person and ends it.
pub type Result<T = ()> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// How thorough the run should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effort {
    /// Figures fit to be published.
    Full,
    /// Seconds instead of a minute: to see that nothing is far off.
    Quick,
    /// Started by `cargo test`: only show that it works.
    Smoke,
}

impl Effort {
    /// What the caller asked for: `--quick` or `EXEC_BENCH_QUICK=1`; without cargo's `--bench` it is a test.
    #[must_use]
    pub fn asked() -> Self {
        let given = |name: &str| std::env::args().any(|arg| arg == name);
        let quick = std::env::var("EXEC_BENCH_QUICK").is_ok_and(|value| !matches!(value.as_str(), "" | "0"));
        match (given("--bench"), quick || given("--quick")) {
            (false, _) => Self::Smoke,
            (true, true) => Self::Quick,
            (true, false) => Self::Full,
        }
    }

    /// The value for this effort.
    pub fn pick<T>(self, full: T, quick: T, smoke: T) -> T {
        match self {
            Self::Full => full,
            Self::Quick => quick,
            Self::Smoke => smoke,
        }
    }
}
