"""Nodes that die, sleep or leave: the others deliver what they had, and nothing is lost."""

import signal
import time

from harness.database import Nodes
from harness.receiver import Held, Receiver, Reply
from harness.waiting import eventually

# The lease is 5 s, and a node that is free looks once a second: it is 10 s on a machine that is well. This one may be slow and busy.
TAKEN_OVER = 40


def test_what_a_killed_node_had_is_delivered_by_the_others(postgres):
    with Receiver(Reply(500)) as receiver, Nodes(postgres, 3, DELIVERY__RETRY_SCHEDULE="1s," * 60 + "1s") as nodes:
        app = nodes[0].api.application()
        held = Held(Reply(200))
        receiver.answers["/held"] = held
        for name in ("it.waits", "is.held"):
            nodes[0].api.event_type(name)
        waiting = nodes[0].api.endpoint(app, receiver.url("/waits"), filterTypes=["it.waits"])
        memory = nodes[0].api.endpoint(app, receiver.url("/held"), filterTypes=["is.held"], concurrency=2)
        rows = [nodes[0].api.send(app, "it.waits") for _ in range(3)]
        fresh = [nodes[0].api.send(app, "is.held") for _ in range(20)]
        receiver.wait(2, "/held")
        eventually(lambda: any(nodes[1].api.attempts(app, message) for message in rows), what="one was tried, and waits for its retry")
        nodes[0].kill()
        held.released = True
        receiver.answers["/held"] = Reply(200)
        receiver.answer = Reply(200)
        began = time.monotonic()
        everything = lambda: set(rows) <= _answered(receiver, "/waits") and set(fresh) <= _answered(receiver, "/held")  # noqa: E731
        eventually(everything, within=TAKEN_OVER, what="all is delivered by the other nodes")
        print(f"taken over within {time.monotonic() - began:.1f} s")
        for message, endpoint in [(message, waiting) for message in rows] + [(message, memory) for message in fresh]:
            eventually(lambda: nodes[2].api.destinations(app, message)[endpoint]["status"] == 0, what="it is recorded")
        listed = [one["id"] for one in nodes[2].api.get(f"/app/{app}/msg", limit=250).json()["data"]]
        assert sorted(listed) == sorted(rows + fresh)


def _answered(receiver, path):
    return {arrival.id for arrival in receiver.at(path) if arrival.answered == 200}


def test_a_node_that_slept_longer_than_its_lease_records_nothing_of_what_others_have(nodes):
    with Receiver() as receiver:
        held = Held(Reply(500))
        receiver.answer = held
        sleeper, other = nodes[0], nodes[1]
        app = sleeper.api.application()
        endpoint = sleeper.api.endpoint(app, receiver.url())
        messages = [sleeper.api.send(app) for _ in range(5)]
        receiver.wait(5)
        sleeper.signal(signal.SIGSTOP)
        try:
            # Whoever takes over is answered well; the sleeper finds a 500 for each when it wakes.
            receiver.answer = Reply(200)
            delivered = lambda: all(other.api.destinations(app, message)[endpoint]["status"] == 0 for message in messages)  # noqa: E731
            eventually(delivered, within=TAKEN_OVER, what="the other node takes over")
            held.released = True
        finally:
            sleeper.signal(signal.SIGCONT)
        eventually(lambda: sleeper.logged("others have taken over"), within=TAKEN_OVER, what="the sleeper says so in its log")
        sleeper.wait_healthy()
        for message in messages:
            assert {attempt["responseStatusCode"] for attempt in other.api.attempts(app, message)} == {200}
            assert other.api.destinations(app, message)[endpoint]["status"] == 0
        # It has joined anew, and serves.
        eventually(lambda: nodes.alive() == 2, what="it has joined anew")
        accepted = eventually(lambda: _sent(sleeper, app), what="it accepts again")
        eventually(lambda: other.api.destinations(app, accepted)[endpoint]["status"] == 0, what="it delivers again")


def _sent(node, app):
    answer = node.api.post(f"/app/{app}/msg", {"eventType": "test.event", "payload": {}})
    return answer.json()["id"] if answer.status_code == 202 else None


def test_a_node_that_leaves_hands_over_at_once(postgres):
    with Receiver(Reply(500)) as receiver, Nodes(postgres, 2, DELIVERY__RETRY_SCHEDULE="500ms," * 60 + "500ms") as nodes:
        app = nodes[0].api.application()
        endpoint = nodes[0].api.endpoint(app, receiver.url())
        messages = [nodes[0].api.send(app) for _ in range(10)]
        eventually(lambda: all(nodes[1].api.attempts(app, message) for message in messages), what="each was tried")
        assert nodes[0].stop() == 0
        began = time.monotonic()
        receiver.answer = Reply(200)
        done = lambda: all(nodes[1].api.destinations(app, message)[endpoint]["status"] == 0 for message in messages)  # noqa: E731
        eventually(done, within=TAKEN_OVER, what="the other node has gone on")
        print(f"handed over within {time.monotonic() - began:.1f} s")
        assert nodes.alive() == 1
