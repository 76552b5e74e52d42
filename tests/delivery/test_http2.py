"""Receivers that speak HTTP/2: many deliveries on one connection, and nothing lost where a connection ends."""

import pytest

from harness.certificates import Authority
from harness.receiver_h2 import Http2Receiver
from harness.server import Server
from harness.waiting import eventually


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def server(authority):
    # A try that failed would be made again within the test, and be seen.
    with Server(NET__EXTRA_ROOTS=authority.root, DELIVERY__RETRY_SCHEDULE="200ms," * 20 + "1s") as running:
        yield running


@pytest.fixture
def failed(server):
    """The tries that failed since the test began, by the word of their failure."""
    before = server.failures()
    return lambda: {word: count for word, count in (server.failures() - before).items() if count}


def listen(authority, **options):
    return Http2Receiver(authority.context("localhost", address="127.0.0.1"), **options)


def deliver(api, app, receiver, count):
    """Sends so many messages and waits until each has arrived and is recorded as delivered."""
    sent = {api.send(app, payload={"n": n}) for n in range(count)}
    eventually(lambda: sent <= set(receiver.ids), what="all have arrived")
    delivered = lambda message: all(one["status"] == 0 for one in api.destinations(app, message).values())  # noqa: E731
    for message in sent:
        eventually(lambda: delivered(message), what=f"{message} is delivered")
    return sent


def test_deliveries_share_one_connection(api, app, authority, failed):
    with listen(authority) as receiver:
        endpoint = api.endpoint(app, receiver.url("/hook?a=1"))
        deliver(api, app, receiver, 1)
        sent = deliver(api, app, receiver, 30)
        assert receiver.connections == 1
        assert [receiver.ids[message] for message in sent] == [1] * 30
        secret = api.secret(app, endpoint)
        for arrival in receiver.arrivals:
            assert (arrival.method, arrival.target) == ("POST", "/hook?a=1")
            arrival.verify(secret)
        assert failed() == {}


@pytest.mark.parametrize("goodbye", [1, 3])
def test_a_goodbye_between_requests_costs_no_try(api, app, authority, failed, goodbye):
    with listen(authority, goodbye=goodbye) as receiver:
        api.endpoint(app, receiver.url())
        for _ in range(9):
            deliver(api, app, receiver, 1)
        assert receiver.connections >= 9 // goodbye
        assert set(receiver.ids.values()) == {1}
        assert failed() == {}


def test_a_goodbye_amid_requests_loses_nothing_and_sends_nothing_twice(api, app, authority):
    """What it has not looked at is sent again on another connection, and after the schedule's wait if that says goodbye as well."""
    with listen(authority, goodbye=3) as receiver:
        api.endpoint(app, receiver.url())
        sent = deliver(api, app, receiver, 40)
        assert receiver.connections >= 40 // 3
        assert [receiver.ids[message] for message in sent] == [1] * 40


def test_an_answer_before_the_body_counts(api, app, authority, failed):
    with listen(authority, early=True) as receiver:
        api.endpoint(app, receiver.url())
        large = api.send(app, payload={"text": "x" * 500_000})
        eventually(lambda: receiver.ids[large])
        attempt = eventually(lambda: api.attempts(app, large))[0]
        assert attempt["responseStatusCode"] == 204, attempt
        deliver(api, app, receiver, 3)
        assert failed() == {}
