//! Addresses: strict when an operator gives one, lenient when fail2ban reports one.

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr},
    str::FromStr,
};

use serde::{Deserialize, Serialize};

/// The longest reported text that is kept: above any address with a prefix.
const MAX_SUBJECT_CHARS: usize = 64;

/// One IPv4 or IPv6 address, written as fail2ban writes it.
///
/// Parsing is for what operators send: it refuses what must never be banned. An IPv4-mapped IPv6
/// address becomes the IPv4 address that it stands for, since that is what fail2ban would list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Address(IpAddr);

/// Why a text is not an address that can be banned or unbanned.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// It is no IPv4 or IPv6 address at all.
    #[error("not an IPv4 or IPv6 address")]
    NotAnAddress,
    /// It is a network.
    #[error("networks (CIDR) are not supported, give a single address")]
    Network,
    /// It names a network interface.
    #[error("an address with a zone id is not supported")]
    ZoneId,
    /// 0.0.0.0 and `::` are everyone.
    #[error("the unspecified address cannot be banned")]
    Unspecified,
    /// Banning it would cut the server off from itself and from its proxy.
    #[error("a loopback address cannot be banned")]
    Loopback,
    /// It is the address of a group.
    #[error("a multicast address cannot be banned")]
    Multicast,
    /// It is everyone on the network.
    #[error("the broadcast address cannot be banned")]
    Broadcast,
}

impl Address {
    /// The address in the standard library's type.
    pub const fn ip(self) -> IpAddr {
        self.0
    }

    fn check(ip: IpAddr) -> Result<Self, AddressError> {
        let ip = ip.to_canonical();
        if ip.is_unspecified() {
            Err(AddressError::Unspecified)
        } else if ip.is_loopback() {
            Err(AddressError::Loopback)
        } else if ip.is_multicast() {
            Err(AddressError::Multicast)
        } else if ip == IpAddr::V4(Ipv4Addr::BROADCAST) {
            Err(AddressError::Broadcast)
        } else {
            Ok(Self(ip))
        }
    }
}

impl FromStr for Address {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        // The standard parser refuses leading zeros, spaces, zone ids and prefixes.
        match text.parse::<IpAddr>() {
            Ok(ip) => Self::check(ip),
            Err(_) if text.contains('/') => Err(AddressError::Network),
            Err(_) if text.contains('%') => Err(AddressError::ZoneId),
            Err(_) => Err(AddressError::NotAnAddress),
        }
    }
}

impl TryFrom<String> for Address {
    type Error = AddressError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<Address> for String {
    fn from(address: Address) -> Self {
        address.to_string()
    }
}

impl fmt::Display for Address {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

/// Whom a ban is against, as fail2ban reports it: nearly always an address.
///
/// fail2ban can also ban networks and, with a jail's `<F-ID>`, any text. Those are kept as checked
/// text, so that a page shows everything that is banned and an operator can unban it. There is no
/// `FromStr`: a subject comes from an [`Address`] or from a report of fail2ban, never from a
/// request alone, because a name would make the server ask the DNS while everybody waits.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(into = "String")]
pub enum Subject {
    /// A single address.
    Address(Address),
    /// A network or another identifier: visible ASCII, not like an option.
    Other(Box<str>),
}

/// A reported text that can be neither shown nor sent back safely.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a banned identifier is empty, too long, or has characters that are not visible ASCII")]
pub struct SubjectError;

impl Subject {
    /// Reads what fail2ban reports; addresses that must not be banned are accepted here, because
    /// one that is banned all the same must be seen and unbanned.
    pub fn reported(text: &str) -> Result<Self, SubjectError> {
        if let Ok(ip) = text.parse::<IpAddr>() {
            return Ok(Self::Address(Address(ip.to_canonical())));
        }
        // `<` is refused because the end marker of the protocol begins with it.
        let safe = |byte: u8| byte.is_ascii_graphic() && byte != b'<';
        if text.is_empty()
            || text.len() > MAX_SUBJECT_CHARS
            || text.starts_with('-')
            || !text.bytes().all(safe)
        {
            return Err(SubjectError);
        }
        Ok(Self::Other(text.into()))
    }

    /// The address, if it is one.
    pub const fn address(&self) -> Option<Address> {
        match self {
            Self::Address(address) => Some(*address),
            Self::Other(_) => None,
        }
    }
}

impl From<Address> for Subject {
    fn from(address: Address) -> Self {
        Self::Address(address)
    }
}

impl From<Subject> for String {
    fn from(subject: Subject) -> Self {
        subject.to_string()
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(address) => address.fmt(formatter),
            Self::Other(text) => formatter.write_str(text),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_written_canonically() {
        for (given, written) in [
            ("198.51.100.7", "198.51.100.7"),
            ("2001:DB8:0:0::1", "2001:db8::1"),
            ("::ffff:198.51.100.7", "198.51.100.7"),
            ("::ffff:c633:6407", "198.51.100.7"),
        ] {
            assert_eq!(given.parse::<Address>().unwrap().to_string(), written);
        }
    }

    #[test]
    fn bad_addresses_say_why() {
        for (given, error) in [
            ("", AddressError::NotAnAddress),
            ("localhost", AddressError::NotAnAddress),
            ("198.51.100.07", AddressError::NotAnAddress),
            (" 198.51.100.7", AddressError::NotAnAddress),
            ("198.51.100.7\n", AddressError::NotAnAddress),
            ("198.51.100", AddressError::NotAnAddress),
            ("3325256711", AddressError::NotAnAddress),
            ("[2001:db8::1]", AddressError::NotAnAddress),
            ("198.51.100.0/24", AddressError::Network),
            ("fe80::1%eth0", AddressError::ZoneId),
            ("0.0.0.0", AddressError::Unspecified),
            ("::", AddressError::Unspecified),
            ("::ffff:0.0.0.0", AddressError::Unspecified),
            ("127.8.9.1", AddressError::Loopback),
            ("::1", AddressError::Loopback),
            ("::ffff:127.0.0.1", AddressError::Loopback),
            ("224.0.0.1", AddressError::Multicast),
            ("ff02::1", AddressError::Multicast),
            ("255.255.255.255", AddressError::Broadcast),
        ] {
            assert_eq!(given.parse::<Address>(), Err(error), "{given:?}");
        }
    }

    #[test]
    fn reports_are_read_leniently_but_safely() {
        let shown = |text: &str| Subject::reported(text).map(|subject| subject.to_string());
        assert_eq!(shown("127.0.0.1").as_deref(), Ok("127.0.0.1"));
        assert_eq!(shown("192.0.2.0/28").as_deref(), Ok("192.0.2.0/28"));
        assert_eq!(shown("session:4711").as_deref(), Ok("session:4711"));
        let long = "x".repeat(MAX_SUBJECT_CHARS + 1);
        for bad in ["", "--all", "-x", "a b", "a\tb", "a\nb", "é", "<F2B_END_COMMAND>", &long] {
            assert_eq!(shown(bad), Err(SubjectError), "{bad:?}");
        }
    }

    #[test]
    fn a_subject_is_an_address_where_it_can_be() {
        let address: Address = "198.51.100.7".parse().unwrap();
        assert_eq!(Subject::reported("::ffff:198.51.100.7"), Ok(Subject::from(address)));
        assert_eq!(Subject::from(address).address(), Some(address));
        assert_eq!(serde_json::to_string(&Subject::from(address)).unwrap(), "\"198.51.100.7\"");
    }
}
