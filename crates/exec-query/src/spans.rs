//! Sets of values as spans that do not touch: one form for equality, sets, ranges, and what is left out of them.

use std::ops::Bound::{self, Excluded, Included, Unbounded};

use crate::value::{Cell, Value};

/// All values between two bounds.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Span {
    /// Where it begins.
    pub low: Bound<Value>,
    /// Where it ends.
    pub high: Bound<Value>,
}

impl Span {
    /// One value.
    #[must_use]
    pub fn point(value: Value) -> Self {
        Self { low: Included(value.clone()), high: Included(value) }
    }

    /// The value, if it holds exactly one.
    #[must_use]
    pub fn as_point(&self) -> Option<&Value> {
        match (&self.low, &self.high) {
            (Included(low), Included(high)) if low == high => Some(low),
            _ => None,
        }
    }

    /// Whole numbers have no values between two neighbours, so their bounds can always be included ones.
    fn closed(self) -> Option<Self> {
        let low = match self.low {
            Excluded(Value::Integer(value)) => Included(Value::Integer(value.checked_add(1)?)),
            other => other,
        };
        let high = match self.high {
            Excluded(Value::Integer(value)) => Included(Value::Integer(value.checked_sub(1)?)),
            other => other,
        };
        let empty = match (&low, &high) {
            (Included(low), Included(high)) => low > high,
            (Included(low) | Excluded(low), Included(high) | Excluded(high)) => low >= high,
            _ => false,
        };
        (!empty).then_some(Self { low, high })
    }

    fn contains(&self, cell: &Cell<'_>) -> bool {
        let above = match &self.low {
            Unbounded => true,
            Included(low) => cell.order(&low.as_cell()).is_ge(),
            Excluded(low) => cell.order(&low.as_cell()).is_gt(),
        };
        above
            && match &self.high {
                Unbounded => true,
                Included(high) => cell.order(&high.as_cell()).is_le(),
                Excluded(high) => cell.order(&high.as_cell()).is_lt(),
            }
    }
}

/// A set of values of one kind, in the one form that each set has: spans in order that do not touch.
///
/// ```
/// use exec_query::{Spans, Value};
/// let low = Spans::at_most(Value::from(3_i64));
/// let some = Spans::points([Value::from(2_i64), Value::from(4_i64)]);
/// assert_eq!(low.intersect(&some), Spans::points([Value::from(2_i64)]));
/// assert_eq!(low.union(&some), Spans::at_most(Value::from(4_i64)));
/// assert_eq!(low.complement(), Spans::above(Value::from(3_i64)));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Spans(Vec<Span>);

impl Spans {
    /// No value.
    #[must_use]
    pub fn none() -> Self {
        Self::default()
    }

    /// Every value.
    #[must_use]
    pub fn all() -> Self {
        Self(vec![Span { low: Unbounded, high: Unbounded }])
    }

    /// These values. O(n log n).
    #[must_use]
    pub fn points(values: impl IntoIterator<Item = Value>) -> Self {
        Self::of(values.into_iter().map(Span::point))
    }

    /// What any of the spans holds; they may overlap, be empty or out of order. O(n log n).
    #[must_use]
    pub fn of(spans: impl IntoIterator<Item = Span>) -> Self {
        let mut spans: Vec<Span> = spans.into_iter().filter_map(Span::closed).collect();
        spans.sort_by(|a, b| low_order(&a.low, &b.low));
        let mut merged: Vec<Span> = Vec::with_capacity(spans.len());
        for span in spans {
            match merged.last_mut() {
                Some(last) if touch(&last.high, &span.low) => {
                    if high_order(&span.high, &last.high).is_gt() {
                        last.high = span.high;
                    }
                }
                _ => merged.push(span),
            }
        }
        Self(merged)
    }

    /// All values between two bounds.
    #[must_use]
    pub fn between(low: Bound<Value>, high: Bound<Value>) -> Self {
        Self::of([Span { low, high }])
    }

    /// True and false, all that a truth value can be.
    pub(crate) fn truth() -> Self {
        Self::points([Value::from(false), Value::from(true)])
    }

    /// `>= value`
    #[must_use]
    pub fn at_least(value: Value) -> Self {
        Self::between(Included(value), Unbounded)
    }

    /// `<= value`
    #[must_use]
    pub fn at_most(value: Value) -> Self {
        Self::between(Unbounded, Included(value))
    }

    /// `> value`
    #[must_use]
    pub fn above(value: Value) -> Self {
        Self::between(Excluded(value), Unbounded)
    }

    /// `< value`
    #[must_use]
    pub fn below(value: Value) -> Self {
        Self::between(Unbounded, Excluded(value))
    }

    /// The spans, in order.
    #[must_use]
    pub fn spans(&self) -> &[Span] {
        &self.0
    }

