//! What every provider that speaks HTTP shares: a bounded transport, bodies that are not copied, and parsers for
//! streamed answers.
//!
//! ```no_run
//! use exec_providers::http::{OutgoingRequest, Transport, TransportConfig, encode_body};
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let transport = Transport::new(&TransportConfig::new("https://api.example.com/v1"))?;
//! let mut request = OutgoingRequest::post("/chat/completions", encode_body(&["a", "body"], &[])?);
//! request.secret_header(http::header::AUTHORIZATION, "Bearer key")?;
//! let answer = transport.send(request, None).await?;
//! let (status, text) = (answer.status, answer.bytes(1 << 20).await?);
//! println!("{status} {text:?}");
//! # Ok(())
//! # }
//! ```

mod config;
mod connector;
mod content;
mod error;
mod feed;
mod gate;
mod http1;
mod http2;
mod incoming;
pub mod json;
mod lease;
pub mod ndjson;
mod pool;
#[cfg(feature = "exec-pool")]
mod pooled;
mod request;
pub mod rope;
mod rounds;
mod source;
pub mod sse;
mod tasks;
mod transport;

pub use config::{Http2, Pooling, TransportConfig};
pub use error::{BoxError, TransportError};
pub use gate::TransportStats;
pub use incoming::{Incoming, IncomingBody};
pub use json::{Edit, JsonError, encode_body, splice};
pub use request::{OutgoingRequest, allow};
pub use rope::Body;
pub use rounds::Rounds;
pub use transport::Transport;
