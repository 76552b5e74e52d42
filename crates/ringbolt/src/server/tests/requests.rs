//! What is read as a request, and what is refused as none.

use super::*;

#[tokio::test]
async fn a_request_is_answered() {
    let (address, _serving, _) = open(LIMITS);
    let request =
        b"POST / HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: 5\r\n\r\nhello";
    let answer = exchange(address, request).await;
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.ends_with("\r\n\r\nhello"));
}

#[tokio::test]
async fn a_head_that_is_too_long_is_431() {
    let (address, _serving, _) = open(LIMITS);
    // The first is whole in what one read may bring, the second is not.
    for bytes in [judge::LONGEST_HEAD, LONG] {
        let value = "y".repeat(bytes);
        let request = format!("GET /unknown HTTP/1.1\r\nhost: x\r\nx: {value}\r\n\r\n");
        let mut stream = TcpStream::connect(address).await.unwrap();
        // It may hang up before it has read everything.
        let _ = stream.write_all(request.as_bytes()).await;
        let mut start = [0; 12];
        stream.read_exact(&mut start).await.unwrap();
        assert_eq!(&start, b"HTTP/1.1 431", "{bytes}");
    }
}

#[tokio::test]
async fn an_absolute_target_counts_whatever_the_host_header_says() {
    let (address, _serving, _) = open(LIMITS);
    let request = b"POST http://one.example/ HTTP/1.1\r\nhost: other.example\r\nconnection: close\r\ncontent-length: 2\r\n\r\nok";
    let answer = exchange(address, request).await;
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
}

#[tokio::test]
async fn what_is_no_request_is_told_so_in_json() {
    let (address, _serving, _) = open(LIMITS);
    let fine = "POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\n\r\nok";
    let crowded = format!(
        "GET / HTTP/1.1\r\nhost: x\r\n{}\r\n",
        "a: b\r\n".repeat(101)
    );
    for (before, bytes, status, code) in [
        ("", "nonsense\r\n\r\n", 400, "bad_request"),
        (
            fine,
            "GET / HTTP/9.9\r\nhost: x\r\n\r\n",
            400,
            "bad_request",
        ),
        (
            fine,
            "GET / HTTP/1.1\r\nhost: x\r\na b: c\r\n\r\n",
            400,
            "bad_request",
        ),
        (fine, crowded.as_str(), 431, "head_too_large"),
    ] {
        let answer = exchange(address, format!("{before}{bytes}").as_bytes()).await;
        let last = match before {
            "" => answer.as_str(),
            _ => answer.split_once("\r\n\r\nok").unwrap().1,
        };
        assert!(last.starts_with(&format!("HTTP/1.1 {status} ")), "{answer}");
        assert_eq!(code_of(last), code, "{answer}");
    }
}

#[tokio::test]
async fn what_could_be_read_in_two_ways_is_refused_and_ends_the_connection() {
    let (address, _serving, _) = open(LIMITS);
    for head in [
        "POST / HTTP/1.1\r\ncontent-length: 2\r\n",
        "POST / HTTP/1.1\r\nhost: x\r\nhost: y\r\n",
        "POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\ntransfer-encoding: chunked\r\n",
        "POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\ncontent-length: 2\r\n",
        "POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: identity, chunked\r\n",
        "POST / HTTP/1.1\r\nhost: x\ncontent-length: 2\r\n",
        "POST / HTTP/1.1\r\nhost: x\r\na: b\r\n c\r\n",
    ] {
        let smuggled = "0\r\n\r\nGET /smuggled HTTP/1.1\r\nhost: x\r\n\r\n";
        let answer = exchange(address, format!("{head}\r\n{smuggled}").as_bytes()).await;
        assert!(answer.starts_with("HTTP/1.1 400 "), "{head:?}: {answer}");
        assert_eq!(code_of(&answer), "bad_request", "{head:?}");
        assert_eq!(answer.matches("HTTP/1.1 ").count(), 1, "{head:?}: {answer}");
    }
}

/// Well above the longest head: the last read may go beyond it.
const LONG: usize = 256 << 10;

#[tokio::test]
async fn a_head_or_a_body_that_never_ends_is_given_up() {
    let limits = Limits {
        head: Duration::from_secs(1),
        body: Duration::from_millis(50),
        ..LIMITS
    };
    let (address, _serving, _) = open(limits);
    let answer = exchange(address, b"GET / HTTP/1.1\r\nhost").await;
    assert!(answer.starts_with("HTTP/1.1 408"), "{answer}");
    assert_eq!(code_of(&answer), "timeout");
    let request = b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\n\r\nh";
    let answer = exchange(address, request).await;
    assert!(answer.starts_with("HTTP/1.1 408"), "{answer}");
}
