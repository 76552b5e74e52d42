//! Promises of the door, over real sockets.

#![expect(
    clippy::disallowed_methods,
    reason = "the clients of a door connect to it"
)]

mod answers;
mod connections;
mod encrypted;
mod requests;

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::*;

/// Answers with the body that it got, `/vital` in any case; a path of `/slow` takes as long as a token is held, one of `/long`
/// answers with more than the kernel takes off our hands.
#[derive(Default)]
struct Echo {
    held: CancellationToken,
    long: Arc<AtomicUsize>,
    refused: Arc<AtomicUsize>,
}

/// The size of a long answer.
const MUCH: usize = 6 << 20;

impl Front for Echo {
    type Body = Full<Bytes>;

    async fn answer(&self, request: Request<RequestBody>, _: Peer) -> Response<Self::Body> {
        if request.uri().path() == "/slow" {
            self.held.cancelled().await;
        }
        if request.uri().path() == "/long" {
            self.long.fetch_add(1, Relaxed);
            return Response::new(Full::new(vec![b'x'; MUCH].into()));
        }
        match request.into_body().collect().await {
            Ok(body) => Response::new(Full::new(body.to_bytes())),
            Err(_) => status(StatusCode::REQUEST_TIMEOUT),
        }
    }

    fn is_vital<B>(&self, request: &Request<B>) -> bool {
        request.uri().path() == "/vital"
    }

    fn refused(&self, _: StatusCode, _: Peer) {
        self.refused.fetch_add(1, Relaxed);
    }
}

fn status(status: StatusCode) -> Response<Full<Bytes>> {
    let mut answer = Response::new(Full::default());
    *answer.status_mut() = status;
    answer
}

const LIMITS: Limits = Limits {
    connections: 3,
    head: Duration::from_secs(60),
    body: Duration::from_secs(60),
    idle: Duration::from_secs(60),
    answer: Duration::from_secs(60),
    unread: 64 << 20,
};

fn open(limits: Limits) -> (SocketAddr, Serving, CancellationToken) {
    let door = Door::open("127.0.0.1:0".parse().unwrap()).unwrap();
    let (address, held) = (door.address(), CancellationToken::new());
    let echo = Echo {
        held: held.clone(),
        ..Echo::default()
    };
    let serving = door.serve(echo, limits, None);
    (address, serving, held)
}

/// Sends bytes and reads until the other side ends it.
async fn exchange(address: SocketAddr, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    // A server that hangs up early may do so before everything is written.
    let _ = stream.write_all(bytes).await;
    rest(&mut stream).await
}

async fn rest(stream: &mut TcpStream) -> String {
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    String::from_utf8_lossy(&answer).into_owned()
}

/// The word of an error.
fn code_of(answer: &str) -> String {
    let (_, body) = answer.split_once("\r\n\r\n").unwrap();
    let json: serde_json::Value = serde_json::from_str(body).unwrap();
    assert!(json["detail"].is_string(), "{answer}");
    json["code"].as_str().unwrap().to_owned()
}

async fn tls_stream(
    address: SocketAddr,
    certificate: &std::path::Path,
    protocols: &[&[u8]],
) -> tokio_rustls::client::TlsStream<TcpStream> {
    let mut roots = rustls::RootCertStore::empty();
    roots
        .add(tls::chain(certificate).unwrap().remove(0))
        .unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = protocols.iter().map(|name| name.to_vec()).collect();
    let stream = TcpStream::connect(address).await.unwrap();
    let connector = tokio_rustls::TlsConnector::from(Arc::new(config));
    let name = "localhost".try_into().unwrap();
    connector.connect(name, stream).await.unwrap()
}

async fn wait_until(condition: impl Fn() -> bool) {
    let waited = async {
        while !condition() {
            // Whoever spins takes the processor from what it waits for.
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    timeout(Duration::from_secs(60), waited).await.unwrap();
}
