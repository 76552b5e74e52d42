"""Failures and what follows them: the schedule, Retry-After, 410, redirects, the breaker, the rate."""

import time
from datetime import datetime, timedelta, timezone
from email.utils import format_datetime

import pytest

from harness.receiver import Hang, Raw, Receiver, Reply, Reset, script
from harness.server import Server
from harness.waiting import eventually, never

pytestmark = pytest.mark.every_store


def gaps(arrivals):
    return [later.at - earlier.at for earlier, later in zip(arrivals, arrivals[1:])]


def status(api, app, message, endpoint):
    return api.destinations(app, message)[endpoint]["status"]


def test_retries_come_on_schedule_with_the_same_id_and_a_fresh_signature(api, app, receiver):
    receiver.answer = Reply(500, b"not today")
    endpoint = api.endpoint(app, receiver.url())
    secret = api.secret(app, endpoint)
    message = api.send(app, payload={"n": 1})
    eventually(lambda: status(api, app, message, endpoint) == 2, what="given up")
    arrivals = receiver.wait(4)
    assert len(arrivals) == 4, "one try and three retries"
    assert {arrival.id for arrival in arrivals} == {message}
    assert len({arrival.body for arrival in arrivals}) == 1
    for arrival in arrivals:
        arrival.verify(secret)
    # 200 ms, 200 ms, 400 ms, each with 20 % of jitter; a loaded machine may only be late.
    for gap, planned in zip(gaps(arrivals), (0.2, 0.2, 0.4)):
        assert gap >= planned * 0.8 - 0.01, gaps(arrivals)
    attempts = api.attempts(app, message)
    assert [one["responseStatusCode"] for one in attempts] == [500] * 4
    assert attempts[0]["response"] == "not today"
    never(lambda: receiver.count > 4, during=1.0, what="a fifth try")


def test_a_retry_that_succeeds_ends_it(api, app, receiver):
    receiver.answer = script(Reply(503), Reply(500), Reply(204))
    endpoint = api.endpoint(app, receiver.url())
    message = api.send(app)
    eventually(lambda: status(api, app, message, endpoint) == 0)
    assert receiver.count == 3
    never(lambda: receiver.count > 3, during=0.8)


@pytest.mark.parametrize("code", [200, 201, 202, 204, 206, 299])
def test_every_2xx_is_success(api, app, receiver, code):
    receiver.answer = Reply(code)
    endpoint = api.endpoint(app, receiver.url())
    message = api.send(app)
    eventually(lambda: status(api, app, message, endpoint) == 0)
    assert receiver.count == 1


@pytest.mark.parametrize("code", [301, 302, 303, 307, 308])
def test_redirects_fail_and_are_never_followed(api, app, receiver, code):
    with Receiver() as elsewhere:
        receiver.answer = Reply(code, headers={"location": elsewhere.url("/followed")})
        endpoint = api.endpoint(app, receiver.url())
        message = api.send(app)
        eventually(lambda: status(api, app, message, endpoint) == 2)
        assert {one["responseStatusCode"] for one in api.attempts(app, message)} == {code}
        assert elsewhere.connections == 0


