"""A disk that fills up and is cleared again, and stores that are not what they should be."""

import errno
import os
import shutil
import sqlite3
import subprocess
from contextlib import contextmanager

import httpx
import pytest

from harness.load import Load
from harness.ports import free_port
from harness.receiver import Hang, Receiver, Reply
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

            answer = eventually(full, every=0, what="the disk is full")
            assert answer.status_code == 503, answer.text
            assert int(answer.headers["retry-after"]) >= 1
            assert answer.json()["code"] and answer.json()["detail"]
            refused = Load(server, app, senders=4, total=40, pad=50_000).start().join()
            assert set(refused.statuses) <= {503, 202}, refused.statuses
            accepted |= set(refused.accepted)
            assert api.get(f"/app/{app}").status_code == 200, "reading goes on"
            health = api.get("/health")
            assert health.status_code in (200, 503) and "store" in health.text
            if health.status_code == 503:
                assert health.json()["store"]["reason"] == health.json()["queue"]["reason"] == "full", health.text
            ballast.unlink()
            recovered = eventually(lambda: _sent(api, app), what="accepting again by itself")
            accepted.add(recovered)
            assert server.running()
            eventually(lambda: accepted <= set(receiver.ids), what="everything accepted was delivered")
            listed, iterator = set(), None
            while True:
                page = api.get(f"/app/{app}/msg", limit=250, **({"iterator": iterator} if iterator else {})).json()
                listed |= {one["id"] for one in page["data"]}
                if page["done"]:
                    break
                iterator = page["iterator"]
            assert len(listed - accepted) <= 1, "what was refused is not there (the first message is)"


def _fill(disk):
    """Leaves nothing free; whoever wants space back removes the ballast."""
    ballast = disk / f"ballast-{len(list(disk.glob('ballast-*')))}"
    with open(ballast, "wb", buffering=0) as file:
        for size in (1 << 20, 4096):
            try:
                while file.write(b"\0" * size) == size:
                    pass
            except OSError as error:
                assert error.errno == errno.ENOSPC, error


def test_doctor_says_what_to_do_about_a_full_disk(tmp_path):
    with small_disk(tmp_path / "disk", "1m") as disk:
        _fill(disk)
        place = {"RINGBOLT_LISTEN": f"127.0.0.1:{free_port()}", "RINGBOLT_NET__RESOLVER": f"127.0.0.1:{free_port()}"}
        done = ringbolt("doctor", cwd=tmp_path, RINGBOLT_STORE=f"sqlite:{disk / 'ringbolt.db'}", **place)
        lines = [line for line in done.stdout.splitlines() if line.startswith("BAD   disk")]
        assert lines and "make space" in lines[0] and "chown" not in lines[0], done.stdout


def _clear(disk):
    for ballast in disk.glob("ballast-*"):
        ballast.unlink()


def test_a_start_on_a_full_disk_reads_refuses_and_recovers_by_itself(tmp_path):
    with small_disk(tmp_path / "disk", "24m") as disk, Receiver(Reply(500)) as failing, Receiver() as receiver:
        with Server(tmp_path / "server", STORE=f"sqlite:{disk / 'ringbolt.db'}") as server:
            api = server.api
            app = api.application()
            api.endpoint(app, failing.url())
            endpoint = api.endpoint(app, receiver.url())
            receiver.answer = Hang()
            accepted = {api.send(app) for _ in range(20)}
            _fill(disk)
            server.kill()
            _fill(disk)
            server.spawn()
            health = eventually(lambda: _health(server), what="it answers")
            assert health.status_code == 503 and health.json()["store"]["status"] == "error", health.text
            assert api.get("/health/ping").status_code == 204
            assert api.get(f"/app/{app}").json()["id"] == app, "reading goes on"
            listed = api.get(f"/app/{app}/msg", limit=250).json()["data"]
            assert {one["id"] for one in listed} == accepted
            refused = api.post(f"/app/{app}/msg", {"eventType": "a.b", "payload": {"pad": "x" * 100_000}})
            assert refused.status_code == 503, refused.text
            assert int(refused.headers["retry-after"]) >= 1
            receiver.answer = Reply(204)
            _clear(disk)
            server.wait_healthy()
            eventually(lambda: accepted <= set(receiver.ids), what="what was in memory was delivered")
            accepted.add(eventually(lambda: _sent(api, app), what="accepting again"))
            eventually(lambda: accepted <= set(receiver.ids), what="all were delivered")
            eventually(
                lambda: api.get(f"/app/{app}/endpoint/{endpoint}/stats").json()["success"] == len(accepted),
                what="each was counted once",
            )


