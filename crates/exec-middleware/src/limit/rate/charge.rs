//! What a call takes from the limits: set aside before it, settled after it.

use std::io;

use exec_core::{Cost, Money, Operation, Request, Summary};

use super::config::RateLimitConfig;

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unit {
    Requests,
    Tokens,
    Money,
}

impl Unit {
    pub(super) fn words(self) -> &'static str {
        match self {
            Self::Requests => "requests",
            Self::Tokens => "tokens",
            Self::Money => "millionths of a dollar",
        }
    }
}

/// What a call takes from the limits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Charge {
    /// Calls.
    pub requests: u64,
    /// Tokens of prompt and answer.
    pub tokens: u64,
    /// What it costs.
    pub money: Money,
}

impl Charge {
    /// Nothing.
    pub const NONE: Self = Self { requests: 0, tokens: 0, money: Money::ZERO };
    /// One call, whatever it uses.
    pub const CALL: Self = Self { requests: 1, tokens: 0, money: Money::ZERO };

    pub(super) fn of(&self, unit: Unit) -> u64 {
        match unit {
            Unit::Requests => self.requests,
            Unit::Tokens => self.tokens,
            Unit::Money => self.money.as_micros(),
        }
    }

    /// What is set aside for `request`: a token for each four bytes of it, and the longest answer it allows. At least one
    /// of everything, so that a spent limit is noticed.
    pub(super) fn estimate(request: &Request, config: &RateLimitConfig) -> Self {
        let tokens = estimate_tokens(request, config.answer_tokens);
        let money = config.price_micros.per_million(tokens).max(Money::micros(1));
        Self { requests: 1, tokens, money }
    }

    /// What the call did take, as far as `summary` says; of the rest what was set aside.
    pub(super) fn actual(self, summary: &Summary) -> Self {
        let tokens = summary.usage.map_or(self.tokens, |usage| usage.input.saturating_add(usage.output));
        Self { tokens, money: summary.cost.map_or(self.money, Cost::total), ..self }
    }
}

/// A token for each four bytes of the request, and the longest answer it allows, which is `answer` if it does not say.
/// At least one. O(n) over an input that was not received as bytes.
pub(crate) fn estimate_tokens(request: &Request, answer: u64) -> u64 {
    let answer = match request.input.chat() {
        Ok(chat) if request.operation == Operation::CHAT => chat.sampling.max_tokens.unwrap_or(answer),
        _ => 0,
    };
    bytes(request).div_ceil(4).saturating_add(answer).max(1)
}

/// The length of the input as JSON: as it was received, or else as it would be written, which takes O(n).
fn bytes(request: &Request) -> u64 {
    if let Some((_, bytes)) = request.input.as_received() {
        return bytes.len() as u64;
    }
    let mut length = Length(0);
    let written = match request.input.chat() {
        Ok(chat) => serde_json::to_writer(&mut length, chat),
        Err(_) => request.input.value().map_or(Ok(()), |value| serde_json::to_writer(&mut length, value)),
    };
    written.map_or(0, |()| length.0)
}

/// Counts what is written to it.
struct Length(u64);

impl io::Write for Length {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 += bytes.len() as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
