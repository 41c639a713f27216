//! The native format: the documents of `POST /api/v2/execution`.

mod read;
mod render;

use bytes::Bytes;
use exec_core::chat::ToolCall;
use exec_core::{Cost, Error, Output, Request, Result, Usage, Wire};
use exec_providers::format::{Front, Render, Reply};
use serde_json::{Value, json};

use self::render::NativeRender;
use crate::config::LimitsConfig;

/// The name of the native format.
pub const WIRE: Wire = Wire::new("exec.execution");

/// The one strategy there is: a call is run as it comes, streamed or whole.
pub const STREAMING: &str = "streaming";

/// The native format as callers speak it.
#[derive(Clone, Copy, Debug)]
pub struct NativeFront {
    limits: LimitsConfig,
}

impl NativeFront {
    /// For errors, which no limit changes.
    pub(crate) const ERRORS: Self = Self { limits: LimitsConfig::DEFAULT };

    /// A front that lets through what `limits` allow.
    #[must_use]
    pub fn new(limits: LimitsConfig) -> Self {
        Self { limits }
    }
}

impl Front for NativeFront {
    fn wire(&self) -> Wire {
        WIRE
    }

    fn read(&self, body: &Bytes) -> Result<Request> {
        read::request(body, self.limits)
    }

    fn answer(&self, output: &Output, reply: &Reply) -> Bytes {
        let mut data = about(&output.summary.usage, output.summary.cost, reply);
        data["content"] = output.text().into();
        data["finishReason"] = output.summary.finish.as_str().into();
        data["streamed"] = false.into();
        let calls: Vec<Value> = output.tool_calls().map(tool_call).collect();
        if !calls.is_empty() {
            data["toolCalls"] = calls.into();
        }
        if !output.data.is_empty() {
            data["data"] = json!(output.data);
        }
        document(&json!({"success": true, "data": data, "metadata": metadata(reply)}))
    }

    fn renderer(&self, reply: Reply) -> Box<dyn Render> {
        Box::new(NativeRender::new(reply))
    }

    fn error(&self, error: &Error, request_id: &str) -> Bytes {
        document(&error_document(error, request_id))
    }
}

fn document(value: &Value) -> Bytes {
    Bytes::from(value.to_string())
}

fn error_document(error: &Error, request_id: &str) -> Value {
    let mut document = json!({
        "success": false,
        "error": error.message(),
        "code": error.code(),
        "kind": error.kind().as_str(),
        "requestId": request_id,
    });
    let fields: Vec<Value> = error
        .fields()
        .iter()
        .map(|f| json!({"field": f.path, "code": f.code, "message": f.message}))
        .collect();
    if !fields.is_empty() {
        document["error"] = "Validation error".into();
        document["details"] = fields.into();
    }
    let attempts: Vec<Value> = error
        .attempts()
        .iter()
        .map(|a| json!({"provider": &*a.provider, "kind": a.kind.as_str(), "message": a.message}))
        .collect();
    if !attempts.is_empty() {
        document["attempts"] = attempts.into();
    }
    if let Some(wait) = error.retry_after() {
        document["retryAfterMs"] = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX).into();
    }
    document
}

/// What an answer says of itself, whole or streamed.
fn about(usage: &Option<Usage>, cost: Option<Cost>, reply: &Reply) -> Value {
    let report = &reply.report;
    json!({
        "usage": usage.map(usage_document),
        "cost": cost.map(cost_document),
        "latency": milliseconds(reply),
        "provider": report.provider.as_deref(),
        "model": report.model.as_deref().or(reply.model.as_deref()),
        "strategy": report.strategy.as_deref().unwrap_or(STREAMING),
        "executionTime": milliseconds(reply).max(1),
        "cacheHit": report.cached,
        "batchSize": 1,
        "attempts": report.attempts,
        "droppedFields": report.dropped,
        "degraded": report.degraded,
        "integrity": report.integrity.as_str(),
        "broken": report.integrity.broken().map(|(provider, at)| json!({"provider": &**provider, "at": at})),
    })
}

fn usage_document(usage: Usage) -> Value {
    json!({
        "promptTokens": usage.input,
        "completionTokens": usage.output,
        "totalTokens": usage.input + usage.output,
    })
}

fn cost_document(cost: Cost) -> Value {
    json!({
        "input": cost.input.as_dollars(),
        "output": cost.output.as_dollars(),
        "total": cost.total().as_dollars(),
    })
}

fn metadata(reply: &Reply) -> Value {
    json!({
        "requestId": &*reply.request_id,
        "selectedStrategy": STREAMING,
        "availableStrategies": [STREAMING],
        "executionStats": {"totalStrategies": 1, "enabledStrategies": 1, "strategyNames": [STREAMING]},
    })
}

fn tool_call(call: &ToolCall) -> Value {
    json!({"id": call.id, "name": call.name, "arguments": call.arguments})
}

fn milliseconds(reply: &Reply) -> u64 {
    u64::try_from(reply.elapsed().as_millis()).unwrap_or(u64::MAX)
}