def test_a_token_that_is_revoked_on_a_full_disk_is_refused_at_once_and_for_good(tmp_path):
    with small_disk(tmp_path / "disk", "24m") as disk:
        with Server(tmp_path / "server", STORE=f"sqlite:{disk / 'ringbolt.db'}") as server:
            api = server.api
            app = api.application()
            made = [api.post("/key", {"name": name, "role": "reader"}).json() for name in ("in use", "not in use")]
            portal = api.post(f"/auth/app-portal-access/{app}", {}).json()["token"]
            in_use, not_in_use, portal = (api.with_token(token) for token in (made[0]["token"], made[1]["token"], portal))
            assert in_use.get("/app").status_code == portal.get(f"/app/{app}").status_code == 200
            _fill(disk)
            eventually(lambda: api.post("/app", {"name": "x" * 1000}).status_code == 503, every=0, what="full")
            answers = [api.delete(f"/key/{key['id']}") for key in made] + [portal.post("/auth/logout")]
            for answer in answers:
                assert answer.status_code == 503 and int(answer.headers["retry-after"]) >= 1, answer.text
                assert "refused from now on" in answer.json()["detail"]
            for token in (in_use, not_in_use, portal):
                assert token.get(f"/app/{app}").status_code == 401
            assert api.delete("/key/key_" + made[0]["id"][4:][::-1]).status_code == 404
            _clear(disk)
            revoked = lambda: [bool(key.get("revokedAt")) for key in api.get("/key").json()["data"]]  # noqa: E731
            eventually(lambda: all(revoked()), what="written by itself")
            used = lambda: {key["name"] for key in api.get("/key").json()["data"] if key.get("lastUsedAt")}  # noqa: E731
            eventually(lambda: used() == {"in use", "portal"}, what="their last use is known")
            server.kill()
            server.start()
            for token in (in_use, not_in_use, portal):
                assert token.get(f"/app/{app}").status_code == 401


def test_a_start_without_space_to_open_the_store_waits_for_it(tmp_path):
    with small_disk(tmp_path / "disk", "24m") as disk, Receiver() as receiver:
        with Server(tmp_path / "server", STORE=f"sqlite:{disk / 'ringbolt.db'}") as server:
            api = server.api
            app = api.application()
            api.endpoint(app, receiver.url())
            first = api.send(app)
            eventually(lambda: first in receiver.ids, what="it was delivered")
            assert server.stop() == 0
            # As a restored copy is: without the log and its index, which is made before anything can be read.
            assert not (disk / "ringbolt.db-wal").stat().st_size
            for beside in ("-wal", "-shm"):
                (disk / f"ringbolt.db{beside}").unlink()
            _fill(disk)
            server.spawn()
            health = eventually(lambda: _health(server), what="it answers")
            assert health.status_code == 503, health.text
            assert health.json()["store"] == {"status": "error", "reason": "full"}, health.text
            assert api.get("/health/ping").status_code == 204
            for answer in (api.post(f"/app/{app}/msg", {"eventType": "a.b", "payload": {}}), api.get(f"/app/{app}")):
                assert answer.status_code == 503, answer.text
                assert int(answer.headers["retry-after"]) >= 1 and answer.json()["code"] == "unavailable"
            _clear(disk)
            server.wait_healthy()
            second = eventually(lambda: _sent(api, app), what="accepting again")
            eventually(lambda: second in receiver.ids, what="it was delivered")
            assert receiver.ids[first] == 1


