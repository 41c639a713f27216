//! What an answer says, whatever its format: the words, whether it claims to be complete, or the failure it tells of.

use super::{Dialect, Ended, Heard, events};
use serde_json::Value;

/// A failure as the caller is told.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Failure {
    /// The stable code; Anthropic's `type` where there is none.
    pub(crate) code: String,
    pub(crate) message: String,
}

/// One tool call, put together from its pieces.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Called {
    pub(crate) name: String,
    pub(crate) arguments: String,
}

/// What a caller understands of an answer.
#[derive(Debug, Default)]
pub(crate) struct Told {
    pub(crate) text: String,
    pub(crate) calls: Vec<Called>,
    /// Whether it says that it is complete.
    pub(crate) complete: bool,
    pub(crate) failure: Option<Failure>,
    pub(crate) model: Option<String>,
    /// Tokens of the prompt and of the answer.
    pub(crate) usage: Option<(u64, u64)>,
    /// What breaks the rules of the format: unreadable events, or words after the end.
    pub(crate) broken: Vec<String>,
}

impl Told {
    /// Reads an answer as `dialect` writes it.
    pub(crate) fn read(dialect: Dialect, heard: &Heard) -> Self {
        let mut told = Self::default();
        if heard.ended == Ended::Never {
            told.broken.push("nothing ended it".to_owned());
        }
        match std::str::from_utf8(&heard.body) {
            Err(error) => told.broken.push(error.to_string()),
            Ok(body) if heard.header("content-type").is_some_and(|kind| kind.contains("event-stream")) => {
                told.stream(dialect, body);
            }
            Ok(body) => told.whole(dialect, heard, body),
        }
        if told.complete && told.failure.is_some() {
            told.broken.push("it is complete and failed".to_owned());
        }
        if told.complete && !heard.framed {
            told.broken.push("its last words came, the end of its body did not".to_owned());
        }
        told
    }

    /// Whether the caller was told, in the format's way, that there is no answer: a failure and no claim of an end.
    pub(crate) fn is_clean_failure(&self) -> bool {
        self.failure.is_some() && !self.complete && self.broken.is_empty()
    }

    fn whole(&mut self, dialect: Dialect, heard: &Heard, body: &str) {
        let Ok(document) = serde_json::from_str::<Value>(body) else {
            self.broken.push(format!("status {}, and a body that is no JSON", heard.status));
            return;
        };
        if heard.status != 200 {
            self.failure = failure(&document);
            if self.failure.is_none() {
                self.broken.push(format!("status {} and no error", heard.status));
            }
            return;
        }
        match dialect {
            Dialect::OpenAi => self.openai_whole(&document),
            Dialect::Anthropic => self.anthropic_whole(&document),
            Dialect::Native => self.native_whole(&document),
        }
    }

    fn openai_whole(&mut self, document: &Value) {
        let choice = &document["choices"][0];
        self.text = string(&choice["message"]["content"]);
        self.complete = choice["finish_reason"].is_string();
        let calls = choice["message"]["tool_calls"].as_array();
        self.calls = calls.into_iter().flatten().map(|call| called(&call["function"])).collect();
        self.about(document);
    }

    fn anthropic_whole(&mut self, document: &Value) {
        for block in document["content"].as_array().into_iter().flatten() {
            self.text += &string(&block["text"]);
            if block["type"] == "tool_use" {
                let arguments = block["input"].to_string();
                self.calls.push(Called { name: string(&block["name"]), arguments });
            }
        }
        self.complete = document["stop_reason"].is_string();
        self.about(document);
    }

    fn native_whole(&mut self, document: &Value) {
        let data = &document["data"];
        self.text = string(&data["content"]);
        self.complete = document["success"] == true && data["finishReason"].is_string();
        self.about(data);
    }

