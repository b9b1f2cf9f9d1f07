//! `BANGUI_TRUSTED_PROXIES`: the addresses and networks whose forwarding headers are believed.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use super::Environment;

/// An address, or a network in CIDR notation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Network {
    address: IpAddr,
    prefix: u32,
}

/// The peers whose forwarding headers are believed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TrustedProxies(Vec<Network>);

impl TrustedProxies {
    pub(super) fn read(env: &mut Environment) -> Self {
        const NAME: &str = "BANGUI_TRUSTED_PROXIES";
        let list = env.text(NAME).unwrap_or_default();
        let mut networks = Vec::new();
        for item in list.split(',').map(str::trim).filter(|item| !item.is_empty()) {
            match item.parse() {
                Ok(network) => networks.push(network),
                Err(reason) => env.problem(NAME, format!("{item:?} {reason}")),
            }
        }
        Self(networks)
    }

    /// Their networks, as they are written.
    pub fn networks(&self) -> impl Iterator<Item = String> {
        self.0.iter().map(ToString::to_string)
    }

    /// Whether an address is one of them.
    pub fn contains(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.0.iter().any(|network| network.contains(address))
    }
}

impl fmt::Display for TrustedProxies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, network) in self.0.iter().enumerate() {
            write!(f, "{}{network}", if index == 0 { "" } else { "," })?;
        }
        Ok(())
    }
}

impl Network {
    fn contains(self, address: IpAddr) -> bool {
        let is_same_family = self.address.is_ipv4() == address.is_ipv4();
        is_same_family
            && bits(address) >> self.host_bits() == bits(self.address) >> self.host_bits()
    }

    fn host_bits(self) -> u32 {
        width(self.address) - self.prefix
    }
}

impl FromStr for Network {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (text, None),
        };
        let written: IpAddr = address.parse().map_err(|_| "is neither an address nor a network")?;
        // Peers are compared as what they stand for, so an IPv4-mapped network is one of IPv4.
        let address = written.to_canonical();
        let mapped_bits = width(written) - width(address);
        let prefix = match prefix {
            None => Some(width(address)),
            Some(text) => text.parse().ok().and_then(|given: u32| given.checked_sub(mapped_bits)),
        };
        let is_possible = |prefix: &u32| *prefix <= width(address);
        let prefix = prefix.filter(is_possible).ok_or("has an impossible prefix length")?;
        if prefix == 0 {
            return Err("would let everybody choose an address");
        }
        let network = Self { address, prefix };
        let host_mask = (1_u128 << network.host_bits()) - 1;
        if bits(address) & host_mask != 0 {
            return Err("has bits set beyond its prefix length");
        }
        Ok(network)
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.host_bits() {
            0 => self.address.fmt(f),
            _ => write!(f, "{}/{}", self.address, self.prefix),
        }
    }
}

fn width(address: IpAddr) -> u32 {
    if address.is_ipv4() { 32 } else { 128 }
}

fn bits(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(v4) => u128::from(v4.to_bits()),
        IpAddr::V6(v6) => v6.to_bits(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(list: &str) -> (TrustedProxies, usize) {
        let mut env = Environment::from_pairs([("BANGUI_TRUSTED_PROXIES", list)]);
        let proxies = TrustedProxies::read(&mut env);
        (proxies, env.into_problems().len())
    }

    #[test]
    fn addresses_and_networks_are_told_apart_from_others() {
        let (proxies, problems) =
            read("192.0.2.9, 10.0.0.0/8,2001:db8::/32 , ::1,::ffff:172.16.0.0/108");
        assert_eq!(problems, 0);
        let contains = |text: &str| proxies.contains(text.parse().unwrap());
        for inside in [
            "192.0.2.9",
            "::ffff:192.0.2.9",
            "10.0.0.0",
            "10.255.255.255",
            "2001:db8:ffff::1",
            "::1",
            "172.31.255.255",
        ] {
            assert!(contains(inside), "{inside}");
        }
        for outside in
            ["192.0.2.8", "11.0.0.0", "9.255.255.255", "2001:db9::", "::2", "172.32.0.0", "::a00:1"]
        {
            assert!(!contains(outside), "{outside}");
        }
        let shown = "192.0.2.9,10.0.0.0/8,2001:db8::/32,::1,172.16.0.0/12";
        assert_eq!(proxies.to_string(), shown);
    }

    #[test]
    fn what_is_no_network_is_a_problem() {
        for wrong in [
            "proxy.example",
            "10.0.0.0/33",
            "10.0.0.1/8",
            "2001:db8::/129",
            "::ffff:10.0.0.0/8",
            "0.0.0.0/0",
            "::/0",
            "10.0.0.0/",
            "10.0.0.0/-1",
        ] {
            assert_eq!(read(wrong).1, 1, "{wrong}");
        }
        assert_eq!(read("").1, 0);
    }
}
