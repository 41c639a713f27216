//! Stops calling what does not work, and finds out when it works again.
//!
//! A state machine without task or timer: an idle breaker costs nothing, and a closed one answers without a lock. Put one
//! around each provider, inside of whatever retries, so that it sees every attempt.
//!
//! Which neighbour do I want instead? For calls that are too many rather than broken, a
//! [`ConcurrencyLimit`](crate::ConcurrencyLimit); for a limit that finds itself, an
//! [`AdaptiveLimit`](crate::AdaptiveLimit); for one call that hangs, a [`Timeout`](crate::Timeout).

mod config;
mod gate;
mod keyed;
mod permit;
mod rules;
mod state;
mod stats;
mod tell;
#[cfg(test)]
mod tests;
mod verdict;
mod window;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use exec_core::{
    Context, End, Error, ErrorKind, Event, Executor, FieldError, Middleware, Next, Remedy, Request, Response,
    Result,
};
use tokio::time::Instant;

use self::gate::Gate;
use self::permit::Core;
use self::rules::Rules;
use self::state::Machine;
use self::tell::Teller;

pub use self::config::BreakerConfig;
pub use self::keyed::Breakers;
pub use self::permit::Permit;
pub use self::state::State;
pub use self::stats::Stats;
pub(crate) use self::verdict::is_refusal;
pub use self::verdict::{ByKind, Classify, Verdict};

/// The code of the error of a call that was refused.
const CODE: &str = "breaker_open";

/// Refuses calls while what it guards is broken. A clone is a handle of the same breaker.
///
/// A refused call has an error of kind `Unavailable`, with the remedy `Elsewhere`, the code `breaker_open` and, where it
/// is known, the time after which to try again. A streamed answer counts when its body ends: read to its end as a success,
/// broken by what broke it. A call or body that is dropped counts as nothing and gives its place back at once, a
/// panic as a failure.
///
/// ```
/// use exec_core::testing::{Answer, Script};
/// use exec_core::{Chat, Context, ErrorKind, Executor, Pipeline, Request};
/// use exec_middleware::breaker::State;
/// use exec_middleware::{BreakerConfig, CircuitBreaker};
///
/// # #[tokio::main(flavor = "current_thread", start_paused = true)] async fn main() {
/// let dead = Script::new("dead", [Answer::error(ErrorKind::Unavailable)]);
/// let breaker = CircuitBreaker::new(BreakerConfig::consecutive()).unwrap().named("dead");
/// let pipeline = Pipeline::around(dead.clone()).with(breaker.clone());
///
/// for call in 0..15 {
///     let context = Context::new(call.to_string());
///     pipeline.execute(Request::chat(Chat::user("hi")), &context).await.unwrap_err();
/// }
/// assert_eq!((dead.calls(), breaker.state()), (5, State::Open));
/// # }
/// ```
#[derive(Clone)]
pub struct CircuitBreaker {
    core: Arc<Core>,
    rules: Rules,
    seed: u64,
    classify: Arc<dyn Classify>,
    fallback: Option<Arc<dyn Executor>>,
}

impl CircuitBreaker {
    /// A closed breaker.
    ///
    /// # Errors
    /// Everything that is wrong with `config`.
    pub fn new(config: BreakerConfig) -> Result<Self, Vec<FieldError>> {
        let (rules, seed) = (config.rules()?, 0);
        let core = fresh(&rules, seed, Teller::new("breaker".into(), None));
        Ok(Self { core, rules, seed, classify: Arc::new(ByKind), fallback: None })
    }

    /// A breaker with the same settings and a state of its own, named in events as what it guards.
    #[must_use]
    pub fn named(&self, name: impl Into<Arc<str>>) -> Self {
        let (name, listener) = (name.into(), self.core.teller.listener.clone());
        // The name spreads the times at which many breakers try again.
        let seed = name.bytes().fold(self.seed, |seed, byte| seed.rotate_left(8) ^ u64::from(byte));
        Self { core: fresh(&self.rules, seed, Teller::new(name, listener)), ..self.clone() }
    }

    /// A breaker with the same settings and a state of its own, whose randomness begins at `seed`.
    #[must_use]
    pub fn with_seed(&self, seed: u64) -> Self {
        let teller = Teller::new(self.core.teller.name.clone(), self.core.teller.listener.clone());
        Self { core: fresh(&self.rules, seed, teller), seed, ..self.clone() }
    }

    /// A breaker with the same settings and a state of its own, which tells its name and its new state to `listener` at
    /// every transition, once and in order. The listener must not wait.
    #[must_use]
    pub fn with_listener(&self, listener: impl Fn(&str, State) + Send + Sync + 'static) -> Self {
        let teller = Teller::new(self.core.teller.name.clone(), Some(Arc::new(listener)));
        Self { core: fresh(&self.rules, self.seed, teller), ..self.clone() }
    }

