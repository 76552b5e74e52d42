"""The server under test: the built binary in a process of its own, with its own folder and port."""

import http.client
import os
import re
import signal
import subprocess
import tempfile
import time
from collections import Counter
from pathlib import Path

from . import postgres
from .api import Api
from .ports import free_port
from .waiting import PATIENCE

ADMIN_TOKEN = "black-box-admin-token-0123456789abcdef"
LOOPBACK = "127.0.0.0/8"


def binary():
    """Path of the binary under test, from RINGBOLT_BIN."""
    path = os.environ.get("RINGBOLT_BIN") or str(Path(__file__).parents[2] / "target/debug/ringbolt")
    assert os.access(path, os.X_OK), f"no binary at {path}; build one or set RINGBOLT_BIN"
    return path


def clean_environment(**settings):
    """An environment without any RINGBOLT_ key or proxy of the caller, with the settings given."""
    kept = {
        key: value
        for key, value in os.environ.items()
        if not key.startswith(("RINGBOLT_", "PYTEST_")) and not key.lower().endswith("_proxy")
    }
    return kept | {key: str(value) for key, value in settings.items()}


def ringbolt(*arguments, timeout=2 * PATIENCE, cwd=None, stdin=None, user=None, **settings):
    """Runs the binary to its end, as another user (a number) if one is given; returns the completed process with its output as text."""
    whose = {} if user is None else {"user": user, "group": user, "extra_groups": []}
    return subprocess.run(
        [binary(), *map(str, arguments)],
        env=clean_environment(**settings),
        cwd=cwd,
        input=stdin,
        capture_output=True,
        text=True,
        timeout=timeout,
        **whose,
    )


class Server:
    """One `ringbolt serve`; may be stopped, killed and started again on the same folder and port.

    Its store is a file in the folder, or a schema of PostgreSQL in a run with RINGBOLT_TEST_STORE=postgres.
    A test fails whose server has crashed or panicked, though nobody may have noticed. `settings` are environment variables; those without the RINGBOLT_ prefix get it. `files` is how many it may have open.
    """

    # Those that were not closed yet, so that a test that fails shows how they stand.
    open = []

    def __init__(self, folder=None, *, allow=LOOPBACK, files=None, **settings):
        self.files = files
        self._temporary = None
        if folder is None:
            self._temporary = tempfile.TemporaryDirectory(prefix="ringbolt-test-")
            folder = self._temporary.name
        self.folder = Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.log_path = self.folder / "server.log"
        self.settings = {
            "RINGBOLT_LISTEN": f"127.0.0.1:{self.port}",
            "RINGBOLT_STORE": f"sqlite:{self.folder / 'ringbolt.db'}",
            "RINGBOLT_ADMIN_TOKEN": ADMIN_TOKEN,
            "RINGBOLT_DELIVERY__ALLOW_NETWORKS": allow,
            "RUST_LOG": os.environ.get("RINGBOLT_TEST_LOG", "info"),
        }
        self.schema = None
        if postgres.is_the_store() and "STORE" not in settings and "RINGBOLT_STORE" not in settings:
            self.schema = postgres.Schema()
            self.settings |= postgres.settings(self.schema.address)
        self.settings |= {
            key if key.startswith(("RINGBOLT_", "RUST_")) else f"RINGBOLT_{key}": value
            for key, value in settings.items()
        }
        self.process = None
        self.signalled = False
        Server.open.append(self)
        self.api = Api(self.url, ADMIN_TOKEN)

    def __enter__(self):
        return self.start()

    def __exit__(self, *failure):
        if failure[0] is not None:
            print(f"--- {self.standing()}")
        crashed = self.crashed()
        standing = self.standing()
        self.close()
        assert failure[0] is not None or not crashed, standing

    def close(self):
        Server.open.remove(self)
        self.api.close()
        self.kill()
        if self.schema:
            self.schema.close()
        if self._temporary:
            self._temporary.cleanup()

    def standing(self):
        """What has become of it: whether it runs or how it ended, and the last lines of its log."""
        status = "never started" if self.process is None else self.process.poll()
        ended = "runs" if status is None else f"ended: {status}"
        return f"server at {self.url} {ended}; the last of its log ({self.log_path}):\n{self.log()[-4_000:]}"

    def crashed(self):
        """Whether it ended by a signal that no test sent, or a task of it panicked."""
        status = self.process.poll() if self.process else None
        return (status is not None and status < 0 and not self.signalled) or "panicked at" in self.log()

    def spawn(self):
        """Starts the process without waiting for anything."""
        assert not self.running(), "already running"
        self.signalled = False
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(
                self._command(),
                env=clean_environment(**self.settings),
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        return self

    def _command(self):
        if self.files is None:
            return [binary(), "serve"]
        return ["sh", "-c", f'ulimit -n {self.files} && exec "$0" serve', binary()]

    def start(self, within=PATIENCE):
        """Starts the process and waits until it is healthy; the seconds this took are in `started_in`."""
        began = time.monotonic()
        self.spawn().wait_healthy(within)
        self.started_in = time.monotonic() - began
        return self

    def wait_healthy(self, within=PATIENCE):
        deadline = time.monotonic() + within
        while True:
            if self.process.poll() is not None:
                raise AssertionError(self.standing())
            if self._health() == 200:
                return
            assert time.monotonic() < deadline, f"not healthy within {within} s: {self.standing()}"
            time.sleep(0.005)

    def _health(self):
        """Status of the health route; None when nobody answers."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        try:
            connection.request("GET", "/api/v1/health")
            return connection.getresponse().status
        except (OSError, http.client.HTTPException):
            return None
        finally:
            connection.close()

    def running(self):
        return self.process is not None and self.process.poll() is None

    def signal(self, number):
        self.signalled = True
        self.process.send_signal(number)

    def stop(self, within=120.0):
        """SIGTERM and wait; returns the exit code."""
        self.signal(signal.SIGTERM)
        return self.process.wait(within)

    def kill(self):
        """SIGKILL; the process is gone when this returns."""
        if self.running():
            self.signalled = True
            self.process.kill()
            self.process.wait(PATIENCE)

    def log(self):
        return self.log_path.read_text(errors="replace") if self.log_path.exists() else ""

    def logged(self, *words):
        """The lines of the log that have all of these words."""
        return [line for line in self.log().splitlines() if all(word in line for word in words)]

    def rss_kib(self, field="VmRSS"):
        """Resident memory now, or its peak with field="VmHWM"."""
        for line in Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith(field):
                return int(line.split()[1])
        raise AssertionError(f"no {field}")

    def cpu_seconds(self):
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def metric(self, name):
        """Sum over all labels of one Prometheus sample name; None when there is no such sample."""
        samples = [
            float(line.rsplit(" ", 1)[1])
            for line in self.api.get("/metrics").text.splitlines()
            if line.startswith((f"{name} ", f"{name}{{"))
        ]
        return sum(samples) if samples else None

    def failures(self):
        """How many tries have failed, by the word of their failure."""
        samples = re.findall(r'^ringbolt_attempts_failed_total\{reason="(\w+)"\} (\d+)', self.api.get("/metrics").text, re.M)
        return Counter({word: int(count) for word, count in samples})
