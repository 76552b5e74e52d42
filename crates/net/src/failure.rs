//! How an exchange can fail, each way with a word of its own.

use std::io;

use crate::guard::{Blocked, Refusal};

/// Why a look-up gave no address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DnsFailure {
    /// The name does not exist or has no address.
    #[error("the name has no address")]
    NotFound,
    /// No name server answered in time.
    #[error("no answer in time")]
    Timeout,
    /// A name server failed, or none is configured.
    #[error("the look-up failed")]
    Other,
}

/// Where an egress proxy stopped us.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ProxyFailure {
    /// The proxy itself could not be reached.
    #[error("cannot be reached")]
    Unreachable,
    /// It wants other credentials.
    #[error("rejects the credentials")]
    Credentials,
    /// It will not connect to this destination: HTTP status or SOCKS reply code.
    #[error("refuses the destination (code {0})")]
    Denied(u16),
    /// It answered with something that is not its protocol.
    #[error("does not speak its protocol")]
    Protocol,
}

/// Why an exchange brought no reply. Its `Display` is for operators and may name addresses.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// An address that the target stands for must not be dialled. Nothing was dialled.
    #[error("blocked: {0}")]
    Blocked(#[from] Blocked),
    /// The port must not be dialled. Nothing was dialled.
    #[error("blocked: port {0} is not allowed")]
    PortBlocked(u16),
    /// The name could not be resolved.
    #[error("DNS: {0}")]
    Dns(#[from] DnsFailure),
    /// Nothing listens there.
    #[error("connection refused")]
    ConnectRefused,
    /// No connection in the time allowed for it.
    #[error("connect timeout")]
    ConnectTimeout,
    /// No route, unreachable, or a limit of this machine.
    #[error("cannot connect: {0}")]
    ConnectOther(io::ErrorKind),
    /// The TLS handshake failed; the detail is rustls's own text.
    #[error("TLS: {0}")]
    Tls(Box<str>),
    /// The whole exchange took longer than it may.
    #[error("timeout")]
    Timeout,
    /// The peer or the network broke the connection.
    #[error("connection reset")]
    Reset,
    /// The peer closed the connection before the reply was complete.
    #[error("connection closed before the reply was complete")]
    ClosedEarly,
    /// The reply is not HTTP, or ambiguous.
    #[error("protocol error: {0}")]
    ProtocolError(&'static str),
    /// More header bytes or lines than the limit.
    #[error("the reply's headers are too large")]
    HeadersTooLarge,
    /// The egress proxy did not bring us there.
    #[error("egress proxy: {0}")]
    Proxy(#[from] ProxyFailure),
}

impl Failure {
    /// The word under which the failure is recorded and counted.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Blocked(_) => "blocked",
            Self::PortBlocked(_) => "port_blocked",
            Self::Dns(DnsFailure::NotFound) => "dns_not_found",
            Self::Dns(DnsFailure::Timeout) => "dns_timeout",
            Self::Dns(DnsFailure::Other) => "dns_failed",
            Self::ConnectRefused => "connect_refused",
            Self::ConnectTimeout => "connect_timeout",
            Self::ConnectOther(_) => "connect_failed",
            Self::Tls(_) => "tls",
            Self::Timeout => "timeout",
            Self::Reset => "reset",
            Self::ClosedEarly => "closed_early",
            Self::ProtocolError(_) => "protocol_error",
            Self::HeadersTooLarge => "headers_too_large",
            Self::Proxy(_) => "proxy",
        }
    }

    /// What a tenant may read: it names no address, and does not tell a forbidden address from a
    /// closed port or from a name that does not exist, which would map the network behind us.
    pub fn public_words(&self) -> &'static str {
        match self {
            Self::Blocked(_)
            | Self::PortBlocked(_)
            | Self::ConnectRefused
            | Self::Dns(_)
            | Self::Proxy(ProxyFailure::Denied(_)) => "refused",
            Self::ConnectTimeout | Self::ConnectOther(_) | Self::Proxy(_) => "could not connect",
            Self::Tls(_) => "TLS error",
            Self::Timeout => "timeout",
            Self::Reset | Self::ClosedEarly => "connection closed early",
            Self::ProtocolError(_) => "invalid HTTP response",
            Self::HeadersTooLarge => "response headers too large",
        }
    }

    /// Names a failure of reading or writing after the connection stood.
    pub(crate) fn from_io(error: &io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::UnexpectedEof => Self::ClosedEarly,
            _ if is_tls(error) => Self::Tls(error.to_string().into()),
            _ => Self::Reset,
        }
    }

    /// Names a failure of dialling.
    pub(crate) fn from_connect(error: &io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::ConnectionRefused => Self::ConnectRefused,
            io::ErrorKind::TimedOut => Self::ConnectTimeout,
            kind => Self::ConnectOther(kind),
        }
    }
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Address(blocked) => Self::Blocked(blocked),
            Refusal::Port(port) => Self::PortBlocked(port),
        }
    }
}

fn is_tls(error: &io::Error) -> bool {
    error
        .get_ref()
        .is_some_and(|inner| inner.is::<rustls::Error>())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::guard::Guard;

    #[test]
    fn a_tenant_cannot_tell_a_forbidden_address_from_a_closed_or_missing_one() {
        let blocked = Guard::default()
            .judge("10.1.2.3".parse().unwrap())
            .unwrap_err();
        for failure in [
            Failure::Blocked(blocked),
            Failure::PortBlocked(25),
            Failure::ConnectRefused,
            Failure::Dns(DnsFailure::NotFound),
        ] {
            assert_eq!(failure.public_words(), "refused", "{failure}");
        }
        assert_eq!(
            Failure::Blocked(blocked).to_string(),
            "blocked: 10.1.2.3 is in 10.0.0.0/8 (private)"
        );
    }
}
