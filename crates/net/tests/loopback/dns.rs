//! Names that are looked up: each answer is judged, and believed no longer than it says.

use std::net::Ipv4Addr;
use std::time::Duration;

use ringbolt_net::{Client, ClientSettings, DnsFailure, Failure, Guard, Limits, ResolverSettings};

use crate::name_server::{Answer, NameServer};
use crate::server::{OK, Server};
use crate::via::{failure, post, reply, settings};

const CLOSING: &str = "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";

fn asking(server: &NameServer, guard: Guard) -> Client {
    asking_for(server, guard, Duration::from_secs(30))
}

fn asking_for(server: &NameServer, guard: Guard, resolve_timeout: Duration) -> Client {
    let resolver = ResolverSettings {
        name_servers: Some(vec![server.address]),
        ..Default::default()
    };
    let limits = Limits {
        resolve_timeout,
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

fn only_the_first() -> Guard {
    Guard::new(vec!["127.0.0.1/32".parse().unwrap()])
}

fn always(address: Ipv4Addr, ttl: u32) -> NameServer {
    NameServer::start(move |_| Answer::Addresses(vec![address], ttl))
}

#[tokio::test]
async fn a_name_is_looked_up_as_it_is_and_the_time_is_told() {
    let server = Server::answering(OK);
    let names = always(Ipv4Addr::LOCALHOST, 60);
    let client = asking(&names, settings().guard);
    for host in ["receiver", "a.receiver.test"] {
        let report = post(
            &client,
            &format!("http://{host}:{}/", server.address.port()),
        )
        .await;
        assert_eq!(report.address, Some(server.address));
        assert!(report.timings.dns.is_some());
        assert_eq!(report.result.unwrap().status, 200);
    }
    assert_eq!(names.asked(), ["receiver", "a.receiver.test"]);
}

#[tokio::test]
async fn a_name_of_a_forbidden_address_is_blocked_without_a_connection() {
    let server = Server::answering(OK);
    let names = always(Ipv4Addr::LOCALHOST, 60);
    let client = asking(&names, Guard::default());
    let failure = failure(
        &client,
        &format!("http://a.test:{}/", server.address.port()),
    )
    .await;
    assert!(matches!(failure, Failure::Blocked(_)), "{failure:?}");
    assert_eq!(server.connections(), 0);
}

#[tokio::test]
async fn a_name_that_changes_its_address_is_judged_at_every_look_up() {
    let server = Server::answering_once(CLOSING);
    let names = NameServer::start(|n| {
        Answer::Addresses(vec![Ipv4Addr::new(127, 0, 0, 1 + (n % 2) as u8)], 0)
    });
    let client = asking(&names, only_the_first());
    let url = format!("http://rebinding.test:{}/", server.address.port());
    for _ in 0..2 {
        assert_eq!(reply(&client, &url).await.status, 200);
        let failure = failure(&client, &url).await;
        assert!(matches!(failure, Failure::Blocked(_)), "{failure:?}");
    }
    assert_eq!((server.connections(), names.asked().len()), (2, 4));
}

#[tokio::test]
async fn a_connection_that_is_kept_needs_no_look_up() {
    let server = Server::answering(OK);
    let names = always(Ipv4Addr::LOCALHOST, 0);
    let client = asking(&names, only_the_first());
    for _ in 0..3 {
        reply(
            &client,
            &format!("http://a.test:{}/", server.address.port()),
        )
        .await;
    }
    assert_eq!((server.connections(), names.asked().len()), (1, 1));
}

#[tokio::test]
async fn an_answer_is_remembered_for_its_time_to_live() {
    let server = Server::answering_once(CLOSING);
    let names = always(Ipv4Addr::LOCALHOST, 60);
    let client = asking(&names, only_the_first());
    for _ in 0..3 {
        reply(
            &client,
            &format!("http://a.test:{}/", server.address.port()),
        )
        .await;
    }
    assert_eq!((server.connections(), names.asked().len()), (3, 1));
}

#[tokio::test]
async fn look_ups_fail_each_in_its_own_way() {
    for (answer, expected) in [
        (
            (|_| Answer::NoSuchName) as fn(usize) -> Answer,
            DnsFailure::NotFound,
        ),
        (|_| Answer::Addresses(Vec::new(), 0), DnsFailure::NotFound),
        (|_| Answer::Silence, DnsFailure::Timeout),
    ] {
        let names = NameServer::start(answer);
        // Only what is never answered is waited for in vain.
        let patience = match expected {
            DnsFailure::Timeout => Duration::from_millis(300),
            _ => Duration::from_secs(30),
        };
        let client = asking_for(&names, settings().guard, patience);
        let report = post(&client, "http://a.test/").await;
        assert_eq!(report.result.unwrap_err(), Failure::Dns(expected));
        assert!(report.timings.dns.is_some() && report.address.is_none());
    }
}
