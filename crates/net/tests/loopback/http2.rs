//! HTTP/2, where the server chooses it in the handshake.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use http::{Request, Response, Version};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::rt::Executor;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use ringbolt_net::{Client, ClientSettings, Failure};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_rustls::TlsAcceptor;
use tokio_util::task::TaskTracker;

use crate::certificates::Authority;
use crate::via::{failure, post, post_body, reply, settings};

#[derive(Clone)]
struct Spawner(TaskTracker);

impl<F: Future<Output: Send> + Send + 'static> Executor<F> for Spawner {
    fn execute(&self, future: F) {
        self.0.spawn(future);
    }
}

/// An HTTP/2 server that tells the length of what it got, or sends as much as the path says.
struct Http2Server {
    address: SocketAddr,
    connections: Arc<AtomicUsize>,
    closing: watch::Sender<usize>,
}

impl Http2Server {
    async fn start(authority: &Authority) -> Self {
        let acceptor = TlsAcceptor::from(authority.server(&["127.0.0.1"], &["h2", "http/1.1"]));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let connections = Arc::new(AtomicUsize::new(0));
        let (closing, closed) = watch::channel(0);
        let (tasks, count) = (TaskTracker::new(), Arc::clone(&connections));
        tasks.clone().spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                count.fetch_add(1, Ordering::SeqCst);
                let served = serve(acceptor.clone(), stream, closed.clone(), tasks.clone());
                tasks.spawn(served);
            }
        });
        Self {
            address,
            connections,
            closing,
        }
    }

    fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }

    fn url(&self, path: &str) -> String {
        format!("https://{}{path}", self.address)
    }
}

async fn serve(
    acceptor: TlsAcceptor,
    stream: tokio::net::TcpStream,
    mut closed: watch::Receiver<usize>,
    tasks: TaskTracker,
) {
    let born = *closed.borrow();
    let Ok(stream) = acceptor.accept(stream).await else {
        return;
    };
    if stream.get_ref().1.alpn_protocol() != Some(b"h2") {
        let server = hyper::server::conn::http1::Builder::new();
        let _ = server
            .serve_connection(TokioIo::new(stream), service_fn(answer))
            .await;
        return;
    }
    let server = hyper::server::conn::http2::Builder::new(Spawner(tasks));
    let mut connection =
        std::pin::pin!(server.serve_connection(TokioIo::new(stream), service_fn(answer)));
    tokio::select! {
        biased;
        _ = closed.wait_for(|times| *times > born) => {}
        _ = &mut connection => {}
    }
}

async fn answer(request: Request<Incoming>) -> Result<Response<Full<bytes::Bytes>>, Infallible> {
    let version = request.version();
    let path = request.uri().path().to_owned();
    let size: Option<usize> = path[1..].parse().ok();
    let body = request.into_body().collect().await.unwrap().to_bytes();
    let text = match size {
        Some(size) => vec![b'x'; size],
        None => format!("{} bytes over {version:?}", body.len()).into_bytes(),
    };
    let mut response = Response::new(Full::from(text));
    response
        .headers_mut()
        .insert("x-version", format!("{version:?}").parse().unwrap());
    if path == "/headers" {
        response
            .headers_mut()
            .insert("x-long", "x".repeat(40_000).parse().unwrap());
    }
    Ok(response)
}

fn trusting(authority: &Authority) -> Client {
    Client::new(ClientSettings {
        extra_roots_pem: authority.pem(),
        ..settings()
    })
    .unwrap()
}

