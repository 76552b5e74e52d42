//! HTTP/2 servers that allow little, end early, stall, or bury us under headers.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use h2::server::{Builder, Connection, SendResponse};
use h2::{Reason, RecvStream};
use http::{Request, Response};
use ringbolt_net::{Client, ClientSettings, Failure};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tokio_util::task::TaskTracker;

use crate::certificates::Authority;
use crate::via::{failure, post, post_body, post_within, reply, settings};

type Requested = (Request<RecvStream>, SendResponse<Bytes>);

/// A server whose connections, numbered from 0, are each in the hands of a function.
pub(crate) struct Rude {
    address: SocketAddr,
    connections: Arc<AtomicUsize>,
    pub(crate) client: Client,
}

impl Rude {
    pub(crate) async fn start<F>(
        serve: impl Fn(TlsStream<TcpStream>, usize) -> F + Send + Sync + 'static,
    ) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let authority = Authority::new();
        let acceptor = TlsAcceptor::from(authority.server(&["127.0.0.1"], &["h2"]));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let connections = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&connections);
        let tasks = TaskTracker::new();
        tasks.clone().spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let number = count.fetch_add(1, Ordering::SeqCst);
                tasks.spawn(serve(acceptor.accept(stream).await.unwrap(), number));
            }
        });
        let client = Client::new(ClientSettings {
            extra_roots_pem: authority.pem(),
            ..settings()
        });
        Self {
            address,
            connections,
            client: client.unwrap(),
        }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("https://{}{path}", self.address)
    }

    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }
}

fn answer((_, mut responding): Requested, status: u16) {
    let response = Response::builder().status(status).body(()).unwrap();
    let _gone = responding.send_response(response, true);
}

/// Answers what comes, but leaves `/hang` unanswered.
async fn serve_all(mut connection: Connection<TlsStream<TcpStream>, Bytes>) {
    let mut hanging = Vec::new();
    while let Some(Ok(requested)) = connection.accept().await {
        match requested.0.uri().path() {
            "/hang" => hanging.push(requested),
            _ => answer(requested, 200),
        }
    }
}

#[tokio::test]
async fn a_stream_that_hangs_does_not_hold_up_others_where_the_server_allows_one() {
    let server = Rude::start(|stream, _| async {
        let builder = Builder::new().max_concurrent_streams(1).handshake(stream);
        serve_all(builder.await.unwrap()).await;
    })
    .await;
    let (client, url) = (&server.client, server.url("/"));
    assert_eq!(reply(client, &url).await.status, 200);
    let hang = server.url("/hang");
    let hanging = post_within(client, &hang, Duration::from_secs(60));
    let others = async {
        for _ in 0..3 {
            assert_eq!(reply(client, &url).await.status, 200);
        }
    };
    tokio::select! {
        biased;
        report = hanging => panic!("the others waited for {report:?}"),
        () = others => {}
    }
}

#[tokio::test]
async fn a_connection_on_which_an_answer_failed_to_come_serves_nobody_else() {
    let server = Rude::start(|stream, number| async move {
        let mut connection = h2::server::handshake(stream).await.unwrap();
        if number == 0 {
            // Answers once and then is dead, though it is not closed.
            answer(connection.accept().await.unwrap().unwrap(), 200);
            let mut held = Vec::new();
            while let Some(requested) = connection.accept().await {
                held.push(requested);
            }
        } else {
            serve_all(connection).await;
        }
    })
    .await;
    let (client, url) = (&server.client, server.url("/"));
    assert_eq!(reply(client, &url).await.status, 200);
    let dead = post_within(client, &url, Duration::from_secs(2)).await;
    assert_eq!(
        (dead.reused, dead.result.unwrap_err()),
        (true, Failure::Timeout)
    );
    let report = post(client, &url).await;
    assert_eq!((report.result.unwrap().status, report.reused), (200, false));
    assert_eq!(server.connections(), 2);
}

#[tokio::test]
async fn what_a_server_had_begun_when_it_said_goodbye_is_finished_and_the_rest_goes_elsewhere() {
    let server = Rude::start(|stream, _| async {
        let mut connection = h2::server::handshake(stream).await.unwrap();
        let requested = connection.accept().await.unwrap().unwrap();
        connection.graceful_shutdown();
        answer(requested, 200);
        while connection.accept().await.is_some() {}
    })
    .await;
    for _ in 0..5 {
        assert_eq!(reply(&server.client, &server.url("/")).await.status, 200);
    }
    assert_eq!(server.connections(), 5);
}

/// Answers the first request of a connection; the second one is reset for this reason on the
/// first connection.
async fn resetting(reason: Reason) -> Rude {
    Rude::start(move |stream, number| async move {
        let mut connection = h2::server::handshake(stream).await.unwrap();
        answer(connection.accept().await.unwrap().unwrap(), 200);
        while let Some(Ok(mut requested)) = connection.accept().await {
            if number == 0 {
                requested.1.send_reset(reason);
            } else {
                answer(requested, 200);
            }
        }
    })
    .await
}

