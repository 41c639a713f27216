//! The JSON shapes of answers towards a caller, serialised without building a tree.

use std::sync::Arc;

use exec_core::Usage;
use serde::{Serialize, Serializer};

use crate::about::About;
use crate::format::Reply;

/// What every piece of one answer says of it.
#[derive(Clone, Debug)]
pub(super) struct Head {
    pub(super) id: String,
    pub(super) model: Arc<str>,
    pub(super) created: u64,
}

impl Head {
    pub(super) fn of(reply: &Reply) -> Self {
        let id = reply.report.id.as_ref();
        let model = reply.report.model.as_ref().or(reply.model.as_ref());
        Self {
            id: id.map_or_else(|| format!("chatcmpl-{}", reply.request_id), ToString::to_string),
            model: model.map_or_else(|| "unknown".into(), Arc::clone),
            created: reply.created,
        }
    }
}

/// A whole answer or one piece of it.
#[derive(Serialize)]
pub(super) struct Envelope<'a, C> {
    pub(super) id: &'a str,
    pub(super) object: &'static str,
    pub(super) created: u64,
    pub(super) model: &'a str,
    pub(super) choices: &'a [C],
    /// Left out, null, or known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) usage: Option<Option<WireUsage>>,
    /// What is to be said beyond the format.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) exec: Option<&'a About>,
}

impl<'a, C> Envelope<'a, C> {
    pub(super) fn new(
        head: &'a Head,
        object: &'static str,
        choices: &'a [C],
        usage: Option<Option<WireUsage>>,
    ) -> Self {
        Self { id: &head.id, object, created: head.created, model: &head.model, choices, usage, exec: None }
    }
}

/// One call of a tool; of a piece only what it brings.
#[derive(Serialize)]
pub(super) struct CallOut<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) index: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) id: Option<&'a str>,
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub(super) kind: Option<&'static str>,
    pub(super) function: FunctionOut<'a>,
}

#[derive(Serialize)]
pub(super) struct FunctionOut<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) name: Option<&'a str>,
    pub(super) arguments: &'a str,
}

/// Usage as this format counts it.
#[derive(Clone, Copy)]
pub(super) struct WireUsage(pub(super) Usage);

#[derive(Serialize)]
struct UsageOut {
    prompt_tokens: u64,
    completion_tokens: u64,
    total_tokens: u64,
    prompt_tokens_details: InputOut,
    completion_tokens_details: OutputOut,
}

#[derive(Serialize)]
struct InputOut {
    cached_tokens: u64,
    #[serde(skip_serializing_if = "is_zero")]
    cache_write_tokens: u64,
}

#[derive(Serialize)]
struct OutputOut {
    reasoning_tokens: u64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature serde asks for")]
fn is_zero(count: &u64) -> bool {
    *count == 0
}

impl Serialize for WireUsage {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Usage { input, output, cache_read, cache_write, reasoning } = self.0;
        let usage = UsageOut {
            prompt_tokens: input,
            completion_tokens: output,
            total_tokens: input.saturating_add(output),
            prompt_tokens_details: InputOut { cached_tokens: cache_read, cache_write_tokens: cache_write },
            completion_tokens_details: OutputOut { reasoning_tokens: reasoning },
        };
        usage.serialize(serializer)
    }
}
