//! Running a plan as streams.
