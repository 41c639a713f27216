//! Whether a stream begins fast enough to be kept, found out before anything of it is handed on.

use exec_core::{Chunk, Error, ErrorKind, Remedy, Response, Result};
use futures_util::{StreamExt, stream};
use tokio::time::{Instant, timeout_at};

use super::config::PaceConfig;

impl PaceConfig {
    /// `response` once it has shown its pace, with everything that was held back until then.
    ///
    /// # Errors
    /// `DeadlineExceeded` with the code `too_slow` and the remedy `Elsewhere`, and whatever breaks it so early: nobody
    /// has seen anything of it.
    pub(super) async fn hold(self, response: Response) -> Result<Response> {
        if response.is_full() {
            return Ok(response);
        }
        let report = response.report.clone();
        let mut chunks = response.into_chunks();
        let (mut held, mut characters) = (Vec::new(), 0);
        let until = Instant::now() + self.within;
        while characters < self.characters {
            let Ok(next) = timeout_at(until, chunks.next()).await else { return Err(self.too_slow()) };
            let Some(chunk) = next.transpose()? else { break };
            characters += pace_of(&chunk);
            held.push(Ok(chunk));
        }
        Ok(Response::stream(stream::iter(held).chain(chunks)).with_report(report))
    }

    fn too_slow(self) -> Error {
        let Self { characters, within } = self;
        let message = format!("fewer than {characters} characters came within {within:?} of the first");
        let error = Error::new(ErrorKind::DeadlineExceeded, message);
        error.with_code("too_slow").with_remedy(Remedy::Elsewhere)
    }
}

/// The characters of `chunk`. What is no words, and the end, is fast enough.
fn pace_of(chunk: &Chunk) -> usize {
    let pace = |chunk: &Chunk| match chunk {
        Chunk::Text(text) | Chunk::Reasoning(text) => text.chars().count(),
        Chunk::ToolCall(delta) => delta.arguments.chars().count(),
        Chunk::Handover(_) => 0,
        _ => usize::MAX,
    };
    chunk.meaning().iter().map(pace).fold(0, usize::saturating_add)
}
