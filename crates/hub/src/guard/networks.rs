//! Networks, and which of those inside the operator's own may be reached.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::str::FromStr;
use std::sync::Arc;

/// A first address and a mask; IPv4 stands in its place within IPv6 (`::ffff:0:0/96`), so that both forms are one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Network {
    first: u128,
    mask: u128,
}

impl Network {
    /// Of IPv4.
    #[must_use]
    pub(crate) const fn v4(first: u32, prefix: u32) -> Self {
        Self { first: 0xffff_0000_0000 | first as u128, mask: u128::MAX << (32 - prefix) }
    }

    /// Of IPv6.
    #[must_use]
    pub(crate) const fn v6(first: u128, prefix: u32) -> Self {
        Self { first, mask: u128::MAX << (128 - prefix) }
    }

    /// Whether an address is in it, in whatever form.
    #[must_use]
    pub fn has(self, address: IpAddr) -> bool {
        number(address) & self.mask == self.first
    }

    /// Whether another network is in it as a whole.
    fn holds(self, other: Self) -> bool {
        self.mask & other.mask == self.mask && other.first & self.mask == self.first
    }

    /// Whether all of IPv4 is in it.
    #[must_use]
    pub(crate) fn has_all_of_v4(self) -> bool {
        !self.mask >= u128::from(u32::MAX) && self.has(IpAddr::from([0, 0, 0, 0]))
    }
}

fn number(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => address.to_ipv6_mapped().to_bits(),
        IpAddr::V6(address) => address.to_bits(),
    }
}

impl FromStr for Network {
    type Err = String;

    /// Reads an address, or a network as `10.0.0.0/8`.
    fn from_str(word: &str) -> Result<Self, String> {
        let wrong = || format!("\"{word}\" is neither an address nor a network such as 10.0.0.0/8");
        let (address, prefix) = word.split_once('/').map_or((word, None), |(a, prefix)| (a, Some(prefix)));
        let address: IpAddr = address.parse().map_err(|_| wrong())?;
        let longest: u32 = if address.is_ipv4() { 32 } else { 128 };
        let prefix = prefix.map_or(Ok(longest), |prefix| prefix.parse().map_err(|_| wrong()))?;
        let hosts = longest.checked_sub(prefix).ok_or_else(wrong)?;
        let network = Self { first: number(address), mask: u128::MAX.checked_shl(hosts).unwrap_or(0) };
        if network.has(address) {
            return Ok(network);
        }
        Err(format!("\"{word}\" has bits set behind its prefix; write the first address of the network"))
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (address, prefix) = (Ipv6Addr::from_bits(self.first), self.mask.count_ones());
        match (address.to_ipv4_mapped(), prefix.checked_sub(96)) {
            (Some(address), Some(prefix)) => write!(f, "{address}/{prefix}"),
            _ => write!(f, "{address}/{prefix}"),
        }
    }
}

/// The words of a list, set apart by commas or spaces.
pub(crate) fn words(text: &str) -> impl Iterator<Item = &str> + Clone {
    text.split([',', ' ']).filter(|word| !word.is_empty())
}

/// Which addresses inside the operator's network may be reached (`TRUNKLINE_ALLOW_PRIVATE_DESTINATIONS`).
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub enum Inside {
    /// None.
    #[default]
    None,
    /// All that are private or this machine's.
    All,
    /// Those of some networks.
    Only(Arc<[Network]>),
}

impl Inside {
    /// Whether any may be.
    #[must_use]
    pub fn is_any(&self) -> bool {
        *self != Self::None
    }

    /// Whether a private address, or one of this machine, may be.
    pub(super) fn allows(&self, address: IpAddr) -> bool {
        match self {
            Self::None => false,
            Self::All => true,
            Self::Only(networks) => networks.iter().any(|network| network.has(address)),
        }
    }
}

impl FromStr for Inside {
    type Err = String;

    /// Reads yes, no, or a list of private networks.
    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "true" | "1" | "yes" | "on" => return Ok(Self::All),
            "false" | "0" | "no" | "off" | "" => return Ok(Self::None),
            _ => {}
        }
        let read = |word: &str| {
            let network: Network = word.parse()?;
            if super::PRIVATE.iter().any(|range| range.holds(network)) {
                return Ok(network);
            }
            Err(format!("\"{word}\" is neither a private network nor this machine"))
        };
        let networks = words(text).map(read).collect::<Result<Vec<_>, String>>()?;
        if networks.is_empty() { Err("it is empty".to_owned()) } else { Ok(Self::Only(networks.into())) }
    }
}

impl fmt::Display for Inside {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => f.write_str("false"),
            Self::All => f.write_str("true"),
            Self::Only(networks) => {
                let words: Vec<_> = networks.iter().map(ToString::to_string).collect();
                f.write_str(&words.join(", "))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_setting_is_yes_no_or_private_networks() {
        for (text, is) in [("1", "true"), ("on", "true"), ("", "false"), ("no", "false")] {
            assert_eq!(text.parse::<Inside>().unwrap().to_string(), is);
        }
        let some: Inside = " 10.0.0.0/8, fd00::/8 127.0.0.1,::1 ::ffff:192.168.7.0/120".parse().unwrap();
        assert_eq!(some.to_string(), "10.0.0.0/8, fd00::/8, 127.0.0.1/32, ::1/128, 192.168.7.0/24");
        assert!(some.is_any());
        for (address, is) in [
            ("10.9.8.7", true),
            ("fd12::1", true),
            ("127.0.0.1", true),
            ("::1", true),
            ("192.168.7.9", true),
            ("11.0.0.1", false),
            ("127.0.0.2", false),
            ("192.168.8.1", false),
            ("fc00::1", false),
        ] {
            assert_eq!(some.allows(address.parse().unwrap()), is, "{address}");
        }
    }

    #[test]
    fn a_bad_list_is_refused_with_the_part_that_is_wrong() {
        for (wrong, why) in [
            ("maybe", "neither"),
            ("true", "neither an address"),
            ("10.0.0.0/33", "neither"),
            ("10.0.0.1/8", "behind its prefix"),
            ("0.0.0.0/0", "private network"),
            ("::/0", "private network"),
            ("10.0.0.0/7", "private network"),
            ("8.8.8.0/24", "private network"),
            ("172.0.0.0/8", "private network"),
            ("2001:db8::/32", "private network"),
            ("169.254.0.0/16", "private network"),
            ("fe80::/10", "private network"),
        ] {
            let refused = format!("10.0.0.0/8, {wrong}").parse::<Inside>().unwrap_err();
            assert!(refused.contains(&format!("\"{wrong}\"")) && refused.contains(why), "{refused}");
        }
        assert!(",".parse::<Inside>().is_err());
    }
}
