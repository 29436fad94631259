//! The one HTTP client for addresses that a tenant, a friend or a remote system supplies (ARCHITECTURE section 7).
//!
//! An address is judged twice: as text, because a literal IP never reaches a resolver, and after resolution, by the
//! resolver that the connection itself uses, so that a name cannot answer one thing to a check and another to the
//! connection. Proxies from the environment are ignored and redirects are not followed. Nothing but public addresses
//! is reached, by https; where the operator allows private ones, those by http too, and link-local, metadata and the hub's
//! own listeners stay refused.

mod networks;

use std::collections::HashMap;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::sync::{Arc, OnceLock, PoisonError, RwLock};
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream::BoxStream;
use futures_util::{StreamExt as _, TryStreamExt as _};
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::{Client, Method, RequestBuilder, Response, StatusCode, header, redirect};
use url::{Host, Url};

pub(crate) use networks::words;
pub use networks::{Inside, Network};

/// How long a connection may take to be made.
const CONNECT: Duration = Duration::from_secs(5);
/// The longest address accepted, in bytes.
const URL_MAX: usize = 2000;
/// What is private, or this machine.
const PRIVATE: [Network; 7] = [
    Network::v4(0x0a00_0000, 8),
    Network::v4(0x7f00_0000, 8),
    Network::v4(0xac10_0000, 12),
    Network::v4(0xc0a8_0000, 16),
    // The carriers' own (RFC 6598).
    Network::v4(0x6440_0000, 10),
    Network::v6(1, 128),
    Network::v6(0xfc00 << 112, 7),
];

/// Why a text is no address that the hub calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Flaw {
    /// Nothing.
    #[error("it is empty")]
    Empty,
    /// More than 2,000 bytes.
    #[error("it is longer than 2,000 bytes")]
    TooLong,
    /// What a URL cannot hold, and what some readers of URLs would silently drop.
    #[error("it holds white space, a backslash or a control character")]
    Blank,
    /// Nothing stands before the host.
    #[error("it does not begin with https://")]
    NoScheme,
    /// Neither https nor, where the operator has a network of its own, http.
    #[error("it does not begin with https://")]
    Scheme,
    /// Nothing goes to the Internet in clear.
    #[error("http:// is for addresses inside the operator's network only, and it is outside")]
    InClear,
    /// They belong into headers.
    #[error("it holds a user name or a password")]
    Credentials,
    /// No URL, or one without host.
    #[error("it is not a URL")]
    NotUrl,
}

impl Flaw {
    /// The word of the API and of pages for it.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Empty => "required",
            Self::TooLong => "too_long",
            Self::Blank => "blank",
            Self::NoScheme => "no_scheme",
            Self::Scheme | Self::InClear => "scheme",
            Self::Credentials => "credentials",
            Self::NotUrl => "not_usable",
        }
    }
}

/// Why an address was not reached. The words tell nothing about what is inside the operator's network.
#[derive(Debug, thiserror::Error)]
pub enum GuardError {
    /// The text is not an address that the hub calls.
    #[error("address is not usable: {0}")]
    Address(Flaw),
    /// It leads to where the hub must not go.
    #[error("address leads into a network that is not public")]
    Forbidden,
    /// It cannot be reached, or did not answer in time.
    #[error("address cannot be reached")]
    Unreachable(#[source] reqwest::Error),
    /// It answered with something else than the content.
    #[error("address answered with status {0}")]
    Status(StatusCode),
    /// There is more content than the caller allowed.
    #[error("content is larger than {0} bytes")]
    TooLarge(u64),
    /// The client cannot be made.
    #[error("HTTP client cannot be made")]
    Client(#[source] reqwest::Error),
}

impl GuardError {
    /// Whether the same address may work later.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Unreachable(_) => true,
            Self::Status(status) => status.is_server_error() || matches!(status.as_u16(), 408 | 425 | 429),
            Self::Address(_) | Self::Forbidden | Self::TooLarge(_) | Self::Client(_) => false,
        }
    }
}

/// Content being fetched.
pub struct Fetched {
    /// `Content-Type` as the other side says it; not to be trusted.
    pub content_type: Option<String>,
    /// `Content-Length`, where it was sent.
    pub length: Option<u64>,
    /// The bytes; ends with an error when there are more than allowed or the time is up.
    pub body: BoxStream<'static, Result<Bytes, GuardError>>,
}

impl fmt::Debug for Fetched {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fetched").field("content_type", &self.content_type).finish_non_exhaustive()
    }
}

/// The guarded client. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Guard(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    listeners: Listeners,
    names: Names,
    /// Connections are never shared between them.
    clients: RwLock<HashMap<Way, Client>>,
}

/// What a client is for.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Way {
    inside: Inside,
    /// `http://`.
    is_plain: bool,
    /// The port of an own listener.
    own_port: bool,
}