@pytest.mark.parametrize(
    "reply",
    [Reset(), Raw(b"this is not HTTP\r\n\r\n"), Raw(b""), Raw(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\ncontent-length: 3\r\n\r\nabc"),
     Raw(b"HTTP/1.1 999999 No\r\n\r\n"), Raw(b"HTTP/1.1 200 OK\r\nx: " + b"y" * 1_000_000 + b"\r\n\r\n")],
    ids=["reset", "not http", "nothing", "two lengths", "status", "huge head"],
)  # fmt: skip
def test_answers_that_are_none_are_failures_and_retried(server, api, app, receiver, reply):
    receiver.answer = script(reply, Reply(200))
    endpoint = api.endpoint(app, receiver.url())
    message = api.send(app)
    eventually(lambda: status(api, app, message, endpoint) == 0)
    first = api.attempts(app, message)[-1]
    assert (first["status"], first["responseStatusCode"]) == (2, 0)
    assert first["response"], "its own word for what went wrong"
    assert server.running()


def test_a_receiver_that_hangs_times_out(receiver):
    with Server(DELIVERY__RETRY_SCHEDULE="100ms", DELIVERY__TIMEOUT="3s") as server:
        api = server.api
        app = api.application()
        receiver.answer = Hang()
        endpoint = api.endpoint(app, receiver.url())
        message = api.send(app)
        eventually(lambda: status(api, app, message, endpoint) == 2, what="given up")
        for attempt in api.attempts(app, message):
            assert attempt["responseStatusCode"] == 0
            assert "time" in attempt["response"].lower()
            assert attempt["responseDurationMs"] >= 2_500


def test_410_disables_at_once_with_its_reason(api, app, receiver):
    receiver.answer = Reply(410)
    endpoint = api.endpoint(app, receiver.url())
    api.send(app)
    out = eventually(lambda: (out := api.endpoint_out(app, endpoint))["disabled"] and out, what="disabled")
    assert out["disabledReason"] == "gone" and "disablesAt" not in out.get("failing", {})
    api.send(app)
    never(lambda: receiver.count > 1, during=1.0, what="something more for an endpoint that is gone")


@pytest.mark.parametrize("code", [429, 503])
def test_retry_after_holds_the_whole_lane(api, app, receiver, code):
    receiver.answer = script(Reply(code, headers={"retry-after": "2"}), Reply(200))
    endpoint = api.endpoint(app, receiver.url())
    first = api.send(app)
    refused = receiver.wait(1)[0]
    eventually(lambda: api.attempts(app, first))
    second = api.send(app)
    eventually(lambda: status(api, app, first, endpoint) == status(api, app, second, endpoint) == 0)
    for arrival in receiver.arrivals[1:]:
        assert arrival.at - refused.at >= 1.9, "nothing goes to an endpoint that asked for time"


def test_retry_after_with_another_status_holds_that_delivery(api, app, receiver):
    receiver.answer = script(Reply(500, headers={"retry-after": "3"}), Reply(200))
    endpoint = api.endpoint(app, receiver.url())
    message = api.send(app)
    assert gaps(receiver.wait(2))[0] >= 2.9
    eventually(lambda: status(api, app, message, endpoint) == 0)


def test_retry_after_with_another_status_holds_no_other_delivery(api, app, receiver):
    receiver.answer = script(Reply(500, headers={"retry-after": "3600"}), Reply(200))
    endpoint = api.endpoint(app, receiver.url())
    first = api.send(app)
    eventually(lambda: api.attempts(app, first))
    second = api.send(app)
    eventually(lambda: status(api, app, second, endpoint) == 0)
    assert (receiver.ids[first], status(api, app, first, endpoint)) == (1, 1), "it waits"


DATES = {
    "IMF": lambda at: format_datetime(at, usegmt=True),
    "RFC 850": lambda at: at.strftime("%A, %d-%b-%y %H:%M:%S GMT"),
    "asctime": lambda at: at.strftime("%a %b %e %H:%M:%S %Y"),
}


@pytest.mark.parametrize("form", DATES)
@pytest.mark.parametrize("code", [429, 503, 500])
def test_retry_after_may_be_a_date_of_any_form(api, app, receiver, form, code):
    """With 429 and 503 it holds the lane, otherwise the delivery that got it."""
    at = datetime.now(timezone.utc).replace(microsecond=0) + timedelta(hours=1)
    receiver.answer = script(Reply(code, headers={"retry-after": DATES[form](at)}), Reply(200))
    endpoint = api.endpoint(app, receiver.url())
    first = api.send(app)
    eventually(lambda: api.attempts(app, first), what="the refusal is recorded")
    planned = datetime.fromisoformat(api.destinations(app, first)[endpoint]["nextAttempt"].replace("Z", "+00:00"))
    assert abs(planned - at) <= timedelta(seconds=2), "at that moment"
    second = api.send(app)
    if code == 500:
        receiver.wait(2)
    else:
        never(lambda: receiver.count > 1, during=0.7, what="something for an endpoint that asked for time")
    assert receiver.ids[second] == (code == 500), "whom it holds"


@pytest.mark.parametrize("form", DATES)
def test_what_a_date_holds_comes_when_it_has_passed(api, app, receiver, form):
    at = []

    def answer(_):
        if at:
            return Reply(200)
        at.append(datetime.now(timezone.utc).replace(microsecond=0) + timedelta(seconds=3))
        return Reply(503, headers={"retry-after": DATES[form](at[0])})

    receiver.answer = answer
    api.endpoint(app, receiver.url())
    api.send(app)
    arrivals = receiver.wait(2)
    assert arrivals[1].at >= at[0].timestamp() - time.time() + time.monotonic() - 0.1, "not before that moment"


@pytest.mark.parametrize("code", [503, 500])
@pytest.mark.parametrize("asked", ["604800", "99999999999999999999999999", "Fri, 31 Dec 9999 23:59:59 GMT"])
def test_retry_after_is_obeyed_for_a_day_at_most(api, app, receiver, code, asked):
    receiver.answer = Reply(code, headers={"retry-after": asked})
    endpoint = api.endpoint(app, receiver.url())
    message = api.send(app)
    eventually(lambda: api.attempts(app, message), what="the answer is recorded")
    planned = api.destinations(app, message)[endpoint]["nextAttempt"]
    wait = datetime.fromisoformat(planned.replace("Z", "+00:00")) - datetime.now(timezone.utc)
    assert timedelta(hours=23) < wait <= timedelta(hours=24)


@pytest.mark.parametrize("value", ["-1", "1.5e9", "soon", "", "3600s", "99999999999999999999999999x"])
def test_a_retry_after_that_is_none_is_ignored(api, app, receiver, value):
    receiver.answer = script(Reply(500, headers={"retry-after": value}), Reply(200))
    api.endpoint(app, receiver.url())
    api.send(app)
    receiver.wait(2)  # on schedule: nothing of the above would be over by the time that the test gives up


def test_the_breaker_opens_and_probes_and_releases_in_order():
    """Ten failures in a row open it: nobody's tries are used up meanwhile, and what waits comes in order."""
    with Server(DELIVERY__RETRY_SCHEDULE="100ms,100ms,100ms,100ms,100ms") as server, Receiver() as receiver:
        api = server.api
        app = api.application()
        receiver.answer = Reply(500)
        endpoint = api.endpoint(app, receiver.url())
        first = [api.send(app, payload={"n": n}) for n in range(10)]
        receiver.wait(10)
        time.sleep(0.5)
        opened_at = receiver.count
        waiting = [api.send(app, payload={"n": 100 + n}) for n in range(200)]
        # One probe at a time, at a growing interval: a couple a second at most, not the 1,200 tries owed.
        time.sleep(2)
        assert receiver.count - opened_at < 60, f"{receiver.count - opened_at} tries while the breaker is open"
        spent = [len(api.attempts(app, m)) for m in waiting]
        assert sum(spent) < 60 and max(spent) <= 6
        assert all(status(api, app, m, endpoint) == 1 for m in waiting[50:]), "still pending, not given up"
        names = (f"app={app}", f"endpoint={endpoint}")
        opened = eventually(lambda: server.logged("breaker opened", *names), what="a line says that it has opened")
        assert len(opened) == 1 and not server.logged("breaker closed")
        asked = datetime.now(timezone.utc)
        listed = api.get(f"/app/{app}/endpoint/{endpoint}/msg", status=1).json()["data"]
        for one in [api.destinations(app, waiting[-1])[endpoint], *listed]:
            assert one["waitsFor"] == "breaker" and datetime.fromisoformat(one["nextAttempt"]) >= asked, one
        before = len(receiver.arrivals)
        receiver.answer = Reply(200)
        eventually(lambda: all(receiver.ids[m] for m in waiting) and all(
            status(api, app, m, endpoint) == 0 for m in waiting[-5:]), within=300, what="released")  # fmt: skip
        assert server.logged("breaker closed", *names), "and one that it has closed"
        order = [a.id for a in receiver.arrivals[before:] if a.id in set(waiting[50:])]
        # Whoever is on its way may be late, but nobody overtakes more than are on their way with him.
        ahead = [place - order.index(m) for place, m in enumerate(waiting[50:])]
        assert max(ahead) <= 32, "in order of arrival, up to what is on its way at once"
        assert first


def test_a_slow_endpoint_does_not_delay_another():
    with Receiver(Hang()) as slow, Receiver() as quick, Server(DELIVERY__TIMEOUT="10m") as server:
        api = server.api
        app = api.application()
        api.endpoint(app, slow.url())
        api.endpoint(app, quick.url())
        for _ in range(40):
            message = api.send(app)
            eventually(lambda: quick.ids[message], what="it arrives though the other one hangs for longer than we wait")
        assert slow.busy > 0, "the other one hangs still"


def test_concurrency_is_bounded(api, app, receiver):
    receiver.answer = Reply(200, delay=0.3)
    api.endpoint(app, receiver.url())
    for _ in range(60):
        api.send(app)
    worst = 0
    while receiver.count < 60:
        worst = max(worst, receiver.busy)
        time.sleep(0.005)
    assert worst <= 32, f"{worst} at once"
