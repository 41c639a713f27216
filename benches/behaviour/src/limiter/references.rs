//! The two counters that are written by hand most often, as references. Nobody's crate.

use std::time::Duration;

use super::LIMIT;

/// So many in each second of the clock.
#[derive(Default)]
pub(super) struct FixedWindow {
    second: u64,
    count: u32,
}

impl FixedWindow {
    pub(super) fn admit(&mut self, at: Duration) -> bool {
        if at.as_secs() != self.second {
            (self.second, self.count) = (at.as_secs(), 0);
        }
        let admitted = self.count < LIMIT;
        self.count += u32::from(admitted);
        admitted
    }
}

/// This second's count, and of the one before the share that still lies in the window.
#[derive(Default)]
pub(super) struct TwoBuckets {
    second: u64,
    before: u32,
    count: u32,
}

impl TwoBuckets {
    pub(super) fn admit(&mut self, at: Duration) -> bool {
        let gone = at.as_secs() - self.second;
        if gone > 0 {
            self.before = if gone == 1 { self.count } else { 0 };
            (self.second, self.count) = (at.as_secs(), 0);
        }
        let inside = 1.0 - f64::from(at.subsec_nanos()) / 1e9;
        let admitted = f64::from(self.before) * inside + f64::from(self.count) + 1.0 <= f64::from(LIMIT);
        self.count += u32::from(admitted);
        admitted
    }
}
