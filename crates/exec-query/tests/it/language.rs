//! The language: what is written is read, what is wrong is said at its place.
