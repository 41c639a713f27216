//! A provider that is always there: it answers, waits, fails and costs as it is told, and says that it is a simulator.
//!
//! An answer, its delays and its faults are a pure function of the seed, the model and what is asked; only `error_rate`
//! and the faults that last for some calls (`flap`, `outage`) also depend on how often, or since when, it was asked.
//! The random numbers are our own (SplitMix64), so a seed means the same in every release. The only clock is
//! `tokio::time`. Which faults there are, and how the name of a model chooses them, is told at [`Fault`].
//!
//! Tokens are simulated too: a word of an answer is one, and a prompt has one for every four bytes of its words.
//!
//! ```
//! use exec_core::{Chat, Context, Executor, Request};
//! use exec_providers::simulator::{Simulator, SimulatorConfig};
//!
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> exec_core::Result<()> {
//! let simulator = Simulator::new("simulator", SimulatorConfig::default()).unwrap();
//! let answer = simulator.execute(Request::chat(Chat::user("Hello")), &Context::new("1")).await?;
//! assert!(answer.collect().await?.text().starts_with("[simulator] no model was asked"));
//! # Ok(()) }
//! ```

mod call;
mod config;
mod embed;
mod failure;
mod fault;
mod memory;
mod pace;
mod rng;
#[cfg(test)]
mod tests;
mod text;
mod tools;

use std::sync::Arc;

use async_trait::async_trait;
use exec_core::{
    Capabilities, Context, Error, Event, Executor, FieldError, Health, Operation, Provider, Report, Request,
    Response, Result,
};
use futures_util::StreamExt;
use futures_util::stream;
use tokio::time::Instant;

use self::call::{CONFIGURED, Call, Draw, SIMULATOR};
pub use self::config::{Latency, MAX_TOKENS, Price, SimulatorConfig};
pub use self::failure::Failure;
pub use self::fault::Fault;
use self::memory::{Memory, Seen};
use self::pace::{Pace, Walk, later};

/// A provider without a model behind it. See the [module](self).
///
/// Dropping a call or the body of its answer ends it at once: nothing runs beside them.
#[derive(Debug)]
pub struct Simulator {
    name: Arc<str>,
    label: Arc<str>,
    config: SimulatorConfig,
    capabilities: Capabilities,
    /// Calls by what was asked.
    repeats: Memory,
    /// Calls by what chose their faults.
    faults: Memory,
}

impl Simulator {
    /// A simulator called `name`. Its reports say `simulator`, or `NAME (simulator)` if it is called otherwise.
    ///
    /// # Errors
    /// Everything that is wrong with `config` and `name`, each with its path.
    pub fn new(name: impl Into<Arc<str>>, config: SimulatorConfig) -> Result<Self, Vec<FieldError>> {
        let name = name.into();
        let mut wrong = config.validate().err().unwrap_or_default();
        if name.is_empty() {
            wrong.push(FieldError::new("name", "required", "must not be empty"));
        }
        if !wrong.is_empty() {
            return Err(wrong);
        }
        let label = if *name == *SIMULATOR { name.clone() } else { format!("{name} ({SIMULATOR})").into() };
        let capabilities = capabilities(&config);
        Ok(Self { name, label, config, capabilities, repeats: Memory::default(), faults: Memory::default() })
    }

    /// Takes one attempt and says that the call leaves. What follows happens as if at a provider's.
    fn dispatch(&self, context: &Context) -> Result<u32> {
        let attempt = context.budget().take_attempt()?;
        context.emit(&Event::Dispatched { provider: self.name.clone(), attempt });
        Ok(attempt)
    }

    async fn answer(&self, call: &Call<'_>) -> Result<Response> {
        let mut pace = Pace::new(&self.config, call.rng(Draw::Pace, 0));
        let mut due = later(Instant::now(), pace.first());
        let failure = self.failure(call);
        for fault in &call.faults {
            match fault {
                Fault::Silent {} => std::future::pending().await,
                Fault::Slow { wait } => due = later(due, *wait),
                _ => {}
            }
        }
        if let Err(error) = failure {
            tokio::time::sleep_until(due).await;
            return Err(error);
        }
        let walk = Walk::new(self.name.clone(), call.answer()?, &call.faults, due, pace);
        let report = self.report(call);
        let mut chunks = walk.into_stream().boxed();
        if !call.streams() {
            return Ok(Response::full(Response::stream(chunks).collect().await?).with_report(report));
        }
        let first = chunks.next().await.transpose()?;
        Ok(Response::stream(stream::iter(first.map(Ok)).chain(chunks)).with_report(report))
    }

    /// The failure of a call before anything is answered. Counts the call where that makes a difference.
    fn failure(&self, call: &Call<'_>) -> Result<()> {
        let fail = |failure: Failure| Err(failure.error(&self.name, None));
        if let Some(error) = self.told(call) {
            return Err(error);
        }
        if let Some(failure) = self.by_chance(call) {
            return fail(failure);
        }
        if call.prefilled && self.config.reject_prefill {
            return fail(Failure::PrefillRejected);
        }
        if call.input_tokens() > self.config.context_window {
            return fail(Failure::ContextLength);
        }
        Ok(())
    }

    /// The error of the first fault that makes the call fail.
    fn told(&self, call: &Call<'_>) -> Option<Error> {
        if call.faults.is_empty() {
            return None;
        }
        let seen = self.faults.note(call.fault_key);
        call.faults.iter().find_map(|fault| self.due_to(fault, seen, call.prefilled))
    }

    /// The error of `fault`, if it makes a call fail at all and now.
    fn due_to(&self, fault: &Fault, seen: Seen, prefilled: bool) -> Option<Error> {
        match fault {
            Fault::Error { kind: Failure::PrefillRejected, .. } if !prefilled => None,
            Fault::Error { kind, retry_after } => Some(kind.error(&self.name, *retry_after)),
            fault if is_down(fault, seen) => Some(Failure::Unavailable.error(&self.name, None)),
            _ => None,
        }
    }

    fn by_chance(&self, call: &Call<'_>) -> Option<Failure> {
        if self.config.error_rate <= 0.0 {
            return None;
        }
        let mut rng = call.rng(Draw::Failure, self.repeats.note(call.key).calls);
        (rng.unit() < self.config.error_rate).then(|| rng.pick(&self.config.errors).copied())?
    }

    fn report(&self, call: &Call<'_>) -> Report {
        let id = format!("sim-{:016x}", call.rng(Draw::Id, 0).next());
        let (provider, model) = (Some(self.label.clone()), Some(call.model.clone()));
        Report { provider, model, id: Some(id.into()), ..Report::default() }
    }
}

#[async_trait]
impl Executor for Simulator {
    async fn execute(&self, request: Request, context: &Context) -> Result<Response> {
        let call =
            Call::read(&self.config, &request).map_err(|error| error.with_provider(self.name.clone()))?;
        let attempt = self.dispatch(context)?;
        let answer = context.bound(self.answer(&call)).await;
        let mut response = answer.map_err(|error| error.with_provider(self.name.clone()))?;
        response.report.attempts = attempt;
        Ok(response)
    }
}

#[async_trait]
impl Provider for Simulator {
    fn name(&self) -> &str {
        &self.name
    }

    fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    /// Unhealthy while the configured fault makes every call fail, degraded while it damages answers. Counts no call.
    async fn check(&self) -> Health {
        if self.config.error_rate >= 1.0 {
            return Health::Unhealthy;
        }
        match &self.config.fault {
            None | Some(Fault::AnswersAs { .. }) => Health::Healthy,
            Some(Fault::Error { kind, .. }) if kind.is_about_the_request() => Health::Healthy,
            Some(Fault::Error { .. } | Fault::Silent {}) => Health::Unhealthy,
            Some(fault @ (Fault::Flap { .. } | Fault::Outage { .. })) => {
                let now = Seen { calls: 0, since: Instant::now() };
                let down = is_down(fault, self.faults.peek(CONFIGURED).unwrap_or(now));
                if down { Health::Unhealthy } else { Health::Healthy }
            }
            Some(_) => Health::Degraded,
        }
    }
}

/// Whether a fault that lasts for a while is on, for a call of which so much was seen before.
fn is_down(fault: &Fault, seen: Seen) -> bool {
    match *fault {
        Fault::Flap { down, up: 0 } => seen.calls < u64::from(down),
        Fault::Flap { down, up } => seen.calls % (u64::from(down) + u64::from(up)) < u64::from(down),
        Fault::Outage { lasts } => seen.since.elapsed() < lasts,
        _ => false,
    }
}

fn capabilities(config: &SimulatorConfig) -> Capabilities {
    Capabilities {
        models: config.models.iter().map(|model| model.as_str().into()).collect(),
        streaming: true,
        prefill: !config.reject_prefill,
        context_window: Some(config.context_window),
        ..Capabilities::of([Operation::CHAT, Operation::EMBED, Operation::MODELS])
    }
}
