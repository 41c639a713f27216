//! The settings of a cache.

use std::time::Duration;

use exec_core::{FieldError, Operation, Scope};
use serde::{Deserialize, Serialize};

/// Answers are kept at most so long, whatever factors say.
pub(super) const LONGEST: Duration = Duration::from_secs(366 * 24 * 60 * 60);

/// What a [`Cache`](crate::Cache) keeps, for how long, and how much of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CacheConfig {
    /// The operations whose answers may be kept although no catalogue knows them. What a catalogue knows is decided by
    /// its spec alone. Default `chat` and `embed`.
    pub operations: Vec<Operation>,
    /// How long an answer of these operations is good. Default 1 h.
    #[serde(with = "exec_core::duration")]
    pub ttl: Duration,
    /// Who shares the answers of these operations. Default the callers of one tenant.
    pub scope: Scope,
    /// So long after its time an answer is still used at once, while one call fetches a new one. Default 0s: never.
    #[serde(with = "exec_core::duration")]
    pub stale_while_revalidate: Duration,
    /// So long after its time an answer is used when the call for a new one fails. Default 0s: never.
    #[serde(with = "exec_core::duration")]
    pub stale_if_error: Duration,
    /// How long a failure that the same request will always have is kept. Default: not at all.
    #[serde(with = "exec_core::duration::option", skip_serializing_if = "Option::is_none")]
    pub negative_ttl: Option<Duration>,
    /// Conversations with a higher temperature want a new answer each time. Default 0.9.
    pub max_temperature: f64,
    /// The time of a conversation's answer is multiplied by this if the caller says `isRepeated` in its metadata, unless
    /// everybody shares the answer. Default 2.
    pub repeated_factor: f64,
    /// The same if its temperature is above 0.8. Default 0.5.
    pub creative_factor: f64,
    /// The same if a system message contains the word `factual`. Default 3.
    pub factual_factor: f64,
    /// What all kept answers together may weigh, in bytes. Default 64 MiB.
    pub capacity_bytes: u64,
    /// What one answer may weigh, in bytes. A longer one is not kept, and nobody can join it once it is so long. Default
    /// 1 MiB.
    pub max_entry_bytes: u64,
    /// How long the store may take before a call goes on without it. Default 50ms.
    #[serde(with = "exec_core::duration")]
    pub store_timeout: Duration,
    /// So many calls may fetch new answers behind stale ones at once. Default 16.
    pub revalidations: usize,
    /// Such a call is given up after this time. Default 60s.
    #[serde(with = "exec_core::duration")]
    pub revalidate_timeout: Duration,
    /// So many invalidations are remembered one by one; older ones together. Default 4096.
    pub marks: usize,
}

impl Default for CacheConfig {
    fn default() -> Self {
        Self {
            operations: vec![Operation::CHAT, Operation::EMBED],
            ttl: Duration::from_secs(60 * 60),
            scope: Scope::Tenant,
            stale_while_revalidate: Duration::ZERO,
            stale_if_error: Duration::ZERO,
            negative_ttl: None,
            max_temperature: 0.9,
            repeated_factor: 2.0,
            creative_factor: 0.5,
            factual_factor: 3.0,
            capacity_bytes: 64 * 1024 * 1024,
            max_entry_bytes: 1024 * 1024,
            store_timeout: Duration::from_millis(50),
            revalidations: 16,
            revalidate_timeout: Duration::from_secs(60),
            marks: 4096,
        }
    }
}

impl CacheConfig {
    /// Everything that is wrong.
    pub(super) fn problems(&self) -> Vec<FieldError> {
        let mut found = Vec::new();
        let mut when = |wrong: bool, path: &str, text: &str| {
            if wrong {
                found.push(FieldError::new(path, "out_of_range", text));
            }
        };
        let times = [
            ("ttl", Some(self.ttl)),
            ("negative_ttl", self.negative_ttl),
            ("store_timeout", Some(self.store_timeout)),
            ("revalidate_timeout", Some(self.revalidate_timeout)),
        ];
        for (path, time) in times {
            let wrong = time.is_some_and(|time| time.is_zero() || time > LONGEST);
            when(wrong, path, "must be longer than 0s and at most 366 days");
        }
        for (path, window) in
            [("stale_while_revalidate", self.stale_while_revalidate), ("stale_if_error", self.stale_if_error)]
        {
            when(window > LONGEST, path, "must be at most 366 days");
        }
        for (path, factor) in [
            ("repeated_factor", self.repeated_factor),
            ("creative_factor", self.creative_factor),
            ("factual_factor", self.factual_factor),
        ] {
            when(!(0.0..=100.0).contains(&factor), path, "must be from 0 to 100");
        }
        let sensible = (0.0..=f64::INFINITY).contains(&self.max_temperature);
        when(!sensible, "max_temperature", "must not be less than 0");
        when(self.max_entry_bytes == 0, "max_entry_bytes", "must be at least 1");
        when(
            self.max_entry_bytes > self.capacity_bytes,
            "max_entry_bytes",
            "must not be more than `capacity_bytes`: it would never be kept",
        );
        when(self.marks == 0, "marks", "must be at least 1");
        let idle = self.revalidations == 0 && !self.stale_while_revalidate.is_zero();
        when(idle, "revalidations", "must be at least 1 with `stale_while_revalidate`");
        found
    }
}
