//! TLS as all managers have it: rustls with ring, and roots that the caller chooses.

use std::sync::Arc;

pub use tokio_rustls::rustls::{ClientConfig, RootCertStore};

/// A configuration that trusts `roots`. The cipher suites are named here, so that no default of the process is needed.
///
/// # Errors
/// Never with the features this crate is built with: the versions of TLS it asks for are there.
pub fn client_config(roots: RootCertStore) -> Result<ClientConfig, tokio_rustls::rustls::Error> {
    let provider = Arc::new(tokio_rustls::rustls::crypto::ring::default_provider());
    let versions = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    Ok(versions.with_root_certificates(roots).with_no_client_auth())
}
