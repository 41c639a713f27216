//! Writing a native answer as it comes: the events `chunk`, `restart`, `usage`, `done` and `error`.

use bytes::BytesMut;
use exec_core::{Chunk, Error, Handover, Summary};
use exec_providers::format::{Render, Reply};
use serde_json::{Value, json};

use super::{about, error_document, metadata, usage_document};

/// Writes one streamed answer.
pub(super) struct NativeRender {
    reply: Reply,
}

impl NativeRender {
    pub(super) fn new(reply: Reply) -> Self {
        Self { reply }
    }

    /// Somebody else answers from here on, and is named at the end. What is void must be forgotten at once.
    fn handover(&mut self, handover: Handover, out: &mut BytesMut) {
        let Handover { report, anew } = handover;
        if anew {
            let broken = report.integrity.broken().map(|(provider, _)| &**provider);
            event("restart", &json!({"broken": broken, "provider": report.provider.as_deref()}), out);
        }
        self.reply.report = report;
    }

    fn end(&self, summary: &Summary, out: &mut BytesMut) {
        if let Some(usage) = summary.usage {
            event("usage", &usage_document(usage), out);
        }
        let mut data = about(&summary.usage, summary.cost, &self.reply);
        data["finishReason"] = summary.finish.as_str().into();
        data["streamed"] = true.into();
        event("done", &json!({"success": true, "data": data, "metadata": metadata(&self.reply)}), out);
    }
}

impl Render for NativeRender {
    fn chunk(&mut self, chunk: Chunk, out: &mut BytesMut) {
        match chunk {
            Chunk::End(summary) => return self.end(&summary, out),
            Chunk::Handover(handover) => return self.handover(*handover, out),
            _ => {}
        }
        for chunk in chunk.meaning() {
            if let Some(document) = chunk_document(chunk) {
                event("chunk", &document, out);
            }
        }
    }

    fn error(&mut self, error: &Error, out: &mut BytesMut) {
        event("error", &error_document(error, &self.reply.request_id), out);
    }
}

fn chunk_document(chunk: &Chunk) -> Option<Value> {
    Some(match chunk {
        Chunk::Text(text) if text.is_empty() => return None,
        Chunk::Text(text) => json!({"content": text}),
        Chunk::Reasoning(text) => json!({"reasoning": text}),
        Chunk::ToolCall(delta) => json!({
            "toolCall": {"index": delta.index, "id": delta.id, "name": delta.name, "arguments": delta.arguments},
        }),
        Chunk::Data(value) => json!({"data": value}),
        // Proofs and parts that only their own format understands mean nothing here.
        _ => return None,
    })
}

fn event(name: &str, data: &Value, out: &mut BytesMut) {
    // JSON has no line breaks outside of escapes, so one data line is enough.
    out.extend_from_slice(format!("event: {name}\ndata: {data}\n\n").as_bytes());
}
