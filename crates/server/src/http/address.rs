//! Where a request came from.

use std::net::{IpAddr, SocketAddr};

use axum::extract::ConnectInfo;
use axum::http::{Extensions, HeaderMap};

use crate::config::ServerConfig;

/// The address for limits and the audit log; empty when there is no connection, as in tests.
///
/// A proxy is believed when it runs on this machine and the server was told that one stands before it (`public_url`). Only what the
/// proxy itself added last counts: everything before it was sent by the caller.
pub fn of(config: &ServerConfig, extensions: &Extensions, headers: &HeaderMap) -> String {
    let Some(ConnectInfo(peer)) = extensions.get::<ConnectInfo<SocketAddr>>() else {
        return String::new();
    };
    let peer = peer.ip().to_canonical();
    if !peer.is_loopback() || config.public_url.is_none() {
        return peer.to_string();
    }
    forwarded(headers).unwrap_or(peer).to_string()
}

fn forwarded(headers: &HeaderMap) -> Option<IpAddr> {
    let last = headers.get_all("x-forwarded-for").into_iter().next_back()?;
    last.to_str().ok()?.rsplit(',').next()?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_the_proxy_added_last_is_believed() {
        let mut headers = HeaderMap::new();
        assert_eq!(forwarded(&headers), None);
        headers.append("x-forwarded-for", "1.2.3.4".parse().expect("a value"));
        headers.append("x-forwarded-for", "5.6.7.8, 2001:db8::1".parse().expect("a value"));
        assert_eq!(forwarded(&headers), Some("2001:db8::1".parse().expect("an address")));
        headers.append("x-forwarded-for", "nonsense".parse().expect("a value"));
        assert_eq!(forwarded(&headers), None);
    }
}
