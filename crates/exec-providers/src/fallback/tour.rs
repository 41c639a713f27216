//! The way of one call from member to member: who was asked, and what came of it.

use std::sync::Arc;

use exec_core::{Attempt, Context, Error, ErrorKind, Event, Provider, Request};

/// What happened so far.
pub(super) struct Tour {
    attempts: Vec<Attempt>,
    /// The last error of a member that was really asked, which says more than one that was passed over.
    last: Option<Error>,
    from: Option<(Arc<str>, ErrorKind)>,
    /// Whether no attempt can have reached anybody.
    unsent: bool,
}

impl Default for Tour {
    fn default() -> Self {
        Self { attempts: Vec::new(), last: None, from: None, unsent: true }
    }
}

impl Tour {
    /// Says that `member` is asked now, if somebody was before.
    pub(super) fn moves_to(&mut self, member: &dyn Provider, context: &Context) {
        if let Some((from, kind)) = self.from.take() {
            context.emit(&Event::FellBack { from, to: member.name().into(), kind });
        }
    }

    pub(super) fn failed(&mut self, member: &dyn Provider, error: Error) {
        self.attempts.extend(attempts(member, &error));
        self.unsent &= error.is_unsent();
        if error.kind() != ErrorKind::Unsupported {
            self.from = Some((member.name().into(), error.kind()));
        }
        if self.last.is_none() || error.kind() != ErrorKind::Unsupported {
            self.last = Some(error);
        }
    }

    /// The tour ended at an error that nobody else could do better with.
    pub(super) fn stopped(mut self, member: &dyn Provider, error: Error) -> Error {
        if self.attempts.is_empty() {
            return error;
        }
        self.attempts.extend(attempts(member, &error));
        let unsent = self.unsent && error.is_unsent();
        Error::all_failed(self.attempts, error).with_unsent(unsent)
    }

    pub(super) fn exhausted(self) -> Error {
        let last = self.last.unwrap_or_else(|| Error::new(ErrorKind::Unavailable, "no provider was asked"));
        Error::all_failed(self.attempts, last).with_unsent(self.unsent)
    }
}

/// The tries behind `error`: those it lists itself, or the one at `member`.
pub(super) fn attempts(member: &dyn Provider, error: &Error) -> Vec<Attempt> {
    if !error.attempts().is_empty() {
        return error.attempts().to_vec();
    }
    let (kind, message) = (error.kind(), error.message().to_owned());
    vec![Attempt { provider: member.name().into(), kind, message }]
}

pub(super) fn unsupported(request: &Request) -> Error {
    let model = request.model.as_deref().unwrap_or("its default model");
    let message = format!("cannot run `{}` with {model}", request.operation);
    Error::new(ErrorKind::Unsupported, message).with_unsent(true)
}
