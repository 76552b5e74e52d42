//! HTTP/2 servers that end a kept connection while a request is on its way, and say more or less of it.

use ringbolt_net::{Failure, Report};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;

use crate::http2_rude::Rude;
use crate::via::{post, reply};

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const SETTINGS: u8 = 4;
const GOAWAY: u8 = 7;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;
const ACK: u8 = 1;

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

/// The last stream that was acted on, and an error code.
fn goodbye(last: u32, code: u32) -> Vec<u8> {
    let payload = [last.to_be_bytes(), code.to_be_bytes()].concat();
    frame(GOAWAY, 0, 0, &payload)
}

/// Reads until a request is whole, and gives its stream; 0 when the client has gone.
async fn request(stream: &mut TlsStream<TcpStream>) -> u32 {
    loop {
        let mut head = [0; 9];
        if stream.read_exact(&mut head).await.is_err() {
            return 0;
        }
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize;
        stream.read_exact(&mut vec![0; length]).await.unwrap();
        if matches!(head[3], DATA | HEADERS) && head[4] & END_STREAM != 0 {
            return u32::from_be_bytes([head[5], head[6], head[7], head[8]]);
        }
    }
}

async fn answer(stream: &mut TlsStream<TcpStream>, to: u32) {
    // `:status: 200` by the static table.
    let answer = frame(HEADERS, END_HEADERS | END_STREAM, to, b"\x88");
    stream.write_all(&answer).await.unwrap();
}

/// What comes of the second request on a connection, where the server takes it, says this, and closes; on later
/// connections it answers.
async fn second_where_it_says(last_words: Vec<u8>) -> (Report, usize) {
    let server = Rude::start(move |mut stream, number| {
        let last_words = last_words.clone();
        async move {
            let hello = [frame(SETTINGS, 0, 0, b""), frame(SETTINGS, ACK, 0, b"")].concat();
            stream.write_all(&hello).await.unwrap();
            stream.read_exact(&mut [0; 24]).await.unwrap();
            let first = request(&mut stream).await;
            answer(&mut stream, first).await;
            let second = request(&mut stream).await;
            if number == 0 {
                assert_eq!(second, 3);
                let _gone = stream.write_all(&last_words).await;
                let _gone = stream.shutdown().await;
                // Takes what the client may still have to say, so that nothing of ours is lost to a reset.
                let _end = stream.read_to_end(&mut Vec::new()).await;
            }
        }
    })
    .await;
    reply(&server.client, &server.url("/")).await;
    let report = post(&server.client, &server.url("/")).await;
    (report, server.connections())
}

#[tokio::test]
async fn a_request_that_a_goodbye_leaves_out_is_made_once_more() {
    // For no error, and as the server has had enough of us.
    for code in [0, 11] {
        let (report, connections) = second_where_it_says(goodbye(1, code)).await;
        assert_eq!(report.result.unwrap().status, 200);
        assert_eq!((report.repeated, connections), (true, 2));
    }
}

#[tokio::test]
async fn a_request_that_a_goodbye_includes_is_not_made_once_more() {
    for code in [0, 2] {
        let (report, connections) = second_where_it_says(goodbye(3, code)).await;
        assert_eq!(report.result.unwrap_err(), Failure::Reset);
        assert_eq!((report.repeated, connections), (false, 1));
    }
}

#[tokio::test]
async fn a_request_that_was_taken_is_not_made_once_more_when_its_connection_closes_without_a_word()
{
    let (report, connections) = second_where_it_says(Vec::new()).await;
    assert_eq!(report.result.unwrap_err(), Failure::Reset);
    assert_eq!((report.repeated, connections), (false, 1));
}

#[tokio::test]
async fn a_request_is_not_made_once_more_because_we_ended_the_connection_over_its_answer() {
    // DATA that belongs to no stream: our own side says goodbye.
    let (report, connections) = second_where_it_says(frame(DATA, 0, 0, b"x")).await;
    assert!(matches!(report.result, Err(Failure::ProtocolError(_))));
    assert_eq!((report.repeated, connections), (false, 1));
}
