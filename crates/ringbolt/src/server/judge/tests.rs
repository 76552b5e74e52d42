//! Heads that are plain, and heads that two readers could read differently.

use super::*;

/// Plain heads and the fault behind them, the same however the bytes are cut.
fn judged(bytes: &str) -> (u32, Option<Fault>) {
    let cut_at = |size: usize| {
        let mut judge = Judge::default();
        let plain = bytes
            .as_bytes()
            .chunks(size)
            .map(|some| judge.heads(some))
            .sum::<u32>();
        (plain, judge.fault())
    };
    let whole = cut_at(bytes.len());
    for size in [1, 2, 3, 7, 16] {
        assert_eq!(cut_at(size), whole, "{size} bytes at a time: {bytes:?}");
    }
    whole
}

#[test]
fn plain_requests_are_followed_one_behind_the_other() {
    for (bytes, heads) in [
        ("GET / HTTP/1.1\r\nHost: x\r\n\r\n", 1),
        (
            "\r\nGET / HTTP/1.1\r\nhost:x\r\n\r\nGET / HTTP/1.1\r\nHOST: y\r\n\r\n",
            2,
        ),
        ("GET / HTTP/1.0\r\n\r\n", 1),
        (
            "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\n\n\n\n\nGET / HTTP/1.1\r\nHost: x\r\n\r\n",
            2,
        ),
        (
            "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: Chunked\r\n\r\n5;a=b\r\nab\ncd\r\n0\r\nX: y\r\n\r\n\
             GET / HTTP/1.1\r\nHost: x\r\n\r\n",
            2,
        ),
        (
            "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nTE: trailers\r\nHosts: 1\r\n\r\n",
            1,
        ),
        ("GET / HTTP/1.1\r\nHost: x\r\n", 0),
        (
            "GET http://x/ HTTP/1.1\r\nHost: [2001:db8::1]:80\r\n\r\n",
            1,
        ),
        ("GET / HTTP/1.1\r\nHost:\r\n\r\n", 1),
    ] {
        assert_eq!(judged(bytes), (heads, None), "{bytes:?}");
    }
}

#[test]
fn a_head_may_be_so_long_and_no_longer() {
    let head = |bytes: usize, lines: usize| {
        let frame = "GET / HTTP/1.1\r\nHost: x\r\n\r\n".len() + lines * "a: \r\n".len();
        let value = "v".repeat((bytes - frame) / lines);
        let more = "v".repeat((bytes - frame) % lines);
        let lines = format!("a: {value}\r\n").repeat(lines - 1) + &format!("a: {value}{more}\r\n");
        format!("GET / HTTP/1.1\r\nHost: x\r\n{lines}\r\n")
    };
    for lines in [1, 7] {
        assert_eq!(head(LONGEST_HEAD, lines).len(), LONGEST_HEAD);
        assert_eq!(judged(&head(LONGEST_HEAD, lines)), (1, None));
        let longer = head(LONGEST_HEAD + 1, lines);
        assert_eq!(judged(&longer), (0, Some(Fault::TooLong)));
    }
}

#[test]
fn what_can_be_read_in_two_ways_is_no_plain_request() {
    const PLAIN: &str = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";
    for (head, fault) in [
        ("GET / HTTP/1.1\n\n", Fault::BareLineFeed),
        ("GET / HTTP/1.1\r\nHost: x\n\r\n", Fault::BareLineFeed),
        ("GET / HTTP/1.1\r\nHost: x\r\n\n", Fault::BareLineFeed),
        (
            "GET / HTTP/1.1\r\nHost: x\r\nA: b\r\n c\r\n\r\n",
            Fault::Folded,
        ),
        ("GET / HTTP/1.1\r\nA: b\r\n\r\n", Fault::NoHost),
        ("GET / HTTP/1.1\r\nHost: x y\r\n\r\n", Fault::BadHost),
        ("GET / HTTP/1.1\r\nHost: a@b\r\n\r\n", Fault::BadHost),
        ("GET / HTTP/1.1\r\nHost: x/y\r\n\r\n", Fault::BadHost),
        (
            "GET / HTTP/1.1\r\nHost: x\r\nhost: x\r\n\r\n",
            Fault::TwoHosts,
        ),
        (
            "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n",
            Fault::Length,
        ),
        (
            "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: +1\r\n\r\n",
            Fault::Length,
        ),
        (
            "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1, 1\r\n\r\n",
            Fault::Length,
        ),
        (
            "POST / HTTP/1.1\r\nHost: x\r\nContent-Length:\r\n\r\n",
            Fault::Length,
        ),
        (
            "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999999999\r\n\r\n",
            Fault::Length,
        ),
        (
            "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n",
            Fault::LengthAndEncoding,
        ),
        (
            "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n",
            Fault::LengthAndEncoding,
        ),
        (
            "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: identity, chunked\r\n\r\n",
            Fault::Encoding,
        ),
        (
            "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: xchunked\r\n\r\n",
            Fault::Encoding,
        ),
        (
            "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n",
            Fault::Encoding,
        ),
        (
            "POST / HTTP/1.0\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n",
            Fault::Encoding,
        ),
    ] {
        assert_eq!(
            judged(&format!("{PLAIN}{head}{PLAIN}")),
            (1, Some(fault)),
            "{head:?}"
        );
    }
}

#[test]
fn behind_a_body_whose_end_is_unclear_no_head_is_plain() {
    let chunked = "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n";
    for size in [
        "5\n",
        " 5\r\n",
        "0x5\r\n",
        "\r\n",
        "-1\r\n",
        "5 \r\n",
        "ffffffffffffffff\r\n",
    ] {
        let bytes = format!("{chunked}{size}abcde\r\n0\r\n\r\nGET / HTTP/1.1\r\nHost: x\r\n\r\n");
        assert_eq!(judged(&bytes), (1, None), "{size:?}");
    }
}
