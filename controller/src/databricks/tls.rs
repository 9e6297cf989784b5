//! Connections to Databricks: one pool for the process, no redirects, the proxy and certificate bundle the chart names.

use std::time::Duration;

use reqwest::redirect::Policy;

/// How the process reaches the outside.
#[derive(Debug, Clone, Default)]
pub struct HttpConfig {
    /// A PEM bundle trusted beside the system's certificates.
    pub extra_ca_bundle: Option<Vec<u8>>,
    /// A proxy for all requests; `None`: `HTTPS_PROXY`, `HTTP_PROXY` and `NO_PROXY` of the environment.
    pub proxy: Option<reqwest::Url>,
    /// Hosts reached without that proxy, as in `NO_PROXY`.
    pub no_proxy: Option<String>,
    /// Longest time to establish a connection; `None`: ten seconds.
    pub connect_timeout: Option<Duration>,
}

/// Why no connection pool could be made.
#[derive(Debug, thiserror::Error)]
pub enum HttpError {
    /// The extra certificate bundle is not PEM.
    #[error("the extra certificate bundle can't be read: {0}")]
    CaBundle(#[source] reqwest::Error),
    /// The proxy's address or the TLS library was refused.
    #[error("no HTTP client can be made: {0}")]
    Build(#[source] reqwest::Error),
}

/// Makes the connection pool shared by all [`Client`](super::Client)s. Redirects are never followed: credentials are attached.
///
/// # Errors
/// [`HttpError`] if the bundle is not PEM or the proxy can't be used.
pub fn connect(config: &HttpConfig) -> Result<reqwest::Client, HttpError> {
    let mut builder = reqwest::Client::builder()
        .user_agent(concat!("brickline/", env!("CARGO_PKG_VERSION")))
        .redirect(Policy::none())
        // The client repeats by its own rules.
        .retry(reqwest::retry::never())
        .connect_timeout(config.connect_timeout.unwrap_or(Duration::from_secs(10)));
    if let Some(pem) = &config.extra_ca_bundle {
        builder = builder.tls_certs_merge(reqwest::Certificate::from_pem_bundle(pem).map_err(HttpError::CaBundle)?);
    }
    if let Some(proxy) = &config.proxy {
        let beside = config.no_proxy.as_deref().and_then(reqwest::NoProxy::from_string);
        builder = builder.proxy(reqwest::Proxy::all(proxy.clone()).map_err(HttpError::Build)?.no_proxy(beside));
    }
    builder.build().map_err(HttpError::Build)
}
