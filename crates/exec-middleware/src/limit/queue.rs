//! Who is in, who waits, and who is next. Pure: it neither locks nor wakes, it says whom to wake.
//!
//! Always true: somebody waits only while at least as many are in as may be.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use exec_core::Priority;

/// The place of one who waits: the more urgent first, within that the earlier.
pub(crate) type Place = (Reverse<Priority>, u64);

/// Places for `limit` at once and a queue for the others. `W` wakes one who waits.
#[derive(Debug)]
pub(crate) struct Queue<W> {
    limit: usize,
    inside: usize,
    most: usize,
    waiting: BTreeMap<Place, W>,
    next: u64,
    peak: usize,
}

/// There is no place, neither inside nor in the queue.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Full;

impl<W> Queue<W> {
    pub(crate) fn new(limit: usize, most: usize) -> Self {
        Self { limit, inside: 0, most, waiting: BTreeMap::new(), next: 0, peak: 0 }
    }

    /// Goes in if there is a place.
    pub(crate) fn enter(&mut self) -> bool {
        let free = self.inside < self.limit;
        if free {
            self.inside += 1;
            self.peak = self.peak.max(self.inside);
        }
        free
    }

    /// Waits behind those who are as urgent.
    pub(crate) fn wait(&mut self, priority: Priority, waker: W) -> Result<Place, Full> {
        if self.waiting.len() >= self.most {
            return Err(Full);
        }
        let place = (Reverse(priority), self.next);
        self.next += 1;
        self.waiting.insert(place, waker);
        Ok(place)
    }

    /// Whether the one of `place` still waits; if so it will be woken by what `waker` makes.
    pub(crate) fn still_waits(&mut self, place: Place, waker: impl FnOnce() -> W) -> bool {
        match self.waiting.get_mut(&place) {
            Some(old) => {
                *old = waker();
                true
            }
            None => false,
        }
    }

    /// One comes out. Says whom to wake: it is inside already.
    pub(crate) fn leave(&mut self) -> Option<W> {
        self.inside = self.inside.saturating_sub(1);
        self.let_in()
    }

    /// The one of `place` waits no longer. If it was let in meanwhile it comes out again.
    pub(crate) fn give_up(&mut self, place: Place) -> Option<W> {
        match self.waiting.remove(&place) {
            Some(_) => None,
            None => self.leave(),
        }
    }

    /// Changes how many may be inside. Says whom to wake. Nobody is thrown out.
    pub(crate) fn resize(&mut self, limit: usize) -> Vec<W> {
        self.limit = limit;
        std::iter::from_fn(|| self.let_in()).collect()
    }

    fn let_in(&mut self) -> Option<W> {
        if self.inside >= self.limit {
            return None;
        }
        let (_, waker) = self.waiting.pop_first()?;
        self.inside += 1;
        self.peak = self.peak.max(self.inside);
        Some(waker)
    }

    pub(crate) fn limit(&self) -> usize {
        self.limit
    }

    pub(crate) fn inside(&self) -> usize {
        self.inside
    }

    pub(crate) fn waiting(&self) -> usize {
        self.waiting.len()
    }

    pub(crate) fn peak(&self) -> usize {
        self.peak
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_more_urgent_first_and_within_that_the_earlier() {
        let mut queue = Queue::new(1, 10);
        assert!(queue.enter() && !queue.enter());
        let line = [Priority::Low, Priority::Normal, Priority::Urgent, Priority::Normal, Priority::High];
        for (name, priority) in line.into_iter().enumerate() {
            queue.wait(priority, name).unwrap();
        }
        let order: Vec<_> = std::iter::from_fn(|| queue.leave()).collect();
        assert_eq!(order, [2, 4, 1, 3, 0]);
        assert_eq!((queue.inside(), queue.waiting(), queue.peak()), (0, 0, 1));
    }

    #[test]
    fn who_gives_up_after_being_let_in_lets_the_next_in() {
        let mut queue = Queue::new(1, 2);
        assert!(queue.enter());
        let first = queue.wait(Priority::Normal, 'a').unwrap();
        let second = queue.wait(Priority::Normal, 'b').unwrap();
        assert_eq!(queue.wait(Priority::Urgent, 'c'), Err(Full));
        assert_eq!(queue.leave(), Some('a'));
        assert!(!queue.still_waits(first, || 'a') && queue.still_waits(second, || 'B'));
        assert_eq!(queue.give_up(first), Some('B'));
        assert_eq!(queue.leave(), None);
        assert_eq!(queue.inside(), 0);
    }

    #[test]
    fn a_lower_limit_throws_nobody_out_and_lets_nobody_in() {
        let mut queue = Queue::new(3, 2);
        assert!(queue.enter() && queue.enter() && queue.enter());
        queue.wait(Priority::Normal, 'a').unwrap();
        assert!(queue.resize(1).is_empty());
        assert_eq!((queue.leave(), queue.leave(), queue.inside()), (None, None, 1));
        assert_eq!(queue.leave(), Some('a'));
        queue.wait(Priority::Normal, 'b').unwrap();
        queue.wait(Priority::Normal, 'c').unwrap();
        assert_eq!(queue.resize(5), ['b', 'c']);
    }
}
