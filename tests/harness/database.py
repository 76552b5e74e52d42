"""A PostgreSQL of a test's own, which may be stopped, and started again; and nodes that share a database of it."""

import os
import subprocess
from pathlib import Path
from urllib.parse import unquote, urlsplit

from .server import Server
from .waiting import PATIENCE

WITH_POSTGRES = Path(__file__).parents[2] / "scripts/with-postgres"
TELL = 'printf "%s\\n" "$RINGBOLT_TEST_POSTGRES" "$RINGBOLT_TEST_POSTGRES_DATA" "$RINGBOLT_TEST_POSTGRES_PROGRAMS"; exec cat >/dev/null'
KEY = "QkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkI="


class Postgres:
    """A server in a temporary folder, which goes when this is closed. Each `database` of it has a name of its own."""

    def __init__(self):
        environment = {key: value for key, value in os.environ.items() if key != "RINGBOLT_TEST_POSTGRES"}
        # What it has committed outlives its end, though not the machine's.
        environment["EXTRA_SETTINGS"] = "synchronous_commit = on"
        # It lasts until its input ends, so that it does not outlive the tests, however they end.
        self._process = subprocess.Popen(
            [WITH_POSTGRES, "sh", "-c", TELL],
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        told = [self._process.stdout.readline().strip() for _ in range(3)]
        assert all(told), "scripts/with-postgres has started no server"
        self.url, self.data, self.programs = told
        self._names = 0

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self._process.stdin.close()
        self._process.wait(PATIENCE)

    def database(self):
        """Makes a database; returns its URL."""
        self._names += 1
        name = f"nodes_{self._names}"
        self.sql(f"CREATE DATABASE {name}")
        return self.url.removesuffix("/postgres") + f"/{name}"

    def sql(self, sql, url=None):
        """Runs SQL as a superuser; returns the rows, a line each, with | between columns."""
        parts = urlsplit(url or self.url)
        where = {"PGHOST": unquote(parts.hostname), "PGPORT": str(parts.port), "PGDATABASE": parts.path.strip("/")}
        done = subprocess.run(
            [f"{self.programs}/psql", "-XAtq", "-v", "ON_ERROR_STOP=1", "-U", "ringbolt", "-c", sql],
            env=os.environ | where,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.splitlines()

    def stop(self):
        """As if its machine had lost power."""
        self._control("-m", "immediate", "stop")

    def start(self):
        self._control("-l", f"{Path(self.data).parent}/log", "start")

    def restart(self):
        self._control("-m", "immediate", "-l", f"{Path(self.data).parent}/log", "restart")

    def _control(self, *arguments):
        # It does not run as root.
        user = os.stat(self.data)
        whose = {"user": user.st_uid, "group": user.st_gid, "extra_groups": []} if os.getuid() == 0 else {}
        command = [f"{self.programs}/pg_ctl", "-D", self.data, "-w", "-t", str(int(2 * PATIENCE)), *arguments]
        done = subprocess.run(
            command, cwd="/", stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=3 * PATIENCE, **whose
        )
        assert done.returncode == 0, (command, Path(self.data).parent.joinpath("log").read_text()[-2_000:])


class Nodes:
    """Some servers that share a database; `settings` are those of each. Their names are `node-0` and so on."""

    def __init__(self, postgres, count=2, **settings):
        self.postgres = postgres
        self.url = postgres.database()
        shared = {"RINGBOLT_STORE": self.url, "RINGBOLT_ENCRYPTION_KEY": KEY} | settings
        self.all = [Server(POSTGRES__NODE_NAME=f"node-{number}", **shared) for number in range(count)]

    def __enter__(self):
        for node in self.all:
            node.start()
        return self

    def __exit__(self, *failure):
        standing = "\n".join(f"--- {node.standing()}" for node in self.all)
        if failure[0] is not None:
            print(standing)
        crashed = any(node.crashed() for node in self.all)
        for node in self.all:
            node.close()
        assert failure[0] is not None or not crashed, standing

    def __getitem__(self, number):
        return self.all[number]

    def sql(self, sql):
        return self.postgres.sql(sql, self.url)

    def alive(self):
        """How many nodes the database counts as alive."""
        return int(self.sql("SELECT count(*) FROM node WHERE alive AND lease_until > now()")[0])
