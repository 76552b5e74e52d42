"""A disk that fills up and is cleared again, and stores that are not what they should be."""

import os
import shutil
import sqlite3
import subprocess
from contextlib import contextmanager

import pytest

from harness.load import Load
from harness.receiver import Receiver
from harness.server import ADMIN_TOKEN, Server, ringbolt
from harness.waiting import eventually


@contextmanager
def small_disk(folder, size):
    """A file system of this size, as tmpfs; skips where mounting is not permitted."""
    folder.mkdir()
    if os.geteuid() != 0:
        pytest.skip("mounting a small file system needs root")
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", folder], capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"mounting a small file system is not permitted here: {done.stderr.strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", folder], check=True)


def test_a_full_disk_refuses_and_recovers_by_itself(tmp_path):
    with small_disk(tmp_path / "disk", "24m") as disk, Receiver() as receiver:
        with Server(tmp_path / "server", STORE=f"sqlite:{disk / 'ringbolt.db'}") as server:
            api = server.api
            app = api.application()
            api.endpoint(app, receiver.url())
            api.send(app)
            ballast = disk / "ballast"
            with open(ballast, "wb") as file:
                file.write(b"\0" * (shutil.disk_usage(disk).free - 256 * 1024))
            accepted = set()

            def full():
                answer = api.post(f"/app/{app}/msg", {"eventType": "a.b", "payload": {"pad": "x" * 100_000}})
                if answer.status_code == 202:
                    accepted.add(answer.json()["id"])
                return answer if answer.status_code != 202 else None

            answer = eventually(full, within=30, every=0, what="the disk is full")
            assert answer.status_code == 503, answer.text
            assert int(answer.headers["retry-after"]) >= 1
            assert answer.json()["code"] and answer.json()["detail"]
            refused = Load(server, app, senders=4, total=40, pad=50_000).start().join()
            assert set(refused.statuses) <= {503, 202}, refused.statuses
            accepted |= set(refused.accepted)
            assert api.get(f"/app/{app}").status_code == 200, "reading goes on"
            health = api.get("/health")
            assert health.status_code in (200, 503) and "store" in health.text
            ballast.unlink()
            recovered = eventually(lambda: _sent(api, app), within=30, what="accepting again by itself")
            accepted.add(recovered)
            assert server.running()
            eventually(lambda: accepted <= set(receiver.ids), within=30, what="everything accepted was delivered")
            listed, iterator = set(), None
            while True:
                page = api.get(f"/app/{app}/msg", limit=250, **({"iterator": iterator} if iterator else {})).json()
                listed |= {one["id"] for one in page["data"]}
                if page["done"]:
                    break
                iterator = page["iterator"]
            assert len(listed - accepted) <= 1, "what was refused is not there (the first message is)"


def _sent(api, app):
    answer = api.post(f"/app/{app}/msg", {"eventType": "a.b", "payload": {}})
    return answer.json()["id"] if answer.status_code == 202 else None


def test_two_servers_on_one_file_are_one_too_many(tmp_path):
    with Server(tmp_path) as first:
        second = ringbolt(
            "serve",
            RINGBOLT_LISTEN="127.0.0.1:0",
            RINGBOLT_STORE=first.settings["RINGBOLT_STORE"],
            RINGBOLT_ADMIN_TOKEN=ADMIN_TOKEN,
            timeout=20,
        )
        assert second.returncode != 0
        said = (second.stdout + second.stderr).lower()
        assert "another" in said or "in use" in said or "already" in said or "locked" in said, said
        assert "panicked" not in said
        assert first.api.get("/app").status_code == 200, "the first one does not notice"
    with Server(tmp_path):
        pass  # and the file is free again afterwards


@pytest.mark.parametrize("content", ["text", "foreign database", "newer schema"])
def test_a_file_that_is_not_ours_is_refused_and_left_alone(tmp_path, content):
    path = tmp_path / "ringbolt.db"
    if content == "text":
        path.write_bytes(b"This is a letter to my aunt.\n" * 500)
    elif content == "foreign database":
        with sqlite3.connect(path) as database:
            database.execute("CREATE TABLE recipes (name TEXT)")
            database.execute("INSERT INTO recipes VALUES ('cake')")
        database.close()
    else:
        with Server(tmp_path) as server:
            server.stop()
        if not _pretend_newer(path):
            pytest.skip("no table of migrations was recognised in this store")
    before = _content(path)
    done = ringbolt(
        "serve", RINGBOLT_LISTEN="127.0.0.1:0", RINGBOLT_STORE=f"sqlite:{path}", RINGBOLT_ADMIN_TOKEN=ADMIN_TOKEN, timeout=20
    )
    assert done.returncode != 0
    said = done.stdout + done.stderr
    assert str(path) in said or "ringbolt.db" in said, said
    assert "panicked" not in said
    assert _content(path) == before


def _content(path):
    """What a reader finds in it; SQLite's own counters in the header do not matter."""
    data = path.read_bytes()
    if not data.startswith(b"SQLite format 3"):
        return data
    with sqlite3.connect(path) as database:
        dump = [*database.iterdump(), *database.execute("PRAGMA user_version"), *database.execute("PRAGMA application_id")]
    database.close()
    return dump


def _pretend_newer(path):
    """Adds a migration from the future, whatever the table of migrations looks like."""
    with sqlite3.connect(path) as database:
        tables = [name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        table = next((name for name in tables if "migration" in name), None)
        if table is None:
            version = database.execute("PRAGMA user_version").fetchone()[0]
            if not version:
                return False
            database.execute(f"PRAGMA user_version = {version + 1000}")
        else:
            columns = [row[1] for row in database.execute(f"PRAGMA table_info({table})")]
            key = columns[0]
            rest = ", ".join(columns[1:])
            comma = ", " if rest else ""
            database.execute(
                f"INSERT INTO {table} ({key}{comma}{rest}) SELECT {key} + 1000{comma}{rest} FROM {table} ORDER BY {key} DESC LIMIT 1"
            )
    database.close()
    return True
