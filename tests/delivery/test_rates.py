"""Rates: what an endpoint and an application may be sent a second, measured with a backlog."""

import pytest

from harness.receiver import Receiver
from harness.server import Server

RATE = 25


@pytest.fixture(scope="module")
def paced():
    """A server, and the moments at which an endpoint with a rate and an application with one were sent something, side by side."""
    with Server() as server, Receiver() as endpoint, Receiver() as application:
        api = server.api
        one, many = api.application(), api.application(throttleRate=RATE)
        api.endpoint(one, endpoint.url(), throttleRate=RATE)
        for n in range(3):
            api.endpoint(many, application.url(f"/{n}"))
        for n in range(14 * RATE):
            api.send(one, payload={"n": n})
            if n % 3 == 0:
                api.send(many, payload={"n": n})
        endpoint.wait(13 * RATE, within=60), application.wait(13 * RATE, within=60)
        yield {
            "endpoint": [arrival.at for arrival in endpoint.arrivals],
            "application": [arrival.at for arrival in application.arrivals],
            "paths": [arrival.path for arrival in application.arrivals],
        }


def windows(moments, span=10.0):
    """How many fell into each window of that span, from each of the moments that leave room for it."""
    return [sum(1 for other in moments if 0 <= other - at < span) for at in moments if at + span <= moments[-1]]


@pytest.mark.parametrize("whose", ["endpoint", "application"])
def test_ten_seconds_hold_the_rate_within_a_tenth(paced, whose):
    counts = windows(paced[whose])
    assert len(counts) > RATE, "there was a backlog for longer than a window"
    print(f"{whose}: {min(counts) / 10:.2f} to {max(counts) / 10:.2f} a second, asked for {RATE}")
    assert max(counts) <= 1.1 * RATE * 10, "no more than asked for"
    assert min(counts) >= 0.9 * RATE * 10, "and no less, while something waits"


def test_the_endpoints_of_an_application_share_its_rate(paced):
    shares = [paced["paths"].count(f"/{n}") for n in range(3)]
    assert min(shares) >= 0.8 * max(shares), shares
