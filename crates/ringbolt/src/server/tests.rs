//! Promises of the door, over real sockets.

#![expect(
    clippy::disallowed_methods,
    reason = "the clients of a door connect to it"
)]

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::*;

/// Answers with the body that it got; a path of `/slow` takes as long as a token is held, one of `/long`
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

#[tokio::test]
async fn what_is_no_request_is_told_so_in_json() {
    let (address, _serving, _) = open(LIMITS);
    let fine = "POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\n\r\nok";
    let crowded = format!(
        "GET / HTTP/1.1\r\nhost: x\r\n{}\r\n",
        "a: b\r\n".repeat(101)
    );
    for (before, bytes, status, code) in [
        ("", "nonsense\r\n\r\n", 400, "bad_request"),
        (
            fine,
            "GET / HTTP/9.9\r\nhost: x\r\n\r\n",
            400,
            "bad_request",
        ),
        (
            fine,
            "GET / HTTP/1.1\r\nhost: x\r\na b: c\r\n\r\n",
            400,
            "bad_request",
        ),
        (fine, crowded.as_str(), 431, "head_too_large"),
    ] {
        let answer = exchange(address, format!("{before}{bytes}").as_bytes()).await;
        let last = match before {
            "" => answer.as_str(),
            _ => answer.split_once("\r\n\r\nok").unwrap().1,
        };
        assert!(last.starts_with(&format!("HTTP/1.1 {status} ")), "{answer}");
        assert_eq!(code_of(last), code, "{answer}");
    }
}

#[tokio::test]
async fn what_could_be_read_in_two_ways_is_refused_and_ends_the_connection() {
    let (address, _serving, _) = open(LIMITS);
    for head in [
        "POST / HTTP/1.1\r\ncontent-length: 2\r\n",
        "POST / HTTP/1.1\r\nhost: x\r\nhost: y\r\n",
        "POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\ntransfer-encoding: chunked\r\n",
        "POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\ncontent-length: 2\r\n",
        "POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: identity, chunked\r\n",
        "POST / HTTP/1.1\r\nhost: x\ncontent-length: 2\r\n",
        "POST / HTTP/1.1\r\nhost: x\r\na: b\r\n c\r\n",
    ] {
        let smuggled = "0\r\n\r\nGET /smuggled HTTP/1.1\r\nhost: x\r\n\r\n";
        let answer = exchange(address, format!("{head}\r\n{smuggled}").as_bytes()).await;
        assert!(answer.starts_with("HTTP/1.1 400 "), "{head:?}: {answer}");
        assert_eq!(code_of(&answer), "bad_request", "{head:?}");
        assert_eq!(answer.matches("HTTP/1.1 ").count(), 1, "{head:?}: {answer}");
    }
}

/// The word of an error.
fn code_of(answer: &str) -> String {
    let (_, body) = answer.split_once("\r\n\r\n").unwrap();
    let json: serde_json::Value = serde_json::from_str(body).unwrap();
    assert!(json["detail"].is_string(), "{answer}");
    json["code"].as_str().unwrap().to_owned()
}

/// Well above the longest head: the last read may go beyond it.
const LONG: usize = 256 << 10;

