"""What tests of several nodes share."""

import pytest

from harness.database import Nodes, Postgres


@pytest.fixture(scope="module")
def postgres():
    """A PostgreSQL for the tests of a module: some of them stop it."""
    with Postgres() as running:
        yield running


@pytest.fixture
def nodes(postgres):
    """Two nodes on a database of the test's own, with a quick retry schedule."""
    with Nodes(postgres, 2, DELIVERY__RETRY_SCHEDULE="200ms,200ms,400ms") as both:
        yield both
