//! What the upstream sends, read by a client that knows nothing but TCP.
#[cfg(test)]
mod accounting;
#[cfg(test)]
mod anthropic;
#[cfg(test)]
mod breaks;
#[cfg(test)]
mod client;
#[cfg(test)]
mod embeddings;
#[cfg(test)]
mod failures;
#[cfg(test)]
mod openai;
#[cfg(test)]
mod process;
#[cfg(test)]
mod shape;
#[cfg(test)]
mod timing;
