//! The front of the house: who asks, and which way their request goes.

use std::net::IpAddr;
use std::sync::{Arc, OnceLock};

use axum::Router;
use axum::body::Body;
use bytes::Bytes;
use http::{HeaderMap, Request, Response, StatusCode};
use http_body_util::{Either, Full};
use ringbolt_api::{Api, HotRoute};
use ringbolt_gate::ClientAddress;
use tokio::time::Instant;
use tower::ServiceExt as _;

use crate::config::value::Networks;
use crate::request_log::RequestLog;
use crate::server::{Front, Peer, RequestBody};

/// Lets nobody in before the house stands: until then all are told to try again.
pub(crate) struct Entrance {
    inbound: OnceLock<Inbound>,
    waiting: Router,
    log: RequestLog,
}

impl Entrance {
    /// To a house that does not stand yet.
    ///
    /// # Errors
    /// If the operating system has no randomness to give.
    pub(crate) fn new() -> anyhow::Result<Self> {
        Ok(Self {
            inbound: OnceLock::new(),
            waiting: ringbolt_api::waiting()?,
            log: RequestLog::new(),
        })
    }

    /// The house stands.
    pub(crate) fn open(&self, inbound: Inbound) {
        // The first one stays; there is only one.
        let _stands = self.inbound.set(inbound);
    }

    async fn lead(&self, request: Request<RequestBody>, peer: Peer) -> Response<Answered> {
        if let Some(inbound) = self.inbound.get() {
            return inbound.answer(request, peer).await;
        }
        match self.waiting.clone().oneshot(request.map(Body::new)).await {
            Ok(answer) => answer.map(Either::Right),
            Err(never) => match never {},
        }
    }
}

/// What an answer consists of.
type Answered = Either<Full<Bytes>, Body>;

impl Front for Arc<Entrance> {
    type Body = Answered;

    async fn answer(&self, request: Request<RequestBody>, peer: Peer) -> Response<Self::Body> {
        let (method, begun) = (request.method().clone(), Instant::now());
        let answer = self.lead(request, peer).await;
        self.log.answered(&method, begun, &answer);
        answer
    }

    fn is_vital<B>(&self, request: &Request<B>) -> bool {
        VITAL.contains(&request.uri().path())
    }

    fn refused(&self, status: StatusCode, peer: Peer) {
        self.log.refused(status, peer.address);
    }
}

/// What asks whether the server is well.
const VITAL: [&str; 2] = ["/api/v1/health", "/api/v1/health/ping"];

/// What proxies say about whom they speak for.
const FORWARDED: &str = "x-forwarded-for";

/// Answers every request: the route of messages first, then all others.
pub(crate) struct Inbound {
    hot: HotRoute,
    router: Router,
    trusted: Networks,
}

impl Inbound {
    /// In front of this API, behind these proxies.
    pub(crate) fn new(api: &Api, trusted: Networks) -> Self {
        Self {
            hot: api.hot(),
            router: api.router(),
            trusted,
        }
    }
}

impl Front for Inbound {
    type Body = Answered;

    async fn answer(&self, mut request: Request<RequestBody>, peer: Peer) -> Response<Self::Body> {
        let client = client(peer.address.ip(), request.headers(), &self.trusted);
        request.extensions_mut().insert(ClientAddress(client));
        if HotRoute::matches(request.method(), request.uri().path()) {
            return self.hot.serve(request).await.map(Either::Left);
        }
        // Requests that wait one behind the other in one connection do not keep other connections waiting.
        tokio::task::yield_now().await;
        match self.router.clone().oneshot(request.map(Body::new)).await {
            Ok(answer) => answer.map(Either::Right),
            Err(never) => match never {},
        }
    }
}

/// Whose request it is: the address that the last trusted proxy saw. What anybody else wrote into the
/// header is their own invention.
fn client(peer: IpAddr, headers: &HeaderMap, trusted: &Networks) -> IpAddr {
    let mut client = peer.to_canonical();
    if !trusted.contain(client) {
        return client;
    }
    let lines = headers.get_all(FORWARDED).iter().rev();
    let hops = lines.flat_map(|line| line.to_str().unwrap_or_default().rsplit(','));
    for hop in hops {
        match address(hop.trim()) {
            Some(hop) => client = hop,
            None => break,
        }
        if !trusted.contain(client) {
            break;
        }
    }
    client
}

/// Some proxies add the port.
fn address(text: &str) -> Option<IpAddr> {
    let with_port = || {
        text.parse::<std::net::SocketAddr>()
            .map(|address| address.ip())
    };
    text.parse()
        .or_else(|_| with_port())
        .ok()
        .map(|address: IpAddr| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::value::Value as _;

    fn seen(peer: &str, forwarded: &[&str]) -> String {
        let trusted = Networks::parse("10.0.0.0/8,::1").unwrap();
        let mut headers = HeaderMap::new();
        for line in forwarded {
            headers.append(FORWARDED, line.parse().unwrap());
        }
        client(peer.parse().unwrap(), &headers, &trusted).to_string()
    }

    #[test]
    fn only_a_trusted_proxy_is_believed() {
        assert_eq!(seen("203.0.113.7", &["198.51.100.1"]), "203.0.113.7");
        assert_eq!(seen("10.0.0.1", &["198.51.100.1"]), "198.51.100.1");
        assert_eq!(seen("::ffff:10.0.0.1", &["198.51.100.1"]), "198.51.100.1");
        assert_eq!(seen("10.0.0.1", &[]), "10.0.0.1");
    }

    #[test]
    fn what_a_client_claims_about_itself_is_not_believed() {
        assert_eq!(
            seen("10.0.0.1", &["1.1.1.1, 198.51.100.1, 10.0.0.2"]),
            "198.51.100.1"
        );
        assert_eq!(
            seen("10.0.0.1", &["1.1.1.1", "198.51.100.1:4711"]),
            "198.51.100.1"
        );
        assert_eq!(
            seen("10.0.0.1", &["198.51.100.1, nonsense, 10.0.0.2"]),
            "10.0.0.2"
        );
        assert_eq!(seen("::1", &["[2001:db8::1]:80"]), "2001:db8::1");
    }
}
