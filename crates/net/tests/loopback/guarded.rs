//! Forbidden addresses and ports are not dialled, however they are named.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::time::Duration;

use ringbolt_net::{Client, ClientSettings, Failure, Guard, Limits, ResolverSettings};
use tokio::net::{TcpListener, TcpSocket};

use crate::server::{OK, Server};
use crate::via::{failure, post, reply, settings};

/// A client for which these names have these addresses.
fn knowing(guard: Guard, names: &[(&str, &[&str])]) -> Client {
    let address = |text: &&str| text.parse::<IpAddr>().unwrap();
    let overrides: HashMap<_, _> = names
        .iter()
        .map(|(name, addresses)| ((*name).to_owned(), addresses.iter().map(address).collect()))
        .collect();
    let resolver = ResolverSettings {
        name_servers: Some(Vec::new()),
        overrides,
    };
    let limits = Limits {
        connect_timeout: Duration::from_secs(2),
        ..Limits::default()
    };
    Client::new(ClientSettings {
        guard,
        resolver,
        limits,
        ..ClientSettings::default()
    })
    .unwrap()
}

#[tokio::test]
async fn the_loopback_interface_is_out_of_reach_unless_it_is_allowed() {
    let server = Server::answering(OK);
    let port = server.address.port();
    let client = knowing(Guard::default(), &[("receiver.test", &["127.0.0.1"])]);
    for host in [
        "127.0.0.1",
        "2130706433",
        "[::ffff:127.0.0.1]",
        "0",
        "receiver.test",
    ] {
        let failure = failure(&client, &format!("http://{host}:{port}/")).await;
        assert!(
            matches!(failure, Failure::Blocked(_)),
            "{host}: {failure:?}"
        );
        assert_eq!(
            (failure.as_str(), failure.public_words()),
            ("blocked", "refused")
        );
    }
    assert_eq!(server.connections(), 0);
}

#[tokio::test]
async fn one_forbidden_address_condemns_a_name() {
    let server = Server::answering(OK);
    let guard = Guard::new(vec!["127.0.0.1/32".parse().unwrap()]);
    let names: &[(&str, &[&str])] = &[
        ("mixed.test", &["127.0.0.1", "127.0.0.2"]),
        ("families.test", &["127.0.0.1", "::1"]),
        ("good.test", &["127.0.0.1"]),
    ];
    let client = knowing(guard, names);
    let url = |name: &str| format!("http://{name}:{}/", server.address.port());
    for name in ["mixed.test", "families.test"] {
        let failure = failure(&client, &url(name)).await;
        assert!(
            matches!(failure, Failure::Blocked(_)),
            "{name}: {failure:?}"
        );
    }
    assert_eq!(server.connections(), 0);
    assert_eq!(reply(&client, &url("good.test")).await.status, 200);
}

#[tokio::test]
async fn an_address_that_does_not_answer_gives_way_to_the_next() {
    let server = Server::answering(OK);
    let client = knowing(
        settings().guard,
        &[("two.test", &["127.0.0.2", "127.0.0.1"])],
    );
    let url = format!("http://two.test:{}/", server.address.port());
    assert_eq!(reply(&client, &url).await.status, 200);
}

/// A listener that takes no more connections: the next attempt to connect gets no answer.
#[expect(
    clippy::disallowed_methods,
    reason = "what clogs a listener connects to it"
)]
fn clogged(address: SocketAddr) -> (TcpListener, Vec<TcpStream>) {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(address).unwrap();
    let listener = socket.listen(1).unwrap();
    let address = listener.local_addr().unwrap();
    let connect = || TcpStream::connect_timeout(&address, Duration::from_millis(50)).ok();
    let waiting = std::iter::from_fn(connect).collect();
    (listener, waiting)
}

#[tokio::test]
async fn a_connection_that_does_not_come_about_has_a_limit_of_its_own() {
    let (listener, _waiting) = clogged("127.0.0.1:0".parse().unwrap());
    let limits = Limits {
        connect_timeout: Duration::from_millis(50),
        ..Limits::default()
    };
    let client = Client::new(ClientSettings {
        limits,
        ..settings()
    })
    .unwrap();
    let address = listener.local_addr().unwrap();
    let report = post(&client, &format!("http://{address}/")).await;
    assert_eq!(report.address, Some(address));
    assert_eq!(report.result.unwrap_err(), Failure::ConnectTimeout);
}

#[tokio::test]
async fn an_address_that_hangs_leaves_time_for_the_next() {
    let server = Server::answering(OK);
    let port = server.address.port();
    let _clogged = clogged(SocketAddr::from(([127, 0, 0, 2], port)));
    let client = knowing(
        settings().guard,
        &[("two.test", &["127.0.0.2", "127.0.0.1"])],
    );
    let report = post(&client, &format!("http://two.test:{port}/")).await;
    assert_eq!(report.address, Some(server.address));
    assert_eq!(report.result.unwrap().status, 200);
}

#[tokio::test]
async fn the_host_header_keeps_the_name() {
    let (seen, requests) = std::sync::mpsc::channel();
    let server = Server::start(move |mut stream, _| {
        let request = crate::server::read_request(&mut stream).unwrap();
        seen.send(request.header("host").unwrap().to_owned())
            .unwrap();
        std::io::Write::write_all(&mut stream, OK.as_bytes()).unwrap();
    });
    let client = knowing(settings().guard, &[("receiver.test", &["127.0.0.1"])]);
    reply(
        &client,
        &format!("http://Receiver.test.:{}/", server.address.port()),
    )
    .await;
    let expected = format!("receiver.test:{}", server.address.port());
    assert_eq!(requests.recv().unwrap(), expected);
}

#[tokio::test]
async fn port_zero_and_ports_of_other_services_are_not_dialled() {
    // The name has no address, so a mistake here could not reach anybody.
    let client = knowing(settings().guard, &[("nowhere.test", &[])]);
    assert_eq!(
        failure(&client, "http://127.0.0.1:0/").await,
        Failure::PortBlocked(0)
    );
    let missing = failure(&client, "http://nowhere.test:25/").await;
    assert_eq!(missing.as_str(), "dns_not_found");
}
