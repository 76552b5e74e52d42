"""Receivers at their worst: thousands that hang, one that drips, one that never stops talking, one that comes back late."""

import time

import pytest

from harness.load import Load
from harness.receiver import Endless, Hang, Raw, Receiver, Reply, Trickle, TrickledHead
from harness.server import Server
from harness.waiting import eventually

pytestmark = pytest.mark.alone

# So long that whoever waits for it is told from whoever is slow because the machine is.
TIMEOUT = 60


def test_two_thousand_hanging_endpoints_do_not_delay_a_good_one():
    """One good endpoint shares its application with a hundred hanging ones, another one stands alone."""
    with Receiver(Hang(), keep=False) as hanging, Receiver() as good, Server(DELIVERY__TIMEOUT=f"{TIMEOUT}s") as server:
        api = server.api
        crowds, alone = [api.application(f"crowd {n}") for n in range(20)], api.application("alone")
        api.endpoint(crowds[0], good.url("/crowd"))
        api.endpoint(alone, good.url("/alone"))
        api.send(crowds[0]), api.send(alone)
        good.wait(2)
        for crowd in crowds:
            for n in range(100):
                api.endpoint(crowd, hanging.url(f"/{n}"))
        for crowd in crowds[1:]:
            api.send(crowd)
        latencies = {"/crowd": [], "/alone": []}
        # Longer than the timeout, so that the first ones give up and the next ones begin to hang.
        until = time.monotonic() + TIMEOUT + 5
        while time.monotonic() < until:
            began = time.monotonic()
            sent = {"/crowd": api.send(crowds[0]), "/alone": api.send(alone)}
            for path, message in sent.items():
                eventually(lambda: good.ids[message], every=0.002, what=f"{path} delivered")
                latencies[path].append(time.monotonic() - began)
            time.sleep(0.5)
        for path, seen in latencies.items():
            seen.sort()
            print(f"{path}: {len(seen)} deliveries, median {seen[len(seen) // 2] * 1e3:.0f} ms, worst {seen[-1] * 1e3:.0f} ms")
            # Behind those that hang each would wait for a time-out, or for several.
            assert seen[len(seen) // 2] < TIMEOUT / 3, f"{path}: {seen}"
        assert hanging.count >= 500, "they did hang"
        assert hanging.open <= 1_024, "attempts in flight are bounded"
        assert server.rss_kib() < 300 * 1024


def test_a_brand_new_endpoint_does_not_wait_for_two_thousand_new_hanging_ones():
    """Nothing is known of anybody: new endpoints come while the first thousand hang, and while the next ones begin to."""
    with Receiver(Hang(), keep=False) as hanging, Receiver() as good, Server(DELIVERY__TIMEOUT=f"{TIMEOUT}s") as server:
        api = server.api
        crowds = [api.application(f"crowd {n}") for n in range(20)]
        for crowd in crowds:
            for n in range(100):
                api.endpoint(crowd, hanging.url(f"/{n}"))
        for crowd in crowds:
            api.send(crowd)
        eventually(lambda: hanging.open >= 600, what="hundreds hang")
        seen, until = [], time.monotonic() + TIMEOUT + 10
        while time.monotonic() < until:
            app = api.application("new")
            api.endpoint(app, good.url("/alone"))
            began, message = time.monotonic(), api.send(app)
            eventually(lambda: good.ids[message], every=0.005, what="the first delivery of a new endpoint")
            seen.append(time.monotonic() - began)
            time.sleep(1)
        # Among those that hang, too: it is the latest of its application.
        api.endpoint(crowds[3], good.url("/crowd"))
        began, message = time.monotonic(), api.send(crowds[3])
        eventually(lambda: good.ids[message], every=0.005, what="the first delivery within a crowd")
        seen.append(time.monotonic() - began)
        print(f"{len(seen)} new endpoints, worst {max(seen) * 1e3:.0f} ms")
        assert sorted(seen)[len(seen) // 2] < TIMEOUT / 3, f"others wait for a time-out: {seen}"
        assert hanging.count >= 1_000, "they did hang, one wave after the other"
        assert hanging.open <= 1_024, "attempts in flight are bounded"


def test_a_byte_a_second_is_cut_off_by_the_timeout():
    with Receiver(Trickle(every=1.0)) as dripping, Receiver(TrickledHead(every=0.5)) as dripping_head:
        with Server(DELIVERY__TIMEOUT="3s", DELIVERY__RETRY_SCHEDULE="1h") as server:
            api = server.api
            app = api.application()
            api.endpoint(app, dripping.url())
            api.endpoint(app, dripping_head.url())
            message = api.send(app)
            attempts = eventually(
                lambda: found if len(found := api.attempts(app, message)) == 2 else None, what="both cut off"
            )
            head = next(one for one in attempts if str(dripping_head.port) in one["url"])
            assert (head["status"], head["responseStatusCode"]) == (2, 0)
            eventually(lambda: dripping.open == dripping_head.open == 0, what="the connections are closed")


@pytest.mark.parametrize("status", [200, 500])
def test_a_response_of_ten_gigabytes_is_not_read(status):
    endless = Endless(status=status)
    with Receiver(lambda _: endless) as receiver, Server(DELIVERY__RETRY_SCHEDULE="1h") as server:
        api = server.api
        app = api.application()
        endpoint = api.endpoint(app, receiver.url())
        before = server.rss_kib()
        message = api.send(app)
        attempt = eventually(lambda: api.attempts(app, message))[0]
        assert attempt["responseStatusCode"] == status
        assert attempt["response"] == "x" * 64 * 1024, "the first 64 KiB are kept"
        assert api.destinations(app, message)[endpoint]["status"] == (0 if status == 200 else 1)
        eventually(lambda: receiver.open == 0, what="the connection is closed")
        assert endless.sent < 64 * 1024 * 1024, "what the sockets hold, not what was offered"
        assert server.rss_kib() - before < 50 * 1024


def test_a_message_that_meets_the_end_of_a_kept_connection_is_sent_once_more_and_that_is_counted():
    """The receiver takes the second request of a connection and closes without a word, as one whose patience ends does."""
    closes = lambda arrival: Raw(b"") if arrival.nth == 2 else Reply()  # noqa: E731
    with Receiver(closes) as receiver, Server(DELIVERY__RETRY_SCHEDULE="1h") as server:
        api = server.api
        app = api.application()
        endpoint = api.endpoint(app, receiver.url())

        def deliver():
            message = api.send(app)
            eventually(lambda: api.destinations(app, message)[endpoint]["status"] == 0, what="delivered")
            assert len(api.attempts(app, message)) == 1
            return receiver.ids[message]

        assert deliver() == 1
        assert server.metric("ringbolt_attempts_repeated_total") == 0
        assert deliver() == 2, "taken twice, under the same id"
        assert server.metric("ringbolt_attempts_repeated_total") == 1
        assert server.failures().total() == 0


@pytest.mark.parametrize(
    "messages, rss_mib",
    [(20_000, 200), pytest.param(1_000_000, 400, marks=pytest.mark.long)],
)
@pytest.mark.timeout(4 * 3600)
def test_a_backlog_is_drained_in_order_without_harm_to_neighbours(messages, rss_mib):
    """A dead endpoint comes back: memory stays bounded, order of arrival is kept, others do not notice."""
    settings = {"DELIVERY__RETRY_SCHEDULE": "1s," * 30 + "2s", "DELIVERY__TIMEOUT": "5s"}
    with Receiver(keep=False) as neighbour, Receiver() as dead, Server(**settings) as server:
        api = server.api
        app, other = api.application(), api.application()
        endpoint = api.endpoint(app, dead.url())
        api.endpoint(other, neighbour.url())
        dead.close()
        load = Load(server, app, senders=32, total=messages, keys=False).start()
        beside, between = [], []
        while load._thread.is_alive():
            beside.append(_overtaken_by(load.accepted, api, other, neighbour))
            time.sleep(0.2)
        assert load.statuses == {202: messages}, load.statuses
        peak = server.rss_kib("VmHWM")
        server.kill()
        server.start()
        restart, work = server.started_in, server.cpu_seconds()
        dead.listen()
        while len(dead.ids) < messages:
            before = len(dead.ids)
            between.append(_overtaken_by(dead.ids, api, other, neighbour))
            eventually(lambda: len(dead.ids) > before or len(dead.ids) >= messages, within=120, what="drained")
        assert set(load.accepted) == set(dead.ids)
        by_arrival = {arrival.id: place for place, arrival in reversed(list(enumerate(dead.arrivals)))}
        # Ids are time-ordered. Retries of the first few may come later than their place; the bulk may not.
        in_order = sorted(load.accepted)
        ahead = [place - by_arrival[m] for place, m in enumerate(in_order) if by_arrival[m] < place]
        peak = max(peak, server.rss_kib("VmHWM"))
        print(f"{messages} messages: peak RSS {peak / 1024:.0f} MiB, restart {restart:.2f} s, "
              f"the neighbour was overtaken by {_median(beside)} that came and {_median(between)} that went, "
              f"furthest ahead of its place {max(ahead, default=0)}")  # fmt: skip
        assert max(ahead, default=0) <= 500, "nothing overtakes the queue"
        # How long a start takes is measured on a quiet machine; here it is how much it has to do.
        assert work < 2.0, f"the start took {work:.2f} s of a processor"
        assert peak < rss_mib * 1024
        assert max(_median(beside), _median(between)) < messages / 10, (beside, between)
        eventually(
            lambda: api.get(f"/app/{app}/endpoint/{endpoint}/stats").json()["pending"] == 0, within=120, what="nothing pending"
        )


def _overtaken_by(others, api, app, receiver):
    """How many others came by while a message of the neighbour's was sent and delivered."""
    before, message = len(others), api.send(app)
    eventually(lambda: receiver.ids[message], every=0.002, what="the neighbour's delivery")
    return len(others) - before


def _median(counts):
    return sorted(counts)[len(counts) // 2]
