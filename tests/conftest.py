"""Fixtures shared by all black-box tests."""

import os
import socket

import pytest

from harness.receiver import Receiver
from harness.server import Server

# Short, so that a whole delivery's life fits into a test. The time-out is not: a slow machine is no failure.
QUICK = {"DELIVERY__RETRY_SCHEDULE": "200ms,200ms,400ms"}


def pytest_collection_modifyitems(items):
    alone = {name for _, name in socket.if_nameindex()} == {"lo"}
    for item in items:
        if item.get_closest_marker("netns") and not alone:
            item.add_marker(pytest.mark.skip(reason="needs a network of its own: see tests/own_network"))
        if item.get_closest_marker("long"):
            item.add_marker(pytest.mark.timeout(4 * 3600))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    """A failure shows how the servers stand that outlive the test; its own server has printed that already."""
    report = yield
    if report.failed:
        report.sections += [("server", server.standing()) for server in Server.open]
    return report


@pytest.fixture(scope="module")
def server():
    """One server for the tests of a module, with a quick retry schedule."""
    with Server(**QUICK) as running:
        yield running


@pytest.fixture
def api(server):
    return server.api


@pytest.fixture
def app(api):
    """An application of the test's own."""
    return api.application()


@pytest.fixture
def receiver():
    with Receiver() as listening:
        yield listening


@pytest.fixture
def rounds():
    """How often the tests that kill the server do so: RINGBOLT_TEST_ROUNDS."""
    return int(os.environ.get("RINGBOLT_TEST_ROUNDS", "20"))


@pytest.fixture
def full_size():
    """Whether the full sizes are asked for (make test-long)."""
    return bool(os.environ.get("TEST_LONG"))
