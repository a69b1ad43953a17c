//! Who asks: the address of a connection, or the one that a trusted proxy tells.

use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;

use axum::http::HeaderMap;
use ipnet::IpNet;

const FORWARDED: &str = "x-forwarded-for";

/// The proxies whose `X-Forwarded-For` is believed: addresses and networks, separated by commas.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TrustedProxies(Vec<IpNet>);

impl FromStr for TrustedProxies {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let named = text.split(',').map(str::trim).filter(|name| !name.is_empty());
        let networks = named.map(|name| {
            let network = name.parse::<IpNet>();
            network.or_else(|_| name.parse::<IpAddr>().map(IpNet::from)).map_err(|_| ())
        });
        networks.collect::<Result<_, _>>().map(TrustedProxies)
    }
}

impl TrustedProxies {
    /// Whom a request over this connection is of: the first address that a trusted proxy names
    /// (`posthog.md` 1.3), else the other end.
    pub fn client(&self, peer: SocketAddr, headers: &HeaderMap) -> IpAddr {
        let peer = peer.ip().to_canonical();
        if !self.0.iter().any(|network| network.contains(&peer)) {
            return peer;
        }
        let told = headers.get(FORWARDED).and_then(|value| value.to_str().ok());
        told.and_then(|told| address(told.split(',').next()?)).unwrap_or(peer)
    }
}

/// An address that may have a port, and brackets.
fn address(text: &str) -> Option<IpAddr> {
    let text = text.trim();
    let bare = text.trim_start_matches('[').trim_end_matches(']');
    let plain = bare.parse().ok();
    plain.or_else(|| text.parse::<SocketAddr>().ok().map(|address| address.ip()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_trusted_proxy_is_believed() {
        let proxies: TrustedProxies = "127.0.0.0/8, ::1,10.1.2.3".parse().expect("networks");
        for (peer, forwarded, client) in [
            ("127.0.0.1:5", None, "127.0.0.1"),
            ("127.0.0.1:5", Some("203.0.113.7"), "203.0.113.7"),
            ("127.0.0.1:5", Some("203.0.113.7:1234, 10.0.0.1"), "203.0.113.7"),
            ("127.0.0.1:5", Some("[2001:db8::1]:1234"), "2001:db8::1"),
            ("[::1]:5", Some("2001:db8::1"), "2001:db8::1"),
            ("[::ffff:10.1.2.3]:5", Some("203.0.113.7"), "203.0.113.7"),
            ("10.1.2.4:5", Some("203.0.113.7"), "10.1.2.4"),
            ("127.0.0.1:5", Some("unknown"), "127.0.0.1"),
        ] {
            let mut headers = HeaderMap::new();
            headers.extend(forwarded.map(|told| {
                (axum::http::HeaderName::from_static(FORWARDED), told.parse().expect("a value"))
            }));
            let peer = peer.parse().expect("an address");
            assert_eq!(proxies.client(peer, &headers).to_string(), client, "{peer} {forwarded:?}");
        }
        for wrong in ["localhost", "10.0.0.0/33", "1.2.3"] {
            assert_eq!(wrong.parse::<TrustedProxies>(), Err(()), "{wrong}");
        }
    }
}
