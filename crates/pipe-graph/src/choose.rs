//! Which way of running suits a plan.