#[tokio::test]
async fn a_head_or_a_body_that_never_ends_is_given_up() {
    let limits = Limits {
        head: Duration::from_secs(1),
        body: Duration::from_millis(50),
        ..LIMITS
    };
    let (address, _serving, _) = open(limits);
    let answer = exchange(address, b"GET / HTTP/1.1\r\nhost").await;
    assert!(answer.starts_with("HTTP/1.1 408"), "{answer}");
    assert_eq!(code_of(&answer), "timeout");
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
async fn bodies_that_do_not_come_lock_nobody_out() {
    let (address, serving, _) = open(LIMITS);
    let mut waiting = Vec::new();
    for _ in 0..LIMITS.connections {
        let mut stream = TcpStream::connect(address).await.unwrap();
        let begun = b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 900\r\n\r\n{";
        stream.write_all(begun).await.unwrap();
        waiting.push(stream);
    }
    wait_until(|| serving.registry.busy() == 3 && serving.registry.spare() == 3).await;
    let request = b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
    let answer = exchange(address, request).await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
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
    let address = door.address();
    let _serving = door.serve(Echo::default(), LIMITS, Some(Arc::clone(&certificates)));
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
    let mut stream = tls_stream(address, certificate, &[]).await;
    let request = b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
    stream.write_all(request).await.unwrap();
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    String::from_utf8_lossy(&answer).into_owned()
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

/// Sends as many requests for long answers in one go, and reads nothing.
async fn asks_and_does_not_read(address: SocketAddr, method: &str, requests: usize) -> TcpStream {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let requests = format!("{method} /long HTTP/1.1\r\nhost: x\r\n\r\n").repeat(requests);
    stream.write_all(requests.as_bytes()).await.unwrap();
    stream
}

#[tokio::test]
async fn answers_that_nobody_reads_hold_no_more_than_they_may() {
    let limits = Limits {
        connections: 100,
        unread: 3 * MUCH,
        ..LIMITS
    };
    let (address, serving, _) = open(limits);
    let mut deaf = Vec::new();
    for _ in 0..20 {
        deaf.push(asks_and_does_not_read(address, "GET", 5).await);
        let held = serving.registry.unread();
        assert!(held <= limits.unread + MUCH, "{held} bytes");
    }
    wait_until(|| serving.registry.unread() >= 2 * MUCH).await;
    // Whoever reads is served: the others make room.
    let request = b"GET /long HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
    let served = async {
        while !exchange(address, request).await.starts_with("HTTP/1.1 200") {
            assert!(serving.registry.unread() <= limits.unread + MUCH);
        }
    };
    timeout(Duration::from_secs(120), served).await.unwrap();
}

#[tokio::test]
async fn what_had_an_effect_is_answered_also_where_answers_have_no_room() {
    // As if all of it were taken by answers that others do not read.
    let full = Limits {
        unread: 0,
        ..LIMITS
    };
    let (address, _serving, _) = open(full);
    for (method, status) in [
        ("GET", 503),
        ("HEAD", 503),
        ("POST", 200),
        ("PUT", 200),
        ("PATCH", 200),
        ("DELETE", 200),
    ] {
        let request = format!(
            "{method} / HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: 2\r\n\r\nok"
        );
        let answer = exchange(address, request.as_bytes()).await;
        let expected = format!("HTTP/1.1 {status} ");
        assert!(answer.starts_with(&expected), "{method}: {answer}");
    }
}

#[tokio::test]
async fn nothing_more_is_done_while_answers_hold_twice_what_they_may() {
    let limits = Limits {
        connections: 100,
        unread: 2 * MUCH,
        ..LIMITS
    };
    let door = Door::open("127.0.0.1:0".parse().unwrap()).unwrap();
    let (address, echo) = (door.address(), Echo::default());
    let (done, refused) = (Arc::clone(&echo.long), Arc::clone(&echo.refused));
    let serving = door.serve(echo, limits, None);
    let mut deaf = Vec::new();
    for _ in 0..20 {
        deaf.push(asks_and_does_not_read(address, "POST", 1).await);
    }
    wait_until(|| {
        let held = serving.registry.unread();
        assert!(held <= 2 * limits.unread + 2 * MUCH, "{held} bytes");
        done.load(Relaxed) + refused.load(Relaxed) == 20
    })
    .await;
    // Whoever reads is served: the others make room.
    let request = b"POST / HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: 2\r\n\r\nok";
    let served = async {
        let mut answer = String::new();
        while !answer.starts_with("HTTP/1.1 200") {
            answer = exchange(address, request).await;
            assert!(
                answer.starts_with("HTTP/1.1 200") || code_of(&answer) == "unavailable",
                "{answer}"
            );
        }
    };
    timeout(Duration::from_secs(120), served).await.unwrap();
}

#[tokio::test]
async fn an_answer_that_is_not_taken_in_time_ends_its_connection() {
    let limits = Limits {
        answer: Duration::from_secs(2),
        ..LIMITS
    };
    let (address, serving, _) = open(limits);
    let mut slow = asks_and_does_not_read(address, "GET", 1).await;
    wait_until(|| serving.registry.unread() > 0).await;
    let mut byte = [0];
    let until_the_end = async {
        while serving.registry.unread() > 0 {
            slow.read_exact(&mut byte).await.unwrap();
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(Duration::from_secs(120), until_the_end)
        .await
        .unwrap();
    assert!(rest(&mut slow).await.len() < MUCH);
}

#[tokio::test]
async fn streams_of_one_connection_take_turns_with_long_answers() {
    let folder = tempfile::tempdir().unwrap();
    let [certificate, key] = ["cert.pem", "key.pem"].map(|name| folder.path().join(name));
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    std::fs::write(&certificate, made.cert.pem()).unwrap();
    std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
    let certificates = Arc::new(Certificates::read(&certificate, &key).unwrap());
    let door = Door::open("127.0.0.1:0".parse().unwrap()).unwrap();
    let (address, echo) = (door.address(), Echo::default());
    let asked = Arc::clone(&echo.long);
    let limits = Limits {
        unread: 100 * MUCH,
        ..LIMITS
    };
    let serving = door.serve(echo, limits, Some(certificates));

    let stream = tls_stream(address, &certificate, &[b"h2"]).await;
    let executor = hyper_util::rt::TokioExecutor::new();
    let io = hyper_util::rt::TokioIo::new(stream);
    let (sender, connection) = hyper::client::conn::http2::Builder::new(executor)
        // So that what is not read keeps nothing else from coming.
        .initial_connection_window_size(1 << 30)
        .handshake(io)
        .await
        .unwrap();
    let tasks = TaskTracker::new();
    tasks.spawn(connection);
    let ask = |method: &str, path: &str| {
        let request = Request::builder()
            .method(method)
            .uri(format!("https://localhost{path}"))
            .body(Full::new(Bytes::from_static(b"small")))
            .unwrap();
        sender.clone().send_request(request)
    };
    let mut answers = Vec::new();
    for _ in 0..20 {
        answers.push(tasks.spawn(ask("GET", "/long")));
    }
    wait_until(|| asked.load(Relaxed) == 4).await;
    // A short one passes them; by then the long ones had their time.
    let short = ask("POST", "/")
        .await
        .unwrap()
        .into_body()
        .collect()
        .await
        .unwrap();
    assert_eq!(short.to_bytes().as_ref(), b"small");
    assert_eq!(asked.load(Relaxed), 4);
    assert!(serving.registry.unread() <= 4 * (MUCH + 1024) + 4096);
    // What is read makes room for the next.
    let read = answers.into_iter().map(async |answer| {
        let body = answer.await.unwrap().unwrap().into_body();
        body.collect().await.unwrap().to_bytes().len()
    });
    let lengths = futures_util::future::join_all(read).await;
    assert_eq!(lengths, [MUCH; 20]);
    assert_eq!(asked.load(Relaxed), 20);
}

async fn wait_until(condition: impl Fn() -> bool) {
    let waited = async {
        while !condition() {
            tokio::task::yield_now().await;
        }
    };
    timeout(Duration::from_secs(60), waited).await.unwrap();
}
