//! Answers that their clients do not read.

use super::*;

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
    for (asked, status) in [
        ("GET /", 503),
        ("HEAD /", 503),
        ("GET /vital", 200),
        ("POST /", 200),
        ("PUT /", 200),
        ("PATCH /", 200),
        ("DELETE /", 200),
    ] {
        let request = format!(
            "{asked} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: 2\r\n\r\nok"
        );
        let answer = exchange(address, request.as_bytes()).await;
        let expected = format!("HTTP/1.1 {status} ");
        assert!(answer.starts_with(&expected), "{asked}: {answer}");
    }
}

#[tokio::test]
async fn what_has_an_effect_holds_no_more_than_twice_what_answers_may() {
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