    fn stream(&mut self, dialect: Dialect, body: &str) {
        let mut finished = false;
        for event in events(body) {
            if self.complete || self.failure.is_some() {
                self.broken.push(format!("after its end: {}", event.data));
                continue;
            }
            if event.data == "[DONE]" && dialect == Dialect::OpenAi {
                self.complete = finished;
                if !finished {
                    self.broken.push("[DONE] without a finish".to_owned());
                }
                continue;
            }
            let Ok(value) = serde_json::from_str::<Value>(&event.data) else {
                self.broken.push(format!("unreadable event: {}", event.data));
                continue;
            };
            if value.get("error").is_some_and(|error| !error.is_null()) {
                self.failure = failure(&value);
                continue;
            }
            match dialect {
                Dialect::OpenAi => finished |= self.openai_event(&value),
                Dialect::Anthropic => finished |= self.anthropic_event(&value, finished),
                Dialect::Native => self.native_event(event.name, &value),
            }
        }
        if !self.complete && self.failure.is_none() {
            self.broken.push("it has no end".to_owned());
        }
    }

    fn openai_event(&mut self, value: &Value) -> bool {
        let choice = &value["choices"][0];
        self.text += &string(&choice["delta"]["content"]);
        for piece in choice["delta"]["tool_calls"].as_array().into_iter().flatten() {
            self.piece(piece["index"].as_u64(), &piece["function"]);
        }
        self.about(value);
        choice["finish_reason"].is_string()
    }

    fn anthropic_event(&mut self, value: &Value, finished: bool) -> bool {
        self.text += &string(&value["delta"]["text"]);
        match value["type"].as_str() {
            Some("message_start") => self.about(&value["message"]),
            Some("message_delta") => self.about(value),
            Some("message_stop") => self.complete = finished,
            Some("content_block_start") if value["content_block"]["type"] == "tool_use" => {
                self.calls
                    .push(Called { name: string(&value["content_block"]["name"]), ..Called::default() });
            }
            Some("content_block_delta") => {
                if let (Some(part), Some(call)) =
                    (value["delta"]["partial_json"].as_str(), self.calls.last_mut())
                {
                    call.arguments += part;
                }
            }
            _ => {}
        }
        value["delta"]["stop_reason"].is_string()
    }

    fn native_event(&mut self, name: &str, value: &Value) {
        match name {
            "done" => {
                self.complete = value["success"] == true;
                self.about(&value["data"]);
            }
            // Somebody else says it all again: what came before is void.
            "restart" => self.text.clear(),
            _ => self.text += &string(&value["content"]),
        }
    }

    /// Adds a piece to the tool call at `index`, which must be the last one or the next.
    fn piece(&mut self, index: Option<u64>, function: &Value) {
        let at = index.and_then(|index| usize::try_from(index).ok()).unwrap_or(usize::MAX);
        if at == self.calls.len() {
            self.calls.push(Called::default());
        }
        let Some(call) = self.calls.get_mut(at) else {
            self.broken.push(format!("a piece of tool call {index:?} after {} calls", self.calls.len()));
            return;
        };
        call.name += &string(&function["name"]);
        call.arguments += &string(&function["arguments"]);
    }

    /// The model and the usage, where a document has them; what comes later counts.
    fn about(&mut self, document: &Value) {
        let model = document["model"].as_str().filter(|model| !model.is_empty());
        self.model = model.map(str::to_owned).or(self.model.take());
        let usage = &document["usage"];
        let of = |names: [&str; 3]| names.iter().find_map(|name| usage[*name].as_u64());
        let input = of(["prompt_tokens", "input_tokens", "promptTokens"]);
        let output = of(["completion_tokens", "output_tokens", "completionTokens"]);
        if let (Some(input), Some(output)) = (input.or(self.usage.map(|usage| usage.0)), output) {
            self.usage = Some((input, output));
        }
    }
}

fn called(function: &Value) -> Called {
    Called { name: string(&function["name"]), arguments: string(&function["arguments"]) }
}

