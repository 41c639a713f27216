//! Several providers in order: the next is asked when the one before cannot.

mod config;
mod join;
mod member;
mod pace;
mod relay;
mod said;
#[cfg(test)]
mod tests;
mod tour;

use std::sync::Arc;

use async_trait::async_trait;
use exec_core::{
    Capabilities, Context, Cost, Error, ErrorKind, Executor, FieldError, Health, Operation, Output, Provider,
    Remedy, Report, Request, Response, Result, Usage,
};
use exec_middleware::CircuitBreaker;
use futures_util::future::join_all;

use self::member::Member;
use self::relay::Relay;
use self::tour::{Tour, unsupported};

pub use self::config::{DegradedConfig, FallbackConfig, FallbackMode, HealthConfig, MidStream, PaceConfig};

/// Asks its members in order until one answers.
///
/// - The [`Remedy`] of an error decides: `Stop` ends the tour, anything else moves on. All members draw from one budget
///   and one deadline. When nobody answers, the error lists every attempt, those of members that are fallbacks or
///   retry too.
/// - A prompt that is too long for one member is given to the next that is known to read more than that one
///   ([`Capabilities::context_window`]), and to nobody else.
/// - The [`FallbackMode`] says when a member is passed over or asked again.
/// - A member answers when its first piece of content is in hand. What happens to a stream that breaks later is said by
///   [`MidStream`]. Whoever takes over is announced by a [`Chunk::Handover`](exec_core::Chunk::Handover).
/// - A caller who says [`no_fallback`](exec_core::Options::no_fallback) gets the first member that can, and its error.
///
/// Which neighbour do I want instead? To ask the same provider again, or to stop asking it, put
/// [`Retry`](exec_middleware::Retry) or a [`CircuitBreaker`] around it with [`Guarded`](crate::Guarded).
///
/// Dropping the future or the answer cancels the call. Checks of health are begun by calls and run on in a task that
/// ends when the fallback is dropped.
///
/// ```
/// use exec_core::testing::{Answer, Script};
/// use exec_core::{Chat, Context, ErrorKind, Executor, Request};
/// use exec_providers::{Fallback, FallbackConfig, FallbackMode};
///
/// # #[tokio::main(flavor = "current_thread", start_paused = true)] async fn main() {
/// let dead = Script::new("dead", [Answer::error(ErrorKind::Unavailable)]);
/// let spare = Script::new("spare", [Answer::text("here I am")]);
/// let config = FallbackConfig { mode: FallbackMode::CircuitBreaker, ..FallbackConfig::default() };
/// let either = Fallback::new("either", vec![dead.clone(), spare], config).unwrap();
///
/// for call in 0..15 {
///     let context = Context::new(call.to_string());
///     let answer = either.execute(Request::chat(Chat::user("hi")), &context).await.unwrap();
///     assert_eq!(answer.collect().await.unwrap().text(), "here I am");
/// }
/// assert_eq!(dead.calls(), 5);
/// # }
/// ```
pub struct Fallback {
    name: Arc<str>,
    members: Arc<[Member]>,
    capabilities: Capabilities,
    config: FallbackConfig,
}

impl Fallback {
    /// A fallback over `members`, the preferred one first.
    ///
    /// # Errors
    /// Everything that is wrong with `config`, and that there is no member.
    pub fn new(
        name: impl Into<Arc<str>>,
        members: Vec<Arc<dyn Provider>>,
        config: FallbackConfig,
    ) -> Result<Self, Vec<FieldError>> {
        config.validate(members.len())?;
        let union = members.iter().map(|m| m.capabilities().clone()).reduce(|all, one| all.union(&one));
        // Whoever answers must be able to, and who that will be is not known.
        let prefill = members.iter().all(|member| member.capabilities().prefill);
        let capabilities = Capabilities { prefill, ..union.unwrap_or_default() };
        let members = Member::all(members, &config)?.into();
        Ok(Self { name: name.into(), members, capabilities, config })
    }

    /// The breakers of its members, in order; none unless the mode has them.
    pub fn breakers(&self) -> impl Iterator<Item = &CircuitBreaker> {
        self.members.iter().filter_map(Member::breaker)
    }

    /// Who is asked, in order: those that can, without those that are believed to be ill, unless all are.
    fn order(&self, request: &Request) -> Vec<usize> {
        let can = |at: &usize| self.members[*at].bare.capabilities().supports(request);
        let able: Vec<usize> = (0..self.members.len()).filter(can).collect();
        if request.options.no_fallback {
            return able.into_iter().take(1).collect();
        }
        let well: Vec<usize> = able.iter().copied().filter(|at| self.members[*at].is_well()).collect();
        if well.is_empty() { able } else { well }
    }

