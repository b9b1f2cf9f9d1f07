//! Whom no list may lock out of a jail's services: this host, its proxies, who is signed in, whom
//! the jail ignores, and whose ban an operator has lifted.

use std::collections::HashMap;
use std::net::IpAddr;

use super::{Error, Inner};
use crate::domain::blocklist::{Guards, Refusal};
use crate::domain::{JailName, Network};

/// The last word of operators about an address.
#[derive(Debug, Clone, Copy)]
pub(super) struct Judgement {
    pub(super) is_ban: bool,
    /// Unix seconds.
    pub(super) at: i64,
}

/// What operators said about the addresses of a jail.
pub(super) type Judgements = HashMap<Network, Judgement>;

impl Inner {
    /// The newest judgement on each address.
    pub(super) async fn judgements(&self, jail: &JailName) -> Result<Judgements, Error> {
        let mut judgements = Judgements::new();
        for (ip, is_ban, at) in self.store.judgements(jail).await? {
            if let Ok(network) = ip.parse() {
                judgements.entry(network).or_insert(Judgement { is_ban, at });
            }
        }
        Ok(judgements)
    }

    /// Everything that is protected in a jail. A caller is who asks for it, if somebody does.
    pub(super) async fn guards(
        &self,
        jail: &JailName,
        judgements: &Judgements,
        caller: Option<IpAddr>,
    ) -> Result<Guards, Error> {
        let mut guards = Guards::default();
        for network in own_addresses() {
            guards.protect(network, Refusal::OwnAddress);
        }
        for network in &self.options.trusted_proxies {
            guards.protect(*network, Refusal::TrustedProxy);
        }
        let clients = self.store.session_clients().await?;
        let clients = clients.iter().filter_map(|text| text.parse::<IpAddr>().ok());
        for client in clients.chain(caller) {
            guards.protect(Network::of(client), Refusal::SignedIn);
        }
        // Names among them would have to be asked of the DNS, and fail2ban does not do that for
        // bans by hand either.
        let ignored = self.client.ignored(jail).await?;
        for network in ignored.iter().filter_map(|text| text.parse().ok()) {
            guards.protect(network, Refusal::Ignored);
        }
        for (network, judgement) in judgements {
            if !judgement.is_ban {
                guards.protect(*network, Refusal::Unbanned);
            }
        }
        Ok(guards)
    }
}

/// The addresses of this host's interfaces. Without them the special ranges still hold.
fn own_addresses() -> Vec<Network> {
    let Ok(interfaces) = nix::ifaddrs::getifaddrs() else { return Vec::new() };
    let address = |interface: nix::ifaddrs::InterfaceAddress| {
        let address = interface.address?;
        let v4 = address.as_sockaddr_in().map(|it| IpAddr::V4(it.ip()));
        v4.or_else(|| address.as_sockaddr_in6().map(|it| IpAddr::V6(it.ip())))
    };
    interfaces.filter_map(address).map(Network::of).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_host_knows_its_own_addresses() {
        assert!(own_addresses().contains(&"127.0.0.1".parse().unwrap()));
    }
}
