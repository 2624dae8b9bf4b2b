//! A typed client of the server's REST API, for agents and the command line.
//!
//! Every call has a time limit and reads a bounded answer. Whom it trusts is decided once ([`Trust`]): the system's authorities, one
//! private authority, or just the one certificate with a known fingerprint, as a server that made its own certificate has. What goes
//! wrong comes back as a [`ClientError`] that says whether trying again can help. The credential is never printed.

mod calls;
mod error;
mod trust;

use std::time::Duration;

use reqwest::{Method, RequestBuilder, Response};
use serde::Serialize;
use serde::de::DeserializeOwned;
use url::Url;

pub use error::ClientError;
pub use trust::{Fingerprint, Trust};

use crate::error::ErrorBody;

/// Longest time until a connection stands, TLS included.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Longest time for a call that the server does not hold back.
const CALL_TIMEOUT: Duration = Duration::from_secs(30);
/// No answer of ours is larger; a stranger's may be.
const ANSWER_BYTES_MAX: usize = 64 << 20;

/// A client of one server. Cheap to clone; clones share connections.
#[derive(Clone)]
pub struct Client {
    http: reqwest::Client,
    base: Url,
    /// A session-less credential: an agent's own, or an API token.
    credential: Option<String>,
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client")
            .field("base", &self.base.as_str())
            .field("credential", &self.credential.as_ref().map(|_| "(hidden)"))
            .finish()
    }
}

impl Client {
    /// A client of the server at `address` (`https://host:port`, with a path when it stands behind another server). Contacts nobody.
    ///
    /// # Errors
    /// [`ClientError::Unusable`] when address or trust cannot be used as they are.
    pub fn new(address: &str, trust: &Trust) -> Result<Self, ClientError> {
        let base = parse_address(address)?;
        let http = trust::builder(trust, base.scheme() == "https")?
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(CALL_TIMEOUT)
            // A proxy or a load balancer may drop idle connections without a word.
            .pool_idle_timeout(Duration::from_secs(30))
            .tcp_keepalive(Duration::from_secs(30))
            // A credential must not follow to wherever a stranger points.
            .redirect(reqwest::redirect::Policy::none())
            .user_agent(concat!("oplogue/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|error| ClientError::Unusable { what: format!("the connection to {base}"), reason: error::causes(&error) })?;
        Ok(Self { http, base, credential: None })
    }

    /// The same client speaking in the name of `credential`.
    #[must_use]
    pub fn with_credential(mut self, credential: impl Into<String>) -> Self {
        self.credential = Some(credential.into());
        self
    }

    /// The server's address, for people.
    pub fn address(&self) -> &str {
        self.base.as_str().trim_end_matches('/')
    }

    /// True when what is sent, the credential included, can be read on the way: no TLS, and not the same machine.
    pub fn is_exposed(&self) -> bool {
        let host = self.base.host_str().unwrap_or_default();
        let local = host == "localhost" || host.trim_matches(['[', ']']).parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback());
        self.base.scheme() != "https" && !local
    }

    pub async fn get<T: DeserializeOwned>(&self, path: &[&str], query: &[(&str, &str)]) -> Result<T, ClientError> {
        let mut url = self.url(path);
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        self.answered(Method::GET, path, self.http.get(url)).await
    }

    pub async fn post<I: Serialize + ?Sized, T: DeserializeOwned>(&self, path: &[&str], input: &I) -> Result<T, ClientError> {
        self.answered(Method::POST, path, self.http.post(self.url(path)).json(input)).await
    }

    pub async fn put<I: Serialize + ?Sized, T: DeserializeOwned>(&self, path: &[&str], input: &I) -> Result<T, ClientError> {
        self.answered(Method::PUT, path, self.http.put(self.url(path)).json(input)).await
    }

    /// Whatever the answer holds is not looked at.
    pub async fn delete(&self, path: &[&str], query: &[(&str, &str)]) -> Result<(), ClientError> {
        let mut url = self.url(path);
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        self.exchange(Method::DELETE, path, self.http.delete(url)).await.map(drop)
    }

    fn url(&self, path: &[&str]) -> Url {
        let mut url = self.base.clone();
        // `parse_address` has let only http and https in, which have paths.
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().push(crate::PREFIX.trim_start_matches('/')).extend(path);
        }
        url
    }

