//! Those who wait, first come, first served. O(1) at both ends, O(log n) for who leaves in between.

use std::collections::VecDeque;

use super::parts::Waiting;

/// A queue by place. Who leaves it in the middle leaves a gap; there are never more gaps than [`SOME`] and those who wait.
#[derive(Debug)]
pub(super) struct Line<W> {
    /// In order of their places; the first is never a gap.
    places: VecDeque<(u64, Option<Waiting<W>>)>,
    gaps: usize,
    last: u64,
}

const SOME: usize = 16;

impl<W> Default for Line<W> {
    fn default() -> Self {
        Self { places: VecDeque::new(), gaps: 0, last: 0 }
    }
}

impl<W> Line<W> {
    pub(super) fn len(&self) -> usize {
        self.places.len() - self.gaps
    }

    pub(super) fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// Goes to the end; says at which place that is.
    pub(super) fn push(&mut self, waiting: Waiting<W>) -> u64 {
        self.last += 1;
        self.places.push_back((self.last, Some(waiting)));
        self.last
    }

    /// Goes back to a place of before.
    pub(super) fn back_to(&mut self, place: u64, waiting: Waiting<W>) {
        match self.find(place) {
            Ok(at) => {
                let gap = self.places[at].1.replace(waiting).is_none();
                self.gaps -= usize::from(gap);
            }
            Err(at) => self.places.insert(at, (place, Some(waiting))),
        }
    }

    pub(super) fn pop(&mut self) -> Option<(u64, Waiting<W>)> {
        let (place, waiting) = self.places.pop_front()?;
        self.trim();
        Some((place, waiting?))
    }

    pub(super) fn remove(&mut self, place: u64) -> Option<Waiting<W>> {
        let at = self.find(place).ok()?;
        let waiting = self.places[at].1.take()?;
        self.gaps += 1;
        self.trim();
        if self.gaps > SOME + self.len() {
            self.places.retain(|(_, waiting)| waiting.is_some());
            self.gaps = 0;
        }
        Some(waiting)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (u64, &Waiting<W>)> {
        self.places.iter().filter_map(|(place, waiting)| Some((*place, waiting.as_ref()?)))
    }

    fn find(&self, place: u64) -> Result<usize, usize> {
        self.places.binary_search_by_key(&place, |(place, _)| *place)
    }

    fn trim(&mut self) {
        while self.places.front().is_some_and(|(_, waiting)| waiting.is_none()) {
            self.places.pop_front();
            self.gaps -= 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::panic::Location;

    use proptest::prelude::*;
    use tokio::time::Instant;

    use super::*;

    fn waiting(waker: u64) -> Waiting<u64> {
        Waiting { waker, site: Location::caller(), since: Instant::now(), until: None }
    }

    proptest! {
        #[test]
        fn it_is_a_sorted_map_with_few_gaps(steps in prop::collection::vec((0..4_u8, 0..64_u64), 0..400)) {
            let (mut line, mut model) = (Line::default(), BTreeMap::new());
            for (number, (step, place)) in steps.into_iter().enumerate() {
                let name = number as u64;
                match step {
                    0 => drop(model.insert(line.push(waiting(name)), name)),
                    1 => prop_assert_eq!(line.pop().map(|(at, w)| (at, w.waker)), model.pop_first()),
                    2 => prop_assert_eq!(line.remove(place).map(|w| w.waker), model.remove(&place)),
                    // Only who was there comes back.
                    _ if place > 0 && place <= line.last => {
                        line.back_to(place, waiting(name));
                        model.insert(place, name);
                    }
                    _ => {}
                }
                prop_assert_eq!((line.len(), line.is_empty()), (model.len(), model.is_empty()));
                prop_assert!(line.iter().map(|(at, w)| (at, w.waker)).eq(model.iter().map(|(a, b)| (*a, *b))));
                prop_assert!(line.gaps <= SOME + line.len());
            }
        }
    }
}
