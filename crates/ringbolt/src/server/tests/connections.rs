//! How many connections there may be, and how they end.

use super::*;

#[tokio::test]
async fn beyond_the_limit_the_longest_idle_connection_ends() {
    let (address, _serving, _) = open(LIMITS);
    let mut first = TcpStream::connect(address).await.unwrap();
    let mut others = Vec::new();
    for _ in 0..3 {
        others.push(TcpStream::connect(address).await.unwrap());
    }
    assert_eq!(rest(&mut first).await, "");
}

#[tokio::test]
async fn bodies_that_do_not_come_lock_nobody_out() {
    let (address, serving, _) = open(LIMITS);
    let mut waiting = Vec::new();
    for _ in 0..LIMITS.connections {
        let mut stream = TcpStream::connect(address).await.unwrap();
        let begun = b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 900\r\n\r\n{";
        stream.write_all(begun).await.unwrap();
        waiting.push(stream);
    }
    wait_until(|| serving.registry.busy() == 3 && serving.registry.spare() == 3).await;
    let request = b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
    let answer = exchange(address, request).await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
}

#[tokio::test]
async fn the_end_waits_for_what_is_in_flight_and_for_nothing_else() {
    let (address, serving, held) = open(LIMITS);
    let _idle = TcpStream::connect(address).await.unwrap();
    let mut busy = TcpStream::connect(address).await.unwrap();
    busy.write_all(b"GET /slow HTTP/1.1\r\nhost: x\r\n\r\n")
        .await
        .unwrap();
    wait_until(|| serving.registry.busy() == 1).await;
    let closed = serving.close(Duration::from_secs(30));
    let released = async {
        tokio::task::yield_now().await;
        held.cancel();
        rest(&mut busy).await
    };
    let (ended, answer) = tokio::join!(closed, released);
    assert!(ended);
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert!(
        TcpStream::connect(address).await.is_err(),
        "nobody listens any more"
    );
}

#[tokio::test]
async fn the_end_does_not_wait_longer_than_it_may() {
    let (address, serving, _held) = open(LIMITS);
    let mut busy = TcpStream::connect(address).await.unwrap();
    busy.write_all(b"GET /slow HTTP/1.1\r\nhost: x\r\n\r\n")
        .await
        .unwrap();
    wait_until(|| serving.registry.busy() == 1).await;
    assert!(!serving.close(Duration::from_millis(10)).await);
    assert_eq!(rest(&mut busy).await, "");
}

#[tokio::test]
async fn a_port_that_is_taken_says_so() {
    let taken = Door::open("127.0.0.1:0".parse().unwrap()).unwrap();
    let why = Door::open(taken.address()).map(|_| ()).unwrap_err();
    assert!(format!("{why:#}").contains(&taken.address().to_string()));
}