    /// Whether there is no value in it.
    #[must_use]
    pub fn is_none(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether every value is in it.
    #[must_use]
    pub fn is_all(&self) -> bool {
        matches!(self.0.as_slice(), [Span { low: Unbounded, high: Unbounded }])
    }

    /// How many values it holds, if it is a list of single ones.
    #[must_use]
    pub fn point_count(&self) -> Option<usize> {
        self.0.iter().all(|span| span.as_point().is_some()).then_some(self.0.len())
    }

    /// Whether what a row holds is in it; null never is. O(log n).
    #[must_use]
    pub fn contains(&self, cell: &Cell<'_>) -> bool {
        if *cell == Cell::Null {
            return false;
        }
        let before = |span: &Span| match &span.high {
            Unbounded => false,
            Included(high) => cell.order(&high.as_cell()).is_gt(),
            Excluded(high) => cell.order(&high.as_cell()).is_ge(),
        };
        self.0.get(self.0.partition_point(before)).is_some_and(|span| span.contains(cell))
    }

    /// What either holds.
    #[must_use]
    pub fn union(&self, other: &Self) -> Self {
        Self::of(self.0.iter().chain(&other.0).cloned())
    }

    /// What both hold. O(n + m).
    #[must_use]
    pub fn intersect(&self, other: &Self) -> Self {
        let (mut ours, mut theirs) = (self.0.iter().peekable(), other.0.iter().peekable());
        let mut both = Vec::new();
        while let (Some(a), Some(b)) = (ours.peek(), theirs.peek()) {
            let low = if low_order(&a.low, &b.low).is_ge() { &a.low } else { &b.low };
            let a_ends_first = high_order(&a.high, &b.high).is_le();
            let high = if a_ends_first { &a.high } else { &b.high };
            both.push(Span { low: low.clone(), high: high.clone() });
            if a_ends_first {
                ours.next();
            } else {
                theirs.next();
            }
        }
        Self::of(both)
    }

    /// Every other value.
    #[must_use]
    pub fn complement(&self) -> Self {
        let mut gaps = Vec::with_capacity(self.0.len() + 1);
        let mut low = Unbounded;
        for span in &self.0 {
            match &span.low {
                Unbounded => {}
                Included(value) => gaps.push(Span { low, high: Excluded(value.clone()) }),
                Excluded(value) => gaps.push(Span { low, high: Included(value.clone()) }),
            }
            low = match &span.high {
                Unbounded => return Self::of(gaps),
                Included(value) => Excluded(value.clone()),
                Excluded(value) => Included(value.clone()),
            };
        }
        gaps.push(Span { low, high: Unbounded });
        Self::of(gaps)
    }
}

fn low_order(a: &Bound<Value>, b: &Bound<Value>) -> std::cmp::Ordering {
    let key = |bound| match bound {
        Unbounded => (None, false),
        Included(value) => (Some(value), false),
        Excluded(value) => (Some(value), true),
    };
    key(a.as_ref()).cmp(&key(b.as_ref()))
}

fn high_order(a: &Bound<Value>, b: &Bound<Value>) -> std::cmp::Ordering {
    let key = |bound| match bound {
        Unbounded => (true, None, false),
        Included(value) => (false, Some(value), true),
        Excluded(value) => (false, Some(value), false),
    };
    key(a.as_ref()).cmp(&key(b.as_ref()))
}

/// Whether nothing lies between an end and the next beginning.
fn touch(high: &Bound<Value>, low: &Bound<Value>) -> bool {
    match (high, low) {
        (Unbounded, _) | (_, Unbounded) => true,
        (Included(Value::Integer(high)), Included(Value::Integer(low))) => *low <= high.saturating_add(1),
        (Excluded(high), Excluded(low)) => low < high,
        (Included(high) | Excluded(high), Included(low) | Excluded(low)) => low <= high,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn spans() -> impl Strategy<Value = Spans> {
        let bound = || {
            (0..3_u8, 0..8_i64).prop_map(|(kind, value)| match kind {
                0 => Unbounded,
                1 => Included(Value::from(value as f64)),
                _ => Excluded(Value::from(value as f64)),
            })
        };
        let span = (bound(), bound()).prop_map(|(low, high)| Span { low, high });
        proptest::collection::vec(span, 0..5).prop_map(Spans::of)
    }

    /// Every number and every gap that the spans above can tell apart.
    fn cells() -> impl Iterator<Item = Cell<'static>> {
        (-1..18).map(|half| Cell::Real(f64::from(half) / 2.0))
    }

    proptest! {
        #[test]
        fn the_algebra_is_that_of_sets(a in spans(), b in spans()) {
            for cell in cells() {
                let (in_a, in_b) = (a.contains(&cell), b.contains(&cell));
                prop_assert_eq!(a.union(&b).contains(&cell), in_a || in_b);
                prop_assert_eq!(a.intersect(&b).contains(&cell), in_a && in_b);
                prop_assert_eq!(a.complement().contains(&cell), !in_a);
            }
            prop_assert_eq!(a.complement().complement(), a.clone());
            prop_assert_eq!(a.union(&a), a);
        }
    }

    #[test]
    fn whole_numbers_that_are_neighbours_are_one_span() {
        let one_to_four = Spans::points([4, 1, 3, 2].map(Value::Integer));
        assert_eq!(one_to_four.spans().len(), 1);
        assert!(Spans::between(Excluded(3.into()), Excluded(4.into())).is_none());
        assert!(Spans::above(i64::MAX.into()).is_none());
        assert_eq!(Spans::points([1.into(), 3.into()]).point_count(), Some(2));
    }
}
