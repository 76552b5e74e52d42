//! Turns a tenant's text into a checked destination; the only URL parser of the outbound path.

mod rules;

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use url::Url;

use crate::guard::{Guard, Refusal};

/// What a URL may look like.
#[derive(Debug, Clone)]
pub struct TargetPolicy {
    /// Refuse `http`.
    pub https_only: bool,
    /// Longest URL in bytes, both as given and as normalised.
    pub max_length: usize,
    /// Names that are let through although a rule refuses them: whole names, or `*.suffix`.
    pub allowed_names: Vec<String>,
    /// Refuse names that mean "this machine" or "this network". Only a courtesy: what decides is
    /// the judgement of the addresses. Off where the operator has opened networks of their own.
    pub judge_names: bool,
}

impl Default for TargetPolicy {
    fn default() -> Self {
        Self {
            https_only: false,
            max_length: 2048,
            allowed_names: Vec::new(),
            judge_names: true,
        }
    }
}

impl TargetPolicy {
    /// The default policy beside this guard: its names are judged unless networks are allowed.
    pub fn beside(guard: &Guard) -> Self {
        Self {
            judge_names: !guard.allows_networks(),
            ..Self::default()
        }
    }
}

/// Why a URL is no destination.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TargetError {
    /// Neither `http://` nor `https://`.
    #[error("the URL must begin with http:// or https://")]
    Scheme,
    /// `http` where only `https` is allowed.
    #[error("the URL must begin with https://")]
    HttpsOnly,
    /// More bytes than the policy's limit.
    #[error("the URL is longer than {0} bytes")]
    TooLong(usize),
    /// Space, TAB, a control character or a backslash, which parsers read differently.
    #[error("the URL contains a space, a control character or a backslash")]
    Character,
    /// A user name or password before the host.
    #[error("the URL must not contain a user name or password")]
    UserInfo,
    /// `#…`, which is never sent.
    #[error("the URL must not contain a fragment")]
    Fragment,
    /// The parser found no host, or one that cannot be looked up.
    #[error("the URL's host is not valid")]
    Host,
    /// The name stands for this machine or its network.
    #[error("the URL's host is a local name")]
    LocalName,
    /// The rest does not parse.
    #[error("the URL is not valid")]
    Syntax,
}

/// How a destination is spoken to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Scheme {
    /// Plain text.
    Http,
    /// Inside TLS.
    Https,
}

impl Scheme {
    fn default_port(self) -> u16 {
        match self {
            Self::Http => 80,
            Self::Https => 443,
        }
    }
}

/// What stands between `//` and the port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Host {
    /// A literal address, in whichever notation it was given.
    Ip(IpAddr),
    /// An ASCII (`xn--…`) name in lower case, without a trailing dot.
    Name(Box<str>),
}

/// A URL that was checked: what the client connects to is exactly what was parsed here.
#[derive(Clone, PartialEq, Eq)]
pub struct Target {
    text: Box<str>,
    /// Scheme and authority, `https://example.com:8443`: what a connection belongs to.
    origin: Arc<str>,
    scheme: Scheme,
    host: Host,
    port: u16,
    authority_start: usize,
    path_start: usize,
}

impl Target {
    /// Checks and normalises a URL.
    ///
    /// # Errors
    /// [`TargetError`], fit to be shown to whoever gave the URL.
    pub fn parse(text: &str, policy: &TargetPolicy) -> Result<Self, TargetError> {
        rules::check_text(text, policy)?;
        let mut url = Url::parse(text).map_err(rules::from_parser)?;
        if !url.username().is_empty() || url.password().is_some() {
            return Err(TargetError::UserInfo);
        }
        let host = rules::host(&mut url, policy)?;
        Self::from_checked(&url, host, policy)
    }

    fn from_checked(url: &Url, host: Host, policy: &TargetPolicy) -> Result<Self, TargetError> {
        let scheme = if url.scheme() == "https" {
            Scheme::Https
        } else {
            Scheme::Http
        };
        let origin = &url[..url::Position::AfterPort];
        if url.as_str().len() > policy.max_length {
            return Err(TargetError::TooLong(policy.max_length));
        }
        Ok(Self {
            text: url.as_str().into(),
            scheme,
            host,
            port: url.port().unwrap_or(scheme.default_port()),
            authority_start: url[..url::Position::BeforeHost].len(),
            path_start: origin.len(),
            origin: origin.into(),
        })
    }

    /// Judges what can be judged without a look-up, for a friendly answer when the URL is
    /// registered: a literal address and the port. Names are judged when they are dialled.
    ///
    /// # Errors
    /// [`Refusal`] says what is forbidden.
    pub fn precheck(&self, guard: &Guard) -> Result<(), Refusal> {
        match self.host {
            Host::Ip(ip) => guard.judge_socket(SocketAddr::new(ip, self.port)),
            // The name may yet resolve into an allowed network, where only port 0 is closed.
            Host::Name(_) if guard.allows_networks() && self.port != 0 => Ok(()),
            Host::Name(_) => guard.judge_port(self.port),
        }
    }

    /// The scheme.
    pub fn scheme(&self) -> Scheme {
        self.scheme
    }

    /// The host, without its port.
    pub fn host(&self) -> &Host {
        &self.host
    }

    /// The port, the scheme's own if none was given.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The value of the `Host` header: the port is left out when it is the scheme's own.
    pub fn authority(&self) -> &str {
        &self.text[self.authority_start..self.path_start]
    }

    /// The request target in origin form (RFC 9112 §3.2.1).
    pub fn path_and_query(&self) -> &str {
        &self.text[self.path_start..]
    }

    /// The normalised URL.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    pub(crate) fn origin(&self) -> &Arc<str> {
        &self.origin
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Target({})", self.text)
    }
}

#[cfg(test)]
mod tests;
