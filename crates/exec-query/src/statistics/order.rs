//! Whether a field grows with the key, as times of arrival do: then its index leads to rows that lie side by side.

use crate::value::Value;

/// How much of a field's order is that of the keys, from 0 to 1: the square of Pearson's correlation. Text has none.
pub(super) fn follows_key<'a>(pairs: impl Iterator<Item = (Option<&'a Value>, Option<&'a Value>)>) -> f64 {
    let points: Vec<(f64, f64)> =
        pairs.filter_map(|(key, value)| Some((number(key?)?, number(value?)?))).collect();
    let many = points.len() as f64;
    if points.len() < 2 {
        return 0.0;
    }
    let sum = points.iter().fold((0.0, 0.0), |sum, (x, y)| (sum.0 + x, sum.1 + y));
    let mean = (sum.0 / many, sum.1 / many);
    let (mut both, mut keys, mut values) = (0.0, 0.0, 0.0);
    for (x, y) in points.iter().map(|(x, y)| (x - mean.0, y - mean.1)) {
        both += x * y;
        keys += x * x;
        values += y * y;
    }
    if keys * values > 0.0 { (both * both / (keys * values)).min(1.0) } else { 0.0 }
}

fn number(value: &Value) -> Option<f64> {
    match value {
        Value::Integer(value) => Some(*value as f64),
        Value::Real(value) => Some(*value),
        Value::Text(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(values: impl Fn(i64) -> i64) -> f64 {
        let pairs: Vec<(Value, Value)> = (0..1_000).map(|key| (key.into(), values(key).into())).collect();
        follows_key(pairs.iter().map(|(key, value)| (Some(key), Some(value))))
    }

    #[test]
    fn what_grows_or_falls_with_the_key_follows_it_and_the_rest_does_not() {
        assert!(of(|key| 1_767_225_600_000 + key * 5_000 + key * 37 % 60_000) > 0.99);
        assert!(of(|key| -key) > 0.99);
        assert!(of(|key| key * 7_919 % 1_000) < 0.05);
        assert!(of(|_| 3) < 0.01);
    }
}
