//! `exec-server execute "PROMPT"`: runs one prompt and streams the answer to the terminal.

use std::io::Write;
use std::process::ExitCode;
use std::sync::Arc;

use clap::Args;
use exec_core::{Budget, Chat, Chunk, Context, Error, Executor, Options, Request, Result, Summary};
use futures_util::StreamExt;
use tokio::signal::unix::{SignalKind, signal};
use uuid::Uuid;

use super::{FAILED, INTERRUPTED, refused, tell, unusable};
use crate::assemble;
use crate::config::Config;
use crate::engine::Engine;

/// What to run.
#[derive(Debug, Args)]
pub(super) struct Prompt {
    /// The prompt
    prompt: String,
    /// What the model is told before it
    #[arg(long)]
    system: Option<String>,
    /// The model; the provider's default without it
    #[arg(long)]
    model: Option<String>,
    /// The provider; the default one without it
    #[arg(long)]
    provider: Option<String>,
    /// The most tokens of the answer
    #[arg(long)]
    max_tokens: Option<u64>,
}

pub(super) async fn run(config: &Config, prompt: Prompt) -> ExitCode {
    if prompt.prompt.is_empty() {
        return unusable("the prompt is empty");
    }
    let engine = match assemble::engine(config) {
        Ok(engine) => engine,
        Err(error) => return refused(&error),
    };
    let context = Context::new(format!("cli_{}", Uuid::now_v7().simple()))
        .with_timeout(config.server.timeout)
        .with_budget(Arc::new(Budget::new(config.limits.attempts, None)));
    // Listened for before anything begins, so that there is no moment in which it would end us without a word upstream.
    let mut interrupt = match signal(SignalKind::interrupt()) {
        Ok(interrupt) => interrupt,
        Err(error) => return unusable(&format!("cannot listen for signals: {error}")),
    };
    // Whichever is first drops the other: an interrupt drops the answer, which closes the connection upstream.
    tokio::select! {
        answer = context.bound(answer(&engine, prompt.into(), &context)) => match answer {
            Ok(summary) => {
                report(&summary);
                ExitCode::SUCCESS
            }
            Err(error) => failed(&error),
        },
        _ = interrupt.recv() => {
            tell("interrupted; the provider was told to stop");
            INTERRUPTED.into()
        }
    }
}

impl From<Prompt> for Request {
    fn from(prompt: Prompt) -> Self {
        let mut chat = Chat::user(prompt.prompt);
        if let Some(system) = prompt.system {
            chat = chat.with_system(system);
        }
        chat.sampling.max_tokens = prompt.max_tokens;
        let provider = prompt.provider.map(Into::into);
        let request =
            Request::chat(chat).with_options(Options { stream: true, provider, ..Options::default() });
        Request { model: prompt.model.map(Arc::from), ..request }
    }
}

/// Writes the answer as it comes. A reader who closes the pipe has enough: that ends the answer too.
async fn answer(engine: &Engine, request: Request, context: &Context) -> Result<Summary> {
    let mut chunks = engine.execute(request, context).await?.into_chunks();
    let mut stdout = std::io::stdout();
    let mut summary = Summary::default();
    while let Some(chunk) = chunks.next().await {
        let chunk = chunk.inspect_err(|_| {
            let _ = writeln!(stdout);
        })?;
        let text: String = chunk.meaning().iter().filter_map(words).collect();
        if stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()).is_err() {
            return Ok(summary);
        }
        if let Chunk::End(end) = chunk {
            summary = end;
        }
    }
    let _ = writeln!(stdout);
    Ok(summary)
}

fn words(chunk: &Chunk) -> Option<&str> {
    if let Chunk::Text(text) = chunk { Some(text) } else { None }
}

fn report(summary: &Summary) {
    let usage = summary.usage.map_or_else(
        || "tokens unknown".to_owned(),
        |usage| format!("{} tokens in, {} out", usage.input, usage.output),
    );
    let cost = summary.cost.map(|cost| format!(", {}", cost.total())).unwrap_or_default();
    tracing::info!("{usage}{cost}, finish {}", summary.finish);
}

fn failed(error: &Error) -> ExitCode {
    let by = error.provider().map(|provider| format!("{provider}: ")).unwrap_or_default();
    tell(&format!("{by}{error} ({})", error.code()));
    FAILED.into()
}