/// What names resolve to, where a test says so.
type Says = dyn Fn(&str) -> Vec<IpAddr> + Send + Sync;

/// The system's resolver, or a test's.
#[derive(Clone, Default)]
struct Names(Arc<OnceLock<Box<Says>>>);

impl fmt::Debug for Names {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Names").finish_non_exhaustive()
    }
}

impl Names {
    async fn of(&self, name: &str) -> std::io::Result<Vec<SocketAddr>> {
        match self.0.get() {
            Some(says) => Ok(says(name).into_iter().map(|ip| SocketAddr::new(ip, 0)).collect()),
            None => Ok(tokio::net::lookup_host((name, 0)).await?.collect()),
        }
    }
}

/// The hub's own listening addresses.
#[derive(Debug, Clone, Default)]
struct Listeners(Arc<RwLock<Vec<SocketAddr>>>);

impl Guard {
    /// A guard that knows no own listener yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Names an address on which this process listens; it is refused from now on, whatever else is allowed.
    pub fn refuse_listener(&self, address: SocketAddr) {
        self.0.listeners.0.write().unwrap_or_else(PoisonError::into_inner).push(address);
    }

    /// Resolves names so from now on, instead of asking the system; once only.
    #[cfg(any(test, feature = "testing"))]
    pub fn resolve_by(&self, says: impl Fn(&str) -> Vec<IpAddr> + Send + Sync + 'static) {
        let set = self.0.names.0.set(Box::new(says));
        assert!(set.is_ok(), "names are resolved by a test already");
    }

    /// Reads and judges an address, as far as that is possible without resolving its name. For forms: a refusal at
    /// the moment of typing. The connection is judged again.
    ///
    /// # Errors
    /// `Address` or `Forbidden`.
    pub fn check(&self, address: &str, inside: &Inside) -> Result<Url, GuardError> {
        let flawed = |flaw| Err(GuardError::Address(flaw));
        if address.is_empty() {
            return flawed(Flaw::Empty);
        }
        if address.len() > URL_MAX {
            return flawed(Flaw::TooLong);
        }
        // `url` would silently drop some of them.
        if address.chars().any(|c| c.is_control() || c.is_whitespace() || c == '\\') {
            return flawed(Flaw::Blank);
        }
        if !address.contains("://") {
            return flawed(Flaw::NoScheme);
        }
        let url = Url::parse(address).map_err(|_| GuardError::Address(Flaw::NotUrl))?;
        let is_plain = match url.scheme() {
            "https" => false,
            "http" if inside.is_any() => true,
            _ => return flawed(Flaw::Scheme),
        };
        if !url.username().is_empty() || url.password().is_some() {
            return flawed(Flaw::Credentials);
        }
        let port = url.port_or_known_default();
        let ip = match url.host().ok_or(GuardError::Address(Flaw::NotUrl))? {
            Host::Ipv4(ip) => IpAddr::V4(ip),
            Host::Ipv6(ip) => IpAddr::V6(ip),
            Host::Domain(name) => {
                let name = name.trim_end_matches('.');
                // Tells where a listener of this machine is, before anything is resolved.
                if name == "localhost" || name.ends_with(".localhost") {
                    IpAddr::V4(Ipv4Addr::LOCALHOST)
                } else {
                    let may_be = match reach_by_name(name) {
                        Reach::Public => true,
                        Reach::Private => inside.is_any(),
                        Reach::Never => false,
                    };
                    return if may_be { Ok(url) } else { Err(GuardError::Forbidden) };
                }
            }
        };
        if !may_reach(ip, inside) || self.0.listeners.own(ip, port) {
            return Err(GuardError::Forbidden);
        }
        if is_plain && reach(ip) == Reach::Public {
            return flawed(Flaw::InClear);
        }
        Ok(url)
    }

    /// Whether an address names one of the hub's own listeners, as far as that is to be seen without resolving its name.
    #[must_use]
    pub fn is_own(&self, url: &Url, inside: &Inside) -> bool {
        let ip = match url.host() {
            Some(Host::Ipv4(ip)) => IpAddr::V4(ip),
            Some(Host::Ipv6(ip)) => IpAddr::V6(ip),
            Some(Host::Domain("localhost")) => IpAddr::V4(Ipv4Addr::LOCALHOST),
            Some(Host::Domain(_)) | None => return false,
        };
        may_reach(ip, inside) && self.0.listeners.own(ip, url.port_or_known_default())
    }

    /// A request to an address that was judged; the caller adds headers, body and a timeout, and sends it.
    ///
    /// # Errors
    /// As [`Guard::check`].
    pub fn request(
        &self,
        method: Method,
        address: &str,
        inside: &Inside,
    ) -> Result<RequestBuilder, GuardError> {
        let url = self.check(address, inside)?;
        let way = Way {
            inside: inside.clone(),
            is_plain: url.scheme() == "http",
            own_port: self.0.listeners.has_port(url.port_or_known_default()),
        };
        Ok(self.client(way)?.request(method, url))
    }

