//! Networks and single addresses on one line of numbers, so that covering and overlapping are
//! comparisons, whatever the family.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;
use std::sync::LazyLock;

use super::Subject;

/// IPv4 lies where IPv6 has its IPv4-mapped addresses.
const V4_BITS: u8 = 96;
const V4_START: u128 = 0xffff_0000_0000;

/// A network, or an address as a network of one. It is written as fail2ban writes it: the bits of
/// the host are zero, and a single address has no prefix.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Network {
    first: u128,
    /// Of the 128 bits, how many are the network's.
    prefix: u8,
}

/// What a range of addresses is set aside for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Special {
    /// The host itself.
    Loopback,
    /// Networks without a way to the internet.
    Private,
    /// The neighbours on one wire; clouds tell secrets there.
    LinkLocal,
    /// The carriers' own network behind which many customers share one address.
    Shared,
    /// Groups.
    Multicast,
    /// Nothing that sends packets of its own.
    Reserved,
}

/// Ranges that are never a stranger's. Documentation's are not among them: they do no harm, and
/// demonstrations live there.
const SPECIAL: [(&str, Special); 19] = [
    ("0.0.0.0/8", Special::Reserved),
    ("10.0.0.0/8", Special::Private),
    ("100.64.0.0/10", Special::Shared),
    ("127.0.0.0/8", Special::Loopback),
    ("169.254.0.0/16", Special::LinkLocal),
    ("172.16.0.0/12", Special::Private),
    ("192.0.0.0/24", Special::Reserved),
    ("192.168.0.0/16", Special::Private),
    ("224.0.0.0/4", Special::Multicast),
    ("240.0.0.0/4", Special::Reserved),
    ("::1", Special::Loopback),
    ("::/8", Special::Reserved),
    ("64:ff9b::/96", Special::Reserved),
    ("64:ff9b:1::/48", Special::Reserved),
    ("fd00:ec2::254", Special::LinkLocal),
    ("fc00::/7", Special::Private),
    ("fe80::/10", Special::LinkLocal),
    ("fec0::/10", Special::Private),
    ("ff00::/8", Special::Multicast),
];

/// The same, read once.
static SPECIAL_NETWORKS: LazyLock<Vec<(Network, Special)>> = LazyLock::new(|| {
    SPECIAL.iter().filter_map(|(text, special)| Some((text.parse().ok()?, *special))).collect()
});

impl Network {
    /// The network of an address; nothing if the prefix is longer than the address.
    pub fn new(ip: IpAddr, prefix: u8) -> Option<Self> {
        let (bits, before) = match ip {
            IpAddr::V4(ip) => (V4_START | u128::from(ip.to_bits()), V4_BITS),
            IpAddr::V6(ip) => (ip.to_bits(), 0),
        };
        let prefix = before.checked_add(prefix).filter(|prefix| *prefix <= 128)?;
        Some(Self { first: bits & mask(prefix), prefix })
    }

    /// A single address.
    pub fn of(ip: IpAddr) -> Self {
        let (bits, prefix) = match ip {
            IpAddr::V4(ip) => (V4_START | u128::from(ip.to_bits()), 128),
            IpAddr::V6(ip) => (ip.to_bits(), 128),
        };
        Self { first: bits, prefix }
    }

    /// Whether it is one address.
    pub const fn is_single(self) -> bool {
        self.prefix == 128
    }

    /// Whether it lies in IPv4.
    pub const fn is_v4(self) -> bool {
        self.prefix >= V4_BITS && self.first >> 32 == 0xffff
    }

    /// The length of its prefix in its own family.
    pub const fn prefix(self) -> u8 {
        if self.is_v4() { self.prefix - V4_BITS } else { self.prefix }
    }

    /// Its first address.
    pub fn first(self) -> IpAddr {
        match self.is_v4() {
            // The cut is wanted: the upper bits only say that it is IPv4.
            true => IpAddr::V4(Ipv4Addr::from_bits((self.first & 0xffff_ffff) as u32)),
            false => IpAddr::V6(Ipv6Addr::from_bits(self.first)),
        }
    }

    /// Whether every address of another lies in it.
    pub const fn covers(self, other: Self) -> bool {
        self.prefix <= other.prefix && other.first & mask(self.prefix) == self.first
    }

    /// Whether an address lies in it. IPv4 lies in no network of IPv6, not even in one around its
    /// mapped addresses.
    pub fn contains(self, ip: IpAddr) -> bool {
        let single = Self::of(ip);
        self.is_v4() == single.is_v4() && self.covers(single)
    }

