//! One call as a simulator understands it: which faults, which key, how many tokens, what answer.

use std::sync::Arc;

use exec_core::chat::{Role, Tool};
use exec_core::{
    Chat, Chunk, Cost, Error, ErrorKind, Fingerprint, Finish, Operation, Part, Request, Result, Summary,
    Usage,
};
use serde_json::json;

use super::config::SimulatorConfig;
use super::embed::Embed;
use super::fault::Fault;
use super::pace::Answer;
use super::rng::{Rng, hash};
use super::{text, tools};

/// What a number is drawn for, so that each draw has a stream of its own.
#[derive(Clone, Copy)]
pub(super) enum Draw {
    Words = 1,
    Pace,
    Failure,
    Id,
}

/// A call, read and found possible.
pub(super) struct Call<'a> {
    config: &'a SimulatorConfig,
    request: &'a Request,
    /// What was asked, as a number.
    pub(super) key: u64,
    /// What goes wrong.
    pub(super) faults: Vec<Fault>,
    /// By which what is remembered of the faults is found: those of the configuration have one memory, those of each
    /// model name another.
    pub(super) fault_key: u64,
    /// The name of the model that answers.
    pub(super) model: Arc<str>,
    /// Whether the conversation ends with a turn of the assistant.
    pub(super) prefilled: bool,
    subject: Subject<'a>,
}

enum Subject<'a> {
    Chat(&'a Chat),
    Embed(Embed),
    Models,
}

/// The key of the faults of the configuration.
pub(super) const CONFIGURED: u64 = 0;

impl<'a> Call<'a> {
    /// Reads `request`.
    ///
    /// # Errors
    /// `InvalidRequest` for an input that is not what the operation takes and for faults nobody knows; `Unsupported`
    /// for other operations.
    pub(super) fn read(config: &'a SimulatorConfig, request: &'a Request) -> Result<Self> {
        let subject = Subject::of(request)?;
        let asked = request.model.as_deref().unwrap_or(SIMULATOR);
        let named = Fault::of_model(asked).transpose().map_err(|wrong| Error::invalid(vec![wrong]))?;
        let fault_key = if named.is_some() { hash(asked.as_bytes()) } else { CONFIGURED };
        let faults = named.unwrap_or_else(|| config.fault.iter().cloned().collect());
        let prefilled = matches!(&subject, Subject::Chat(chat) if ends_with_assistant(chat));
        let model = model(asked, &faults);
        let key = hash(Fingerprint::of(request)?.as_bytes());
        Ok(Self { config, request, key, faults, fault_key, model, prefilled, subject })
    }

    /// The numbers drawn for `purpose` in the `nth` call of this kind.
    pub(super) fn rng(&self, purpose: Draw, nth: u64) -> Rng {
        Rng::of(&[self.config.seed, self.key, purpose as u64, nth])
    }

    /// The tokens of the prompt: a quarter of its bytes, rounded up. Pictures count nothing.
    pub(super) fn input_tokens(&self) -> u64 {
        let bytes = match &self.subject {
            Subject::Chat(chat) => chat_bytes(chat),
            Subject::Embed(embed) => embed.bytes(),
            Subject::Models => 0,
        };
        bytes.div_ceil(4) as u64
    }

    /// The whole answer: a pure function of the seed and what is asked.
    ///
    /// # Errors
    /// `Internal` when it cannot be written.
    pub(super) fn answer(&self) -> Result<Answer> {
        Ok(match &self.subject {
            Subject::Chat(chat) => self.chat(chat),
            Subject::Embed(embed) => {
                let vectors = embed.vectors(self.config.seed)?;
                Answer { pieces: vectors.into_iter().map(Chunk::Data).collect(), summary: self.summary(0) }
            }
            Subject::Models => {
                let names = self.config.models.iter().map(|name| Chunk::Data(json!(name).into()));
                Answer { pieces: names.collect(), summary: self.summary(0) }
            }
        })
    }

    fn chat(&self, chat: &Chat) -> Answer {
        let mut rng = self.rng(Draw::Words, 0);
        let mut calls = tools::calls(&mut rng, chat);
        if calls.is_empty() {
            let said = text::say(&mut rng, self.config.tokens, self.prefilled, &chat.sampling);
            let summary = self.summary(said.tokens.len());
            let summary = Summary { finish: said.finish, stop_sequence: said.stop_sequence, ..summary };
            return Answer { pieces: said.tokens, summary };
        }
        let (count, finish) = text::limit(calls.len(), chat.sampling.max_tokens);
        calls.truncate(count);
        let finish = if finish == Finish::Length { finish } else { Finish::ToolCalls };
        Answer { summary: Summary { finish, ..self.summary(count) }, pieces: calls }
    }

    fn summary(&self, output: usize) -> Summary {
        let usage = Usage { input: self.input_tokens(), output: output as u64, ..Usage::default() };
        let price = self.config.price;
        let cost = Cost {
            input: price.input.per_million(usage.input),
            output: price.output.per_million(usage.output),
        };
        Summary { usage: Some(usage), cost: Some(cost), ..Summary::default() }
    }

    /// Whether the caller wants pieces, and there can be any.
    pub(super) fn streams(&self) -> bool {
        self.request.options.stream && matches!(self.subject, Subject::Chat(_))
    }
}

impl<'a> Subject<'a> {
    fn of(request: &'a Request) -> Result<Self> {
        let operation = &request.operation;
        if *operation == Operation::CHAT {
            request.input.chat().map(Self::Chat)
        } else if *operation == Operation::EMBED {
            Embed::read(request.input.value()?).map(Self::Embed)
        } else if *operation == Operation::MODELS {
            Ok(Self::Models)
        } else {
            Err(Error::new(ErrorKind::Unsupported, format!("the simulator has no operation {operation}")))
        }
    }
}

/// What a simulator calls itself.
pub(super) const SIMULATOR: &str = "simulator";

/// The model that answers: `simulator`, or `simulator/` and the name that was asked for.
fn model(asked: &str, faults: &[Fault]) -> Arc<str> {
    let other = faults
        .iter()
        .find_map(|f| if let Fault::AnswersAs { model } = f { Some(model.as_str()) } else { None });
    match other.unwrap_or(asked) {
        SIMULATOR => SIMULATOR.into(),
        name => format!("{SIMULATOR}/{}", name.strip_prefix("simulator/").unwrap_or(name)).into(),
    }
}

fn ends_with_assistant(chat: &Chat) -> bool {
    chat.messages.last().is_some_and(|message| message.role == Role::Assistant)
}

fn chat_bytes(chat: &Chat) -> usize {
    let turns = chat.messages.iter().map(|message| parts_bytes(&message.parts)).sum::<usize>();
    turns + chat.tools.iter().map(tool_bytes).sum::<usize>()
}

fn parts_bytes(parts: &[Part]) -> usize {
    let bytes = |part: &Part| match part {
        Part::Text { text, .. } => text.to_str().len(),
        Part::ToolCall(call) => call.name.len() + call.arguments.to_str().len(),
        Part::ToolResult(result) => parts_bytes(&result.parts),
        Part::Reasoning(reasoning) => reasoning.text.to_str().len(),
        _ => 0,
    };
    parts.iter().map(bytes).sum()
}

fn tool_bytes(tool: &Tool) -> usize {
    match tool {
        Tool::Function(f) => {
            let description = f.description.as_ref().map_or(0, |text| text.to_str().len());
            f.name.len() + description + f.parameters.as_ref().map_or(0, |schema| schema.get().len())
        }
        _ => 0,
    }
}