    /// This handle, with outcomes judged by `classify`.
    #[must_use]
    pub fn with_classifier(mut self, classify: impl Classify) -> Self {
        self.classify = Arc::new(classify);
        self
    }

    /// This handle, asking `fallback` instead of failing while the breaker is open: for a call that is refused, and for
    /// the one whose failure opened it.
    #[must_use]
    pub fn with_fallback(mut self, fallback: impl Executor) -> Self {
        self.fallback = Some(Arc::new(fallback));
        self
    }

    /// Asks for a permit. For callers who are no [`Executor`]; the middleware does it itself.
    ///
    /// # Errors
    /// `Unavailable` while it refuses calls.
    #[inline]
    pub fn acquire(&self) -> Result<Permit<'_>> {
        Permit::ask(&self.core, None).map_err(|wait| self.refused(wait))
    }

    /// What it does with calls.
    #[must_use]
    pub fn state(&self) -> State {
        self.core.gate.state()
    }

    /// What it knows about itself.
    #[must_use]
    pub fn stats(&self) -> Stats {
        Stats::of(&self.core)
    }

    /// The name it has in events.
    #[must_use]
    pub fn name(&self) -> &Arc<str> {
        &self.core.teller.name
    }

    /// Opens it until [`close`](Self::close) or [`reset`](Self::reset).
    pub fn open(&self) {
        self.by_hand(|core| core.gate.with(|machine| machine.force_open(core.now())));
    }

    /// Closes it. What calls under way report from before counts no more.
    pub fn close(&self) {
        self.by_hand(|core| core.gate.with(|machine| machine.force_close(core.now())));
    }

    /// Closes it and forgets every result and figure.
    pub fn reset(&self) {
        self.by_hand(|core| core.gate.reset(core.now()));
    }

    fn by_hand(&self, change: impl FnOnce(&Core) -> Option<state::Change>) {
        if let Some(change) = change(&self.core) {
            self.core.teller.tell(change, None);
        }
    }

    #[cold]
    fn refused(&self, wait: Option<Duration>) -> Error {
        let message = format!("the circuit breaker of {} is open", self.name());
        let error = Error::new(ErrorKind::Unavailable, message)
            .with_code(CODE)
            .with_remedy(Remedy::Elsewhere)
            .with_unsent(true);
        match wait {
            Some(wait) => error.with_retry_after(wait),
            None => error,
        }
    }

    async fn call(&self, request: Request, context: &Context, next: Next<'_>) -> Result<Response> {
        let mut permit = Permit::ask(&self.core, Some(context)).map_err(|wait| {
            context.emit(&Event::Shed { guard: "breaker" });
            self.refused(wait)
        })?;
        match next.run(request, context).await {
            Ok(response) => {
                permit.answered();
                Ok(self.watch(response, permit, context))
            }
            Err(error) => {
                permit.settle(self.classify.error(&error));
                Err(error)
            }
        }
    }

    /// Whether a call with this error is one for the fallback.
    fn helps(&self, error: &Error) -> bool {
        error.remedy() != Remedy::Stop && (error.code() == CODE || self.state() == State::Open)
    }

    /// Holds the permit to the end of the body.
    fn watch(&self, response: Response, permit: Permit<'_>, context: &Context) -> Response {
        if response.is_full() {
            permit.success();
            return response;
        }
        let (permit, classify, deadline) = (permit.into_owned(), self.classify.clone(), context.deadline());
        response.on_end(move |end| {
            let in_time = || deadline.is_none_or(|at| Instant::now() < at);
            permit.settle(match end {
                End::Complete(_) => Verdict::Success,
                End::Failed(kind) => classify.body(*kind, in_time()),
                End::Dropped if std::thread::panicking() => Verdict::Failure,
                End::Dropped => Verdict::Ignored,
            });
        })
    }
}

fn fresh(rules: &Rules, seed: u64, teller: Teller) -> Arc<Core> {
    let gate = Gate::new(Machine::new(*rules, seed));
    Arc::new(Core { gate, teller, slow: rules.slow.map(|(slow, _)| slow), origin: Instant::now() })
}

#[async_trait]
impl Middleware for CircuitBreaker {
    async fn handle(&self, request: Request, context: &Context, next: Next<'_>) -> Result<Response> {
        let Some(fallback) = &self.fallback else {
            return self.call(request, context, next).await;
        };
        match self.call(request.clone(), context, next).await {
            Err(error) if self.helps(&error) => fallback.execute(request, context).await,
            answer => answer,
        }
    }

    fn name(&self) -> &'static str {
        "breaker"
    }
}

impl fmt::Debug for CircuitBreaker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CircuitBreaker")
            .field("name", self.name())
            .field("state", &self.state())
            .finish_non_exhaustive()
    }
}
