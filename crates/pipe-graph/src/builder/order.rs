//! Puts declarations in the order of their names, quickly, and finds names that were given twice.

use crate::names::Names;
use crate::problem::Problem;

/// The first declaration of every name, in the order of the names.
pub(super) fn by_name(ids: &Names, problems: &mut Vec<Problem>) -> Vec<u32> {
    let mut order: Vec<u32> = (0..ids.len() as u32).collect();
    if (1..ids.len()).all(|place| ids.bytes(place - 1) < ids.bytes(place)) {
        return order;
    }
    sort(ids, &mut order);
    fold_twins(ids, &order, problems)
}

/// Names mostly differ within 16 bytes after what all of them share, so most comparisons look at one number.
fn sort(ids: &Names, order: &mut [u32]) {
    let shared = shared_prefix(ids);
    let keyed = order.iter().map(|&place| (key(&ids.bytes(place as usize)[shared..]), place));
    let mut keyed: Vec<(u128, u32)> = keyed.collect();
    keyed.sort_unstable();
    for alike in keyed.chunk_by_mut(|a, b| a.0 == b.0).filter(|alike| alike.len() > 1) {
        alike.sort_unstable_by(|a, b| {
            ids.bytes(a.1 as usize).cmp(ids.bytes(b.1 as usize)).then(a.1.cmp(&b.1))
        });
    }
    order.iter_mut().zip(keyed).for_each(|(place, (_, found))| *place = found);
}

fn shared_prefix(ids: &Names) -> usize {
    let first = ids.bytes(0);
    (1..ids.len()).fold(first.len(), |shared, place| {
        if ids.bytes(place).starts_with(&first[..shared]) {
            return shared;
        }
        first[..shared].iter().zip(ids.bytes(place)).take_while(|(a, b)| a == b).count()
    })
}

fn key(rest: &[u8]) -> u128 {
    let mut start = [0; 16];
    let length = rest.len().min(16);
    start[..length].copy_from_slice(&rest[..length]);
    u128::from_be_bytes(start)
}

fn fold_twins(ids: &Names, order: &[u32], problems: &mut Vec<Problem>) -> Vec<u32> {
    let mut firsts: Vec<u32> = Vec::with_capacity(order.len());
    for twins in order.chunk_by(|&a, &b| ids.bytes(a as usize) == ids.bytes(b as usize)) {
        firsts.push(twins[0]);
        if twins.len() > 1 {
            let id = ids.get(twins[0] as usize).into();
            problems.push(Problem::DuplicatePipe { id, times: twins.len() });
        }
    }
    firsts
}

#[cfg(test)]
mod tests {
    use super::{Names, by_name};

    #[test]
    fn the_order_is_that_of_the_bytes_whatever_the_lengths() {
        let mut texts =
            vec!["p", "p\0", "p10", "p9", "p1", "p1-a-very-long-tail-b", "p1-a-very-long-tail-a", "pé"];
        let mut ids = Names::default();
        for text in &texts {
            ids.push(text);
        }
        let order = by_name(&ids, &mut Vec::new());
        texts.sort_unstable();
        assert_eq!(order.iter().map(|&place| ids.get(place as usize)).collect::<Vec<_>>(), texts);
    }

    #[test]
    fn a_name_given_twice_is_found() {
        let mut ids = Names::default();
        for text in ["b", "a", "b", "b"] {
            ids.push(text);
        }
        let mut problems = Vec::new();
        assert_eq!(by_name(&ids, &mut problems), [1, 0]);
        assert_eq!(problems[0].to_string(), "\"b\" is declared 3 times");
    }
}
