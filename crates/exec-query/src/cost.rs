//! What things cost: a few constants, measured on the machine and the store at hand.

mod calibration;

use serde::{Deserialize, Serialize};

pub use calibration::Calibration;

/// What single steps cost, in nanoseconds.
///
/// The defaults are those of a store in memory on a small server. Only how they compare decides between plans; a
/// [`Calibration`] makes them those of the store at hand.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct CostModel {
    /// Beginning and ending a statement that is prepared already.
    pub statement: f64,
    /// The next row of the table, in the order of keys.
    pub table_row: f64,
    /// The next entry of an index.
    pub index_row: f64,
    /// Finding a row by its key.
    pub seek: f64,
    /// One comparison.
    pub compare: f64,
    /// Checking the words of a row: once, and for each byte.
    pub check: f64,
    /// See [`CostModel::check`].
    pub check_byte: f64,
    /// Looking for a substring, for each byte.
    pub substring_byte: f64,
    /// Beginning a search in a text index.
    pub text_open: f64,
    /// The next row of a text index.
    pub text_row: f64,
    /// Asking a text index about one row.
    pub probe: f64,
    /// Keeping one row in order.
    pub sort_row: f64,
    /// Looking at one row in memory.
    pub memory_row: f64,
}

impl Default for CostModel {
    fn default() -> Self {
        Self {
            statement: 6_000.0,
            table_row: 120.0,
            index_row: 60.0,
            seek: 500.0,
            compare: 30.0,
            check: 250.0,
            check_byte: 5.0,
            substring_byte: 2.5,
            text_open: 12_000.0,
            text_row: 60.0,
            probe: 15_000.0,
            sort_row: 300.0,
            memory_row: 40.0,
        }
    }
}