    /// Whether they share an address.
    pub const fn overlaps(self, other: Self) -> bool {
        self.covers(other) || other.covers(self)
    }

    /// How many addresses of IPv4 it has.
    pub const fn v4_addresses(self) -> u64 {
        if self.is_v4() { 1 << (128 - self.prefix) } else { 0 }
    }

    /// What a part of it is set aside for, if any part is.
    pub fn special(self) -> Option<Special> {
        let touches = |network: &Self| network.is_v4() == self.is_v4() && network.overlaps(self);
        // Loopback lies in a reserved range; the narrower word comes first in the table.
        SPECIAL_NETWORKS.iter().find(|(network, _)| touches(network)).map(|(_, special)| *special)
    }

    /// What fail2ban calls it.
    pub fn subject(self) -> Option<Subject> {
        Subject::reported(&self.to_string()).ok()
    }
}

const fn mask(prefix: u8) -> u128 {
    if prefix == 0 { 0 } else { u128::MAX << (128 - prefix) }
}

impl fmt::Display for Network {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.is_single() {
            true => write!(formatter, "{}", self.first()),
            false => write!(formatter, "{}/{}", self.first(), self.prefix()),
        }
    }
}

impl FromStr for Network {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const NEITHER: &str = "is neither an address nor a network";
        let Some((address, prefix)) = text.split_once('/') else {
            return text.parse().map(Self::of).map_err(|_| NEITHER);
        };
        let ip = address.parse().map_err(|_| NEITHER)?;
        let is_number = !prefix.is_empty() && prefix.bytes().all(|byte| byte.is_ascii_digit());
        let prefix = prefix.parse().ok().filter(|_| is_number).ok_or(NEITHER)?;
        Self::new(ip, prefix).ok_or("has an impossible prefix length")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn network(text: &str) -> Network {
        text.parse().unwrap()
    }

    #[test]
    fn it_is_written_as_fail2ban_writes_it() {
        for (given, written) in [
            ("192.0.2.77/28", "192.0.2.64/28"),
            ("192.0.2.200/32", "192.0.2.200"),
            ("::ffff:192.0.2.1", "192.0.2.1"),
            ("::ffff:192.0.2.1/120", "192.0.2.0/24"),
            ("2001:DB8::1/32", "2001:db8::/32"),
            ("2001:db8::1/128", "2001:db8::1"),
            ("0.0.0.0/0", "0.0.0.0/0"),
            ("::/0", "::/0"),
        ] {
            assert_eq!(network(given).to_string(), written);
        }
        for bad in ["", "/", "x", "192.0.2.1/33", "192.0.2.1/", "192.0.2.1/+8", "::/129", "1.2.3/8"]
        {
            assert!(bad.parse::<Network>().is_err(), "{bad}");
        }
    }

    #[test]
    fn covering_and_overlapping() {
        assert!(network("192.0.2.0/24").covers(network("192.0.2.9")));
        assert!(!network("192.0.2.9").covers(network("192.0.2.0/24")));
        assert!(network("192.0.2.9").overlaps(network("192.0.2.0/24")));
        assert!(!network("192.0.2.0/25").overlaps(network("192.0.2.128/25")));
        assert_eq!(network("192.0.2.0/24").v4_addresses(), 256);
        assert_eq!(network("2001:db8::/32").v4_addresses(), 0);
    }

    #[test]
    fn special_ranges_are_known() {
        assert_eq!(SPECIAL_NETWORKS.len(), SPECIAL.len());
        for (text, special) in [
            ("127.0.0.1", Some(Special::Loopback)),
            ("::1", Some(Special::Loopback)),
            ("::ffff:10.1.1.1", Some(Special::Private)),
            ("fd00:ec2::254", Some(Special::LinkLocal)),
            ("fd01::1", Some(Special::Private)),
            ("100.100.100.200", Some(Special::Shared)),
            ("169.254.169.254", Some(Special::LinkLocal)),
            ("128.0.0.0/1", Some(Special::LinkLocal)),
            ("64:ff9b::a00:1", Some(Special::Reserved)),
            ("255.255.255.255", Some(Special::Reserved)),
            ("198.51.100.7", None),
            ("2001:db8::1", None),
        ] {
            assert_eq!(network(text).special(), special, "{text}");
        }
    }
}
