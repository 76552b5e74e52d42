//! What a connection that ends says about the request that was on its way.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use h2::server::Connection;
use http::Method;
use tokio::io::DuplexStream;
use tokio_util::task::TaskTracker;

use super::*;
use crate::headers::HeaderBlock;
use crate::http2::{SharedConnections, shake_hands};
use crate::pool::Key;
use crate::target::{Target, TargetPolicy};

/// A connection within this process, whose other end a test closes when it likes.
struct Within {
    target: Arc<Target>,
    shared: SharedConnections,
    limits: Limits,
    server: Connection<DuplexStream, Bytes>,
    lease: Lease,
}

impl Within {
    async fn start() -> Self {
        let (ours, theirs) = tokio::io::duplex(1 << 20);
        let (limits, tasks) = (Limits::default(), TaskTracker::new());
        let (begun, server) = tokio::join!(
            shake_hands(ours, &limits, &tasks),
            h2::server::handshake(theirs)
        );
        let target = Target::parse("https://example.com/", &TargetPolicy::default()).unwrap();
        let (target, shared) = (Arc::new(target), SharedConnections::new(&limits));
        let key = Key {
            origin: Arc::clone(target.origin()),
            tls: 1,
        };
        let address = "192.0.2.1:443".parse().unwrap();
        let lease = shared.add(
            key,
            begun.unwrap_or_else(|failure| panic!("{failure}")),
            address,
        );
        Self {
            target,
            shared,
            limits,
            server: server.unwrap(),
            lease,
        }
    }
}

/// Makes one exchange.
async fn send(target: &Arc<Target>, lease: &Lease, limits: &Limits) -> Result<Reply, Stumbled> {
    let (headers, standing) = (HeaderBlock::new(), Standing::new("tests").unwrap());
    let asked = Exchange {
        target,
        method: Method::POST,
        headers: &headers,
        body: "{}".into(),
        timeout: Duration::from_secs(60),
        tls: None,
    };
    exchange(lease, &asked, &standing, limits, &mut None).await
}

/// Has the server answer one request, so that nothing of the handshake is left to be written.
async fn prove(within: &mut Within) {
    let sending = send(&within.target, &within.lease, &within.limits);
    let serving = async {
        let (_, mut responding) = within.server.accept().await.unwrap().unwrap();
        responding.send_response(Response::new(()), true).unwrap();
        // Moves the connection on until the answer is out.
        within.server.accept().await.map(drop)
    };
    tokio::select! {
        reply = sending => drop(reply.unwrap_or_else(|stumbled| panic!("{}", stumbled.failure))),
        _ = serving => panic!("nothing else was sent"),
    }
    within.shared.settle(&within.lease);
}

#[tokio::test]
async fn a_request_of_which_nothing_was_written_may_be_made_once_more() {
    let mut within = Within::start().await;
    prove(&mut within).await;
    // Until this test waits for something the connection's task cannot have seen the end.
    drop(within.server);
    let outcome = send(&within.target, &within.lease, &within.limits).await;
    assert!(outcome.unwrap_err().repeatable);
}

#[tokio::test]
async fn a_request_that_is_not_handed_to_an_ended_connection_may_be_made_once_more() {
    let within = Within::start().await;
    drop(within.server);
    while !within.lease.has_ended() {
        tokio::task::yield_now().await;
    }
    let outcome = send(&within.target, &within.lease, &within.limits).await;
    assert!(outcome.unwrap_err().repeatable);
}

#[tokio::test]
async fn a_request_that_went_out_before_the_connection_broke_is_not_made_once_more() {
    let mut within = Within::start().await;
    prove(&mut within).await;
    let sending = send(&within.target, &within.lease, &within.limits);
    let ending = async {
        let taken = within.server.accept().await.unwrap().unwrap();
        drop(within.server);
        taken
    };
    let (outcome, _taken) = tokio::join!(sending, ending);
    assert!(!outcome.unwrap_err().repeatable);
}
