//! The address of the client: the peer's, unless a trusted proxy says otherwise.

use std::net::IpAddr;

use http::HeaderMap;

use super::forwarded;
use crate::config::{ClientIpLogging, TrustedProxies};

/// The peer's address, put into each request's extensions by the server.
#[derive(Debug, Clone, Copy)]
pub(super) struct Peer(pub(super) IpAddr);

/// The nearest address that is not one of our proxies. Their headers are read from the right,
/// because everything further left was written by somebody whom we do not know.
pub(super) fn client_address(
    peer: IpAddr,
    headers: &HeaderMap,
    trusted: &TrustedProxies,
) -> IpAddr {
    let mut client = peer.to_canonical();
    if !trusted.contains(client) {
        return client;
    }
    // The first hop that is not told as an address ends the walk: who is behind it is unknown.
    for address in forwarded::hops(headers).into_iter().map_while(|hop| hop) {
        client = address.to_canonical();
        if !trusted.contains(client) {
            break;
        }
    }
    client
}

/// The address as log lines may show it.
pub(super) fn logged(address: IpAddr, how: ClientIpLogging) -> Option<String> {
    match (how, address) {
        (ClientIpLogging::None, _) => None,
        (ClientIpLogging::Full, address) => Some(address.to_string()),
        (ClientIpLogging::Truncated, IpAddr::V4(v4)) => {
            let [a, b, c, _] = v4.octets();
            Some(format!("{a}.{b}.{c}.0/24"))
        }
        (ClientIpLogging::Truncated, IpAddr::V6(v6)) => {
            let [a, b, c, ..] = v6.segments();
            Some(format!("{}/48", std::net::Ipv6Addr::new(a, b, c, 0, 0, 0, 0, 0)))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Environment, Settings};

    fn client(peer: &str, forwarded: &[&'static str], trusted: &[&str]) -> String {
        let mut headers = HeaderMap::new();
        for value in forwarded {
            headers.append("x-forwarded-for", http::HeaderValue::from_static(value));
        }
        let list = trusted.join(",");
        let env = Environment::from_pairs([("BANGUI_TRUSTED_PROXIES", list)]);
        let trusted = Settings::read(env).unwrap().trusted_proxies;
        client_address(peer.parse().unwrap(), &headers, &trusted).to_string()
    }

    #[test]
    fn forwarding_headers_count_only_from_a_trusted_proxy() {
        assert_eq!(client("192.0.2.9", &["198.51.100.1"], &[]), "192.0.2.9");
        assert_eq!(client("192.0.2.9", &["198.51.100.1"], &["192.0.2.9"]), "198.51.100.1");
        let two = ["10.9.9.9, 198.51.100.1, 192.0.2.8"];
        assert_eq!(client("192.0.2.9", &two, &["192.0.2.9", "192.0.2.8"]), "198.51.100.1");
        let lines = ["10.9.9.9", "198.51.100.1"];
        assert_eq!(client("192.0.2.9", &lines, &["192.0.2.9"]), "198.51.100.1");
        assert_eq!(client("192.0.2.9", &["garbage"], &["192.0.2.9"]), "192.0.2.9");
        let behind = ["198.51.100.1, unknown, 192.0.2.8"];
        assert_eq!(client("192.0.2.9", &behind, &["192.0.2.0/24"]), "192.0.2.8");
    }

    #[test]
    fn addresses_are_shortened_as_configured() {
        let v6 = "2001:db8:1:2::3".parse().unwrap();
        let v4 = "192.0.2.77".parse().unwrap();
        assert_eq!(logged(v4, ClientIpLogging::Truncated).unwrap(), "192.0.2.0/24");
        assert_eq!(logged(v6, ClientIpLogging::Truncated).unwrap(), "2001:db8:1::/48");
        assert_eq!(logged(v4, ClientIpLogging::None), None);
    }
}
