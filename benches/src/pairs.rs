//! Paired measuring: two things take turns, and each round is compared with itself only.

/// Two things measured side by side.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Pair {
    /// The median of our figures.
    pub ours: f64,
    /// The median of the rival's figures.
    pub rival: f64,
    /// The median of ours divided by the rival's, round by round. Not the quotient of the two medians.
    pub ratio: f64,
    /// The lowest of these ratios: what we would claim if we picked our best round.
    pub lowest: f64,
}

impl Pair {
    /// The summary of rounds of `(ours, rival)`. Without rounds every figure is NaN.
    #[must_use]
    pub fn of(rounds: &[(f64, f64)]) -> Self {
        let ratios: Vec<f64> = rounds.iter().map(|(ours, rival)| ours / rival).collect();
        Self {
            ours: median(rounds.iter().map(|round| round.0)),
            rival: median(rounds.iter().map(|round| round.1)),
            ratio: median(ratios.iter().copied()),
            lowest: ratios.iter().copied().fold(f64::NAN, f64::min),
        }
    }
}

/// Measures both in turns, `rounds` times; who begins changes from round to round.
pub fn pair(rounds: usize, mut ours: impl FnMut() -> f64, mut rival: impl FnMut() -> f64) -> Pair {
    let rounds: Vec<(f64, f64)> = (0..rounds)
        .map(|round| {
            if round % 2 == 0 {
                let first = ours();
                (first, rival())
            } else {
                let first = rival();
                (ours(), first)
            }
        })
        .collect();
    Pair::of(&rounds)
}

/// The median; of an even number the upper one, of none NaN. O(n log n).
#[must_use]
pub fn median(values: impl IntoIterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.into_iter().collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ratio_is_the_median_of_the_rounds_own() {
        let pair = Pair::of(&[(1.0, 2.0), (10.0, 10.0), (300.0, 100.0)]);
        assert_eq!(pair, Pair { ours: 10.0, rival: 10.0, ratio: 1.0, lowest: 0.5 });
    }

    #[test]
    fn both_are_measured_in_every_round_and_take_turns_to_begin() {
        let order = std::cell::RefCell::new(String::new());
        let note = |who| {
            order.borrow_mut().push(who);
            1.0
        };
        pair(3, || note('o'), || note('r'));
        assert_eq!(*order.borrow(), "orroor");
    }

    #[test]
    fn one_wild_round_does_not_move_the_median() {
        assert_eq!(median([5.0, 1.0, 9e9]).total_cmp(&5.0), std::cmp::Ordering::Equal);
        assert!(median([]).is_nan());
    }
}
