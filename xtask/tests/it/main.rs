//! What the upstream sends, read by a client that knows nothing but TCP.
mod accounting;
mod anthropic;
mod breaks;
mod client;
mod embeddings;
mod failures;
mod openai;
mod shape;
mod timing;
