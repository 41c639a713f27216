//! What a transport promises, whoever keeps its connections. The place that names this module says who it is.

use exec_providers::http::Pooling;

mod failures;
pub(crate) mod support;
mod tls;
mod transport;

/// Who keeps the connections in these tests.
const POOL: Pooling = pool!();
