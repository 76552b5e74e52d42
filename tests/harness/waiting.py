"""Waiting for a condition instead of sleeping and hoping."""

import time

# Much more than a machine needs that is slow and busy: whoever waits for so long waits in vain. It costs nothing where all is well.
PATIENCE = 60.0


def eventually(condition, *, within=PATIENCE, every=0.02, what=None):
    """Calls `condition` until it gives something true, and returns that; fails after `within` seconds."""
    deadline = time.monotonic() + within
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {within} s: {what or condition}; last value {value!r}")
        time.sleep(every)


def never(condition, *, during, every=0.05, what=None):
    """Watches `condition` for `during` seconds and fails when it gives something true: for promises of absence."""
    deadline = time.monotonic() + during
    while time.monotonic() < deadline:
        value = condition()
        assert not value, f"{what or condition} within {during} s: {value!r}"
        time.sleep(every)
