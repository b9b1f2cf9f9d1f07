//! `BANGUI_TRUSTED_PROXIES`: the addresses and networks whose forwarding headers are believed.

use std::fmt;
use std::net::IpAddr;

use super::Environment;
use crate::domain::Network;

/// The peers whose forwarding headers are believed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TrustedProxies(Vec<Network>);

impl TrustedProxies {
    pub(super) fn read(env: &mut Environment) -> Self {
        const NAME: &str = "BANGUI_TRUSTED_PROXIES";
        let list = env.text(NAME).unwrap_or_default();
        let mut networks = Vec::new();
        for item in list.split(',').map(str::trim).filter(|item| !item.is_empty()) {
            match network(item) {
                Ok(network) => networks.push(network),
                Err(reason) => env.problem(NAME, format!("{item:?} {reason}")),
            }
        }
        Self(networks)
    }

    /// Their networks.
    pub fn networks(&self) -> &[Network] {
        &self.0
    }

    /// Whether an address is one of them.
    pub fn contains(&self, address: IpAddr) -> bool {
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

/// A network that is written without doubt, and is not everybody's.
fn network(text: &str) -> Result<Network, &'static str> {
    let network: Network = text.parse()?;
    if network.prefix() == 0 {
        return Err("would let everybody choose an address");
    }
    let address = text.split('/').next().and_then(|address| address.parse::<IpAddr>().ok());
    // An IPv4-mapped network is one of IPv4, as its peers are.
    match address.is_some_and(|address| address.to_canonical() == network.first()) {
        true => Ok(network),
        false => Err("has bits set beyond its prefix length"),
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
    fn a_wide_network_of_ipv6_holds_no_ipv4() {
        let (proxies, problems) = read("::/16");
        assert_eq!(problems, 0);
        assert!(proxies.contains("::5".parse().unwrap()));
        assert!(!proxies.contains("192.0.2.9".parse().unwrap()));
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
            "::ffff:0:0/96",
            "::ffff:0:0/95",
        ] {
            assert_eq!(read(wrong).1, 1, "{wrong}");
        }
        assert_eq!(read("").1, 0);
    }
}
