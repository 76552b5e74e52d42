//! Decides, without any I/O, which addresses and ports a tenant's URL may lead us to.

mod ports;
mod ranges;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use ipnet::IpNet;

use crate::interfaces::OwnAddresses;

use ranges::{Carried, Range};

/// An address that must not be dialled, and the row of the table that says so.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{address} is in {range} ({reason})")]
pub struct Blocked {
    /// The address as the resolver or the URL gave it.
    pub address: IpAddr,
    /// The range that it falls into; `::/0` when it is merely outside `2000::/3`.
    pub range: IpNet,
    /// What the range is for.
    pub reason: &'static str,
}

/// Why a socket address is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The address is in a forbidden range.
    #[error(transparent)]
    Address(#[from] Blocked),
    /// The port belongs to a service that is no HTTP server, or is 0.
    #[error("port {0} is not allowed")]
    Port(u16),
}

/// The rules in force: a built-in table, and what the operator adds to either side.
///
/// The table is a snapshot (July 2026) of IANA's special-purpose registries with the multicast,
/// deprecated and cloud-internal ranges that those leave out.
#[derive(Debug, Clone, Default)]
pub struct Guard {
    allowed: Box<[IpNet]>,
    denied: Box<[IpNet]>,
    own: Option<OwnAddresses>,
    allowed_ports: Box<[u16]>,
}

impl Guard {
    /// A guard that lets through, besides the public internet, the networks in `allow`.
    pub fn new(allow: Vec<IpNet>) -> Self {
        Self {
            allowed: allow.into(),
            ..Self::default()
        }
    }

    /// Also refuses these networks: public addresses of one's own, or the prefix of a
    /// network-specific NAT64 (RFC 6052 §2.2), which no table can know. An allowed network wins.
    #[must_use]
    pub fn deny(mut self, networks: Vec<IpNet>) -> Self {
        self.denied = networks.into();
        self
    }

    /// Also refuses the addresses of this machine: what listens here may trust whoever comes from
    /// here. An allowed network wins.
    #[must_use]
    pub fn deny_own(mut self, addresses: OwnAddresses) -> Self {
        self.own = Some(addresses);
        self
    }

    /// Lets these ports through although the default rule refuses them; 0 stays refused.
    #[must_use]
    pub fn allow_ports(mut self, ports: Vec<u16>) -> Self {
        self.allowed_ports = ports.into();
        self
    }

    pub(crate) fn own(&self) -> Option<&OwnAddresses> {
        self.own.as_ref()
    }

    /// Whether the operator has opened any network.
    pub fn allows_networks(&self) -> bool {
        !self.allowed.is_empty()
    }

    /// Judges one address.
    ///
    /// # Errors
    /// [`Blocked`] names the range that forbids it.
    pub fn judge(&self, address: IpAddr) -> Result<(), Blocked> {
        if self.opens(address) {
            return Ok(());
        }
        let verdict = match address {
            IpAddr::V4(v4) => self.forbidding_v4(v4),
            IpAddr::V6(v6) => self.forbidding_v6(v6),
        };
        match verdict {
            Some(Range { net, why }) => Err(Blocked {
                address,
                range: net,
                reason: why,
            }),
            None => Ok(()),
        }
    }

    /// Judges an address together with a port. In an allowed network every port but 0 is open.
    ///
    /// # Errors
    /// [`Refusal`] says whether the address or the port is at fault.
    pub fn judge_socket(&self, address: SocketAddr) -> Result<(), Refusal> {
        self.judge(address.ip())?;
        if address.port() != 0 && self.opens(address.ip()) {
            return Ok(());
        }
        self.judge_port(address.port())
    }

    /// Judges a port by itself, as for an address outside the allowed networks.
    ///
    /// # Errors
    /// [`Refusal::Port`].
    pub fn judge_port(&self, port: u16) -> Result<(), Refusal> {
        let open = port != 0 && (self.allowed_ports.contains(&port) || ports::is_open(port));
        if open {
            Ok(())
        } else {
            Err(Refusal::Port(port))
        }
    }

    /// Whether the operator has opened what this address reaches. `::ffff:10.0.0.1` reaches
    /// `10.0.0.1`, so that has to be open as well. A NAT64 gateway sits elsewhere: what is open
    /// here says nothing about what is behind it.
    fn opens(&self, address: IpAddr) -> bool {
        self.lists(address)
            && match carried(address) {
                None => true,
                Some(Carried::Mapped(v4)) => self.opens(v4.into()),
                Some(Carried::Nat64(_)) => false,
            }
    }

    fn lists(&self, address: IpAddr) -> bool {
        self.allowed.iter().any(|net| net.contains(&address))
    }

    fn forbidding_v4(&self, address: Ipv4Addr) -> Option<Range> {
        self.denying(address.into())
            .or_else(|| row(ranges::V4, address.into()))
    }

    fn forbidding_v6(&self, address: Ipv6Addr) -> Option<Range> {
        if let Some(range) = self.denying(address.into()) {
            return Some(range);
        }
        // Forms that carry an IPv4 address are closed. Where the operator has opened such a form,
        // as a network without IPv4 needs it, what is inside is judged.
        if self.lists(address.into())
            && let Some(Carried::Mapped(v4) | Carried::Nat64(v4)) = ranges::carried(address)
        {
            return self.forbidding_v4(v4);
        }
        row(ranges::V6, address.into()).or_else(|| ranges::shape(address))
    }

    fn denying(&self, address: IpAddr) -> Option<Range> {
        if self.own.as_ref().is_some_and(|own| own.contains(address)) {
            return Some(Range {
                net: address.into(),
                why: "this machine",
            });
        }
        let net = *self.denied.iter().find(|net| net.contains(&address))?;
        Some(Range {
            net,
            why: "denied by configuration",
        })
    }
}

fn row(table: &[Range], address: IpAddr) -> Option<Range> {
    table.iter().copied().find(|row| row.net.contains(&address))
}

fn carried(address: IpAddr) -> Option<Carried> {
    match address {
        IpAddr::V4(_) => None,
        IpAddr::V6(v6) => ranges::carried(v6),
    }
}

#[cfg(test)]
mod tests;
