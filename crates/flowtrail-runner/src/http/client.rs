//! The client: one for all flows, so that connections are shared.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use flowtrail_types::ErrorKind;
use reqwest::header::HeaderMap;
use reqwest::{Client, Method, Response, StatusCode};
use rustls::{ClientConfig, RootCertStore};
use rustls_platform_verifier::BuilderVerifierExt;
use url::{Host, Url};

use super::address::Policy;
use super::failure::{Forbidden, HttpError};
use super::opened::{Opened, Received};
use super::redirect;
use super::resolver::CheckedResolver;

/// How many redirects are followed.
const MAX_REDIRECTS: usize = 5;

/// How long a connection may take to be made.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// A request.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    pub(crate) method: Method,
    pub(crate) url: Url,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Option<Vec<u8>>,
    /// The hosts that it may go to because of the secrets in it, by secret. Any when there are none.
    pub(crate) hosts: Vec<(String, Vec<String>)>,
}

impl Request {
    /// The first secret that may not go where the request goes.
    fn refused(&self) -> Option<&str> {
        let name = self.url.host_str().unwrap_or_default().trim_matches(['[', ']']).to_ascii_lowercase();
        let with_port = self.url.port_or_known_default().map(|port| format!("{name}:{port}"));
        let is_host = |listed: &String| {
            let listed = listed.to_ascii_lowercase();
            listed.replace(['[', ']'], "") == name || Some(listed.replace(['[', ']'], "")) == with_port
        };
        let refused = self.hosts.iter().find(|(_, hosts)| !hosts.iter().any(is_host));
        refused.map(|(secret, _)| secret.as_str())
    }
}

/// An HTTP client that goes only where flows may go. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct HttpClient {
    client: Result<Client, HttpError>,
    policy: Policy,
    max_body: usize,
}

impl HttpClient {
    /// A client that reads at most `max_body` bytes of a response, from addresses that the policy allows.
    pub(crate) fn new(policy: Policy, max_body: usize) -> Self {
        let client = Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .referer(false)
            // Bodies are decoded by what reads them, with limits of its own.
            .no_brotli()
            .no_deflate()
            .no_gzip()
            .no_zstd()
            .connect_timeout(CONNECT_TIMEOUT)
            .user_agent(concat!("flowtrail/", env!("CARGO_PKG_VERSION")))
            .dns_resolver(CheckedResolver { policy })
            .tls_backend_preconfigured(tls_config())
            .build();
        // A client that cannot be made is the failure of those who use it, not of the whole server.
        let client = client.map_err(|error| HttpError::of("the HTTP client", error));
        Self { client, policy, max_body }
    }

    /// Sends a request, and reads the response to its end. As [`open`](Self::open) otherwise.
    ///
    /// # Errors
    ///
    /// Those of [`open`](Self::open), and when the response is too large or breaks off.
    pub(crate) async fn send(
        &self,
        request: Request,
        stays: impl Fn(StatusCode) -> bool,
    ) -> Result<Received, HttpError> {
        self.open(request, stays).await?.read().await
    }

    /// Sends a request, and follows redirects unless `stays` says that their status is wanted as it is. Has no time
    /// limit of its own.
    ///
    /// # Errors
    ///
    /// When there is no answer, or it would come from where flows may not go.
    pub(crate) async fn open(
        &self,
        mut request: Request,
        stays: impl Fn(StatusCode) -> bool,
    ) -> Result<Opened, HttpError> {
        for _ in 0..=MAX_REDIRECTS {
            let spoken = spoken(&request.method, &request.url);
            let response = self.send_once(&request, &spoken).await?;
            let status = response.status();
            let target = redirect::target(&request.url, status, response.headers())
                .map_err(|problem| HttpError::new(ErrorKind::Network, format!("{spoken}: {problem}")))?;
            match target.filter(|_| !stays(status)) {
                Some(target) => redirect::follow(&mut request, status, target),
                None => return Opened::new(request.url, response, spoken, self.max_body),
            }
        }
        let message = format!("{} was redirected more than {MAX_REDIRECTS} times", host(&request.url));
        Err(HttpError::new(ErrorKind::Network, message))
    }

    async fn send_once(&self, request: &Request, spoken: &str) -> Result<Response, HttpError> {
        let client = self.client.as_ref().map_err(Clone::clone)?;
        self.check(&request.url)?;
        if let Some(secret) = request.refused() {
            let host = host(&request.url);
            let message =
                format!("the secret {secret} may not be sent to {host}: its `hosts` do not name it");
            return Err(HttpError::new(ErrorKind::Forbidden, message));
        }
        let mut sent = client.request(request.method.clone(), request.url.clone());
        sent = sent.headers(request.headers.clone());
        if let Some(body) = &request.body {
            sent = sent.body(body.clone());
        }
        sent.send().await.map_err(|error| HttpError::of(spoken, error))
    }

    /// Whether a URL may be asked, as far as it can be seen; what its name leads to, the resolver checks.
    fn check(&self, url: &Url) -> Result<(), HttpError> {
        let refuse = |message: String| Err(HttpError::new(ErrorKind::Forbidden, message));
        if !matches!(url.scheme(), "http" | "https") {
            return refuse(format!("only http and https can be called, and not {}:", url.scheme()));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return refuse("a URL with a user name or password cannot be called: use a header".to_owned());
        }
        let address: Option<IpAddr> = match url.host() {
            Some(Host::Ipv4(address)) => Some(address.into()),
            Some(Host::Ipv6(address)) => Some(address.into()),
            Some(Host::Domain(_)) | None => None,
        };
        match address.and_then(self.policy) {
            Some(reason) => Err(HttpError::from(&Forbidden { host: host(url), reason })),
            None => Ok(()),
        }
    }
}

/// A request for a person: method, origin and path, never the query.
pub(crate) fn spoken(method: &Method, url: &Url) -> String {
    format!("{method} {}://{}{}", url.scheme(), host(url), url.path())
}

fn host(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

/// Returns a TLS configuration that uses ring and trusts the system's certificates.
///
/// Every HTTP client of this workspace is built with it: a client without one panics unless the process happens to have
/// a default provider installed. ring needs no more than a C compiler to build.
#[must_use]
pub fn tls_config() -> ClientConfig {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = || {
        ClientConfig::builder_with_provider(provider.clone())
            .with_safe_default_protocol_versions()
            .unwrap_or_else(|error| unreachable!("ring knows the default versions: {error}"))
    };
    match builder().with_platform_verifier() {
        Ok(verified) => verified.with_no_client_auth(),
        Err(error) => {
            log::warn!("the system's certificates cannot be used, so https fails: {error}");
            builder().with_root_certificates(RootCertStore::empty()).with_no_client_auth()
        }
    }
}
