//! Tokens and ends of answers: their words here and their words there.

use exec_core::{Finish, Summary, Usage};
use serde_json::value::RawValue;
use serde_json::{Value, json};

use crate::object::Object;

/// What was said of the tokens so far. Every number is cumulative: a later one replaces an earlier one.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Counts {
    input: Option<u64>,
    output: Option<u64>,
    cache_read: Option<u64>,
    cache_write: Option<u64>,
}

impl Counts {
    /// Takes in a `usage` object. Numbers it does not have stay as they are.
    pub(super) fn update(&mut self, usage: &RawValue) {
        let Some(mut usage) = Object::of(usage) else { return };
        let mut take = |name: &str, count: &mut Option<u64>| *count = usage.read(name).or(*count);
        take("input_tokens", &mut self.input);
        take("output_tokens", &mut self.output);
        take("cache_read_input_tokens", &mut self.cache_read);
        take("cache_creation_input_tokens", &mut self.cache_write);
    }

    /// All of it in our way of counting, where the input includes what a cache gave or took. `None` when nothing was said.
    pub(super) fn usage(&self) -> Option<Usage> {
        self.input.or(self.output)?;
        let (read, write) = (self.cache_read.unwrap_or(0), self.cache_write.unwrap_or(0));
        Some(Usage {
            input: self.input.unwrap_or(0).saturating_add(read).saturating_add(write),
            output: self.output.unwrap_or(0),
            cache_read: read,
            cache_write: write,
            reasoning: 0,
        })
    }
}

/// The `usage` object of an answer, where the input does not include the cache. Zeros when nothing is known.
pub(super) fn usage_json(usage: Option<Usage>) -> Value {
    let usage = usage.unwrap_or_default();
    json!({
        "input_tokens": usage.input.saturating_sub(usage.cache_read).saturating_sub(usage.cache_write),
        "cache_creation_input_tokens": usage.cache_write,
        "cache_read_input_tokens": usage.cache_read,
        "output_tokens": usage.output,
    })
}

/// What a `stop_reason` means; an answer that gives none says nothing we know.
pub(super) fn finish(stop_reason: Option<&str>) -> Finish {
    match stop_reason {
        Some("end_turn" | "stop_sequence") => Finish::Stop,
        Some("max_tokens" | "model_context_window_exceeded") => Finish::Length,
        Some("tool_use") => Finish::ToolCalls,
        Some("refusal") => Finish::Filtered,
        Some("pause_turn") => Finish::Paused,
        Some(other) => Finish::Other(other.to_owned()),
        None => Finish::Other("unknown".to_owned()),
    }
}

/// The `stop_reason` of an answer.
pub(super) fn stop_reason(summary: &Summary) -> &str {
    match &summary.finish {
        Finish::Stop if summary.stop_sequence.is_some() => "stop_sequence",
        Finish::Length => "max_tokens",
        Finish::ToolCalls => "tool_use",
        Finish::Filtered => "refusal",
        Finish::Paused => "pause_turn",
        Finish::Other(reason) => reason,
        _ => "end_turn",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raw(value: &Value) -> Box<RawValue> {
        serde_json::value::to_raw_value(value).unwrap()
    }

    #[test]
    fn the_input_includes_the_cache_and_the_last_number_counts() {
        let mut counts = Counts::default();
        assert_eq!(counts.usage(), None);
        counts.update(&raw(&json!({"input_tokens": 10, "cache_read_input_tokens": 5,
            "cache_creation_input_tokens": 3, "output_tokens": 1})));
        counts.update(&raw(&json!({"output_tokens": 7, "input_tokens": null})));
        let usage = counts.usage().unwrap();
        assert_eq!((usage.input, usage.output, usage.cache_read, usage.cache_write), (18, 7, 5, 3));
        assert_eq!(usage_json(Some(usage))["input_tokens"], 10);
    }

    #[test]
    fn every_reason_to_stop_is_known_or_kept() {
        let known = ["end_turn", "max_tokens", "tool_use", "refusal", "pause_turn", "compaction"];
        for reason in known {
            let summary = Summary { finish: finish(Some(reason)), ..Summary::default() };
            assert_eq!(stop_reason(&summary), reason);
        }
        assert_eq!(finish(Some("model_context_window_exceeded")), Finish::Length);
        assert_eq!(finish(None), Finish::Other("unknown".into()));
    }
}