def test_a_start_that_waits_for_space_can_be_stopped(tmp_path):
    with small_disk(tmp_path / "disk", "1m") as disk:
        (disk / "encryption-key").write_text("A" * 43 + "=")
        _fill(disk)
        server = Server(tmp_path / "server", STORE=f"sqlite:{disk / 'ringbolt.db'}")
        try:
            server.spawn()
            eventually(lambda: _health(server), what="it answers")
            assert server.stop() == 0
        finally:
            server.close()


def test_a_first_start_without_space_for_its_secrets_says_so(tmp_path):
    with small_disk(tmp_path / "disk", "1m") as disk:
        _fill(disk)
        done = ringbolt("serve", RINGBOLT_LISTEN="127.0.0.1:0", RINGBOLT_STORE=f"sqlite:{disk / 'ringbolt.db'}")
        assert done.returncode == 1
        assert "encryption-key" in done.stderr and "No space left" in done.stderr, done.stderr


def _health(server):
    try:
        return server.api.get("/health")
    except httpx.TransportError:
        return None


def _sent(api, app):
    answer = api.post(f"/app/{app}/msg", {"eventType": "a.b", "payload": {}})
    return answer.json()["id"] if answer.status_code == 202 else None


def test_health_says_why_and_the_log_says_so_once(tmp_path):
    with Server(tmp_path) as server:
        file, elsewhere = tmp_path / "ringbolt.db", tmp_path / "elsewhere.db"
        assert server.api.get("/health").json()["store"] == {"status": "ok"}
        file.rename(elsewhere)
        eventually(lambda: server.api.post("/app", {"name": "lost"}).status_code == 503, what="it takes nothing")
        for _ in range(3):
            health = server.api.get("/health")
            assert health.status_code == 503, health.text
            assert health.json()["store"] == {"status": "error", "reason": "moved"}, health.text
        elsewhere.rename(file)
        server.wait_healthy()
        eventually(lambda: "the store can be written again" in server.log(), what="the log says that it is over")
        said = server.log()
        assert said.count("the store cannot be written") == said.count("the store can be written again") == 1, said
        assert "moved" in said and "not well" not in said, said


def test_two_servers_on_one_file_are_one_too_many(tmp_path):
    with Server(tmp_path) as first:
        second = ringbolt(
            "serve",
            RINGBOLT_LISTEN="127.0.0.1:0",
            RINGBOLT_STORE=first.settings["RINGBOLT_STORE"],
            RINGBOLT_ADMIN_TOKEN=ADMIN_TOKEN,
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
        "serve", RINGBOLT_LISTEN="127.0.0.1:0", RINGBOLT_STORE=f"sqlite:{path}", RINGBOLT_ADMIN_TOKEN=ADMIN_TOKEN
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


@pytest.mark.parametrize("link", ["symlink", "hard link"])
def test_a_second_server_by_another_name_of_the_file_is_refused(tmp_path, link):
    with Server(tmp_path / "first") as server:
        message = server.api.send(server.api.application())
        file, other = tmp_path / "first" / "ringbolt.db", tmp_path / "second" / "other.db"
        other.parent.mkdir()
        other.symlink_to(file) if link == "symlink" else other.hardlink_to(file)
        settings = server.settings | {"RINGBOLT_STORE": f"sqlite:{other}", "RINGBOLT_LISTEN": "127.0.0.1:0"}
        key = tmp_path / "first" / "encryption-key"
        shutil.copy(key, other.parent / key.name)
        done = ringbolt("serve", cwd=other.parent, **settings)
        assert done.returncode not in (0, 101) and "in use" in done.stderr, done.stderr
        assert server.api.send(server.api.application()) > message, "the first goes on"
