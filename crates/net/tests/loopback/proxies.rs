//! The way out through a proxy that the operator has named.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::mpsc::{self, Receiver};

use ringbolt_net::{Client, ClientSettings, Failure, Guard, ProxyFailure};

use crate::server::{OK, Server, read_request};
use crate::via::{failure, post, settings};

fn through(proxy: &str) -> Client {
    let proxy = Some(proxy.parse().unwrap());
    let guard = Guard::default();
    Client::new(ClientSettings {
        guard,
        proxy,
        ..settings()
    })
    .unwrap()
}

/// Hands bytes on in both directions until either side ends.
#[expect(
    clippy::disallowed_methods,
    reason = "a proxy connects to where it was asked to"
)]
fn splice(client: TcpStream, receiver: SocketAddr) {
    let receiver = TcpStream::connect(receiver).unwrap();
    let (mut from, mut to) = (client.try_clone().unwrap(), receiver.try_clone().unwrap());
    std::thread::spawn(move || std::io::copy(&mut from, &mut to));
    let (mut from, mut to) = (receiver, client);
    let _ = std::io::copy(&mut from, &mut to);
}

/// A CONNECT proxy that leads everything to one receiver and tells what it was asked.
fn connect_proxy(receiver: SocketAddr) -> (Server, Receiver<String>) {
    let (told, questions) = mpsc::channel();
    let proxy = Server::start(move |mut stream, _| {
        told.send(read_request(&mut stream).unwrap().head).unwrap();
        stream
            .write_all(b"HTTP/1.1 200 Connection established\r\n\r\n")
            .unwrap();
        splice(stream, receiver);
    });
    (proxy, questions)
}

#[tokio::test]
async fn a_connect_proxy_is_handed_the_name() {
    let receiver = Server::answering(OK);
    let (proxy, questions) = connect_proxy(receiver.address);
    let client = through(&format!("http://me:secret@{}", proxy.address));
    for reused in [false, true] {
        let report = post(&client, "http://receiver.test/hook").await;
        assert_eq!(
            (report.address, report.reused),
            (Some(proxy.address), reused)
        );
        assert_eq!(report.result.unwrap().body, "ok");
    }
    let question = questions.recv().unwrap();
    assert!(
        question.starts_with("CONNECT receiver.test:80 HTTP/1.1\r\nhost: receiver.test:80\r\n")
    );
    assert!(question.contains("\r\nproxy-authorization: Basic bWU6c2VjcmV0\r\n"));
    assert_eq!((proxy.connections(), receiver.connections()), (1, 1));
}

#[tokio::test]
async fn a_socks_proxy_is_handed_the_name_and_the_password() {
    let receiver = Server::answering(OK);
    let address = receiver.address;
    let (told, questions) = mpsc::channel();
    let proxy = Server::start(move |mut stream, _| {
        let mut expect = |bytes: &[u8]| {
            let mut read = vec![0; bytes.len()];
            stream.read_exact(&mut read).unwrap();
            told.send(read == bytes).unwrap();
        };
        expect(&[5, 1, 2]);
        stream.write_all(&[5, 2]).unwrap();
        let mut expect = |bytes: &[u8]| {
            let mut read = vec![0; bytes.len()];
            stream.read_exact(&mut read).unwrap();
            told.send(read == bytes).unwrap();
        };
        expect(b"\x01\x02me\x06secret");
        stream.write_all(&[1, 0]).unwrap();
        let mut request = [0; 20];
        stream.read_exact(&mut request).unwrap();
        told.send(&request == b"\x05\x01\x00\x03\x0dreceiver.test\x00\x50")
            .unwrap();
        stream
            .write_all(&[5, 0, 0, 1, 127, 0, 0, 1, 0, 80])
            .unwrap();
        splice(stream, address);
    });
    let client = through(&format!("socks5://me:secret@{}", proxy.address));
    let report = post(&client, "http://receiver.test/hook").await;
    assert_eq!(report.result.unwrap().body, "ok");
    assert_eq!(questions.iter().take(3).collect::<Vec<_>>(), [true; 3]);
}

#[tokio::test]
async fn what_a_proxy_refuses_is_told_apart() {
    use ProxyFailure as P;
    for (answer, expected) in [
        (&b"HTTP/1.1 407 Who are you\r\n\r\n"[..], P::Credentials),
        (
            b"HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n",
            P::Denied(403),
        ),
        (b"HTTP/1.1 200 OK\r\n\r\nsurplus", P::Protocol),
        (b"220 mail.test ESMTP\r\n", P::Protocol),
        (b"", P::Protocol),
    ] {
        let proxy = Server::answering_once(answer);
        let client = through(&format!("http://{}", proxy.address));
        let failure = failure(&client, "https://receiver.test/").await;
        assert_eq!(failure, Failure::Proxy(expected));
    }
    for (answer, expected) in [
        (&[5, 0xff][..], P::Credentials),
        (&[5, 0, 5, 2, 0, 1], P::Denied(2)),
        (&[4, 0], P::Protocol),
        (&[5, 2], P::Protocol),
    ] {
        let proxy = Server::start(move |mut stream, _| {
            stream.write_all(answer).unwrap();
            let _ = stream.read_to_end(&mut Vec::new());
        });
        let client = through(&format!("socks5://{}", proxy.address));
        let failure = failure(&client, "https://receiver.test/").await;
        assert_eq!(failure, Failure::Proxy(expected));
    }
}

#[tokio::test]
async fn a_proxy_that_is_not_there_is_not_the_receivers_fault() {
    let address = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let client = through(&format!("http://{address}"));
    let failure = failure(&client, "http://receiver.test/").await;
    assert_eq!(failure, Failure::Proxy(ProxyFailure::Unreachable));
    assert_eq!(failure.public_words(), "could not connect");
}

#[tokio::test]
async fn a_forbidden_literal_address_or_port_does_not_reach_the_proxy() {
    let (proxy, _questions) = connect_proxy("127.0.0.1:1".parse().unwrap());
    let client = through(&format!("http://{}", proxy.address));
    let blocked = failure(&client, "http://169.254.169.254/").await;
    assert!(matches!(blocked, Failure::Blocked(_)), "{blocked:?}");
    assert_eq!(
        failure(&client, "http://receiver.test:25/").await,
        Failure::PortBlocked(25)
    );
    assert_eq!(proxy.connections(), 0);
}
