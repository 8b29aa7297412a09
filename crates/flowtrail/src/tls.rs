//! Which cryptography HTTP clients use that do not choose themselves, such as the MCP SDK's.

/// Makes ring the process's provider of cryptography for TLS, unless it has one. To be called before an HTTP
/// client is made.
pub(crate) fn use_ring_for_tls() {
    // It fails when there is one already, and then that one is right.
    let _ = rustls::crypto::ring::default_provider().install_default();
}