    /// Asks until somebody answers: who, and what.
    async fn ask(&self, request: &Request, context: &Context, order: &[usize]) -> Result<(usize, Response)> {
        let mut tour = Tour::default();
        let mut too_small = None;
        for (n, at) in order.iter().enumerate() {
            let (member, rest) = (&self.members[*at], &order[n + 1..]);
            if too_small.is_some_and(|window| !member.reads_more_than(window)) {
                continue;
            }
            tour.moves_to(member.bare.as_ref(), context);
            let error = match self.try_one(member, request, context, !rest.is_empty()).await {
                Ok(response) => return Ok((*at, response)),
                Err(error) => error,
            };
            let exceeded = self.exceeded(member, &error, rest);
            if error.remedy() == Remedy::Stop && exceeded.is_none() {
                return Err(tour.stopped(member.bare.as_ref(), error));
            }
            too_small = exceeded.or(too_small);
            tour.failed(member.bare.as_ref(), error);
        }
        for member in self.members.iter().filter(|member| !member.bare.capabilities().supports(request)) {
            tour.failed(member.bare.as_ref(), unsupported(request));
        }
        Err(tour.exhausted())
    }

    /// The context window of `member`, if the prompt was too long for it and somebody of `rest` is known to read more.
    fn exceeded(&self, member: &Member, error: &Error, rest: &[usize]) -> Option<u64> {
        let window = member.bare.capabilities().context_window?;
        let larger = rest.iter().any(|at| self.members[*at].reads_more_than(window));
        (error.kind() == ErrorKind::ContextLength && larger).then_some(window)
    }

    /// Asks one member. While others are left, it must also begin as fast as it should.
    async fn try_one(
        &self,
        member: &Member,
        request: &Request,
        context: &Context,
        others: bool,
    ) -> Result<Response> {
        let response = member.ask(request.clone(), context).await?;
        match self.config.pace.filter(|_| others && request.options.stream) {
            Some(pace) => pace.hold(response).await,
            None => Ok(response),
        }
    }

    /// The answer of `at`, to be taken over by those that come after it in `order`.
    fn follow(
        &self,
        request: Request,
        context: &Context,
        order: &[usize],
        at: usize,
        response: Response,
    ) -> Response {
        let policy = self.config.mid_stream;
        let rest: Vec<usize> = order.iter().copied().skip_while(|other| *other != at).skip(1).collect();
        if policy == MidStream::Fail || response.is_full() || rest.is_empty() {
            return response;
        }
        let (members, context) = (self.members.clone(), context.clone());
        Relay { members, policy, request, context, at, rest }.follow(response)
    }

    /// What is answered instead of `error`, if anything is.
    fn stand_in(&self, request: &Request, context: &Context, error: Error) -> Result<Response> {
        let text = self.config.degraded.as_ref().filter(|_| {
            request.operation == Operation::CHAT && !request.options.no_fallback && is_outage(&error, context)
        });
        let Some(DegradedConfig { text }) = text else { return Err(error) };
        tracing::warn!(target: "exec", fallback = &*self.name, kind = %error.kind(), "nobody answers: a stand-in is given");
        let mut output = Output::text_of(text);
        output.summary.usage = Some(Usage::default());
        output.summary.cost = Some(Cost::default());
        let attempts = context.budget().attempts_taken();
        let report =
            Report { provider: Some(self.name.clone()), attempts, degraded: true, ..Report::default() };
        Ok(Response::full(output).with_report(report))
    }
}

/// Whether `error` says that nobody can answer now, rather than that nothing should be answered.
fn is_outage(error: &Error, context: &Context) -> bool {
    let kinds = [
        ErrorKind::Exhausted,
        ErrorKind::RateLimited,
        ErrorKind::Overloaded,
        ErrorKind::Unavailable,
        ErrorKind::Upstream,
    ];
    let late = context.remaining().is_some_and(|left| left.is_zero());
    (error.remedy() != Remedy::Stop || kinds.contains(&error.kind())) && !late && !context.is_cancelled()
}

#[async_trait]
impl Executor for Fallback {
    async fn execute(&self, request: Request, context: &Context) -> Result<Response> {
        let order = self.order(&request);
        match self.ask(&request, context, &order).await {
            Ok((at, response)) => Ok(self.follow(request, context, &order, at, response)),
            Err(error) => self.stand_in(&request, context, error),
        }
    }
}

#[async_trait]
impl Provider for Fallback {
    fn name(&self) -> &str {
        &self.name
    }

    fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    /// As well as its best member; degraded when that is not the first.
    async fn check(&self) -> Health {
        let all = join_all(self.members.iter().map(|member| member.bare.check())).await;
        match (all.first(), all.iter().min()) {
            (Some(Health::Healthy), _) => Health::Healthy,
            (_, Some(Health::Unhealthy) | None) => Health::Unhealthy,
            _ => Health::Degraded,
        }
    }
}

impl std::fmt::Debug for Fallback {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let members: Vec<&str> = self.members.iter().map(|member| member.bare.name()).collect();
        f.debug_struct("Fallback")
            .field("name", &self.name)
            .field("members", &members)
            .field("config", &self.config)
            .finish()
    }
}
