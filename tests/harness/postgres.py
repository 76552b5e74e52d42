"""Schemas of their own on the PostgreSQL server of the run, which `scripts/with-postgres` has started."""

import itertools
import os
from urllib.parse import quote

import psycopg

# The key of every server of the tests: nodes of one database need the same.
ENCRYPTION_KEY = "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="
_NUMBERS = itertools.count()


def is_the_store():
    """Whether this run keeps things in PostgreSQL: RINGBOLT_TEST_STORE=postgres."""
    return os.environ.get("RINGBOLT_TEST_STORE") == "postgres"


def server_address():
    """The run's server, as a superuser: RINGBOLT_TEST_POSTGRES."""
    address = os.environ.get("RINGBOLT_TEST_POSTGRES")
    assert address, "RINGBOLT_TEST_POSTGRES is not set: tests/run sets it, or scripts/with-postgres"
    return address


def settings(address):
    """What a server needs whose store is this database."""
    return {"RINGBOLT_STORE": address, "RINGBOLT_ENCRYPTION_KEY": ENCRYPTION_KEY}


class Schema:
    """An empty schema, dropped with everything in it at the end. As good as a database of its own, and made faster.

    `role` is whose it is (made beside it, no superuser), if not the server's own.
    """

    def __init__(self, role=None):
        self.name = f"black_box_{os.getpid()}_{next(_NUMBERS)}"
        self.role = role and f"{self.name}_{role}"
        self.address = self._address(server_address())
        self.connection = psycopg.connect(server_address(), autocommit=True)
        if self.role:
            self.run(f"CREATE ROLE {self.role} LOGIN")
        self.run(f"CREATE SCHEMA {self.name}")
        self.run(f"SET search_path = {self.name}")

    def _address(self, server):
        if self.role:
            scheme, _, rest = server.partition("://")
            server = f"{scheme}://{self.role}@{rest.partition('@')[2]}"
        return f"{server}?options={quote(f'-csearch_path={self.name}', safe='')}"

    def run(self, sql, *values):
        """Runs a statement in it; returns its rows, if it has any."""
        found = self.connection.execute(sql, values or None)
        return found.fetchall() if found.description else []

    def tables(self):
        """The names of what it holds."""
        rows = self.run("SELECT relname FROM pg_class WHERE relnamespace = %s::regnamespace", self.name)
        return {name for (name,) in rows}

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.run(f"DROP SCHEMA {self.name} CASCADE")
        if self.role:
            self.run(f"DROP OWNED BY {self.role}")
            self.run(f"DROP ROLE {self.role}")
        self.connection.close()