    async fn answered<T: DeserializeOwned>(&self, method: Method, path: &[&str], request: RequestBuilder) -> Result<T, ClientError> {
        let call = || format!("{method} /{}", path.join("/"));
        let body = self.exchange(method.clone(), path, request).await?;
        serde_json::from_slice(&body).map_err(|error| ClientError::Strange {
            call: call(),
            server: self.address().to_owned(),
            reason: format!("its answer could not be understood: {error}"),
        })
    }

    /// Sends and reads. Everything but a success is an error.
    async fn exchange(&self, method: Method, path: &[&str], request: RequestBuilder) -> Result<Vec<u8>, ClientError> {
        let call = format!("{method} /{}", path.join("/"));
        let request = match &self.credential {
            Some(credential) => request.bearer_auth(credential),
            None => request,
        };
        let failed = |error: reqwest::Error| error::sort(&call, self.address(), &error);
        let response = request.send().await.map_err(failed)?;
        let status = response.status();
        let body = match read(response).await.map_err(failed)? {
            Some(body) => body,
            None => {
                let reason = format!("its answer is larger than {} MiB", ANSWER_BYTES_MAX >> 20);
                return Err(ClientError::Strange { call, server: self.address().to_owned(), reason });
            }
        };
        if status.is_success() {
            return Ok(body);
        }
        match serde_json::from_slice::<ErrorBody>(&body) {
            Ok(body) => {
                Err(ClientError::Refused { call, server: self.address().to_owned(), status: status.as_u16(), body: Box::new(body) })
            }
            // A proxy in between, or another program altogether.
            Err(_) if matches!(status.as_u16(), 502..=504) => Err(ClientError::Unreachable {
                call,
                server: self.address().to_owned(),
                reason: format!("something in between says {status}"),
            }),
            Err(_) => {
                let reason = format!("it answered {status} in a way that Oplogue's server never does");
                Err(ClientError::Strange { call, server: self.address().to_owned(), reason })
            }
        }
    }
}

/// `None` when there is more than anybody should send.
async fn read(mut response: Response) -> Result<Option<Vec<u8>>, reqwest::Error> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await? {
        if body.len() + chunk.len() > ANSWER_BYTES_MAX {
            return Ok(None);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(Some(body))
}

fn parse_address(address: &str) -> Result<Url, ClientError> {
    let wrong = |reason: String| ClientError::Unusable { what: "the server's address".to_owned(), reason };
    let url = Url::parse(address.trim()).map_err(|error| wrong(format!("{error}: write https://host:port")))?;
    if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none_or(str::is_empty) {
        return Err(wrong("write https://host:port".to_owned()));
    }
    if !url.username().is_empty() || url.password().is_some() || url.query().is_some() || url.fragment().is_some() {
        return Err(wrong(
            "it is only https://host:port, perhaps with a path; names, passwords and queries do not belong into it".to_owned(),
        ));
    }
    Ok(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(address: &str) -> Result<Client, ClientError> {
        Client::new(address, &Trust::System)
    }

    #[test]
    fn paths_stand_below_the_address_and_cannot_leave_it() {
        for (address, path, expected) in [
            ("http://h:1", &["agent", "sync"][..], "http://h:1/v1/agent/sync"),
            ("http://h:1/", &["services"], "http://h:1/v1/services"),
            ("http://h:1/behind/a/proxy", &["services", "a/b?c"], "http://h:1/behind/a/proxy/v1/services/a%2Fb%3Fc"),
        ] {
            assert_eq!(client(address).expect("an address of the test").url(path).as_str(), expected);
        }
    }

    #[test]
    fn addresses_that_cannot_be_used_are_told_without_what_is_secret() {
        for address in ["", "h:1", "ftp://h", "https://", "https://u:hunter2@h", "https://h/?a=b", "nonsense"] {
            let error = client(address).expect_err(address).to_string();
            assert!(error.contains("https://host:port") && !error.contains("hunter2"), "{address}: {error}");
        }
    }

    #[test]
    fn only_plain_http_to_another_machine_is_exposed() {
        for (address, expected) in [
            ("http://127.0.0.1:8480", false),
            ("http://[::1]:8480", false),
            ("http://localhost", false),
            ("http://backup.example.com", true),
        ] {
            assert_eq!(client(address).expect("an address of the test").is_exposed(), expected, "{address}");
        }
    }
}