#[tokio::test]
async fn a_request_that_was_refused_unseen_is_made_once_more() {
    let server = resetting(Reason::REFUSED_STREAM).await;
    reply(&server.client, &server.url("/")).await;
    let report = post(&server.client, &server.url("/")).await;
    assert_eq!((report.reused, report.repeated), (false, true));
    assert_eq!(report.result.unwrap().status, 200);
}

#[tokio::test]
async fn a_request_that_was_broken_off_is_a_failure_and_the_next_one_is_not() {
    let server = resetting(Reason::INTERNAL_ERROR).await;
    reply(&server.client, &server.url("/")).await;
    assert_eq!(
        failure(&server.client, &server.url("/")).await,
        Failure::Reset
    );
    assert_eq!(reply(&server.client, &server.url("/")).await.status, 200);
}

#[tokio::test]
async fn a_server_that_answers_before_it_has_the_body_is_heard() {
    let server = Rude::start(|stream, _| async {
        let mut connection = h2::server::handshake(stream).await.unwrap();
        // The rest of the request is dropped, which resets the stream (RFC 9113 §8.1).
        while let Some(Ok(requested)) = connection.accept().await {
            answer(requested, 413);
        }
    })
    .await;
    let large = post_body(&server.client, &server.url("/"), vec![b'x'; 3_000_000]).await;
    assert_eq!(large.result.unwrap().status, 413);
}

#[tokio::test]
async fn a_server_that_takes_no_more_of_the_body_ends_in_a_timeout_for_that_one_alone() {
    let server = Rude::start(|stream, _| async {
        let mut connection = h2::server::handshake(stream).await.unwrap();
        let mut stalled = Vec::new();
        while let Some(Ok(requested)) = connection.accept().await {
            match requested.0.uri().path() {
                "/stall" => stalled.push(requested),
                _ => answer(requested, 200),
            }
        }
    })
    .await;
    let stall = server.url("/stall");
    let stalling = post_body(&server.client, &stall, vec![b'x'; 3_000_000]);
    let stalling = tokio::time::timeout(Duration::from_millis(300), stalling);
    assert!(stalling.await.is_err());
    assert_eq!(reply(&server.client, &server.url("/")).await.status, 200);
}

const SETTINGS: &[u8] = b"\0\0\0\x04\0\0\0\0\0";

fn frame(length: usize, kind: u8) -> Vec<u8> {
    let length = u32::try_from(length).unwrap().to_be_bytes();
    [&length[1..], &[kind, 0, 0, 0, 0, 1]].concat()
}

#[tokio::test]
async fn headers_without_end_are_cut_off() {
    let flood = Arc::new(AtomicUsize::new(0));
    let sent = Arc::clone(&flood);
    let server = Rude::start(move |mut stream, _| {
        let sent = Arc::clone(&sent);
        async move {
            stream.write_all(SETTINGS).await.unwrap();
            let mut ignored = [0; 1024];
            let _request = stream.read(&mut ignored).await;
            // `:status: 200`, and then literal headers `a: b…` without end.
            let line = [&b"\x00\x01a\x7f\x81\x07"[..], &[b'b'; 256]].concat();
            let block = line.repeat(60);
            let head = [frame(1, 1), b"\x88".to_vec()].concat();
            let mut piece = stream.write_all(&head).await;
            while piece.is_ok() && sent.load(Ordering::SeqCst) < 64 << 20 {
                let more = [frame(block.len(), 9), block.clone()].concat();
                sent.fetch_add(more.len(), Ordering::SeqCst);
                piece = stream.write_all(&more).await;
            }
        }
    })
    .await;
    let failure = failure(&server.client, &server.url("/")).await;
    assert!(
        matches!(
            failure,
            Failure::ProtocolError(_) | Failure::HeadersTooLarge | Failure::Reset
        ),
        "{failure:?}"
    );
    // What lies in the sockets' buffers was sent, too; what was offered was not taken.
    assert!(flood.load(Ordering::SeqCst) < 32 << 20);
}

#[tokio::test]
async fn a_server_that_is_silent_does_not_keep_the_client_from_ending() {
    let server = Rude::start(|stream, _| async {
        let mut connection = h2::server::handshake(stream).await.unwrap();
        answer(connection.accept().await.unwrap().unwrap(), 200);
        let sending = connection.accept();
        let _sent = tokio::time::timeout(Duration::from_millis(500), sending).await;
        // Neither reads nor closes from here on.
        std::future::pending::<()>().await;
    })
    .await;
    reply(&server.client, &server.url("/")).await;
    let ended = tokio::time::timeout(Duration::from_secs(60), server.client.shutdown());
    ended.await.unwrap();
    assert_eq!(server.client.idle_connections(), 0);
}
