//! Several providers in order: the next is asked when the one before cannot.

use std::sync::Arc;

use async_trait::async_trait;
use exec_core::{
    Attempt, Capabilities, Context, Error, ErrorKind, Event, Executor, Health, Provider, Remedy, Request,
    Response, Result,
};
use futures_util::future::join_all;

/// Asks its members in order until one answers.
///
/// The [`Remedy`] of an error decides: `Stop` ends the tour, anything else moves on. A member answers when its first
/// piece of content is in hand; from then on the answer is its own, and an error in the body ends it. All members draw
/// from one budget and one deadline. When nobody answers, the error lists every attempt.
pub struct Fallback {
    name: Arc<str>,
    members: Vec<Arc<dyn Provider>>,
    capabilities: Capabilities,
}

impl Fallback {
    /// A fallback over `members`, the preferred one first.
    ///
    /// # Errors
    /// `InvalidRequest` when there is no member.
    pub fn new(name: impl Into<Arc<str>>, members: Vec<Arc<dyn Provider>>) -> Result<Self> {
        let union = members.iter().map(|m| m.capabilities().clone()).reduce(|all, one| all.union(&one));
        let Some(capabilities) = union else {
            return Err(Error::new(ErrorKind::InvalidRequest, "a fallback needs at least one member"));
        };
        Ok(Self { name: name.into(), members, capabilities })
    }
}

#[async_trait]
impl Executor for Fallback {
    async fn execute(&self, request: Request, context: &Context) -> Result<Response> {
        let mut tour = Tour::default();
        for member in &self.members {
            if !member.capabilities().supports(&request) {
                tour.failed(member, unsupported(&request));
                continue;
            }
            tour.moves_to(member, context);
            match member.execute(request.clone(), context).await {
                Ok(response) => return Ok(response),
                Err(error) if error.remedy() == Remedy::Stop => return Err(tour.stopped(member, error)),
                Err(error) => tour.failed(member, error),
            }
        }
        Err(tour.exhausted())
    }
}

/// What happened so far.
#[derive(Default)]
struct Tour {
    attempts: Vec<Attempt>,
    /// The last error of a member that was really asked, which says more than one that was passed over.
    last: Option<Error>,
    from: Option<(Arc<str>, ErrorKind)>,
}

impl Tour {
    fn moves_to(&mut self, member: &Arc<dyn Provider>, context: &Context) {
        if let Some((from, kind)) = self.from.take() {
            context.emit(&Event::FellBack { from, to: member.name().into(), kind });
        }
    }

    fn note(&mut self, member: &Arc<dyn Provider>, error: &Error) {
        let (kind, message) = (error.kind(), error.message().to_owned());
        self.attempts.push(Attempt { provider: member.name().into(), kind, message });
    }

    fn failed(&mut self, member: &Arc<dyn Provider>, error: Error) {
        self.note(member, &error);
        if error.kind() != ErrorKind::Unsupported {
            self.from = Some((member.name().into(), error.kind()));
        }
        if self.last.is_none() || error.kind() != ErrorKind::Unsupported {
            self.last = Some(error);
        }
    }

    /// The tour ended at an error that nobody else could do better with.
    fn stopped(mut self, member: &Arc<dyn Provider>, error: Error) -> Error {
        if self.attempts.is_empty() {
            return error;
        }
        self.note(member, &error);
        Error::all_failed(self.attempts, error)
    }

    fn exhausted(self) -> Error {
        let last = self.last.unwrap_or_else(|| Error::new(ErrorKind::Unavailable, "no provider was asked"));
        Error::all_failed(self.attempts, last)
    }
}

fn unsupported(request: &Request) -> Error {
    let model = request.model.as_deref().unwrap_or("its default model");
    Error::new(ErrorKind::Unsupported, format!("cannot run `{}` with {model}", request.operation))
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
        let all = join_all(self.members.iter().map(|member| member.check())).await;
        match (all.first(), all.iter().min()) {
            (Some(Health::Healthy), _) => Health::Healthy,
            (_, Some(Health::Unhealthy) | None) => Health::Unhealthy,
            _ => Health::Degraded,
        }
    }
}

impl std::fmt::Debug for Fallback {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let members: Vec<&str> = self.members.iter().map(|member| member.name()).collect();
        f.debug_struct("Fallback")
            .field("name", &self.name)
            .field("members", &members)
            .finish_non_exhaustive()
    }
}
