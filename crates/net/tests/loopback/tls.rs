//! Whom we trust, and how the lack of trust is told.

use std::collections::HashMap;
use std::io::Write;
use std::sync::mpsc;
use std::time::Duration;

use ringbolt_net::{
    Client, ClientSettings, Exchange, Failure, HeaderBlock, Limits, Method, Report,
    ResolverSettings, TlsProfile,
};

use crate::certificates::{Authority, accept};
use crate::server::{OK, Server, read_request};
use crate::via::{client, failure, post, settings, target};

fn trusting(authority: &Authority) -> Client {
    let receiver = (
        "receiver.test".to_owned(),
        vec!["127.0.0.1".parse().unwrap()],
    );
    let resolver = ResolverSettings {
        name_servers: Some(Vec::new()),
        overrides: HashMap::from([receiver]),
    };
    let extra_roots_pem = authority.pem();
    Client::new(ClientSettings {
        extra_roots_pem,
        resolver,
        ..settings()
    })
    .unwrap()
}

/// Answers requests inside TLS, under a certificate for these names.
fn serve(authority: &Authority, names: &[&str], reply: &'static str) -> Server {
    let config = authority.server(names, &["http/1.1"]);
    Server::start(move |stream, _| {
        let mut stream = accept(stream, &config);
        while read_request(&mut stream).is_some() {
            stream.write_all(reply.as_bytes()).unwrap();
            stream.flush().unwrap();
        }
    })
}

fn url(server: &Server, host: &str) -> String {
    format!("https://{host}:{}/", server.address.port())
}

#[tokio::test]
async fn a_certificate_of_a_configured_root_is_trusted_and_its_connection_kept() {
    let authority = Authority::new();
    let server = serve(&authority, &["receiver.test"], OK);
    let client = trusting(&authority);
    for n in 0..3 {
        let report = post(&client, &url(&server, "receiver.test")).await;
        assert_eq!(report.timings.tls.is_some(), n == 0);
        assert_eq!((report.result.unwrap().status, report.reused), (200, n > 0));
    }
    assert_eq!(server.connections(), 1);
}

#[tokio::test]
async fn the_name_is_sent_in_the_handshake() {
    let authority = Authority::new();
    let config = authority.server(&["receiver.test"], &[]);
    let (seen, names) = mpsc::channel();
    let server = Server::start(move |stream, _| {
        let mut stream = accept(stream, &config);
        read_request(&mut stream);
        seen.send(stream.conn.server_name().map(ToOwned::to_owned))
            .unwrap();
        stream.write_all(OK.as_bytes()).unwrap();
    });
    post(&trusting(&authority), &url(&server, "receiver.test"))
        .await
        .result
        .unwrap();
    assert_eq!(names.recv().unwrap().as_deref(), Some("receiver.test"));
}

#[tokio::test]
async fn an_address_can_have_a_certificate_too() {
    let authority = Authority::new();
    let server = serve(&authority, &["127.0.0.1"], OK);
    let report = post(&trusting(&authority), &url(&server, "127.0.0.1")).await;
    assert_eq!(report.result.unwrap().status, 200);
}

#[tokio::test]
async fn an_unknown_root_or_another_name_is_a_tls_failure() {
    let authority = Authority::new();
    let server = serve(&authority, &["other.test"], OK);
    let stranger = trusting(&Authority::new());
    for client in [trusting(&authority), stranger] {
        let failure = failure(&client, &url(&server, "receiver.test")).await;
        assert!(matches!(failure, Failure::Tls(_)), "{failure:?}");
        assert_eq!(failure.public_words(), "TLS error");
    }
}

#[tokio::test]
async fn a_server_without_tls_is_a_tls_failure() {
    let silent = Server::start(|stream, _| drop(stream));
    let speaking = |greeting: &'static str| {
        Server::start(move |mut stream, _| {
            stream.write_all(greeting.as_bytes()).unwrap();
            std::thread::park();
        })
    };
    let web = speaking("HTTP/1.1 400 Bad Request\r\n\r\n");
    let mail = speaking("220 mail.test ESMTP\r\n");
    for server in [web, mail, silent] {
        let failure = failure(&client(), &url(&server, "127.0.0.1")).await;
        assert!(matches!(failure, Failure::Tls(_)), "{failure:?}");
    }
}

#[tokio::test]
async fn a_body_that_ends_without_a_farewell_may_have_been_cut() {
    let authority = Authority::new();
    let config = authority.server(&["receiver.test"], &[]);
    let server = Server::start(move |stream, number| {
        let mut stream = accept(stream, &config);
        read_request(&mut stream);
        stream.write_all(b"HTTP/1.1 200 OK\r\n\r\nhalf").unwrap();
        if number == 0 {
            stream.conn.send_close_notify();
        }
        stream.flush().unwrap();
    });
    let client = trusting(&authority);
    let whole = post(&client, &url(&server, "receiver.test")).await;
    assert_eq!(whole.result.unwrap().body, "half");
    let cut = failure(&client, &url(&server, "receiver.test")).await;
    assert_eq!(cut, Failure::ClosedEarly);
}

async fn post_under(client: &Client, url: &str, tls: Option<&TlsProfile>) -> Report {
    let exchange = Exchange {
        target: &target(url),
        method: Method::POST,
        headers: &HeaderBlock::new(),
        body: "{}".into(),
        timeout: Duration::from_secs(5),
        tls,
    };
    client.send(exchange).await
}

#[tokio::test]
async fn a_connection_made_under_one_trust_does_not_serve_another() {
    let authority = Authority::new();
    let server = serve(&authority, &["127.0.0.1"], OK);
    let client = client();
    let profile = client.tls_profile(&authority.pem()).unwrap();
    let url = url(&server, "127.0.0.1");
    for reused in [false, true] {
        let report = post_under(&client, &url, Some(&profile)).await;
        assert_eq!(
            (report.result.unwrap().status, report.reused),
            (200, reused)
        );
    }
    let distrusting = post_under(&client, &url, None).await.result.unwrap_err();
    assert!(matches!(distrusting, Failure::Tls(_)), "{distrusting:?}");
}

#[tokio::test]
async fn a_handshake_that_never_ends_has_a_limit_of_its_own() {
    let server = Server::start(|stream, _| {
        std::thread::park();
        drop(stream);
    });
    let limits = Limits {
        tls_timeout: Duration::from_secs(1),
        ..Limits::default()
    };
    let client = Client::new(ClientSettings {
        limits,
        ..settings()
    })
    .unwrap();
    let report = post(&client, &url(&server, "127.0.0.1")).await;
    assert_eq!(report.result.unwrap_err(), Failure::Tls("timeout".into()));
    assert!(report.timings.connect.is_some() && report.timings.tls.is_some());
}
