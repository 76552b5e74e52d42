//! The egress proxy that an operator may name: HTTP CONNECT or SOCKS5.

mod connect;
mod socks5;

use std::fmt;
use std::str::FromStr;

use percent_encoding::percent_decode_str;
use tokio::net::TcpStream;
use url::Url;

use crate::failure::ProxyFailure;
use crate::settings::SettingsError;
use crate::target::{Host, Target};

/// A proxy through which everything goes. It is handed names as they are and does the filtering.
#[derive(Clone, PartialEq, Eq)]
pub struct EgressProxy {
    kind: Kind,
    host: Host,
    port: u16,
    credentials: Option<Credentials>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Connect,
    Socks5,
}

#[derive(Clone, PartialEq, Eq)]
struct Credentials {
    user: String,
    password: String,
}

impl FromStr for EgressProxy {
    type Err = SettingsError;

    /// Reads `http://user:password@host:port` or `socks5://…`; the credentials may be missing.
    fn from_str(text: &str) -> Result<Self, SettingsError> {
        let url = Url::parse(text).map_err(|_error| SettingsError::Proxy("not a URL"))?;
        let (kind, default_port) = match url.scheme() {
            "http" => (Kind::Connect, 80),
            "socks5" | "socks5h" => (Kind::Socks5, 1080),
            _ => {
                return Err(SettingsError::Proxy(
                    "the scheme is neither http nor socks5",
                ));
            }
        };
        let host = host(&url).ok_or(SettingsError::Proxy("no host"))?;
        let credentials = credentials(&url)?;
        Ok(Self {
            kind,
            host,
            port: url.port().unwrap_or(default_port),
            credentials,
        })
    }
}

impl EgressProxy {
    pub(crate) fn host(&self) -> &Host {
        &self.host
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// Asks for a way to the target; afterwards the stream leads there.
    pub(crate) async fn ask(
        &self,
        stream: &mut TcpStream,
        target: &Target,
    ) -> Result<(), ProxyFailure> {
        let credentials = self.credentials.as_ref();
        match self.kind {
            Kind::Connect => connect::ask(stream, target, credentials).await,
            Kind::Socks5 => socks5::ask(stream, target, credentials).await,
        }
    }
}

impl fmt::Debug for EgressProxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let with = if self.credentials.is_some() {
            " with credentials"
        } else {
            ""
        };
        write!(
            f,
            "EgressProxy({:?} {:?}:{}{with})",
            self.kind, self.host, self.port
        )
    }
}

/// Schemes that browsers do not know keep an IPv4 address as a name.
fn host(url: &Url) -> Option<Host> {
    Some(match url.host()? {
        url::Host::Ipv4(ip) => Host::Ip(ip.into()),
        url::Host::Ipv6(ip) => Host::Ip(ip.into()),
        url::Host::Domain(name) => match name.parse() {
            Ok(ip) => Host::Ip(ip),
            Err(_) => Host::Name(name.to_ascii_lowercase().into()),
        },
    })
}

fn credentials(url: &Url) -> Result<Option<Credentials>, SettingsError> {
    if url.username().is_empty() && url.password().is_none() {
        return Ok(None);
    }
    let decode = |text: &str| {
        let decoded = percent_decode_str(text).decode_utf8();
        let decoded =
            decoded.map_err(|_error| SettingsError::Proxy("credentials are not UTF-8"))?;
        // SOCKS5 counts either in one byte (RFC 1929 §2).
        if decoded.len() > 255 {
            return Err(SettingsError::Proxy(
                "credentials are longer than 255 bytes",
            ));
        }
        Ok(decoded.into_owned())
    };
    let user = decode(url.username())?;
    let password = decode(url.password().unwrap_or_default())?;
    Ok(Some(Credentials { user, password }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proxy_is_read_from_its_url() {
        let socks: EgressProxy = "socks5://me:p%40ss@127.0.0.1".parse().unwrap();
        assert_eq!((socks.kind, socks.port), (Kind::Socks5, 1080));
        assert_eq!(socks.host, Host::Ip("127.0.0.1".parse().unwrap()));
        assert_eq!(socks.credentials.as_ref().unwrap().password, "p@ss");
        let http: EgressProxy = "http://Proxy.example:3128".parse().unwrap();
        assert_eq!((http.kind, http.port), (Kind::Connect, 3128));
        assert_eq!(http.host, Host::Name("proxy.example".into()));
        for bad in ["https://a", "socks4://a", "proxy:3128", "", "socks5://"] {
            assert!(bad.parse::<EgressProxy>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_password_does_not_show_in_debug_output() {
        let proxy: EgressProxy = "http://me:secret@proxy.example:1".parse().unwrap();
        assert!(!format!("{proxy:?}").contains("secret"));
    }
}
