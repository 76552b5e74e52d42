//! Makes a connection: look up, judge every address, connect to one that was judged, TLS.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};

use crate::failure::{DnsFailure, Failure, ProxyFailure};
use crate::guard::Guard;
use crate::proxy::EgressProxy;
use crate::reply::Timings;
use crate::resolve::Resolver;
use crate::settings::Limits;
use crate::stream::Stream;
use crate::target::{Host, Target};
use crate::tls::TlsProfile;

/// A name may have many addresses; after this many have failed, the rest would fail too.
const MAX_TRIES: usize = 4;

/// What is needed to get from a target to a stream.
pub(crate) struct Dialler {
    pub(crate) guard: Guard,
    pub(crate) resolver: Resolver,
    pub(crate) proxy: Option<EgressProxy>,
    pub(crate) limits: Limits,
}

/// What was learned on the way, also when the way ended in a failure.
#[derive(Default)]
pub(crate) struct Trace {
    pub(crate) address: Option<SocketAddr>,
    pub(crate) timings: Timings,
}

/// A connection that is ready for a request.
pub(crate) struct Dialled {
    pub(crate) stream: Stream,
    pub(crate) address: SocketAddr,
    /// Whether the peer chose HTTP/2.
    pub(crate) http2: bool,
}

impl Dialler {
    /// Dials a target, under this profile if its scheme asks for TLS.
    pub(crate) async fn dial(
        &self,
        target: &Target,
        tls: Option<&TlsProfile>,
        trace: &mut Trace,
    ) -> Result<Dialled, Failure> {
        let (stream, address) = match &self.proxy {
            None => self.dial_directly(target, trace).await?,
            Some(proxy) => self.dial_through(proxy, target, trace).await?,
        };
        let Some(tls) = tls else {
            return Ok(Dialled {
                stream: Stream::Plain(stream),
                address,
                http2: false,
            });
        };
        let started = Instant::now();
        let shaken = timeout(
            self.limits.tls_timeout,
            tls.handshake(target.host(), stream),
        )
        .await;
        trace.timings.tls = Some(started.elapsed());
        let (stream, http2) = shaken.map_err(|_elapsed| Failure::Tls("timeout".into()))??;
        Ok(Dialled {
            stream: Stream::Tls(Box::new(stream)),
            address,
            http2,
        })
    }

    async fn dial_directly(
        &self,
        target: &Target,
        trace: &mut Trace,
    ) -> Result<(TcpStream, SocketAddr), Failure> {
        let addresses = match target.host() {
            Host::Ip(ip) => vec![*ip],
            Host::Name(name) => self.resolve(name, trace).await?,
        };
        let vetted = self.vet(&addresses, target.port())?;
        let started = Instant::now();
        let connected = self.connect(&vetted, trace).await;
        trace.timings.connect = Some(started.elapsed());
        connected
    }

    async fn resolve(&self, name: &str, trace: &mut Trace) -> Result<Vec<IpAddr>, DnsFailure> {
        let started = Instant::now();
        let resolved = self.resolver.resolve(name).await;
        trace.timings.dns = Some(started.elapsed());
        resolved
    }

    /// One forbidden address among many condemns them all: a name that points both inside and
    /// outside is an attack or a mistake.
    fn vet(&self, addresses: &[IpAddr], port: u16) -> Result<Vec<SocketAddr>, Failure> {
        let judged = addresses.iter().map(|ip| {
            let address = SocketAddr::new(*ip, port);
            self.guard.judge_socket(address).map(|()| address)
        });
        Ok(judged.collect::<Result<_, _>>()?)
    }

    /// Tries the addresses in turn, sharing the time among them; the first one's failure counts.
    async fn connect(
        &self,
        addresses: &[SocketAddr],
        trace: &mut Trace,
    ) -> Result<(TcpStream, SocketAddr), Failure> {
        let deadline = Instant::now() + self.limits.connect_timeout;
        let tries = addresses.len().min(MAX_TRIES);
        let mut first_failure = None;
        for (index, address) in addresses.iter().take(tries).enumerate() {
            trace.address = Some(*address);
            let left = deadline.saturating_duration_since(Instant::now());
            match connect_one(*address, left / (tries - index) as u32).await {
                Ok(stream) => return Ok((stream, *address)),
                Err(failure) => _ = first_failure.get_or_insert(failure),
            }
        }
        Err(first_failure.unwrap_or(Failure::Dns(DnsFailure::NotFound)))
    }

    /// The proxy resolves and filters names; literal addresses are judged here all the same.
    async fn dial_through(
        &self,
        proxy: &EgressProxy,
        target: &Target,
        trace: &mut Trace,
    ) -> Result<(TcpStream, SocketAddr), Failure> {
        target.precheck(&self.guard)?;
        let started = Instant::now();
        let dialled = timeout(self.limits.connect_timeout, async {
            let (mut stream, address) = self.reach(proxy, trace).await?;
            proxy.ask(&mut stream, target).await?;
            Ok((stream, address))
        });
        let dialled = dialled.await;
        trace.timings.connect = Some(started.elapsed());
        dialled.map_err(|_elapsed| Failure::ConnectTimeout)?
    }

    /// The proxy's address comes from the operator and is not judged.
    async fn reach(
        &self,
        proxy: &EgressProxy,
        trace: &mut Trace,
    ) -> Result<(TcpStream, SocketAddr), Failure> {
        let ips = match proxy.host() {
            Host::Ip(ip) => vec![*ip],
            Host::Name(name) => {
                let found = self.resolver.resolve(name).await;
                found.map_err(|_failure| ProxyFailure::Unreachable)?
            }
        };
        let addresses: Vec<_> = ips
            .into_iter()
            .map(|ip| SocketAddr::new(ip, proxy.port()))
            .collect();
        let connected = self.connect(&addresses, trace).await;
        connected.map_err(|_failure| Failure::Proxy(ProxyFailure::Unreachable))
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the one place that connects to where a tenant's URL leads; the addresses were judged"
)]
async fn connect_one(address: SocketAddr, within: Duration) -> Result<TcpStream, Failure> {
    let stream = timeout(within, TcpStream::connect(address))
        .await
        .map_err(|_elapsed| Failure::ConnectTimeout)?
        .map_err(|error| Failure::from_connect(&error))?;
    // A request is one write, and nobody waits for its last segment.
    stream
        .set_nodelay(true)
        .map_err(|error| Failure::from_connect(&error))?;
    Ok(stream)
}