fn string(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// The failure of an error document of any format.
fn failure(document: &Value) -> Option<Failure> {
    let error = document.get("error")?;
    let (from, message) = match error.as_str() {
        Some(message) => (document, message),
        None => (error, error["message"].as_str()?),
    };
    let code = from["code"].as_str().or(from["type"].as_str()).unwrap_or_default();
    Some(Failure { code: code.to_owned(), message: message.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn told(dialect: Dialect, status: u16, stream: bool, body: &str) -> Told {
        let kind = if stream { "text/event-stream" } else { "application/json" };
        let heard = Heard {
            status,
            head: format!("http/1.1 {status} x\r\ncontent-type: {kind}"),
            body: body.as_bytes().to_vec(),
            framed: true,
            ended: Ended::Closed,
            took: Duration::ZERO,
        };
        Told::read(dialect, &heard)
    }

    #[test]
    fn a_stream_is_complete_only_with_its_finish_and_its_terminal_event() {
        let words = "data: {\"model\":\"m\",\"choices\":[{\"delta\":{\"content\":\"hi\"},\"finish_reason\":null}]}\n\n";
        let finish = "data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n";
        let whole = told(Dialect::OpenAi, 200, true, &format!("{words}{finish}data: [DONE]\n\n"));
        assert!(whole.complete && whole.broken.is_empty() && whole.text == "hi", "{whole:?}");
        assert_eq!(whole.model.as_deref(), Some("m"));
        for cut in [words.to_owned(), format!("{words}{finish}"), format!("{words}data: [DONE]\n\n")] {
            let cut = told(Dialect::OpenAi, 200, true, &cut);
            assert!(!cut.complete && !cut.broken.is_empty(), "{cut:?}");
        }
        let failed = format!("{words}data: {{\"error\":{{\"message\":\"m\",\"code\":\"stream_cut\"}}}}\n\n");
        let failed_and_done = told(Dialect::OpenAi, 200, true, &format!("{failed}data: [DONE]\n\n"));
        assert!(!failed_and_done.broken.is_empty());
        let failed = told(Dialect::OpenAi, 200, true, &failed);
        assert!(failed.is_clean_failure() && failed.failure.unwrap().code == "stream_cut");
    }

    #[test]
    fn the_formats_of_anthropic_and_ours_are_read() {
        let stream = "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"model\":\"c\",\"usage\":{\"input_tokens\":3,\"output_tokens\":1}}}\n\n\
            event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"delta\":{\"text\":\"hi\"}}\n\n\
            event: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\"},\"usage\":{\"output_tokens\":9}}\n\n\
            event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n";
        let whole = told(Dialect::Anthropic, 200, true, stream);
        assert!(whole.complete && whole.broken.is_empty() && whole.text == "hi", "{whole:?}");
        assert_eq!((whole.usage, whole.model.as_deref()), (Some((3, 9)), Some("c")));
        let native = "event: chunk\ndata: {\"content\":\"hi\"}\n\nevent: done\ndata: {\"success\":true,\"data\":{\"model\":\"m\"}}\n\n";
        let native = told(Dialect::Native, 200, true, native);
        assert!(native.complete && native.text == "hi", "{native:?}");
        let again = "event: chunk\ndata: {\"content\":\"hi\"}\n\nevent: restart\ndata: {}\n\n\
            event: chunk\ndata: {\"content\":\"ho\"}\n\nevent: done\ndata: {\"success\":true}\n\n";
        assert_eq!(told(Dialect::Native, 200, true, again).text, "ho");
        let refused = "{\"success\":false,\"error\":\"no\",\"code\":\"context_length\"}";
        assert_eq!(told(Dialect::Native, 400, false, refused).failure.unwrap().code, "context_length");
        assert!(!told(Dialect::Native, 400, false, "{}").is_clean_failure());
    }

    #[test]
    fn pieces_of_tool_calls_go_to_their_call() {
        let piece = |index: u64, text: &str| {
            format!(
                "data: {{\"choices\":[{{\"delta\":{{\"tool_calls\":[{{\"index\":{index},\"function\":{{\"arguments\":\"{text}\"}}}}]}}}}]}}\n\n"
            )
        };
        let calls =
            told(Dialect::OpenAi, 200, true, &[piece(0, "a"), piece(1, "b"), piece(0, "c")].concat()).calls;
        assert_eq!([calls[0].arguments.as_str(), calls[1].arguments.as_str()], ["ac", "b"]);
        assert!(told(Dialect::OpenAi, 200, true, &piece(5, "a")).broken.len() == 2);
    }
}
