"""kill -9 in the middle of a backup: the copy is complete or is not there, and the store is whole."""

import sqlite3
import subprocess
from contextlib import closing

import pytest

from harness.api import expect
from harness.server import Server, binary, clean_environment
from harness.waiting import PATIENCE, eventually

# So much that a copy takes many steps.
MESSAGES, PAYLOAD = 40, "x" * 1_000_000


@pytest.fixture
def server():
    with Server() as running:
        app = running.api.application()
        for _ in range(MESSAGES):
            running.api.send(app, payload=PAYLOAD)
        running.app = app
        yield running


def begin(server, to):
    """Starts `ringbolt backup`, and waits until it is at work or has ended."""
    process = subprocess.Popen(
        [binary(), "backup", str(to)],
        env=clean_environment(**server.settings),
        cwd=server.folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    partial = lambda: [path for path in to.parent.iterdir() if path.stat().st_size > 0]  # noqa: E731
    eventually(lambda: partial() or process.poll() is not None, every=0.001, what="the copy has begun")
    return process


def messages_in(path):
    with closing(sqlite3.connect(path)) as copy:
        assert copy.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        return copy.execute("SELECT count(*) FROM message WHERE payload IS NOT NULL").fetchone()[0]


def test_a_backup_that_is_killed_leaves_no_copy_by_that_name(server, tmp_path):
    for number in range(5):
        to = tmp_path / f"{number}" / "copy.db"
        to.parent.mkdir()
        process = begin(server, to)
        process.kill()
        process.communicate(timeout=PATIENCE)
        # On a fast disk it may have been complete before.
        assert not to.exists() or messages_in(to) == MESSAGES
    server.api.send(server.app)
    again = to.parent / "again.db"
    done = subprocess.run(
        [binary(), "backup", str(again)],
        env=clean_environment(**server.settings),
        cwd=server.folder,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert messages_in(again) == MESSAGES + 1
    assert {path.name for path in to.parent.iterdir()} <= {to.name, again.name}, "what was killed has left nothing"


def test_a_server_that_is_killed_during_a_backup_loses_nothing_and_the_copy_is_complete(server, tmp_path):
    to = tmp_path / "copies" / "copy.db"
    to.parent.mkdir()
    process = begin(server, to)
    server.kill()
    output, _ = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, output
    assert messages_in(to) == MESSAGES
    server.start()
    listed = expect(200, server.api.get(f"/app/{server.app}/msg", limit=250, with_content="false"))["data"]
    assert len(listed) == MESSAGES
    with Server(folder=tmp_path / "restored", STORE=f"sqlite:{to}", ENCRYPTION_KEY=(server.folder / "encryption-key").read_text().strip()) as restored:
        listed = expect(200, restored.api.get(f"/app/{server.app}/msg", limit=250, with_content="false"))["data"]
        assert len(listed) == MESSAGES