    /// Fetches the content at an address, at most `max` bytes, all of it within `timeout`.
    ///
    /// # Errors
    /// See [`GuardError`]; a redirect is `Status`.
    pub async fn fetch(
        &self,
        address: &str,
        inside: &Inside,
        max: u64,
        timeout: Duration,
    ) -> Result<Fetched, GuardError> {
        let response =
            self.request(Method::GET, address, inside)?.timeout(timeout).send().await.map_err(fault)?;
        if response.status() != StatusCode::OK {
            return Err(GuardError::Status(response.status()));
        }
        if response.content_length().is_some_and(|length| length > max) {
            return Err(GuardError::TooLarge(max));
        }
        Ok(Fetched {
            content_type: content_type(&response),
            length: response.content_length(),
            body: capped(response, max),
        })
    }

    fn client(&self, way: Way) -> Result<Client, GuardError> {
        if let Some(client) = self.0.clients.read().unwrap_or_else(PoisonError::into_inner).get(&way) {
            return Ok(client.clone());
        }
        let listeners = way.own_port.then(|| self.0.listeners.clone());
        let client = Client::builder()
            .dns_resolver(Guarded { way: way.clone(), listeners, names: self.0.names.clone() })
            .redirect(redirect::Policy::none())
            .no_proxy()
            .referer(false)
            // The doctor reads how long the certificate of the public address lasts.
            .tls_info(true)
            .connect_timeout(CONNECT)
            .user_agent(concat!("trunkline/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(GuardError::Client)?;
        let mut clients = self.0.clients.write().unwrap_or_else(PoisonError::into_inner);
        Ok(clients.entry(way).or_insert(client).clone())
    }
}

fn content_type(response: &Response) -> Option<String> {
    response.headers().get(header::CONTENT_TYPE)?.to_str().ok().map(str::to_owned)
}

fn capped(response: Response, max: u64) -> BoxStream<'static, Result<Bytes, GuardError>> {
    let mut seen = 0_u64;
    response
        .bytes_stream()
        .map_err(fault)
        .and_then(move |bytes| {
            seen = seen.saturating_add(u64::try_from(bytes.len()).unwrap_or(u64::MAX));
            std::future::ready(if seen > max { Err(GuardError::TooLarge(max)) } else { Ok(bytes) })
        })
        .boxed()
}

/// Whether the resolver's refusal is behind a failed request.
pub(crate) fn fault(error: reqwest::Error) -> GuardError {
    let mut cause = std::error::Error::source(&error);
    while let Some(inner) = cause {
        if inner.is::<NotPublic>() {
            return GuardError::Forbidden;
        }
        if inner.is::<InClear>() {
            return GuardError::Address(Flaw::InClear);
        }
        cause = inner.source();
    }
    GuardError::Unreachable(error.without_url())
}

impl Listeners {
    fn has_port(&self, port: Option<u16>) -> bool {
        let listeners = self.0.read().unwrap_or_else(PoisonError::into_inner);
        port.is_some_and(|port| listeners.iter().any(|listener| listener.port() == port))
    }

    /// Whether `ip` (with `port`, where it is known) is one of the listeners.
    fn own(&self, ip: IpAddr, port: Option<u16>) -> bool {
        let listeners = self.0.read().unwrap_or_else(PoisonError::into_inner);
        listeners.iter().any(|listener| {
            port.is_none_or(|port| port == listener.port())
                && (listener.ip().to_canonical() == ip.to_canonical()
                    || (listener.ip().is_unspecified() && is_of_this_machine(ip)))
        })
    }
}

/// Only an address of this machine can be bound.
fn is_of_this_machine(ip: IpAddr) -> bool {
    ip.is_loopback() || UdpSocket::bind((ip, 0)).is_ok()
}

/// Nothing that the name resolves to may be reached.
#[derive(Debug, thiserror::Error)]
#[error("name leads into a network that is not public")]
struct NotPublic;

/// What the name resolves to is in the Internet, and the address is an http one.
#[derive(Debug, thiserror::Error)]
#[error("{}", Flaw::InClear)]
struct InClear;

/// The resolver of a guarded client: the system's answers without those that are refused. It is not told the port;
/// therefore requests to a port on which the hub listens have a client of their own, which knows the listeners.
struct Guarded {
    way: Way,
    listeners: Option<Listeners>,
    names: Names,
}

impl Resolve for Guarded {
    fn resolve(&self, name: Name) -> Resolving {
        let (way, listeners, names) = (self.way.clone(), self.listeners.clone(), self.names.clone());
        Box::pin(async move {
            let mut allowed = names.of(name.as_str()).await?;
            let none = allowed.is_empty();
            allowed.retain(|address| {
                let is_own = listeners.as_ref().is_some_and(|listeners| listeners.own(address.ip(), None));
                may_reach(address.ip(), &way.inside) && !is_own
            });
            if allowed.is_empty() && !none {
                return Err(NotPublic.into());
            }
            if way.is_plain {
                allowed.retain(|address| reach(address.ip()) == Reach::Private);
                if allowed.is_empty() && !none {
                    return Err(InClear.into());
                }
            }
            Ok(Box::new(allowed.into_iter()) as Addrs)
        })
    }
}

/// Where an address leads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reach {
    /// Anywhere in the public Internet.
    Public,
    /// Inside the operator's network or this machine.
    Private,
    /// Where no destination is: link-local, metadata, multicast, reserved, and forms that hide another address.
    Never,
}

