//! When a connection is used again, and when it must not be.

use std::io::Write;
use std::time::Duration;

use ringbolt_net::{Client, ClientSettings, Failure, Limits};
use tokio::time::Instant;

use crate::server::{OK, Server, read_request};
use crate::via::{client, failure, post, reply, settings};

fn with_limits(limits: Limits) -> Client {
    Client::new(ClientSettings {
        limits,
        ..settings()
    })
    .unwrap()
}

#[tokio::test]
async fn a_connection_serves_one_exchange_after_another() {
    let server = Server::answering(OK);
    let client = client();
    for n in 0..5 {
        let report = post(&client, &server.url("/")).await;
        assert_eq!((report.reused, report.repeated), (n > 0, false));
        assert_eq!(report.result.unwrap().status, 200);
        assert_eq!(report.timings.connect.is_some(), n == 0);
    }
    assert_eq!((server.connections(), client.idle_connections()), (1, 1));
}

#[tokio::test]
async fn a_connection_is_not_kept_when_the_peer_will_close_it_or_said_too_much() {
    for unclean in [
        "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\nok",
        "HTTP/1.0 200 OK\r\ncontent-length: 2\r\n\r\nok",
        "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok, and more",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\nHTTP/1.1 200 OK\r\n",
        "HTTP/1.1 204 No Content\r\ncontent-length: 2\r\n\r\n",
    ] {
        let server = Server::answering(unclean);
        let client = client();
        for _ in 0..2 {
            reply(&client, &server.url("/")).await;
            assert_eq!(client.idle_connections(), 0, "{unclean}");
        }
        assert_eq!(server.connections(), 2, "{unclean}");
    }
}

#[tokio::test]
async fn an_exchange_on_a_connection_that_was_closed_meanwhile_is_made_once_more() {
    let server = Server::start(|mut stream, _| {
        read_request(&mut stream);
        stream.write_all(OK.as_bytes()).unwrap();
        // Reads the second request and closes without a word.
        read_request(&mut stream);
    });
    let client = client();
    reply(&client, &server.url("/")).await;
    let report = post(&client, &server.url("/")).await;
    assert_eq!((report.reused, report.repeated), (false, true));
    assert_eq!(report.result.unwrap().status, 200);
    assert!(report.timings.connect.is_some());
    assert_eq!(server.connections(), 2);
}

#[tokio::test]
async fn once_more_means_once() {
    let server = Server::start(|mut stream, number| {
        read_request(&mut stream);
        if number == 0 {
            stream.write_all(OK.as_bytes()).unwrap();
            read_request(&mut stream);
        }
    });
    let client = client();
    reply(&client, &server.url("/")).await;
    assert_eq!(
        failure(&client, &server.url("/")).await,
        Failure::ClosedEarly
    );
    assert_eq!(server.connections(), 2);
}

#[tokio::test]
async fn a_reply_that_had_begun_is_not_asked_for_again() {
    let server = Server::start(|mut stream, _| {
        for answer in [OK, "HTTP/1.1 200"] {
            read_request(&mut stream);
            stream.write_all(answer.as_bytes()).unwrap();
        }
    });
    let client = client();
    reply(&client, &server.url("/")).await;
    assert_eq!(
        failure(&client, &server.url("/")).await,
        Failure::ClosedEarly
    );
    assert_eq!(server.connections(), 1);
}

#[tokio::test]
async fn an_idle_connection_is_closed_when_its_time_has_come() {
    let server = Server::answering(OK);
    let client = client();
    reply(&client, &server.url("/")).await;
    client.sweep(Instant::now() + Duration::from_secs(49));
    assert_eq!(client.idle_connections(), 1);
    client.sweep(Instant::now() + Duration::from_secs(50));
    assert_eq!(client.idle_connections(), 0);
}

#[tokio::test]
async fn an_expired_connection_is_not_used_even_if_nobody_swept() {
    let server = Server::answering(OK);
    let client = with_limits(Limits {
        idle_timeout: Duration::ZERO,
        ..Limits::default()
    });
    for _ in 0..3 {
        reply(&client, &server.url("/")).await;
    }
    assert_eq!(server.connections(), 3);
}

#[tokio::test]
async fn idle_connections_are_bounded_per_host_and_in_all() {
    let servers: Vec<Server> = (0..3).map(|_| Server::answering(OK)).collect();
    let limits = Limits {
        max_idle_total: 4,
        max_idle_per_host: 2,
        ..Limits::default()
    };
    let client = with_limits(limits);
    let url = servers[0].url("/");
    tokio::join!(
        reply(&client, &url),
        reply(&client, &url),
        reply(&client, &url)
    );
    assert_eq!(client.idle_connections(), 2);
    for server in &servers {
        let url = server.url("/");
        tokio::join!(reply(&client, &url), reply(&client, &url));
    }
    assert_eq!(client.idle_connections(), 4);
}

#[tokio::test]
async fn a_connection_belongs_to_its_host_and_port() {
    let (one, other) = (Server::answering(OK), Server::answering(OK));
    let client = client();
    for server in [&one, &other, &one, &other] {
        reply(&client, &server.url("/")).await;
    }
    assert_eq!((one.connections(), other.connections()), (1, 1));
    assert_eq!(client.idle_connections(), 2);
}

#[tokio::test]
async fn shutdown_closes_what_is_idle() {
    let server = Server::answering(OK);
    let client = client();
    reply(&client, &server.url("/")).await;
    client.shutdown().await;
    assert_eq!(client.idle_connections(), 0);
}
