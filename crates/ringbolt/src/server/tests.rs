//! Promises of the door, over real sockets.

use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::*;

/// Answers with the body that it got; a path of `/slow` takes as long as a token is held.
struct Echo {
    held: CancellationToken,
}

impl Front for Echo {
    type Body = Full<Bytes>;

    async fn answer(&self, request: Request<RequestBody>, _: Peer) -> Response<Self::Body> {
        if request.uri().path() == "/slow" {
            self.held.cancelled().await;
        }
        match request.into_body().collect().await {
            Ok(body) => Response::new(Full::new(body.to_bytes())),
            Err(_) => status(StatusCode::REQUEST_TIMEOUT),
        }
    }
}

fn status(status: StatusCode) -> Response<Full<Bytes>> {
    let mut answer = Response::new(Full::default());
    *answer.status_mut() = status;
    answer
}

const LIMITS: Limits = Limits {
    connections: 3,
    head: Duration::from_secs(1),
    body: Duration::from_millis(50),
    idle: Duration::from_secs(60),
};

fn open(limits: Limits) -> (SocketAddr, Serving, CancellationToken) {
    let door = Door::open("127.0.0.1:0".parse().unwrap()).unwrap();
    let (address, held) = (door.address(), CancellationToken::new());
    let serving = door.serve(Echo { held: held.clone() }, limits, None);
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

#[tokio::test]
async fn a_request_is_answered() {
    let (address, _serving, _) = open(LIMITS);
    let request =
        b"POST / HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: 5\r\n\r\nhello";
    let answer = exchange(address, request).await;
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.ends_with("\r\n\r\nhello"));
}

#[tokio::test]
async fn a_head_that_is_too_long_is_431() {
    let (address, _serving, _) = open(LIMITS);
    let request = format!(
        "GET / HTTP/1.1\r\nhost: x\r\nx: {}\r\n\r\n",
        "y".repeat(LONG)
    );
    let mut stream = TcpStream::connect(address).await.unwrap();
    // It may hang up before it has read everything.
    let _ = stream.write_all(request.as_bytes()).await;
    let mut start = [0; 12];
    stream.read_exact(&mut start).await.unwrap();
    assert_eq!(&start, b"HTTP/1.1 431");
}

/// Well above the longest head: the last read may go beyond it.
const LONG: usize = 256 << 10;

#[tokio::test]
async fn a_head_or_a_body_that_never_ends_is_given_up() {
    let (address, _serving, _) = open(LIMITS);
    assert_eq!(exchange(address, b"GET / HTTP/1.1\r\nhost").await, "");
    let request = b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\n\r\nh";
    let answer = exchange(address, request).await;
    assert!(answer.starts_with("HTTP/1.1 408"), "{answer}");
}

#[tokio::test]
async fn beyond_the_limit_the_longest_idle_connection_ends() {
    let (address, _serving, _) = open(LIMITS);
    let mut first = TcpStream::connect(address).await.unwrap();
    let mut others = Vec::new();
    for _ in 0..3 {
        others.push(TcpStream::connect(address).await.unwrap());
    }
    assert_eq!(rest(&mut first).await, "");
}

#[tokio::test]
async fn the_end_waits_for_what_is_in_flight_and_for_nothing_else() {
    let (address, serving, held) = open(LIMITS);
    let _idle = TcpStream::connect(address).await.unwrap();
    let mut busy = TcpStream::connect(address).await.unwrap();
    busy.write_all(b"GET /slow HTTP/1.1\r\nhost: x\r\n\r\n")
        .await
        .unwrap();
    wait_until(|| serving.registry.busy() == 1).await;
    let closed = serving.close(Duration::from_secs(30));
    let released = async {
        tokio::task::yield_now().await;
        held.cancel();
        rest(&mut busy).await
    };
    let (ended, answer) = tokio::join!(closed, released);
    assert!(ended);
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert!(
        TcpStream::connect(address).await.is_err(),
        "nobody listens any more"
    );
}

#[tokio::test]
async fn the_end_does_not_wait_longer_than_it_may() {
    let (address, serving, _held) = open(LIMITS);
    let mut busy = TcpStream::connect(address).await.unwrap();
    busy.write_all(b"GET /slow HTTP/1.1\r\nhost: x\r\n\r\n")
        .await
        .unwrap();
    wait_until(|| serving.registry.busy() == 1).await;
    assert!(!serving.close(Duration::from_millis(10)).await);
    assert_eq!(rest(&mut busy).await, "");
}

#[tokio::test]
async fn a_port_that_is_taken_says_so() {
    let taken = Door::open("127.0.0.1:0".parse().unwrap()).unwrap();
    let why = Door::open(taken.address()).map(|_| ()).unwrap_err();
    assert!(format!("{why:#}").contains(&taken.address().to_string()));
}

#[tokio::test]
async fn tls_is_served_with_the_newest_certificate_in_the_files() {
    let folder = tempfile::tempdir().unwrap();
    let (certificate, key) = (
        folder.path().join("cert.pem"),
        folder.path().join("key.pem"),
    );
    let write = || {
        let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
        std::fs::write(&certificate, made.cert.pem()).unwrap();
        std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
    };
    write();
    let certificates = Arc::new(Certificates::read(&certificate, &key).unwrap());
    let door = Door::open("127.0.0.1:0".parse().unwrap()).unwrap();
    let (address, held) = (door.address(), CancellationToken::new());
    let _serving = door.serve(Echo { held }, LIMITS, Some(Arc::clone(&certificates)));
    assert!(
        over_tls(address, &certificate)
            .await
            .starts_with("HTTP/1.1 200")
    );
    write();
    certificates.read_again().unwrap();
    assert!(
        over_tls(address, &certificate)
            .await
            .starts_with("HTTP/1.1 200")
    );
    std::fs::write(&key, "nonsense").unwrap();
    assert!(certificates.read_again().is_err());
    assert!(
        over_tls(address, &certificate)
            .await
            .starts_with("HTTP/1.1 200"),
        "the old one stays"
    );
}

async fn over_tls(address: SocketAddr, certificate: &std::path::Path) -> String {
    let mut roots = rustls::RootCertStore::empty();
    roots
        .add(tls::chain(certificate).unwrap().remove(0))
        .unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let stream = TcpStream::connect(address).await.unwrap();
    let connector = tokio_rustls::TlsConnector::from(Arc::new(config));
    let name = "localhost".try_into().unwrap();
    let mut stream = connector.connect(name, stream).await.unwrap();
    let request = b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
    stream.write_all(request).await.unwrap();
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    String::from_utf8_lossy(&answer).into_owned()
}

async fn wait_until(condition: impl Fn() -> bool) {
    let waited = async {
        while !condition() {
            tokio::task::yield_now().await;
        }
    };
    timeout(Duration::from_secs(10), waited).await.unwrap();
}
