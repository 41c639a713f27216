//! What a provider says of its own rate limits, whatever the headers it says it with.

use std::time::Duration;

/// What a provider said of its limits when it answered. What it did not say is absent.
///
/// Whoever speaks the provider's format fills it in; whoever limits calls reads it, and knows no header.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RateLimitHint {
    /// Calls.
    pub requests: Option<Allowance>,
    /// Tokens of prompts and answers together, or the scarcer of the two where they are told apart.
    pub tokens: Option<Allowance>,
}

/// How much of something may be used, and until when.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Allowance {
    /// So much may be used in the provider's time.
    pub limit: Option<u64>,
    /// So much of it is left.
    pub remaining: Option<u64>,
    /// So long from now it takes until all of it is there again.
    pub reset: Option<Duration>,
}

impl Allowance {
    /// So many a second can be used until all is there again; `None` when the provider did not say enough.
    ///
    /// What is filled up on the way is not counted, for nobody knows how: it is a bound that never asks for too much.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "a rate, not an account")]
    pub fn rate(&self) -> Option<f64> {
        let (remaining, reset) = (self.remaining?, self.reset?);
        Some(remaining as f64 / reset.as_secs_f64().max(0.001))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_needs_what_is_left_and_for_how_long() {
        let allowance =
            Allowance { limit: Some(100), remaining: Some(30), reset: Some(Duration::from_secs(60)) };
        assert_eq!(allowance.rate(), Some(0.5));
        assert_eq!(Allowance { reset: Some(Duration::ZERO), ..allowance }.rate(), Some(30_000.0));
        assert_eq!(Allowance { remaining: None, ..allowance }.rate(), None);
        assert_eq!(Allowance { reset: None, ..allowance }.rate(), None);
    }
}
