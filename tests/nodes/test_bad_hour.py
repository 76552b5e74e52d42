"""Three nodes of which one after the other dies or sleeps, and a database that restarts once: nothing is lost."""

import itertools
import random
import signal
import time

import pytest

from harness.database import Nodes
from harness.load import Load
from harness.receiver import Receiver
from harness.waiting import eventually

pytestmark = [pytest.mark.alone, pytest.mark.timeout(3600)]

# Of the deliveries in motion at a kill, some come again. With few messages between two kills they are a larger share.
UNDER_WAY = 96


class Front:
    """What senders take for one server: each connection goes to the next node."""

    def __init__(self, nodes):
        self.settings = nodes[0].settings
        self._ports = itertools.cycle([node.port for node in nodes.all])

    @property
    def port(self):
        return next(self._ports)


def test_nodes_die_and_sleep_and_the_database_restarts(postgres, full_size):
    total, events = (50_000, None) if full_size else (3_000, 3)
    chance = random.Random(20261125)
    with Receiver() as receiver, Nodes(postgres, 3) as nodes:
        receiver.keep = False
        app = nodes[0].api.application()
        nodes[0].api.endpoint(app, receiver.url())
        load = Load(Front(nodes), app, senders=8, keys=False).start()
        happened = 0
        while happened < events if events else len(load.accepted) < total:
            time.sleep(chance.uniform(2, 5))
            _misfortune(nodes, postgres, happened, chance)
            happened += 1
        eventually(lambda: len(load.accepted) >= total, within=1800, what=f"{total} messages accepted")
        load.stop()
        accepted = set(load.accepted)
        eventually(lambda: not accepted - set(receiver.ids), within=300, what=f"all of {len(accepted)} messages delivered")
        eventually(lambda: _owed(nodes, app) == 0, within=300, every=0.5, what="nothing is pending")
        listed = _listed(nodes[1].api, app)
        assert len(listed) == len(set(listed)), "a message is listed twice"
        assert accepted <= set(listed), "a message that was accepted is not listed"
        repeats = sum(count - 1 for count in receiver.ids.values())
        print(f"{happened} misfortunes, {len(accepted)} accepted ({load.statuses}), {repeats} arrivals more than once")
        assert repeats < len(accepted) / 100 if full_size else repeats <= UNDER_WAY * happened


def _misfortune(nodes, postgres, nth, chance):
    node = chance.choice(nodes.all)
    if nth == 1:
        postgres.restart()
    elif nth % 2 == 0:
        node.kill()
        node.start()
    else:
        node.signal(signal.SIGSTOP)
        time.sleep(chance.uniform(1, 8))
        node.signal(signal.SIGCONT)


def _owed(nodes, app):
    endpoint = nodes[2].api.get(f"/app/{app}/endpoint").json()["data"][0]["id"]
    stats = nodes[2].api.get(f"/app/{app}/endpoint/{endpoint}/stats").json()
    return stats["pending"] + stats["sending"]


def _listed(api, app):
    listed, query = [], {"limit": 250}
    while True:
        page = api.get(f"/app/{app}/msg", **query).json()
        listed += [one["id"] for one in page["data"]]
        if page["done"]:
            return listed
        query["iterator"] = page["iterator"]