/// Whether an address may be reached, by https.
fn may_reach(ip: IpAddr, inside: &Inside) -> bool {
    match reach(ip) {
        Reach::Public => true,
        Reach::Private => inside.allows(ip),
        Reach::Never => false,
    }
}

/// Names that say by themselves where they lead; all others are judged by what they resolve to.
fn reach_by_name(name: &str) -> Reach {
    const METADATA: [&str; 5] = [
        "metadata.google.internal",
        "metadata.goog",
        "metadata.tencentyun.com",
        "instance-data",
        "instance-data.ec2.internal",
    ];
    // RFC 6762, RFC 8375, ICANN's name for private use, and what resolves by a search list only.
    const INSIDE: [&str; 5] = [".local", ".internal", ".localdomain", ".home.arpa", ".lan"];
    if METADATA.contains(&name) {
        Reach::Never
    } else if !name.contains('.') || INSIDE.iter().any(|end| name.ends_with(end)) {
        Reach::Private
    } else {
        Reach::Public
    }
}

fn reach(ip: IpAddr) -> Reach {
    match ip {
        IpAddr::V4(ip) => reach_v4(ip),
        IpAddr::V6(ip) => reach_v6(ip),
    }
}

/// IANA's registry of special IPv4 addresses, and the metadata services that live outside of it.
const fn reach_v4(ip: Ipv4Addr) -> Reach {
    match ip.octets() {
        // 100.100.100.200 is Alibaba Cloud's metadata service, 168.63.129.16 is Azure's.
        [100, 100, 100, 200] | [168, 63, 129, 16]
        // "This network"; link-local with the metadata services; protocol assignments.
        | [0, ..] | [169, 254, ..] | [192, 0, 0, _]
        // Documentation; 6to4 relays; benchmarks; multicast, reserved and broadcast.
        | [192, 0, 2, _] | [198, 51, 100, _] | [203, 0, 113, _]
        | [192, 88, 99, _] | [198, 18 | 19, ..] | [224..=255, ..] => Reach::Never,
        // RFC 1918, this machine, and the carriers' own (RFC 6598).
        [10 | 127, ..] | [172, 16..=31, ..] | [192, 168, ..] | [100, 64..=127, ..] => Reach::Private,
        _ => Reach::Public,
    }
}

