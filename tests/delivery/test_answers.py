"""Answers that are unusual or lie: what counts, what fails with which word, and what becomes of the connection."""

import gzip
import os

import pytest

from harness.receiver import Raw, Receiver, Reply, Reset
from harness.waiting import eventually

pytestmark = pytest.mark.every_store

OK = b"HTTP/1.1 200 OK\r\n"
EMPTY = OK + b"content-length: 0\r\n\r\n"


@pytest.fixture
def failed(server):
    """The tries that failed since the test began, by the word of their failure."""
    before = server.failures()
    return lambda: {word: count for word, count in (server.failures() - before).items() if count}


def first_attempt(api, app, **message):
    """The oldest attempt at a new message, with its body."""
    sent = api.send(app, **message)
    return eventually(lambda: api.attempts(app, sent, with_content="true"))[-1]


def test_a_compressed_answer_is_kept_as_it_came(api, app, receiver):
    body = gzip.compress(b"as asked: identity" * 100_000)
    receiver.answer = Reply(200, body, {"content-encoding": "gzip"})
    api.endpoint(app, receiver.url())
    attempt = first_attempt(api, app)
    assert attempt["responseStatusCode"] == 200
    assert receiver.arrivals[0].header("accept-encoding") == "identity"
    assert "as asked" not in attempt["response"] and len(attempt["response"]) < len(body) * 4, "nothing is unpacked"
    assert attempt["responseHeaders"]["content-encoding"] == "gzip"


@pytest.mark.parametrize(
    "answer, word",
    [
        (OK + b"content-length: 100\r\n\r\nshort", "closed"),
        (OK + b"content-length: 5\r\ncontent-length: 6\r\n\r\nhello!", "protocol"),
        (OK + b"content-length: -5\r\n\r\nhello", "protocol"),
        (OK + b"content-length: 5\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", "protocol"),
        (OK + b"transfer-encoding: chunked\r\n\r\n5\r\nhello\r\n", "closed"),
        (OK + b"transfer-encoding: chunked\r\n\r\nfive\r\nhello\r\n0\r\n\r\n", "protocol"),
        (b"HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n", "protocol"),
        (b"HTTP/1.1 100 Continue\r\n\r\n", "closed"),
        (b"HTTP/1.1 103 Early Hints\r\n\r\n" * 50_000, "protocol"),
    ],
    ids=["too long", "two lengths", "negative", "length and chunks", "no last chunk", "no size", "upgrade", "only 100", "only 103"],
)
def test_an_answer_that_lies_is_a_failure_with_its_word(api, app, receiver, answer, word):
    receiver.answer = lambda arrival: Raw(answer) if len(receiver.arrivals) == 1 else Reply(200)
    api.endpoint(app, receiver.url())
    attempt = first_attempt(api, app)
    assert (attempt["status"], attempt["failure"]) == (2, word), attempt
    receiver.wait(2), "and is tried again"


@pytest.mark.parametrize(
    "answer, body, kept",
    [
        (OK + b"transfer-encoding: chunked\r\n\r\n3\r\nhel\r\n2;x=y\r\nlo\r\n0\r\nexpires: never\r\nx-sum: 1\r\n\r\n", "hello", True),
        (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n" + OK + b"content-length: 5\r\n\r\nhello", "hello", True),
        (OK + b"content-length: 5\r\n\r\nhello, and more than was announced", "hello", False),
        (OK + b"content-length: 5\r\nconnection: close\r\n\r\nhello", "hello", False),
    ],
    ids=["chunks with trailers", "1xx before", "too short", "close"],
)  # fmt: skip
def test_an_unusual_answer_counts_and_its_connection_is_used_again_only_if_it_is_clean(api, app, receiver, failed, answer, body, kept):
    receiver.answer = Raw(answer, keep=True)
    api.endpoint(app, receiver.url())
    for n in range(3):
        attempt = first_attempt(api, app)
        assert (attempt["responseStatusCode"], attempt["response"]) == (200, body)
    assert receiver.connections == (1 if kept else 3)
    assert failed() == {}


@pytest.mark.parametrize("ending", [Raw(EMPTY), Reset()], ids=["closed after the answer", "torn down at the next request"])
def test_a_connection_that_the_receiver_ends_between_requests_costs_no_try(api, app, receiver, failed, ending):
    """It has announced nothing: the server finds out when it uses the connection again."""
    receiver.answer = lambda arrival: ending if isinstance(ending, Raw) or arrival.nth > 1 else Raw(EMPTY, keep=True)
    endpoint = api.endpoint(app, receiver.url())
    sent = [api.send(app) for _ in range(100)]
    delivered = lambda: api.get(f"/app/{app}/endpoint/{endpoint}/stats").json()["success"] == len(sent)  # noqa: E731
    eventually(delivered, what="all are delivered")
    assert set(receiver.ids) == set(sent)
    assert failed() == {}
    assert {len(api.attempts(app, message)) for message in sent[::10]} == {1}


@pytest.mark.parametrize("status", [200, 413])
def test_an_answer_before_the_body_was_read_counts(api, app, status):
    with Receiver(Reply(status), early=True) as receiver:
        api.endpoint(app, receiver.url())
        attempt = first_attempt(api, app, payload={"text": os.urandom(250_000).hex()})
        assert attempt["responseStatusCode"] == status, attempt
        assert attempt["status"] == (0 if status == 200 else 2)
