//! Who has a connection, who waits, and what must be done about it. Pure: it neither locks, wakes, runs nor reads a clock.
//!
//! Always true: there are at most `max` connections, however far each is from being made or gone; and somebody waits only
//! while no connection could be lent. Everything that changes the slots ends in [`Slots::pump`], which keeps both.

mod core;
mod line;
mod parts;
mod seat;
mod supply;
#[cfg(test)]
mod tests;
mod upkeep;

pub(crate) use self::core::{Refused, Slots, Wish};
pub(crate) use parts::{Conn, Lent, More, Outcome, Todo};
pub(crate) use seat::Seat;
