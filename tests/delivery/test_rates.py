"""Rates: what an endpoint and an application may be sent a second, measured with a backlog."""

from datetime import datetime

import pytest

from harness.receiver import Receiver
from harness.server import Server
from harness.waiting import eventually

RATE = 25


@pytest.fixture(scope="module")
def paced():
    """A server, and the moments at which an endpoint with a rate and an application with one were sent something, side by side."""
    with Server() as server, Receiver() as endpoint, Receiver() as application:
        api = server.api
        one, many = api.application(), api.application(throttleRate=RATE)
        made = [(one, api.endpoint(one, endpoint.url(), throttleRate=RATE, disabled=True))]
        made += [(many, api.endpoint(many, application.url(f"/{n}"), disabled=True)) for n in range(3)]
        for n in range(18 * RATE):
            api.send(one, payload={"n": n})
            if n % 3 == 0:
                api.send(many, payload={"n": n})
        # All of it waits before the first is sent, however slow we are at sending.
        for app, parked in made:
            assert api.patch(f"/app/{app}/endpoint/{parked}", {"disabled": False}).status_code == 200
        endpoint.wait(17 * RATE, within=300), application.wait(17 * RATE, within=300)
        paths = [arrival.path for arrival in application.arrivals[: 15 * RATE]]
        yield {"endpoint": _moments(api, made[:1]), "application": _moments(api, made[1:]), "paths": paths}


def _moments(api, endpoints):
    """When the server sent, by its own word: when the receiver had time to look is not its fault."""
    return sorted(moment for app, endpoint in endpoints for moment in eventually(lambda: _all_moments(api, app, endpoint)))


def _all_moments(api, app, endpoint):
    moments, iterator = [], None
    while True:
        more = {"iterator": iterator} if iterator else {}
        page = api.get(f"/app/{app}/attempt/endpoint/{endpoint}", limit=250, **more).json()
        moments += [datetime.fromisoformat(one["timestamp"].replace("Z", "+00:00")).timestamp() for one in page["data"]]
        if page["done"]:
            return moments
        iterator = page["iterator"]


def windows(moments, span=10.0):
    """How many fell into each window of that span, from each of the moments that leave room for it."""
    return [sum(1 for other in moments if 0 <= other - at < span) for at in moments if at + span <= moments[-1]]


@pytest.mark.parametrize("whose", ["endpoint", "application"])
def test_ten_seconds_hold_the_rate_within_a_tenth(paced, whose):
    counts = windows(paced[whose])
    assert len(counts) > RATE, "there was a backlog for longer than a window"
    print(f"{whose}: {min(counts) / 10:.2f} to {max(counts) / 10:.2f} a second, asked for {RATE}")
    assert max(counts) <= 1.1 * RATE * 10, "no more than asked for"
    # A machine that stands still for a moment sends less in the windows around it.
    assert max(counts) >= 0.9 * RATE * 10, "and no less, while something waits"


def test_the_endpoints_of_an_application_share_its_rate(paced):
    shares = [paced["paths"].count(f"/{n}") for n in range(3)]
    assert min(shares) >= 0.8 * max(shares), shares
