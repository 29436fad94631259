//! The network address of who asks, also behind proxies.

use std::convert::Infallible;
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;

use axum::extract::{ConnectInfo, FromRequestParts};
use axum::http::HeaderMap;
use axum::http::request::Parts;

use crate::app::Hub;
use crate::guard::{Network, words};

/// Where a request comes from, if the server knows. A trusted proxy is believed about whom it stands for.
#[derive(Debug, Clone, Copy)]
pub struct Peer(pub Option<IpAddr>);

impl FromRequestParts<Hub> for Peer {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, hub: &Hub) -> Result<Self, Infallible> {
        let direct = parts.extensions.get::<ConnectInfo<SocketAddr>>();
        let direct = direct.map(|ConnectInfo(address)| address.ip());
        Ok(Self(direct.map(|address| hub.config.trusted_proxies.client(address, &parts.headers))))
    }
}

/// The proxies whose `X-Forwarded-For` is believed (`TRUNKLINE_TRUSTED_PROXIES`): addresses and networks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proxies {
    networks: Vec<Network>,
    /// The list as a person reads it.
    text: String,
}

impl Default for Proxies {
    fn default() -> Self {
        let (v4, v6) = (Network::v4(0x7f00_0000, 8), Network::v6(1, 128));
        Self { networks: vec![v4, v6], text: Self::LOOPBACK.to_owned() }
    }
}

impl fmt::Display for Proxies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl FromStr for Proxies {
    type Err = String;

    /// Reads addresses and networks set apart by commas or spaces; nothing means that no proxy is believed.
    fn from_str(text: &str) -> Result<Self, String> {
        let words = words(text);
        let networks = words.clone().map(network).collect::<Result<_, _>>()?;
        Ok(Self { networks, text: words.collect::<Vec<_>>().join(", ") })
    }
}

impl Proxies {
    /// The default: this machine only.
    pub const LOOPBACK: &str = "127.0.0.0/8, ::1";

    fn trusts(&self, address: IpAddr) -> bool {
        self.networks.iter().any(|network| network.has(address))
    }

    /// Who asks. Each proxy writes whom it heard behind what it was given, so the header is read from its end for as long as
    /// the one who wrote is trusted; what stands further ahead may be anybody's invention.
    fn client(&self, direct: IpAddr, headers: &HeaderMap) -> IpAddr {
        let lines = headers.get_all("x-forwarded-for").iter().rev();
        let heard = lines.flat_map(|line| line.to_str().unwrap_or("?").rsplit(',')).map(str::trim);
        let mut client = direct.to_canonical();
        for entry in heard.filter(|entry| !entry.is_empty()) {
            match address(entry) {
                Some(next) if self.trusts(client) => client = next,
                _ => break,
            }
        }
        client
    }
}

/// An entry of the header: some proxies write the port beside the address.
fn address(entry: &str) -> Option<IpAddr> {
    let bare = entry.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(entry);
    let address = bare.parse().or_else(|_| entry.parse::<SocketAddr>().map(|socket| socket.ip()));
    address.ok().map(|address: IpAddr| address.to_canonical())
}

/// An address or a network, but not of everybody.
fn network(word: &str) -> Result<Network, String> {
    let network: Network = word.parse()?;
    if network.has_all_of_v4() {
        return Err(format!("\"{word}\" trusts every address, and everybody could claim to be anybody"));
    }
    Ok(network)
}

#[cfg(test)]
mod tests {
    use axum::http::Request;
    use proptest::prelude::*;

    use super::*;
    use crate::app::testing::TestHub;
    use crate::db::testing::Engine;

