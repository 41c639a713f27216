//! The server: an execution engine behind HTTP, and the command line around it.
//!
//! `exec-server` answers on `/api/v2/execution` (its own format), on `/v1/chat/completions`, `/v1/embeddings` and
//! `/v1/models` (OpenAI's), and on `/v1/messages` (Anthropic's), so that unmodified SDKs of both work against it. Without
//! any configuration it starts on `127.0.0.1:8080` with a simulator and with a real provider for every API key it finds
//! in the environment.
//!
//! ```no_run
//! use exec_server::{Config, Environment, Server};
//!
//! # #[tokio::main] async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let config = Config::from_environment(&Environment::of_process(), false)?;
//! let server = Server::bind(&config).await?;
//! println!("listening on http://{}", server.address());
//! server.run(std::future::pending()).await;
//! # Ok(()) }
//! ```

pub mod assemble;
pub mod cli;
pub mod config;
pub mod engine;
pub mod metrics;
pub mod routes;
mod serve;
pub mod shutdown;
pub mod status;
pub mod wire;

pub use self::config::{Config, Environment};
pub use self::engine::Engine;
pub use self::serve::{Server, StartError};
