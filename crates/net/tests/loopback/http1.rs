//! What an HTTP/1.1 exchange puts on the wire and takes from it.

use std::io::Write;
use std::sync::mpsc;
use std::time::Duration;

use ringbolt_net::{Exchange, Failure, HeaderBlock, Method};

use crate::server::{OK, Server, read_request};
use crate::via::{client, failure, post, post_body, post_within, reply, target};

#[tokio::test]
async fn a_request_arrives_as_it_was_given() {
    let (seen, requests) = mpsc::channel();
    let server = Server::start(move |mut stream, _| {
        seen.send(read_request(&mut stream).unwrap()).unwrap();
        stream.write_all(OK.as_bytes()).unwrap();
    });
    let report = post_body(&client(), &server.url("/hook?x=1"), b"{\"a\":1}".to_vec()).await;
    let request = requests.recv().unwrap();
    assert!(request.head.starts_with("POST /hook?x=1 HTTP/1.1\r\n"));
    assert_eq!(
        request.header("host"),
        Some(server.address.to_string().as_str())
    );
    assert_eq!(request.header("content-type"), Some("application/json"));
    assert_eq!(request.header("accept-encoding"), Some("identity"));
    assert!(
        request
            .header("user-agent")
            .unwrap()
            .starts_with("Ringbolt/")
    );
    assert_eq!(request.body, b"{\"a\":1}");
    assert_eq!(report.address, Some(server.address));
    let reply = report.result.unwrap();
    assert_eq!(
        (reply.status, &reply.body[..], reply.truncated),
        (200, &b"ok"[..], false)
    );
    assert!(report.timings.connect.is_some() && report.timings.first_byte.is_some());
    assert!(report.timings.dns.is_none() && report.timings.tls.is_none());
}

#[tokio::test]
async fn a_get_has_no_length_and_its_own_agent_replaces_ours() {
    let (seen, requests) = mpsc::channel();
    let server = Server::start(move |mut stream, _| {
        seen.send(read_request(&mut stream).unwrap()).unwrap();
        stream.write_all(OK.as_bytes()).unwrap();
    });
    let mut headers = HeaderBlock::new();
    headers.push("User-Agent", "mine").unwrap();
    let exchange = Exchange {
        target: &target(&server.url("/")),
        method: Method::GET,
        headers: &headers,
        body: "".into(),
        timeout: Duration::from_secs(5),
        tls: None,
    };
    client().send(exchange).await.result.unwrap();
    let request = requests.recv().unwrap();
    assert_eq!(request.header("content-length"), None);
    assert_eq!(request.head.matches("user-agent").count(), 1);
    assert_eq!(request.header("user-agent"), Some("mine"));
}

#[tokio::test]
async fn a_large_body_arrives_whole() {
    let (seen, requests) = mpsc::channel();
    let server = Server::start(move |mut stream, _| {
        seen.send(read_request(&mut stream).unwrap().body).unwrap();
        stream.write_all(OK.as_bytes()).unwrap();
    });
    let body: Vec<u8> = (0..10_000_000_u32).map(|n| (n % 251) as u8).collect();
    post_body(&client(), &server.url("/"), body.clone())
        .await
        .result
        .unwrap();
    assert!(requests.recv().unwrap() == body);
}

#[tokio::test]
async fn an_answer_that_comes_before_the_whole_request_counts_and_ends_the_connection() {
    let server = Server::start(|mut stream, _| {
        stream
            .write_all(b"HTTP/1.1 413 Too Large\r\ncontent-length: 0\r\n\r\n")
            .unwrap();
        // The rest of the request is never read, and the connection stays open.
        std::thread::park();
    });
    let client = client();
    let report = post_body(&client, &server.url("/"), vec![0; 50_000_000]).await;
    assert_eq!(report.result.unwrap().status, 413);
    assert_eq!(client.idle_connections(), 0);
}

#[tokio::test]
async fn chunks_are_put_together() {
    let chunked = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n\
                   4\r\nring\r\n4\r\nbolt\r\n0\r\nx-trailer: 1\r\n\r\n";
    let server = Server::answering(chunked);
    let client = client();
    for _ in 0..2 {
        assert_eq!(reply(&client, &server.url("/")).await.body, "ringbolt");
    }
    assert_eq!(server.connections(), 1);
}

#[tokio::test]
async fn a_body_may_end_with_the_connection() {
    let server = Server::answering_once("HTTP/1.1 200 OK\r\n\r\nuntil the end");
    let client = client();
    assert_eq!(reply(&client, &server.url("/")).await.body, "until the end");
    assert_eq!(client.idle_connections(), 0);
}

