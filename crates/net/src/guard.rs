//! Decides, without any I/O, which addresses and ports a tenant's URL may lead us to.

mod ports;
mod ranges;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use ipnet::IpNet;

use ranges::Range;

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

    /// Also refuses these networks: the machine's own public addresses, or the prefix of a
    /// network-specific NAT64 (RFC 6052 §2.2), which no table can know. An allowed network wins.
    #[must_use]
    pub fn deny(mut self, networks: Vec<IpNet>) -> Self {
        self.denied = networks.into();
        self
    }

    /// Lets these ports through although the default rule refuses them; 0 stays refused.
    #[must_use]
    pub fn allow_ports(mut self, ports: Vec<u16>) -> Self {
        self.allowed_ports = ports.into();
        self
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
        if self.is_allowed(address) {
            return Ok(());
        }
        let verdict = match address.to_canonical() {
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
        if address.port() != 0 && self.is_allowed(address.ip()) {
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

    /// `::ffff:127.0.0.1` reaches `127.0.0.1`, so the allow-list is asked about that too.
    fn is_allowed(&self, address: IpAddr) -> bool {
        let canonical = address.to_canonical();
        self.allowed
            .iter()
            .any(|net| net.contains(&address) || net.contains(&canonical))
    }

    fn forbidding_v4(&self, address: Ipv4Addr) -> Option<Range> {
        self.denying(address.into()).or_else(|| {
            ranges::V4
                .iter()
                .copied()
                .find(|row| row.net.contains(&IpAddr::V4(address)))
        })
    }

    fn forbidding_v6(&self, address: Ipv6Addr) -> Option<Range> {
        if let Some(range) = self.denying(address.into()) {
            return Some(range);
        }
        // A NAT64 gateway sits elsewhere: what the operator allows here says nothing about what
        // is behind it, so the embedded address is judged without the allow-list.
        if let Some(embedded) = ranges::nat64(address) {
            return self.forbidding_v4(embedded);
        }
        ranges::V6
            .iter()
            .copied()
            .find(|row| row.net.contains(&IpAddr::V6(address)))
            .or_else(|| ranges::shape(address))
    }

    fn denying(&self, address: IpAddr) -> Option<Range> {
        let net = *self.denied.iter().find(|net| net.contains(&address))?;
        Some(Range {
            net,
            why: "denied by configuration",
        })
    }
}

#[cfg(test)]
mod tests;
