"""Ending on request: what is in flight is finished, what is not stays in the store."""

import signal
import time
from contextlib import suppress
from subprocess import TimeoutExpired

import httpx
import pytest

from harness.load import Load
from harness.receiver import Hang, Receiver, Reply
from harness.server import Server
from harness.waiting import eventually

pytestmark = pytest.mark.every_store


def test_sigterm_finishes_what_is_in_flight():
    with Receiver(Reply(200, delay=1.0)) as receiver, Server() as server:
        app = server.api.application()
        endpoint = server.api.endpoint(app, receiver.url())
        message = server.api.send(app)
        receiver.wait(1)
        assert server.stop() == 0
        server.start()
        assert server.api.destinations(app, message)[endpoint]["status"] == 0
        time.sleep(0.5)
        assert receiver.count == 1, "finished before the end, so not tried again"


def test_sigterm_under_load_loses_nothing_and_repeats_nothing():
    with Receiver() as receiver, Server() as server:
        app = server.api.application()
        server.api.endpoint(app, receiver.url())
        load = Load(server, app, senders=8).start()
        for _ in range(3):
            time.sleep(0.5)
            assert server.stop() == 0
            server.start()
        load.stop()
        eventually(lambda: set(load.accepted) <= set(receiver.ids), within=60, what="all delivered")
        time.sleep(0.5)
        twice = {m for m in load.accepted if receiver.ids[m] > 1}
        assert not twice


def test_no_new_work_is_taken_while_stopping():
    with Receiver(Reply(200, delay=2.0)) as receiver, Server() as server:
        app = server.api.application()
        server.api.endpoint(app, receiver.url())
        server.api.send(app)
        receiver.wait(1)
        server.signal(signal.SIGTERM)
        eventually(lambda: _refused(server, app), what="new messages refused")
        assert server.process.wait(60) == 0


def _refused(server, app):
    try:
        with httpx.Client() as fresh:
            answer = fresh.post(
                f"{server.url}/api/v1/app/{app}/msg",
                headers={"authorization": f"Bearer {server.settings['RINGBOLT_ADMIN_TOKEN']}"},
                json={"eventType": "a.b", "payload": {}},
            )
        return answer.status_code == 503
    except httpx.TransportError:
        return True


def test_what_is_not_finished_within_the_grace_and_what_waits_stays_in_the_store():
    with Receiver(Hang()) as receiver, Server(DELIVERY__TIMEOUT="1h", RUNTIME__SHUTDOWN_GRACE="1s") as server:
        app = server.api.application()
        endpoint = server.api.endpoint(app, receiver.url(), concurrency=1)
        messages = [server.api.send(app) for _ in range(20)]
        receiver.wait(1)
        assert server.stop() == 0, "an end that leaves something is a good one"
        assert set(receiver.ids) == {messages[0]}, "the others had to wait for it"
        receiver.answer = Reply(200)
        server.start()
        eventually(lambda: set(receiver.ids) == set(messages), what="all of them")
        delivered = lambda message: server.api.destinations(app, message)[endpoint]["status"] == 0  # noqa: E731
        eventually(lambda: all(map(delivered, messages)), what="all of them delivered")


def test_a_second_signal_ends_at_once():
    with Receiver(Hang()) as receiver, Server(DELIVERY__TIMEOUT="120s", RUNTIME__SHUTDOWN_GRACE="120s") as server:
        app = server.api.application()
        server.api.endpoint(app, receiver.url())
        server.api.send(app)
        receiver.wait(1)
        server.signal(signal.SIGTERM)
        eventually(lambda: _refused(server, app), what="the first one has been heard")
        assert server.running(), "waiting for the attempt"
        # What comes right behind the first is its echo (timeout(1) signals the process, and then its group), so once may not do.
        while server.running():
            server.signal(signal.SIGTERM)
            with suppress(TimeoutExpired):
                server.process.wait(0.5)
        assert server.process.wait() == 1, "it says that the end was cut short"


def test_sigint_is_as_good_as_sigterm():
    with Server() as server:
        server.signal(signal.SIGINT)
        assert server.process.wait(60) == 0