#[tokio::test]
async fn exchanges_share_one_connection() {
    let authority = Authority::new();
    let server = Http2Server::start(&authority).await;
    let client = trusting(&authority);
    let first = reply(&client, &server.url("/")).await;
    assert_eq!(first.body, "2 bytes over HTTP/2.0");
    assert_eq!(first.headers.single("x-version"), Some(&b"HTTP/2.0"[..]));
    let url = server.url("/");
    let many = futures_util::future::join_all((0..50).map(|_| post(&client, &url))).await;
    for report in many {
        assert!(report.reused && report.timings.tls.is_none());
        assert_eq!(report.address, Some(server.address));
        assert_eq!(report.result.unwrap().status, 200);
    }
    assert_eq!((server.connections(), client.idle_connections()), (1, 1));
    let large = post_body(&client, &url, vec![b'x'; 3_000_000])
        .await
        .result
        .unwrap();
    assert_eq!(large.body, "3000000 bytes over HTTP/2.0");
}

#[tokio::test]
async fn of_connections_that_were_made_at_once_one_stays() {
    let authority = Authority::new();
    let server = Http2Server::start(&authority).await;
    let client = trusting(&authority);
    let url = server.url("/");
    let many = futures_util::future::join_all((0..10).map(|_| post(&client, &url))).await;
    assert!(
        many.into_iter()
            .all(|report| report.result.unwrap().status == 200)
    );
    assert_eq!(client.idle_connections(), 1);
    assert!(post(&client, &url).await.reused);
}

#[tokio::test]
async fn a_body_is_cut_at_the_limit_and_its_connection_is_not_used_again() {
    let authority = Authority::new();
    let server = Http2Server::start(&authority).await;
    let client = trusting(&authority);
    let cut = reply(&client, &server.url("/10000000")).await;
    assert_eq!((cut.body.len(), cut.truncated), (65536, true));
    let whole = reply(&client, &server.url("/65536")).await;
    assert_eq!((whole.body.len(), whole.truncated), (65536, false));
    assert_eq!(reply(&client, &server.url("/")).await.status, 200);
    assert_eq!(server.connections(), 2);
}

#[tokio::test]
async fn a_connection_that_the_server_has_ended_is_not_used_again() {
    let authority = Authority::new();
    let server = Http2Server::start(&authority).await;
    let client = trusting(&authority);
    reply(&client, &server.url("/")).await;
    server.closing.send(1).unwrap();
    let seen = async {
        while client.idle_connections() > 0 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), seen)
        .await
        .unwrap();
    let report = post(&client, &server.url("/")).await;
    assert_eq!((report.reused, report.repeated), (false, false));
    assert_eq!(report.result.unwrap().status, 200);
    assert_eq!(server.connections(), 2);
}

#[tokio::test]
async fn an_idle_connection_ends_with_a_sweep_and_so_does_its_task() {
    let authority = Authority::new();
    let server = Http2Server::start(&authority).await;
    let client = trusting(&authority);
    reply(&client, &server.url("/")).await;
    client.sweep(Instant::now() + Duration::from_secs(50));
    assert_eq!(client.idle_connections(), 0);
    let ended = tokio::time::timeout(Duration::from_secs(60), client.shutdown());
    ended.await.unwrap();
}

#[tokio::test]
async fn headers_beyond_the_limit_are_refused() {
    let authority = Authority::new();
    let server = Http2Server::start(&authority).await;
    let client = trusting(&authority);
    assert_eq!(
        failure(&client, &server.url("/headers")).await,
        Failure::HeadersTooLarge
    );
    assert_eq!(client.idle_connections(), 0);
    assert_eq!(reply(&client, &server.url("/")).await.status, 200);
    assert_eq!(server.connections(), 2);
}

#[tokio::test]
async fn http2_can_be_switched_off() {
    let authority = Authority::new();
    let server = Http2Server::start(&authority).await;
    let extra_roots_pem = authority.pem();
    let settings = ClientSettings {
        extra_roots_pem,
        http2: false,
        ..settings()
    };
    let client = Client::new(settings).unwrap();
    let reply = reply(&client, &server.url("/")).await;
    assert_eq!(
        reply.headers.single("x-version"),
        Some(&format!("{:?}", Version::HTTP_11).into_bytes()[..])
    );
}