    fn client(trusted: &str, direct: &str, lines: &[&str]) -> String {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append("x-forwarded-for", line.parse().unwrap());
        }
        trusted.parse::<Proxies>().unwrap().client(direct.parse().unwrap(), &headers).to_string()
    }

    #[test]
    fn the_client_is_the_right_most_address_that_is_not_trusted() {
        let trusted = "10.0.0.0/8, 192.0.2.7 2001:db8:1::/48";
        for (direct, lines, expected) in [
            // Who is not trusted says what they like.
            ("203.0.113.1", &["198.51.100.1"][..], "203.0.113.1"),
            ("127.0.0.1", &["198.51.100.1"], "127.0.0.1"),
            ("10.1.2.3", &[], "10.1.2.3"),
            ("10.1.2.3", &["198.51.100.1"], "198.51.100.1"),
            ("192.0.2.7", &["198.51.100.1"], "198.51.100.1"),
            ("192.0.2.8", &["198.51.100.1"], "192.0.2.8"),
            // Several proxies, over several lines; what the client wrote itself stands ahead.
            ("10.1.2.3", &["6.6.6.6, 198.51.100.1, 192.0.2.7"], "198.51.100.1"),
            ("10.1.2.3", &["6.6.6.6", "198.51.100.1", "192.0.2.7 , 10.9.9.9"], "198.51.100.1"),
            ("10.1.2.3", &["10.6.6.6, 198.51.100.1"], "198.51.100.1"),
            // Inside the network everybody is trusted: the first of the chain.
            ("10.1.2.3", &["10.0.0.9, 10.0.0.8"], "10.0.0.9"),
            // Both forms of IPv4 are one; IPv6, ports, empty elements.
            ("::ffff:10.1.2.3", &["::ffff:198.51.100.1"], "198.51.100.1"),
            ("2001:db8:1::5", &["2001:db8:2::1"], "2001:db8:2::1"),
            ("2001:db8:2::5", &["198.51.100.1"], "2001:db8:2::5"),
            ("10.1.2.3", &["198.51.100.1:4711"], "198.51.100.1"),
            ("10.1.2.3", &["[2001:db8:2::1]:4711"], "2001:db8:2::1"),
            ("10.1.2.3", &["[2001:db8:2::1]"], "2001:db8:2::1"),
            ("10.1.2.3", &["198.51.100.1, ,"], "198.51.100.1"),
            // What cannot be read ends the chain at the proxy that wrote it.
            ("10.1.2.3", &["198.51.100.1, unknown"], "10.1.2.3"),
            ("10.1.2.3", &["198.51.100.1, unknown, 10.0.0.8"], "10.0.0.8"),
            ("10.1.2.3", &["198.51.100.1, 300.1.1.1"], "10.1.2.3"),
            ("10.1.2.3", &["198.51.100.1", "\u{e9}"], "10.1.2.3"),
        ] {
            assert_eq!(client(trusted, direct, lines), expected, "{direct} {lines:?}");
        }
        assert_eq!(client("", "127.0.0.1", &["198.51.100.1"]), "127.0.0.1");
        assert_eq!(client("::ffff:10.0.0.0/104", "10.1.2.3", &["198.51.100.1"]), "198.51.100.1");
    }

    #[test]
    fn a_list_is_read_or_refused_with_the_word_that_is_wrong() {
        assert_eq!(Proxies::LOOPBACK.parse(), Ok(Proxies::default()));
        assert_eq!(" 10.0.0.0/8,,::1 ".parse::<Proxies>().unwrap().to_string(), "10.0.0.0/8, ::1");
        for (wrong, why) in [
            ("10.0.0.0/33", "neither"),
            ("10.0.0.0/", "neither"),
            ("10.0.0.0/-1", "neither"),
            ("10.0.0/8", "neither"),
            ("proxy.example", "neither"),
            ("2001:db8::/129", "neither"),
            ("10.0.0.1/8", "behind its prefix"),
            ("2001:db8::1/32", "behind its prefix"),
            ("0.0.0.0/0", "every address"),
            ("::/0", "every address"),
            ("::ffff:0.0.0.0/96", "every address"),
        ] {
            let refused = format!("127.0.0.1, {wrong}").parse::<Proxies>().unwrap_err();
            assert!(refused.contains(&format!("\"{wrong}\"")) && refused.contains(why), "{refused}");
        }
    }

    proptest! {
        #[test]
        fn nobody_can_pass_for_another(
            invented in proptest::collection::vec("[ -~]{0,40}", 0..4),
            real in any::<IpAddr>(),
            hops in proptest::collection::vec(any::<u16>(), 0..4),
        ) {
            let trusted = "10.20.0.0/16";
            let hop = |n: &u16| format!("10.20.{}.{}", n >> 8, n & 255);
            prop_assume!(!trusted.parse::<Proxies>().unwrap().trusts(real));
            let heard: Vec<String> = std::iter::once(real.to_string()).chain(hops.iter().map(hop)).collect();
            let written = invented.iter().chain(&heard).map(String::as_str).collect::<Vec<_>>().join(",");
            prop_assert_eq!(client(trusted, "10.20.0.1", &[&written]), real.to_canonical().to_string());
            // Without a proxy between, nothing they write counts.
            prop_assert_eq!(client(trusted, &real.to_string(), &[&written]), real.to_canonical().to_string());
        }
    }

    #[tokio::test]
    async fn a_request_is_judged_by_the_hubs_setting() {
        let test = TestHub::new(Engine::Sqlite).await.unwrap();
        let peer = async |direct: &str| {
            let request = Request::get("/").header("x-forwarded-for", "198.51.100.1").body(()).unwrap();
            let mut parts = request.into_parts().0;
            let direct: IpAddr = direct.parse().unwrap();
            parts.extensions.insert(ConnectInfo(SocketAddr::new(direct, 4711)));
            let Ok(peer) = Peer::from_request_parts(&mut parts, &test.hub).await;
            peer.0.unwrap().to_string()
        };
        assert_eq!(peer("127.0.0.1").await, "198.51.100.1", "by default this machine is trusted");
        assert_eq!(peer("::ffff:127.0.0.1").await, "198.51.100.1");
        assert_eq!(peer("10.0.0.1").await, "10.0.0.1", "and nobody else");
        test.close().await;
    }
}
