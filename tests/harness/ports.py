"""Free ports outside the kernel's ephemeral range, searched by each test process from a place of its own."""

import itertools
import os
import random
import socket

_ALL = range(10_000, 32_000)
# Whoever else runs these tests on this machine searches elsewhere, so nobody takes a port between our look and its use.
_CANDIDATES = itertools.count(random.Random(os.getpid()).randrange(len(_ALL)))


def free_port(host="127.0.0.1"):
    """A TCP port that nothing listens on; no outgoing connection can take it meanwhile."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    for place in itertools.islice(_CANDIDATES, 1_000):
        port = _ALL[place % len(_ALL)]
        with socket.socket(family) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((host, port))
            except OSError:
                continue
            return port
    raise RuntimeError("no free port")
