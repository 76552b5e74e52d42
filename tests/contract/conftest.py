"""The official Python SDK, unmodified, pointed at the server under test."""

import pytest
from svix.api import Svix, SvixOptions

from harness.server import ADMIN_TOKEN


@pytest.fixture
def svix(server):
    # No retries: a test has to see the first answer.
    return Svix(ADMIN_TOKEN, SvixOptions(server_url=server.url, retry_schedule=[]))


@pytest.fixture
def sdk_as(server):
    """The SDK with another token."""
    return lambda token: Svix(token, SvixOptions(server_url=server.url, retry_schedule=[]))
