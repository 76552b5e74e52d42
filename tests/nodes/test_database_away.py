"""The database goes away and comes back: senders are told so in time, and the node recovers by itself."""

import os
import time
from pathlib import Path

import pytest

from harness.receiver import Held, Receiver, Reply
from harness.waiting import eventually

pytestmark = pytest.mark.alone


def test_the_database_goes_away_and_comes_back(postgres, nodes):
    with Receiver() as receiver:
        held = Held(Reply(200))
        receiver.answers["/held"] = held
        node = nodes[0]
        app = node.api.application()
        endpoint = node.api.endpoint(app, receiver.url("/held"))
        under_way = [node.api.send(app) for _ in range(5)]
        receiver.wait(5)
        postgres.stop()
        try:
            held.released = True
            eventually(lambda: node.api.get("/health").status_code == 503, what="health is red")
            for _ in range(3):
                began = time.monotonic()
                answer = node.api.post(f"/app/{app}/msg", {"eventType": "test.event", "payload": {}})
                assert answer.status_code == 503 and "retry-after" in answer.headers, answer.text
                assert time.monotonic() - began < 8, "a sender is told within about 2 s"
            used, began = node.cpu_seconds(), time.monotonic()
            time.sleep(4)  # what it does meanwhile is what is measured
            share = (node.cpu_seconds() - used) / (time.monotonic() - began)
            assert share < 0.25, f"{share:.2f} of a processor while the database is away"
        finally:
            postgres.start()
        for each in nodes.all:
            each.wait_healthy()
        recorded = lambda: all(node.api.destinations(app, message)[endpoint]["status"] == 0 for message in under_way)  # noqa: E731
        eventually(recorded, what="what was in flight is recorded")
        sent = eventually(lambda: _sent(node, app), what="it accepts again")
        eventually(lambda: node.api.destinations(app, sent)[endpoint]["status"] == 0, what="and delivers")
        assert all(each.running() for each in nodes.all)


def test_a_sender_waits_no_longer_than_a_database_that_hangs(postgres, nodes):
    app = nodes[0].api.application()
    nodes[0].api.send(app)
    # Every process of it sleeps, so that connections stay open and nothing answers.
    processes = _processes(postgres)
    for process in processes:
        os.kill(process, 19)
    try:
        began = time.monotonic()
        answer = nodes[0].api.post(f"/app/{app}/msg", {"eventType": "test.event", "payload": {}})
        took = time.monotonic() - began
        assert answer.status_code == 503 and "retry-after" in answer.headers, answer.text
        assert took < 8, f"a sender waited {took:.1f} s"
    finally:
        for process in processes:
            os.kill(process, 18)
    for each in nodes.all:
        each.wait_healthy()
    eventually(lambda: _sent(nodes[0], app), what="it accepts again")


def _processes(postgres):
    first = int(Path(postgres.data, "postmaster.pid").read_text().split()[0])
    children = Path(f"/proc/{first}/task/{first}/children").read_text().split()
    return [first, *map(int, children)]


def _sent(node, app):
    answer = node.api.post(f"/app/{app}/msg", {"eventType": "test.event", "payload": {}})
    return answer.json()["id"] if answer.status_code == 202 else None
