//! What was seen, one line each, and what every probe needs.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use exec_core::FieldError;
use serde::Serialize;
use tokio::runtime::{Builder, Runtime};

/// Us.
pub(crate) const OURS: &str = "exec";

/// What fails here is said to a person and ends the run.
pub(crate) type Result<T = ()> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// What one contestant did in one situation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Row {
    guard: &'static str,
    probe: &'static str,
    who: &'static str,
    saw: String,
}

impl Row {
    pub(crate) fn new(
        guard: &'static str,
        probe: &'static str,
        who: &'static str,
        saw: impl Into<String>,
    ) -> Self {
        Self { guard, probe, who, saw: saw.into() }
    }

    /// What we did, which must be what we promise.
    pub(crate) fn ours(
        guard: &'static str,
        probe: &'static str,
        saw: impl Into<String>,
        promised: &str,
    ) -> Result<Self> {
        let row = Self::new(guard, probe, OURS, saw);
        ensure(row.saw == promised, || format!("{guard}: {probe}: {} instead of {promised}", row.saw))?;
        Ok(row)
    }

    #[expect(
        clippy::print_stdout,
        reason = "the line on stdout is what `cargo xtask bench --behaviour` reads"
    )]
    pub(crate) fn print(&self) {
        // A struct of strings cannot fail.
        println!("@behaviour {}", serde_json::to_string(self).unwrap_or_default());
    }
}

/// The situation must be the one the probe is about.
pub(crate) fn ensure(holds: bool, otherwise: impl FnOnce() -> String) -> Result {
    if holds { Ok(()) } else { Err(otherwise().into()) }
}

/// What a guard of ours says of its settings, as one error.
pub(crate) fn made<T>(guard: std::result::Result<T, Vec<FieldError>>) -> Result<T> {
    guard.map_err(|errors| format!("{errors:?}").into())
}

/// Runs `work` where time passes only when everybody waits for it.
pub(crate) fn virtually<T>(work: impl Future<Output = Result<T>>) -> Result<T> {
    Builder::new_current_thread().enable_time().start_paused(true).build()?.block_on(work)
}

/// A runtime on the clock of the machine.
pub(crate) fn really() -> Result<Runtime> {
    Ok(Builder::new_current_thread().enable_time().build()?)
}

/// How often something happened.
#[derive(Clone, Debug, Default)]
pub(crate) struct Count(Arc<AtomicUsize>);

impl Count {
    /// Counts one, and says the how-manieth it is, from 1.
    pub(crate) fn one(&self) -> usize {
        self.0.fetch_add(1, Ordering::AcqRel) + 1
    }

    pub(crate) fn get(&self) -> usize {
        self.0.load(Ordering::Acquire)
    }
}
