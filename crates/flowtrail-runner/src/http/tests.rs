//! Redirects, with a policy under which one local address is the public internet and all others are not.

use std::net::{IpAddr, Ipv4Addr};

use flowtrail_types::ErrorKind;
use reqwest::Method;
use reqwest::header::HeaderMap;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use url::Url;

use super::{HttpClient, HttpError, Request};

fn only_one(address: IpAddr) -> Option<&'static str> {
    (address != IpAddr::V4(Ipv4Addr::LOCALHOST)).then_some("private")
}

/// Asks a server that sends everybody to `location`.
async fn redirected_to(location: &str) -> Result<u16, HttpError> {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let location = location.replace("PORT", &port.to_string());
    let server = tokio::spawn(async move {
        for head in [format!("302 Found\r\nlocation: {location}"), "200 OK".to_owned()] {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = [0; 4096];
            assert!(stream.read(&mut request).await.unwrap() > 0);
            let answer = format!("HTTP/1.1 {head}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
            stream.write_all(answer.as_bytes()).await.unwrap();
        }
    });
    let url = Url::parse(&format!("http://127.0.0.1:{port}/")).unwrap();
    let request =
        Request { method: Method::GET, url, headers: HeaderMap::new(), body: None, hosts: Vec::new() };
    let received = HttpClient::new(only_one, 1000).send(request, |_| false).await;
    server.abort();
    received.map(|received| received.status.as_u16())
}

#[tokio::test]
async fn a_redirect_goes_where_a_request_may_go() {
    assert_eq!(redirected_to("http://127.0.0.1:PORT/there").await, Ok(200));
    assert_eq!(redirected_to("/there").await, Ok(200));
}

#[tokio::test]
async fn a_redirect_to_a_forbidden_address_is_refused() {
    for location in
        ["http://127.0.0.2:PORT/", "http://[::1]:PORT/", "//169.254.169.254/latest", "http://10.0.0.1/"]
    {
        let error = redirected_to(location).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::Forbidden, "{location}: {error:?}");
    }
    let error = redirected_to("gopher://127.0.0.1:PORT/").await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Forbidden);
}
