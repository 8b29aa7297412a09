//! Following redirects by hand, so that every hop is checked like the first.

use reqwest::header::{
    ACCEPT, ACCEPT_CHARSET, ACCEPT_ENCODING, ACCEPT_LANGUAGE, CACHE_CONTROL, CONTENT_ENCODING,
    CONTENT_LANGUAGE, CONTENT_LENGTH, CONTENT_TYPE, HeaderMap, HeaderName, LOCATION, USER_AGENT,
};
use reqwest::{Method, StatusCode};
use url::Url;

use super::client::Request;

/// Names of headers and query parameters that hold a credential.
const CREDENTIALS: [&str; 8] =
    ["authorization", "proxy-authorization", "cookie", "auth", "passwd", "pwd", "private-key", "session"];

/// Parts of a name that make it one.
const CREDENTIAL_PARTS: [&str; 7] =
    ["token", "secret", "password", "apikey", "api-key", "access-key", "auth-key"];

/// The headers that another origin is sent too. Any other may hold a secret, whatever it is called.
const HARMLESS: [HeaderName; 9] = [
    ACCEPT,
    ACCEPT_CHARSET,
    ACCEPT_ENCODING,
    ACCEPT_LANGUAGE,
    CACHE_CONTROL,
    CONTENT_ENCODING,
    CONTENT_LANGUAGE,
    CONTENT_TYPE,
    USER_AGENT,
];

/// Whether a header or query parameter of this name holds a credential.
pub(crate) fn is_credential(name: &str) -> bool {
    let name = name.to_ascii_lowercase().replace('_', "-");
    CREDENTIALS.contains(&name.as_str()) || CREDENTIAL_PARTS.iter().any(|part| name.contains(part))
}

/// Where a response sends the client, if it does.
///
/// # Errors
///
/// When it says so without a place that can be gone to.
pub(super) fn target(url: &Url, status: StatusCode, headers: &HeaderMap) -> Result<Option<Url>, String> {
    let is_redirect = matches!(status.as_u16(), 301 | 302 | 303 | 307 | 308);
    let Some(location) = headers.get(LOCATION).filter(|_| is_redirect) else { return Ok(None) };
    let location = location.to_str().map_err(|_| "a redirect to no URL".to_owned())?;
    url.join(location).map(Some).map_err(|error| format!("a redirect to no URL: {error}"))
}

/// Turns a request into the one that follows a redirect: as browsers do it (the Fetch standard, "HTTP-redirect
/// fetch"), and with nothing but harmless headers when another origin is asked.
pub(super) fn follow(request: &mut Request, status: StatusCode, target: Url) {
    let becomes_get = match status {
        StatusCode::MOVED_PERMANENTLY | StatusCode::FOUND => request.method == Method::POST,
        StatusCode::SEE_OTHER => request.method != Method::HEAD,
        _ => false,
    };
    if becomes_get {
        request.method = Method::GET;
        request.body = None;
        for header in [CONTENT_TYPE, CONTENT_LENGTH, CONTENT_ENCODING, CONTENT_LANGUAGE] {
            request.headers.remove(header);
        }
    }
    if target.origin() != request.url.origin() {
        let others: Vec<_> =
            request.headers.keys().filter(|name| !HARMLESS.contains(name)).cloned().collect();
        for name in others {
            request.headers.remove(name);
        }
    }
    request.url = target;
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request() -> Request {
        let mut headers = HeaderMap::new();
        for name in
            ["authorization", "cookie", "x-api-key", "x-shop", "accept", "accept-language", "content-type"]
        {
            headers.insert(name, "value".parse().unwrap());
        }
        let url = Url::parse("https://shop.example/orders").unwrap();
        Request { method: Method::POST, url, headers, body: Some(b"{}".to_vec()), hosts: Vec::new() }
    }

    #[test]
    fn what_may_be_secret_stays_with_its_origin() {
        let mut same = request();
        follow(&mut same, StatusCode::TEMPORARY_REDIRECT, Url::parse("https://shop.example/new").unwrap());
        assert_eq!((same.headers.len(), same.method), (7, Method::POST));
        for other in ["https://evil.example/", "http://shop.example/", "https://shop.example:8443/"] {
            let mut request = request();
            follow(&mut request, StatusCode::PERMANENT_REDIRECT, Url::parse(other).unwrap());
            let mut names: Vec<&str> = request.headers.keys().map(|name| name.as_str()).collect();
            names.sort_unstable();
            assert_eq!(names, ["accept", "accept-language", "content-type"], "{other}");
        }
    }

    #[test]
    fn a_post_that_is_sent_elsewhere_becomes_a_get() {
        let mut request = request();
        follow(&mut request, StatusCode::FOUND, Url::parse("https://shop.example/done").unwrap());
        assert_eq!(request.method, Method::GET);
        assert_eq!(request.body, None);
        assert!(!request.headers.contains_key("content-type"));
    }

    #[test]
    fn names_of_credentials_are_known() {
        for name in ["Authorization", "X-Api-Key", "api_key", "access_token", "COOKIE", "client_secret"] {
            assert!(is_credential(name), "{name}");
        }
        for name in ["accept", "content-type", "x-request-id", "page", "author"] {
            assert!(!is_credential(name), "{name}");
        }
    }
}