/// Of IPv6 only global unicast is public, without the ranges in it that stand for something else; forms that carry an
/// IPv4 address (mapped, compatible, NAT64, 6to4, Teredo) are refused whatever they carry.
const fn reach_v6(ip: Ipv6Addr) -> Reach {
    match ip.segments() {
        [0, 0, 0, 0, 0, 0, 0, 1] => Reach::Private,
        // Metadata: Amazon (fd00:ec2::/32), Google (fd20:ce::254).
        [0xfd00, 0x0ec2, ..] | [0xfd20, 0x00ce, ..] => Reach::Never,
        [first, ..] if first & 0xfe00 == 0xfc00 => Reach::Private,
        // Protocol assignments with Teredo, ORCHID and benchmarks; documentation; 6to4.
        [0x2001, 0..=0x01ff | 0x0db8, ..] | [0x2002, ..] => Reach::Never,
        [0x3fff, second, ..] if second < 0x1000 => Reach::Never,
        [0x2000..=0x3fff, ..] => Reach::Public,
        // Unspecified, mapped, compatible, NAT64, discard, link-local, site-local, multicast, and all unassigned.
        _ => Reach::Never,
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;

    use super::*;

    const PUBLIC: &Inside = &Inside::None;
    const ALL: &Inside = &Inside::All;
    const SECOND: Duration = Duration::from_secs(5);

    /// A server that gives one answer to everybody; counts who came.
    async fn server(answer: Vec<u8>) -> (SocketAddr, Arc<std::sync::atomic::AtomicUsize>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let count = Arc::new(std::sync::atomic::AtomicUsize::new(0));
        let counted = count.clone();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                counted.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
                let mut request = [0; 4096];
                let _ = stream.read(&mut request).await;
                let _ = stream.write_all(&answer).await;
                let _ = stream.shutdown().await;
            }
        });
        (address, count)
    }

    fn answer(head: &str, body: &str) -> Vec<u8> {
        format!("HTTP/1.1 {head}\r\nconnection: close\r\n\r\n{body}").into_bytes()
    }

    #[rstest]
    #[case::loopback("127.0.0.1", Reach::Private)]
    #[case::loopback_high("127.255.255.254", Reach::Private)]
    #[case::ten("10.0.0.1", Reach::Private)]
    #[case::ten_high("10.255.255.255", Reach::Private)]
    #[case::class_b("172.16.0.1", Reach::Private)]
    #[case::class_b_high("172.31.255.255", Reach::Private)]
    #[case::class_c("192.168.1.1", Reach::Private)]
    #[case::carrier("100.64.0.1", Reach::Private)]
    #[case::carrier_high("100.127.255.255", Reach::Private)]
    #[case::loopback_v6("::1", Reach::Private)]
    #[case::unique_local("fc00::1", Reach::Private)]
    #[case::unique_local_high("fdff:ffff::1", Reach::Private)]
    #[case::unspecified("0.0.0.0", Reach::Never)]
    #[case::this_network("0.1.2.3", Reach::Never)]
    #[case::link_local("169.254.0.1", Reach::Never)]
    #[case::metadata("169.254.169.254", Reach::Never)]
    #[case::metadata_ecs("169.254.170.2", Reach::Never)]
    #[case::metadata_alibaba("100.100.100.200", Reach::Never)]
    #[case::metadata_azure("168.63.129.16", Reach::Never)]
    #[case::metadata_oracle("192.0.0.192", Reach::Never)]
    #[case::metadata_amazon_v6("fd00:ec2::254", Reach::Never)]
    #[case::metadata_google_v6("fd20:ce::254", Reach::Never)]
    #[case::documentation_1("192.0.2.1", Reach::Never)]
    #[case::documentation_2("198.51.100.1", Reach::Never)]
    #[case::documentation_3("203.0.113.1", Reach::Never)]
    #[case::documentation_v6("2001:db8::1", Reach::Never)]
    #[case::documentation_v6_new("3fff::1", Reach::Never)]
    #[case::benchmark("198.18.0.1", Reach::Never)]
    #[case::benchmark_high("198.19.255.255", Reach::Never)]
    #[case::benchmark_v6("2001:2::1", Reach::Never)]
    #[case::relay_6to4("192.88.99.1", Reach::Never)]
    #[case::multicast("224.0.0.1", Reach::Never)]
    #[case::multicast_high("239.255.255.255", Reach::Never)]
    #[case::reserved("240.0.0.1", Reach::Never)]
    #[case::broadcast("255.255.255.255", Reach::Never)]
    #[case::unspecified_v6("::", Reach::Never)]
    #[case::mapped_loopback("::ffff:127.0.0.1", Reach::Never)]
    #[case::mapped_public("::ffff:8.8.8.8", Reach::Never)]
    #[case::compatible("::127.0.0.1", Reach::Never)]
    #[case::translated("::ffff:0:127.0.0.1", Reach::Never)]
    #[case::nat64("64:ff9b::10.0.0.1", Reach::Never)]
    #[case::nat64_local("64:ff9b:1::a00:1", Reach::Never)]
    #[case::form_6to4("2002:7f00:1::1", Reach::Never)]
    #[case::teredo("2001:0:4136:e378:8000:63bf:3fff:fdd2", Reach::Never)]
    #[case::orchid("2001:20::1", Reach::Never)]
    #[case::link_local_v6("fe80::1", Reach::Never)]
    #[case::site_local("fec0::1", Reach::Never)]
    #[case::multicast_v6("ff02::1", Reach::Never)]
    #[case::discard("100::1", Reach::Never)]
    #[case::unassigned("4000::1", Reach::Never)]
    #[case::segment_routing("5f00::1", Reach::Never)]
    #[case::public("8.8.8.8", Reach::Public)]
    #[case::beside_ten("11.0.0.1", Reach::Public)]
    #[case::beside_class_b("172.15.255.255", Reach::Public)]
    #[case::beside_class_b_high("172.32.0.1", Reach::Public)]
    #[case::beside_carrier("100.63.255.255", Reach::Public)]
    #[case::beside_carrier_high("100.128.0.1", Reach::Public)]
    #[case::beside_link_local("169.253.255.255", Reach::Public)]
    #[case::beside_benchmark("198.20.0.1", Reach::Public)]
    #[case::public_v6("2606:4700:4700::1111", Reach::Public)]
    #[case::public_v6_2001("2001:4860:4860::8888", Reach::Public)]
    #[case::beside_documentation_v6("3fff:1000::1", Reach::Public)]
    fn every_range_has_its_place(#[case] ip: &str, #[case] expected: Reach) {
        assert_eq!(reach(ip.parse().unwrap()), expected);
    }

    #[rstest]
    #[case("https://127.0.0.1/")]
    #[case("https://2130706433/")]
    #[case("https://0x7f.1/")]
    #[case("https://0177.0.0.1/")]
    #[case("https://127.1/")]
    #[case("https://[::ffff:127.0.0.1]/")]
    #[case("https://[::ffff:7f00:1]/")]
    #[case("https://[::]/")]
    #[case("https://0/")]
    #[case("https://\u{ff11}\u{ff12}\u{ff17}.0.0.1/")]
    #[case("https://127\u{3002}0\u{3002}0\u{3002}1/")]
    #[case("https://%31%32%37.0.0.1/")]
    #[case("https://localhost/")]
    #[case("https://LOCALHOST./")]
    #[case("https://a.localhost/")]
    #[case("https://169.254.169.254/latest/meta-data/")]
    #[case("https://metadata.google.internal/")]
    #[case("https://metadata.goog./")]
    #[case("https://instance-data/")]
    #[case("https://printer.local/")]
    #[case("https://db.internal/")]
    #[case("https://postgres/")]
    #[case("https://[fd00:ec2::254]/")]
    fn a_literal_is_refused_in_every_spelling(#[case] address: &str) {
        let refused = Guard::new().check(address, PUBLIC);
        assert!(matches!(refused, Err(GuardError::Forbidden)), "{address} {refused:?}");
    }

    #[rstest]
    #[case("")]
    #[case("example.com")]
    #[case("//example.com/")]
    #[case("ftp://example.com/")]
    #[case("file:///etc/passwd")]
    #[case("gopher://example.com/")]
    #[case("data:text/plain,x")]
    #[case("http://user@example.com/")]
    #[case("http://user:word@example.com/")]
    #[case("http://:word@example.com/")]
    #[case("http://example.com\\@127.0.0.1/")]
    #[case("http://exa\tmple.com/")]
    #[case("http://example.com/\r\nx: y")]
    #[case(" http://example.com/")]
    #[case("http://example.com/\u{0}")]
    #[case("http://exam ple.com/")]
    #[case("http://")]
    #[case("http://[::1/")]
    #[case("http://1.2.3.4.5/")]
    #[case("http://example.com:99999/")]
    fn an_odd_address_is_refused(#[case] address: &str) {
        let refused = Guard::new().check(address, ALL);
        assert!(matches!(refused, Err(GuardError::Address(_))), "{address} {refused:?}");
    }

    #[test]
    fn the_setting_decides_scheme_and_private_addresses() {
        let guard = Guard::new();
        assert!(guard.check("https://example.com/a?b=c", PUBLIC).is_ok());
        for plain in ["http://example.com/", "http://10.1.2.3/"] {
            assert!(matches!(guard.check(plain, PUBLIC), Err(GuardError::Address(_))), "{plain}");
        }
        assert!(guard.check("http://10.1.2.3:8080/", ALL).is_ok());
        assert!(guard.check("http://example.com/", ALL).is_ok(), "its resolver will tell");
        for public in ["8.8.8.8", "134744072", "0x8.0x8.0x8.0x8", "[2606:4700:4700::1111]", "172.32.0.1"] {
            assert!(guard.check(&format!("https://{public}/"), ALL).is_ok());
            let refused = guard.check(&format!("http://{public}/"), ALL);
            assert!(matches!(refused, Err(GuardError::Address(Flaw::InClear))), "{public} {refused:?}");
        }
        let some: Inside = "10.1.0.0/16, 127.0.0.0/8".parse().unwrap();
        for (address, is) in [
            ("http://10.1.2.3/", true),
            ("https://10.1.2.3/", true),
            ("http://localhost/", true),
            ("http://db.internal/", true),
            ("https://8.8.8.8/", true),
            ("http://10.2.0.1/", false),
            ("https://10.2.0.1/", false),
            ("https://[::1]/", false),
            ("https://[fd00::1]/", false),
            ("https://[::ffff:10.1.2.3]/", false),
            ("https://169.254.169.254/", false),
        ] {
            let checked = guard.check(address, &some);
            assert!(checked.is_ok() == is, "{address} {checked:?}");
            assert!(is || matches!(checked, Err(GuardError::Forbidden)), "{address}");
        }
        assert!(guard.check("http://[::1]/", ALL).is_ok());
        for never in [
            "http://169.254.169.254/",
            "http://[fe80::1]/",
            "http://[::ffff:10.0.0.1]/",
            "http://0.0.0.0/",
            "http://metadata.goog/",
        ] {
            assert!(matches!(guard.check(never, ALL), Err(GuardError::Forbidden)), "{never}");
        }
        assert!(guard.check(&format!("https://example.com/{}", "x".repeat(URL_MAX)), PUBLIC).is_err());
    }

    #[tokio::test]
    async fn a_name_is_judged_by_what_it_resolves_to() {
        let (address, count) = server(answer("200 OK", "hello")).await;
        let url = format!("http://localhost:{}/", address.port());
        // Past the check of the text, the resolver refuses.
        let guard = Guard::new();
        let way = |inside: &Inside| Way { inside: inside.clone(), is_plain: false, own_port: false };
        let client = guard.client(way(PUBLIC)).unwrap();
        let refused = client.get(&url).send().await.map_err(fault).unwrap_err();
        assert!(matches!(refused, GuardError::Forbidden), "{refused:?}");
        assert_eq!(count.load(std::sync::atomic::Ordering::SeqCst), 0);
        let fetched = guard.fetch(&url, ALL, 100, SECOND).await.unwrap();
        assert_eq!(fetched.body.try_collect::<Vec<_>>().await.unwrap().concat(), b"hello");
    }

    /// Answers of a resolver that rebinds: the first list to the first question, and so on; the last for ever.
    fn rebinding(answers: &'static [&'static [&'static str]]) -> impl Fn(&str) -> Vec<IpAddr> {
        let asked = std::sync::atomic::AtomicUsize::new(0);
        move |_| {
            let turn = asked.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
            answers[turn.min(answers.len() - 1)].iter().map(|ip| ip.parse().unwrap()).collect()
        }
    }

    #[tokio::test]
    async fn a_name_is_judged_anew_at_each_resolution() {
        let guard = Guard::new();
        guard.resolve_by(rebinding(&[
            &["8.8.8.8"],
            &["8.8.8.8", "10.0.0.1"],
            &["10.0.0.1"],
            &["::ffff:8.8.8.8"],
            &[],
        ]));
        let way = Way { inside: Inside::None, is_plain: false, own_port: false };
        let resolver = Guarded { way, listeners: None, names: guard.0.names.clone() };
        let ask = async || {
            let found = resolver.resolve("rebind.test".parse().unwrap()).await;
            found.map(|found| found.map(|address| address.ip().to_string()).collect::<Vec<_>>())
        };
        assert_eq!(ask().await.unwrap(), ["8.8.8.8"]);
        assert_eq!(ask().await.unwrap(), ["8.8.8.8"], "of several, those that may be reached");
        assert!(ask().await.unwrap_err().is::<NotPublic>());
        assert!(ask().await.unwrap_err().is::<NotPublic>());
        assert!(ask().await.unwrap().is_empty(), "a name that is not known is another matter");
    }

    #[tokio::test]
    async fn a_plain_address_leads_inside_whatever_its_name_resolves_to() {
        let (address, count) = server(answer("200 OK", "hello")).await;
        let url = format!("http://bot.test:{}/", address.port());
        let some: Inside = "127.0.0.1".parse().unwrap();
        for (answers, inside, arrives) in [
            (&["127.0.0.1"][..], ALL, true),
            (&["8.8.8.8", "127.0.0.1"], ALL, true),
            (&["8.8.8.8"], ALL, false),
            (&["8.8.8.8", "2606:4700:4700::1111"], ALL, false),
            (&["127.0.0.1"], &some, true),
            (&["8.8.8.8"], &some, false),
            (&["8.8.8.8", "127.0.0.2"], &some, false),
        ] {
            let guard = Guard::new();
            guard.resolve_by(move |_| answers.iter().map(|ip| ip.parse().unwrap()).collect());
            let before = count.load(std::sync::atomic::Ordering::SeqCst);
            match guard.fetch(&url, inside, 100, SECOND).await {
                Ok(_) => assert!(arrives, "{answers:?}"),
                Err(GuardError::Address(Flaw::InClear)) => assert!(!arrives, "{answers:?}"),
                Err(other) => panic!("{answers:?} {other:?}"),
            }
            let came = count.load(std::sync::atomic::Ordering::SeqCst) - before;
            assert_eq!(came, usize::from(arrives), "{answers:?}");
        }
        // Not on the list: the name leads inside all the same.
        let guard = Guard::new();
        guard.resolve_by(|_| vec!["127.0.0.2".parse().unwrap()]);
        let refused = guard.fetch(&url, &some, 100, SECOND).await;
        assert!(matches!(refused, Err(GuardError::Forbidden)), "{refused:?}");
    }

    #[test]
    fn what_may_be_allowed_is_what_is_private() {
        for network in PRIVATE {
            let text = network.to_string();
            let first = text.split('/').next().unwrap().parse().unwrap();
            assert_eq!(reach(first), Reach::Private, "{text}");
            assert_eq!(text.parse(), Ok(network));
        }
    }

    #[tokio::test]
    async fn a_name_is_judged_anew_at_each_connection() {
        let (address, count) = server(answer("200 OK", "hello")).await;
        for after in [["169.254.169.254"], ["fe80::1"]] {
            let guard = Guard::new();
            let turn = std::sync::atomic::AtomicBool::new(true);
            guard.resolve_by(move |_| {
                let is_first = turn.swap(false, std::sync::atomic::Ordering::SeqCst);
                let ip = if is_first { "127.0.0.1" } else { after[0] };
                vec![ip.parse().unwrap()]
            });
            let url = format!("http://rebind.test:{}/", address.port());
            let before = count.load(std::sync::atomic::Ordering::SeqCst);
            assert!(guard.fetch(&url, ALL, 100, SECOND).await.is_ok());
            // The server closes each connection, so the next request resolves again.
            let refused = guard.fetch(&url, ALL, 100, SECOND).await;
            assert!(matches!(refused, Err(GuardError::Forbidden)), "{after:?} {refused:?}");
            assert_eq!(count.load(std::sync::atomic::Ordering::SeqCst), before + 1);
        }
    }

    #[tokio::test]
    async fn own_listeners_are_refused_always() {
        let (address, count) = server(answer("200 OK", "hello")).await;
        let port = address.port();
        for listener in
            [address, SocketAddr::from(([0, 0, 0, 0], port)), SocketAddr::from((Ipv6Addr::UNSPECIFIED, port))]
        {
            let guard = Guard::new();
            guard.refuse_listener(listener);
            for host in ["127.0.0.1", "localhost", "0x7f.1"] {
                let refused = guard.fetch(&format!("http://{host}:{port}/"), ALL, 100, SECOND).await;
                assert!(matches!(refused, Err(GuardError::Forbidden)), "{listener} {host} {refused:?}");
            }
        }
        assert_eq!(count.load(std::sync::atomic::Ordering::SeqCst), 0);
        // Another port of the same machine is another matter.
        let (other, _) = server(answer("200 OK", "hello")).await;
        let guard = Guard::new();
        guard.refuse_listener(SocketAddr::from(([0, 0, 0, 0], port)));
        assert!(guard.fetch(&format!("http://{other}/"), ALL, 100, SECOND).await.is_ok());
    }

    #[tokio::test]
    async fn redirects_are_not_followed() {
        let (inner, count) = server(answer("200 OK", "secret")).await;
        let (outer, _) = server(answer(&format!("302 Found\r\nlocation: http://{inner}/"), "")).await;
        let refused = Guard::new().fetch(&format!("http://{outer}/"), ALL, 100, SECOND).await.unwrap_err();
        assert!(matches!(refused, GuardError::Status(status) if status == 302), "{refused:?}");
        assert!(!refused.is_transient());
        assert_eq!(count.load(std::sync::atomic::Ordering::SeqCst), 0);
    }

    #[tokio::test]
    async fn size_and_time_are_limited() {
        let guard = Guard::new();
        let (said, _) = server(answer("200 OK\r\ncontent-length: 101", &"x".repeat(101))).await;
        let refused = guard.fetch(&format!("http://{said}/"), ALL, 100, SECOND).await.unwrap_err();
        assert!(matches!(refused, GuardError::TooLarge(100)), "{refused:?}");
        let (unsaid, _) = server(answer("200 OK\r\ncontent-type: image/png", &"x".repeat(101))).await;
        let fetched = guard.fetch(&format!("http://{unsaid}/"), ALL, 100, SECOND).await.unwrap();
        assert_eq!(fetched.content_type.as_deref(), Some("image/png"));
        let cut = fetched.body.try_collect::<Vec<_>>().await.unwrap_err();
        assert!(matches!(cut, GuardError::TooLarge(100)), "{cut:?}");
        let fetched = guard.fetch(&format!("http://{unsaid}/"), ALL, 101, SECOND).await.unwrap();
        assert_eq!(fetched.body.try_collect::<Vec<_>>().await.unwrap().concat().len(), 101);
        // One that accepts and never answers.
        let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/", silent.local_addr().unwrap());
        let refused = guard.fetch(&url, ALL, 100, Duration::from_millis(200)).await.unwrap_err();
        assert!(matches!(refused, GuardError::Unreachable(_)) && refused.is_transient(), "{refused:?}");
        let (failing, _) = server(answer("503 Busy", "")).await;
        let refused = guard.fetch(&format!("http://{failing}/"), ALL, 100, SECOND).await.unwrap_err();
        assert!(refused.is_transient(), "{refused:?}");
    }
}
