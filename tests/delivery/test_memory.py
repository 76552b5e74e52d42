"""Memory: what does not fit waits in the store, and comes back from it in order of arrival."""

import pytest

from harness.receiver import Held, Receiver, Reply
from harness.server import Server
from harness.waiting import eventually

pytestmark = pytest.mark.every_store


@pytest.mark.parametrize(
    "setting, value, figure, most",
    [("DELIVERY__MAX_MEMORY_DELIVERIES", "20", "ringbolt_memory_deliveries", 20),
     ("DELIVERY__MAX_MEMORY_BYTES", "32KiB", "ringbolt_memory_payload_bytes", 32 * 1024)],
)  # fmt: skip
def test_beyond_its_memory_the_store_is_the_queue(setting, value, figure, most):
    held = Held(Reply(200))
    with Receiver(held) as receiver, Server(DELIVERY__TIMEOUT="1h", **{setting: value}) as server:
        app = server.api.application()
        server.api.endpoint(app, receiver.url(), concurrency=1)
        sent, seen = [], []
        for n in range(300):
            sent.append(server.api.send(app, payload={"n": n, "pad": "x" * 1000}))
            if n % 30 == 29:
                seen.append(server.metric(figure))
        assert max(seen) <= most, seen
        assert set(receiver.ids) == {sent[0]}, "all others wait"
        held.released = True
        while len(receiver.ids) < len(sent):
            before = len(receiver.ids)
            eventually(lambda: len(receiver.ids) > before, what="the next ones")
            seen.append(server.metric(figure))
        assert max(seen) <= most, seen
        assert [arrival.id for arrival in receiver.arrivals] == sent, "in order, and each once"
