//! Which call a piece of a tool call belongs to. The documents say that `index` tells; servers number all calls 0,
//! count from 1, leave the index out, repeat the identifier or never send one.

use std::sync::Arc;

use exec_core::{Error, Result, ToolDelta};

use super::shape::{CallDelta, FunctionDelta};
use crate::fault::broken;
use crate::progress::Progress;

/// The most calls one answer may have.
const MAX_CALLS: usize = 1024;

/// The calls seen so far.
#[derive(Default)]
pub(super) struct Calls(Vec<Call>);

struct Call {
    /// The identifier as the server gave it, or empty.
    id: String,
    index: Option<u64>,
    arguments: Progress,
}

impl Calls {
    /// The piece as ours, numbered from 0 without gaps. `answer` makes identifiers of calls that have none.
    ///
    /// # Errors
    /// `Upstream` when there are too many calls or the arguments are no text.
    pub(super) fn delta(&mut self, delta: &CallDelta<'_>, answer: Option<&Arc<str>>) -> Result<ToolDelta> {
        let id = delta.id.as_deref().unwrap_or_default();
        let function = delta.function.as_ref();
        let name = function.and_then(|f| f.name.as_deref()).unwrap_or_default();
        let arguments = function.map_or(Some(String::new()), FunctionDelta::text).ok_or_else(not_text)?;
        let known = self.find(id, delta.index.0, !name.is_empty());
        let at = known.unwrap_or(self.0.len());
        if known.is_none() {
            if at >= MAX_CALLS {
                let message = format!("the answer has more than {MAX_CALLS} tool calls");
                return Err(broken("malformed_answer", message));
            }
            self.0.push(Call { id: id.to_owned(), index: delta.index.0, arguments: Progress::default() });
        }
        self.0[at].arguments.feed(&arguments);
        let index = u32::try_from(at).unwrap_or(u32::MAX);
        let first = known.is_none();
        let id = first.then(|| if id.is_empty() { made_up(answer, at) } else { id.to_owned() });
        let name = (!name.is_empty() || first).then(|| name.to_owned());
        Ok(ToolDelta { index, id, name, arguments })
    }

    fn find(&self, id: &str, index: Option<u64>, named: bool) -> Option<usize> {
        let same_index = || match index {
            Some(_) => self.0.iter().rposition(|call| call.index == index),
            None => self.0.len().checked_sub(1),
        };
        if id.is_empty() {
            // A name again, after arguments that are complete, is the next call of a server that gives none an identifier.
            return same_index().filter(|&at| !(named && self.0[at].arguments.is_complete()));
        }
        self.0.iter().rposition(|call| call.id == id).or_else(|| {
            // The identifier of a call that began without one comes later, and without the name again.
            same_index().filter(|&at| !named && self.0[at].id.is_empty())
        })
    }
}

/// An identifier for a call that the server gave none, so that its result can name it.
pub(super) fn made_up(answer: Option<&Arc<str>>, at: usize) -> String {
    format!("call_{}_{at}", answer.map_or("0", |id| id))
}

pub(super) fn not_text() -> Error {
    broken("malformed_event", "the arguments of a tool call are no text")
}