#[tokio::test]
async fn informational_responses_are_skipped() {
    let early = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n";
    let server = Server::answering(format!("{early}{OK}"));
    let reply = reply(&client(), &server.url("/")).await;
    assert_eq!((reply.status, reply.body), (200, "ok".into()));
}

#[tokio::test]
async fn statuses_without_a_body_need_no_length() {
    let server = Server::answering("HTTP/1.1 204 No Content\r\n\r\n");
    let client = client();
    for _ in 0..2 {
        assert_eq!(reply(&client, &server.url("/")).await.status, 204);
    }
    assert_eq!(server.connections(), 1);
}

#[tokio::test]
async fn a_redirect_is_an_answer_and_is_not_followed() {
    let elsewhere = Server::answering(OK);
    let server = Server::answering(format!(
        "HTTP/1.1 302 Found\r\nlocation: {}\r\ncontent-length: 0\r\n\r\n",
        elsewhere.url("/")
    ));
    let reply = reply(&client(), &server.url("/")).await;
    assert_eq!(reply.status, 302);
    assert_eq!(
        reply.headers.single("Location"),
        Some(elsewhere.url("/").as_bytes())
    );
    assert_eq!(elsewhere.connections(), 0);
}

#[tokio::test]
async fn of_an_endless_body_the_first_64_kib_are_kept_and_the_connection_is_closed() {
    for head in [
        "HTTP/1.1 200 OK\r\ncontent-length: 10000000000\r\n\r\n".to_owned(),
        "HTTP/1.1 200 OK\r\n\r\n".to_owned(),
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2540be400\r\n".to_owned(),
    ] {
        let (done, stopped) = mpsc::channel();
        let server = Server::start(move |mut stream, _| {
            read_request(&mut stream);
            stream.write_all(head.as_bytes()).unwrap();
            while stream.write_all(&[b'x'; 65536]).is_ok() {}
            done.send(()).unwrap();
        });
        let client = client();
        let reply = reply(&client, &server.url("/")).await;
        assert_eq!(
            (reply.status, reply.body.len(), reply.truncated),
            (200, 65536, true)
        );
        stopped.recv().unwrap();
        assert_eq!(client.idle_connections(), 0);
    }
}

#[tokio::test]
async fn a_body_of_exactly_the_limit_is_whole() {
    let body = "x".repeat(65536);
    for reply_text in [
        format!("HTTP/1.1 200 OK\r\ncontent-length: 65536\r\n\r\n{body}"),
        format!("HTTP/1.1 200 OK\r\n\r\n{body}"),
        format!(
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n10000\r\n{body}\r\n0\r\n\r\n"
        ),
    ] {
        let server = Server::answering_once(reply_text);
        let reply = reply(&client(), &server.url("/")).await;
        assert_eq!((reply.body.len(), reply.truncated), (65536, false));
    }
}

#[tokio::test]
async fn bytes_that_trickle_count_against_the_whole_time() {
    for head in [
        "HTTP/1.1 200 OK\r\nx: ",
        "HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n",
    ] {
        let server = Server::start(move |mut stream, _| {
            read_request(&mut stream);
            stream.write_all(head.as_bytes()).unwrap();
            while stream.write_all(b"x").is_ok() {
                std::thread::sleep(Duration::from_millis(5));
            }
        });
        let report = post_within(&client(), &server.url("/"), Duration::from_secs(2)).await;
        assert_eq!(report.result.unwrap_err(), Failure::Timeout);
        assert_eq!(report.address, Some(server.address));
        assert!(report.timings.first_byte.is_some());
    }
}

#[tokio::test]
async fn a_server_that_says_nothing_is_left_when_the_time_is_up() {
    let server = Server::start(|stream, _| {
        std::thread::park();
        drop(stream);
    });
    let report = post_within(&client(), &server.url("/"), Duration::from_secs(1)).await;
    assert_eq!(report.result.unwrap_err(), Failure::Timeout);
    assert!(report.timings.connect.is_some() && report.timings.first_byte.is_none());
}

#[tokio::test]
async fn a_closed_port_refuses() {
    // Taken, so that nobody else begins to listen there.
    let silent = tokio::net::TcpSocket::new_v4().unwrap();
    silent.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let address = silent.local_addr().unwrap();
    let report = post(&client(), &format!("http://{address}/")).await;
    assert_eq!(report.address, Some(address));
    assert_eq!(report.result.unwrap_err(), Failure::ConnectRefused);
}

#[tokio::test]
async fn a_reply_that_breaks_off_is_a_failure() {
    for cut in [
        "",
        "HTTP/1.1 200",
        "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nabc",
    ] {
        let server = Server::answering_once(cut);
        assert_eq!(
            failure(&client(), &server.url("/")).await,
            Failure::ClosedEarly,
            "{cut:?}"
        );
        assert_eq!(server.connections(), 1);
    }
}
