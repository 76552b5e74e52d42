//! Values of several parts, separated by commas.

use std::net::{IpAddr, SocketAddr};

use ipnet::IpNet;

use super::Value;

/// The parts of a list; empty ones are left out.
pub(super) fn parts(text: &str) -> impl Iterator<Item = &str> {
    text.split(',')
        .map(str::trim)
        .filter(|part| !part.is_empty())
}

/// Networks of IP addresses.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Networks(pub(crate) Vec<IpNet>);

impl Networks {
    /// Whether the address lies in one of them. An IPv4 address within IPv6 is the IPv4 address.
    pub(crate) fn contain(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.0.iter().any(|network| network.contains(&address))
    }
}

impl Value for Networks {
    const FORM: &'static str = "comma-separated networks or addresses, such as `10.0.0.0/8,::1`";

    fn parse(text: &str) -> Result<Self, String> {
        let network = |part: &str| {
            let single = || part.parse::<IpAddr>().map(IpNet::from);
            part.parse::<IpNet>()
                .or_else(|_| single())
                .map_err(|_| format!("`{part}` is neither a network nor an address"))
        };
        parts(text).map(network).collect::<Result<_, _>>().map(Self)
    }
}

/// Addresses of name servers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct NameServers(pub(crate) Vec<SocketAddr>);

impl Value for NameServers {
    const FORM: &'static str = "comma-separated addresses with ports, such as `10.0.0.2:53`";

    fn parse(text: &str) -> Result<Self, String> {
        let server = |part: &str| {
            let without_port = || part.parse::<IpAddr>().map(|ip| SocketAddr::new(ip, 53));
            part.parse::<SocketAddr>()
                .or_else(|_| without_port())
                .map_err(|_| format!("`{part}` is no IP address with a port"))
        };
        parts(text).map(server).collect::<Result<_, _>>().map(Self)
    }
}

/// Ports.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Ports(pub(crate) Vec<u16>);

impl Value for Ports {
    const FORM: &'static str = "comma-separated ports, such as `25,6379`";

    fn parse(text: &str) -> Result<Self, String> {
        let port = |part: &str| match part.parse::<u16>() {
            Ok(port) if port > 0 => Ok(port),
            _ => Err(format!("`{part}` is no port")),
        };
        parts(text).map(port).collect::<Result<_, _>>().map(Self)
    }
}

/// Origins of web pages.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Origins(pub(crate) Vec<String>);

impl Value for Origins {
    const FORM: &'static str = "comma-separated origins, such as `https://portal.example.com`";

    fn parse(text: &str) -> Result<Self, String> {
        let origin = |part: &str| {
            let host = part
                .strip_prefix("https://")
                .or_else(|| part.strip_prefix("http://"));
            match host {
                Some(host) if !host.is_empty() && !host.contains('/') => Ok(part.to_owned()),
                _ => Err(format!(
                    "`{part}` is no origin: scheme and host, without a path"
                )),
            }
        };
        parts(text).map(origin).collect::<Result<_, _>>().map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_take_single_addresses_and_empty_means_none() {
        let networks = Networks::parse("10.0.0.0/8, ::1").unwrap();
        assert!(networks.contain("10.1.2.3".parse().unwrap()));
        assert!(networks.contain("::ffff:10.1.2.3".parse().unwrap()));
        assert!(networks.contain("::1".parse().unwrap()));
        assert!(!networks.contain("11.0.0.1".parse().unwrap()));
        assert_eq!(Networks::parse(""), Ok(Networks::default()));
        assert!(
            Networks::parse("10.0.0.0/33")
                .unwrap_err()
                .contains("10.0.0.0/33")
        );
    }

    #[test]
    fn a_name_server_is_asked_on_port_53_unless_it_says_otherwise() {
        let servers = NameServers::parse("10.0.0.2,[::1]:5353").unwrap();
        assert_eq!(
            servers.0,
            [
                "10.0.0.2:53".parse().unwrap(),
                "[::1]:5353".parse().unwrap()
            ]
        );
        assert!(NameServers::parse("dns.example.com:53").is_err());
    }

    #[test]
    fn an_origin_has_no_path() {
        assert!(Origins::parse("https://a.example,http://localhost:5173").is_ok());
        assert!(Origins::parse("https://a.example/").is_err());
        assert!(Origins::parse("a.example").is_err());
        assert!(Origins::parse("*").is_err());
    }
}
