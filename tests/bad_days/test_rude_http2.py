"""Receivers that abuse HTTP/2: an attempt ends with its own word, memory stays bounded, and neighbours get theirs."""

import pytest

from harness import receiver_h2_rude as rude
from harness.certificates import Authority
from harness.receiver import Receiver
from harness.receiver_h2_rude import RudeHttp2Receiver
from harness.server import Server
from harness.waiting import eventually

pytestmark = pytest.mark.alone

# What may be in flight of one attempt, many times over; a gigabyte it is not.
GROWTH_KIB = 64 * 1024
GIGABYTE = 1 << 30


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def server(authority):
    # No second try, so that each message has one attempt.
    with Server(NET__EXTRA_ROOTS=authority.root, DELIVERY__RETRY_SCHEDULE="", DELIVERY__TIMEOUT="10s") as running:
        yield running


@pytest.fixture
def listen(authority):
    """A receiver of this manner, whose connections end with the test."""
    begun = []

    def start(manner, **options):
        tls = authority.context("localhost", address="127.0.0.1")
        begun.append(RudeHttp2Receiver(tls, manner, **options))
        return begun[-1]

    yield start
    for receiver in begun:
        receiver.close()


@pytest.fixture
def abused(server):
    """Sends one message to a receiver and ten to a good one meanwhile, and returns what the attempt has recorded."""

    def send(receiver):
        api, app, neighbour = server.api, server.api.application("rude"), server.api.application("neighbour")
        with Receiver() as good:
            api.endpoint(neighbour, good.url())
            api.send(neighbour)
            good.wait(1)
            before = server.rss_kib()
            api.endpoint(app, receiver.url())
            message = api.send(app, payload={"long": "x" * 200_000})
            eventually(lambda: receiver.count, what="the request has come")
            for _ in range(10):
                theirs = api.send(neighbour)
                eventually(lambda: good.ids[theirs], what="the neighbour has its message")  # noqa: B023
            attempt = eventually(lambda: api.attempts(app, message), what="the attempt has ended")[0]
            assert server.rss_kib() - before < GROWTH_KIB
            return attempt

    return send


# How it behaves, and the words by which its attempt may end. A flood may be told from silence, or not.
MANNERS = [
    (rude.endless_headers, b"", {"protocol", "closed"}),
    (rude.settings_flood, b"", {"timeout", "protocol", "closed"}),
    (rude.ping_flood, b"", {"timeout", "protocol", "closed"}),
    (rude.goodbye_at_once, b"", {"closed"}),
    (rude.silence, rude.NO_WINDOW, {"timeout"}),
]


@pytest.mark.parametrize(("manner", "settings", "words"), MANNERS, ids=[one[0].__name__ for one in MANNERS])
def test_a_receiver_that_abuses_http2_harms_nobody(server, listen, abused, manner, settings, words):
    receiver, before = listen(manner, settings=settings), server.failures()
    attempt = abused(receiver)
    assert (attempt["status"], attempt["responseStatusCode"]) == (2, 0)
    ended = server.failures() - before
    assert ended.total() == 1 and set(ended) <= words, ended
    eventually(lambda: receiver.open == 0, what="nobody holds on to the connection")
    assert receiver.connections == 1, "what was seen is not sent again"


def test_an_answer_that_is_broken_off_after_its_head_is_a_failure(server, listen, abused):
    before = server.failures()
    attempt = abused(receiver := listen(rude.head_then_reset))
    assert attempt["status"] == 2
    assert dict(server.failures() - before) == {"closed": 1}
    assert receiver.connections == 1


def test_of_a_gigabyte_in_answer_no_more_than_the_first_part_is_kept(server, listen, abused):
    """Whether the client notices first that it has enough, or that nobody asked for so much, is left to it."""
    before = server.failures()
    attempt = abused(receiver := listen(rude.endless_body))
    ended = server.failures() - before
    if attempt["status"] == 0:
        assert attempt["responseStatusCode"] == 200
        assert attempt["response"] == "x" * 64 * 1024, "the first 64 KiB are kept"
    else:
        assert ended.total() == 1 and set(ended) <= {"protocol", "closed"}, ended
    eventually(lambda: receiver.open == 0, what="the connection is ended")
    assert receiver.sent < GIGABYTE, "it was not read to its end"
