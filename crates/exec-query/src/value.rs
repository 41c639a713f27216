//! Values: what fields hold and conditions compare with.

use std::cmp::Ordering;
use std::hash::{Hash, Hasher};

use serde::{Deserialize, Serialize};

/// A value as the store keeps it. What a number means (a time, an amount of money) the field's
/// [`Kind`](crate::Kind) says.
///
/// Values have a total order: integers, then reals, then text byte by byte, as SQLite's `BINARY` collation has it.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Value {
    /// A whole number, a truth value (0 or 1), an instant or an amount in its field's unit.
    Integer(i64),
    /// A finite floating-point number.
    Real(f64),
    /// Text.
    Text(String),
}

impl Value {
    /// The value as it would be read from a row.
    #[must_use]
    pub fn as_cell(&self) -> Cell<'_> {
        match self {
            Self::Integer(value) => Cell::Integer(*value),
            Self::Real(value) => Cell::Real(*value),
            Self::Text(value) => Cell::Text(value),
        }
    }
}

impl From<i64> for Value {
    fn from(value: i64) -> Self {
        Self::Integer(value)
    }
}

impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Self::Integer(value.into())
    }
}

impl From<f64> for Value {
    fn from(value: f64) -> Self {
        Self::Real(value)
    }
}

impl From<&str> for Value {
    fn from(value: &str) -> Self {
        Self::Text(value.to_owned())
    }
}

impl From<String> for Value {
    fn from(value: String) -> Self {
        Self::Text(value)
    }
}

impl Ord for Value {
    fn cmp(&self, other: &Self) -> Ordering {
        self.as_cell().order(&other.as_cell())
    }
}

impl PartialOrd for Value {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Value {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Value {}

impl Hash for Value {
    fn hash<H: Hasher>(&self, state: &mut H) {
        match self {
            Self::Integer(value) => value.hash(state),
            // Minus nought equals nought.
            Self::Real(value) => (value + 0.0).to_bits().hash(state),
            Self::Text(value) => value.hash(state),
        }
    }
}

/// What one field of one row holds; borrowed from the row.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Cell<'a> {
    /// Nothing. Comparisons with it are neither true nor false.
    Null,
    /// See [`Value::Integer`].
    Integer(i64),
    /// See [`Value::Real`].
    Real(f64),
    /// See [`Value::Text`].
    Text(&'a str),
}

impl<'a> Cell<'a> {
    /// The text, if it is one.
    #[must_use]
    pub fn text(self) -> Option<&'a str> {
        if let Self::Text(text) = self { Some(text) } else { None }
    }

    /// The value; `None` for null.
    #[must_use]
    pub fn to_value(self) -> Option<Value> {
        match self {
            Self::Null => None,
            Self::Integer(value) => Some(Value::Integer(value)),
            Self::Real(value) => Some(Value::Real(value)),
            Self::Text(value) => Some(Value::Text(value.to_owned())),
        }
    }

    /// The order of sorting: null first.
    pub(crate) fn order(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Self::Integer(a), Self::Integer(b)) => a.cmp(b),
            (Self::Real(a), Self::Real(b)) => a.partial_cmp(b).unwrap_or_else(|| a.total_cmp(b)),
            (Self::Text(a), Self::Text(b)) => a.cmp(b),
            _ => self.rank().cmp(&other.rank()),
        }
    }

    fn rank(&self) -> u8 {
        match self {
            Self::Null => 0,
            Self::Integer(_) => 1,
            Self::Real(_) => 2,
            Self::Text(_) => 3,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_order_is_total_and_nought_has_no_sign() {
        assert_eq!(Value::from(0.0), Value::from(-0.0));
        assert!(Value::from(1_i64) < Value::from(0.5) && Value::from(9.0) < Value::from(""));
        assert!(Cell::Null.order(&Cell::Integer(i64::MIN)).is_lt());
    }
}
