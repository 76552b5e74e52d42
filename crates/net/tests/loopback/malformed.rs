//! Replies that are not HTTP, are ambiguous, or want too much memory.

use std::io::Write;

use ringbolt_net::Failure;

use crate::server::{Server, read_request};
use crate::via::{client, failure};

#[tokio::test]
async fn what_is_not_a_clear_http_reply_is_a_protocol_error() {
    for broken in [
        "SSH-2.0-OpenSSH_9.9\r\n",
        "HTTP/1.1 200 OK\r\ncontent-length: 2\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 3\r\n\r\nok",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: gzip\r\n\r\n",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nnonsense\r\n",
        "HTTP/1.1 200 OK\r\nx: a\r\n folded\r\n\r\n",
        "HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\n\r\n",
        "\0\0\0\0",
    ] {
        let server = Server::answering_once(broken);
        let client = client();
        let failure = failure(&client, &server.url("/")).await;
        assert!(
            matches!(failure, Failure::ProtocolError(_)),
            "{failure:?} for {broken:?}"
        );
        assert_eq!(client.idle_connections(), 0);
    }
}

#[tokio::test]
async fn headers_beyond_the_limit_are_not_read_to_their_end() {
    let server = Server::start(|mut stream, _| {
        read_request(&mut stream);
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nx: ");
        while stream.write_all(&[b'a'; 4096]).is_ok() {}
    });
    assert_eq!(
        failure(&client(), &server.url("/")).await,
        Failure::HeadersTooLarge
    );
}

#[tokio::test]
async fn complete_headers_beyond_the_limit_are_refused_too() {
    let long = format!("HTTP/1.1 200 OK\r\nx: {}\r\n\r\n", "a".repeat(33_000));
    let many = format!("HTTP/1.1 200 OK\r\n{}\r\n", "a: b\r\n".repeat(200));
    let endless_hints = "HTTP/1.1 103 Early Hints\r\n\r\n".repeat(2000);
    for head in [long, many, endless_hints] {
        let server = Server::answering_once(head);
        assert_eq!(
            failure(&client(), &server.url("/")).await,
            Failure::HeadersTooLarge
        );
    }
}

#[tokio::test]
async fn headers_within_the_limit_are_kept() {
    let head = format!(
        "HTTP/1.1 204 OK\r\nX-Long: {}\r\nEmpty:\r\n\r\n",
        "a".repeat(30_000)
    );
    let server = Server::answering_once(head);
    let reply = crate::via::reply(&client(), &server.url("/")).await;
    assert_eq!(reply.headers.single("x-long").unwrap().len(), 30_000);
    assert_eq!(reply.headers.single("empty"), Some(&b""[..]));
    assert_eq!(reply.headers.iter().next().unwrap().0, "X-Long");
}
