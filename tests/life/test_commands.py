"""The commands beside `serve`: demo, doctor, key, backup, and the help that leads to them."""

import os
import re
import socket
import sqlite3
import ssl
import tempfile
import time
from pathlib import Path

import httpx
import pytest

from harness.certificates import Authority, self_signed
from harness.dns import NameServer
from harness.load import Load
from harness.ports import free_port
from harness.receiver import Receiver, Reply
from harness.server import Server, ringbolt
from harness.waiting import eventually, never


def said(done):
    return done.stdout + done.stderr


def test_help_names_every_command():
    done = ringbolt("--help")
    assert done.returncode == 0
    for command in ("serve", "config", "doctor", "failing", "nodes", "demo", "key", "backup"):
        assert command in done.stdout, command


def test_the_version_names_the_commit_if_that_could_be_known():
    told = {ringbolt(how).stdout for how in ("version", "--version")}
    (line,) = told
    assert re.fullmatch(r"ringbolt \d+\.\d+\.\d+( \([0-9a-f]{12}\))?\n", line), line


def test_the_demo_tells_the_whole_story(tmp_path):
    done = ringbolt("demo", cwd=tmp_path)
    assert done.returncode == 0, said(done)
    text = done.stdout.lower()
    for word in ("accept", "attempt", "retr", "verif"):
        assert word in text, f"{word} in\n{done.stdout}"
    told = [line.split()[:2] for line in done.stdout.splitlines() if "msg_" in line]
    messages = {message for _, message in told}
    assert len(messages) == 3, "three events"
    for what, expected in (("accepted", 3), ("attempt", 3), ("retry", 1), ("delivered", 3)):
        assert sum(word == what for word, _ in told) == expected, f"{what} in\n{done.stdout}"
    assert done.stdout.count("signature verified") == 4, "at each attempt"
    assert not list(tmp_path.iterdir()), "its store was a temporary one"


def test_failing_names_the_endpoints_that_fail_and_why(tmp_path):
    with Receiver(Reply(500)) as receiver, Receiver(Reply(410)) as gone, Server(tmp_path) as server:
        api = server.api
        settings = server.settings
        assert "no endpoint fails" in ringbolt("failing", cwd=tmp_path, **settings).stdout
        apps = [api.application("one"), api.application("two")]
        failing = [api.endpoint(apps[0], receiver.url(), uid="main-hook"), api.endpoint(apps[1], receiver.url())]
        away = api.endpoint(apps[1], gone.url())
        for app in apps:
            api.send(app)
        listed = eventually(lambda: complete(api, {*failing, away}), what="all three are listed")
        for endpoint in failing:
            one = listed[endpoint]
            assert one["lastFailure"]["responseStatusCode"] == 500 and one["failing"]["since"] and one["pending"] == 1
        assert listed[away]["lane"] == "disabled" and listed[away]["disabledReason"] == "gone"
        page = api.get("/endpoint/failing", limit=2).json()
        assert [one["id"] for one in page["data"]] == failing and not page["done"]
        rest = api.get("/endpoint/failing", limit=2, iterator=page["iterator"]).json()
        assert [one["id"] for one in rest["data"]] == [away] and rest["done"]

        done = ringbolt("failing", cwd=tmp_path, **settings)
        assert done.returncode == 0, said(done)
        rows = {line.split()[1]: line.split() for line in done.stdout.splitlines()[1:]}
        assert {endpoint: rows[endpoint][0] for endpoint in failing} == dict(zip(failing, apps))
        assert rows[failing[0]][2] == "main-hook" and rows[failing[0]][4:6] == ["500", "1"]
        assert rows[away][2] == "-" and rows[away][4] == "410"
        since = [line.split()[3] for line in done.stdout.splitlines()[1:]]
        assert since == sorted(since), "those that have failed for longest come first"
        server.stop()
        assert "no server runs" in said(ringbolt("failing", cwd=tmp_path, **settings))


def test_nodes_names_the_server_and_what_it_does(tmp_path):
    with Receiver(Reply(500)) as receiver, Server(tmp_path) as server:
        api, settings = server.api, server.settings
        (node,) = api.get("/nodes").json()["data"]
        assert node["isThis"] and node["name"] and node["lastSeen"] >= node["startedAt"]
        app = api.application("one")
        api.endpoint(app, receiver.url())
        api.send(app)
        eventually(lambda: api.get("/nodes").json()["data"][0]["pending"] == 1, what="what waits is told")

        done = ringbolt("nodes", cwd=tmp_path, **settings)
        assert done.returncode == 0, said(done)
        titles, row = done.stdout.splitlines()
        assert titles.startswith("node") and titles.endswith("pending")
        told = row.split()
        assert told[0] == f"{node['incarnation']}*" and told[2] == node["name"] and told[-1] == "1"
        assert told[5] == node["startedAt"], "when it started"
        server.stop()
        assert ringbolt("nodes", cwd=tmp_path, **settings).returncode == 1, "nobody is there to ask"


def complete(api, endpoints):
    """Those that are listed as failing, by id, if they are all of these with their latest failure."""
    listed = {one["id"]: one for one in api.get("/endpoint/failing").json()["data"]}
    return listed if listed.keys() == endpoints and all("lastFailure" in one for one in listed.values()) else None


@pytest.fixture(scope="module")
def names():
    """Name servers that know nothing and say so."""
    with NameServer({}) as answering:
        yield answering


@pytest.fixture
def place(tmp_path, names):
    """Settings with which nothing is wrong."""
    return {
        "RINGBOLT_STORE": f"sqlite:{tmp_path / 'ringbolt.db'}",
        "RINGBOLT_LISTEN": f"127.0.0.1:{free_port()}",
        "RINGBOLT_NET__RESOLVER": names.address,
        "RINGBOLT_DELIVERY__ALLOW_NETWORKS": "127.0.0.0/8",
    }


def wrong(done, what):
    """The line of `doctor` about this, which must say that it is wrong."""
    assert done.returncode == 1, said(done)
    lines = [line for line in done.stdout.splitlines() if line.startswith(f"BAD   {what} ")]
    assert lines, said(done)
    return "\n".join(lines)


def test_doctor_is_content_with_a_good_place(tmp_path, place, names):
    with Receiver(Reply(200)) as receiver:
        done = ringbolt("doctor", receiver.url(), cwd=tmp_path, **place)
        assert done.returncode == 0, said(done)
        for word in ("store", "clock", "file", "dns", "total"):
            assert word in said(done).lower(), word
        assert receiver.connections == 1, said(done)
        (arrival,) = receiver.arrivals
        assert arrival.header("webhook-id").startswith("msg_") and arrival.header("webhook-signature").startswith("v1,")
    assert names.asked, "the name servers were asked"
    assert not list(tmp_path.iterdir()), "nothing was made"


def test_doctor_says_what_is_wrong_with_an_attempt(tmp_path, place):
    with Receiver() as receiver:
        url = receiver.url()
    done = ringbolt("doctor", url, cwd=tmp_path, **place)
    assert "nothing listens there" in wrong(done, "outbound")
    assert done.stdout.splitlines()[-1].startswith("BAD   outbound"), "nothing good comes after that"
    place["RINGBOLT_DELIVERY__ALLOW_NETWORKS"] = ""
    assert "delivery.allow_networks" in wrong(ringbolt("doctor", url, cwd=tmp_path, **place), "outbound")


def test_doctor_explains_a_certificate_that_a_receiver_has_signed_itself(tmp_path, place):
    for name, authority in (("own", False), ("lofty", True)):
        certificate, key = self_signed(tmp_path, name, authority=authority)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        with Receiver(Reply(200), tls=context) as receiver:
            found = wrong(ringbolt("doctor", receiver.url(), cwd=tmp_path, **place), "outbound")
            assert "net.extra_roots" in found and "CA:FALSE" in found
            trusting = ringbolt("doctor", receiver.url(), cwd=tmp_path, RINGBOLT_NET__EXTRA_ROOTS=certificate, **place)
            assert trusting.returncode == (1 if authority else 0), said(trusting)
            assert not authority or "calls itself an authority" in said(trusting)
            plain = receiver.url().replace("https://", "http://")
            assert "try https://" in wrong(ringbolt("doctor", plain, cwd=tmp_path, **place), "outbound")
    with Receiver(Reply(200)) as receiver:
        encrypted = receiver.url().replace("http://", "https://")
        assert "try http://" in wrong(ringbolt("doctor", encrypted, cwd=tmp_path, **place), "outbound")


def test_doctor_does_not_disturb_a_running_server(tmp_path, place):
    with Server(tmp_path) as server:
        app = server.api.application()
        load = Load(server, app, senders=2).start()
        eventually(lambda: len(load.accepted) > 20)
        for _ in range(3):
            done = ringbolt("doctor", cwd=tmp_path, **place | server.settings)
            assert done.returncode == 0 and "a server is running on it" in done.stdout, said(done)
        load.stop()
        assert set(load.statuses) == {202}, load.statuses


def test_doctor_finds_out_a_store_that_cannot_be_used(tmp_path, place):
    with Server(tmp_path) as server:
        server.api.endpoint(server.api.application(), "http://127.0.0.1:9/")
        server.stop()
    before = sorted(path.name for path in tmp_path.iterdir())
    assert ringbolt("doctor", cwd=tmp_path, **place).returncode == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == before, "nothing was made"

    other = {"RINGBOLT_ENCRYPTION_KEY": "QkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkI="}
    assert "RINGBOLT_ENCRYPTION_KEY" in wrong(ringbolt("doctor", cwd=tmp_path, **place | other), "store")
    key = tmp_path / "encryption-key"
    key.rename(tmp_path / "put-away")
    assert str(key) in wrong(ringbolt("doctor", cwd=tmp_path, **place), "store")
    (tmp_path / "put-away").rename(key)

    database = sqlite3.connect(tmp_path / "ringbolt.db")
    database.execute("INSERT INTO migration VALUES (99, 'later', x'00', 0)")
    database.commit()
    database.close()
    assert "newer server" in wrong(ringbolt("doctor", cwd=tmp_path, **place), "store")
    (tmp_path / "ringbolt.db").write_text("a diary " * 1000)
    assert "RINGBOLT_STORE" in wrong(ringbolt("doctor", cwd=tmp_path, **place), "store")


def test_doctor_finds_out_a_clock_behind_the_store(tmp_path, place):
    with Server(tmp_path) as server:
        app = server.api.application()
        server.stop()
    ahead = int((time.time() + 7200 - 1_400_000_000)) << 32
    database = sqlite3.connect(tmp_path / "ringbolt.db")
    database.execute("UPDATE application SET id = ?", (ahead,))
    database.commit()
    database.close()
    assert "NTP" in wrong(ringbolt("doctor", cwd=tmp_path, **place), "clock"), app


def test_doctor_compares_the_clock_with_the_receivers(tmp_path, place):
    date = {"date": "Sun, 06 Nov 1994 08:49:37 GMT"}
    with Receiver(Reply(200, headers=date)) as receiver:
        found = wrong(ringbolt("doctor", receiver.url(), cwd=tmp_path, **place), "outbound")
    assert "ahead of" in found and "NTP" in found


def test_doctor_finds_out_a_folder_that_cannot_be_written(tmp_path, place):
    place["RINGBOLT_STORE"] = "sqlite:/proc/ringbolt/ringbolt.db"
    assert "cannot be written" in wrong(ringbolt("doctor", cwd=tmp_path, **place), "disk")


def test_doctor_finds_out_an_address_that_is_taken(tmp_path, place):
    with Receiver() as receiver:
        place["RINGBOLT_LISTEN"] = f"127.0.0.1:{receiver.port}"
        assert "RINGBOLT_LISTEN" in wrong(ringbolt("doctor", cwd=tmp_path, **place), "address")


def test_doctor_finds_out_name_servers_that_do_not_answer(tmp_path, place):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind(("127.0.0.1", 0))
        place["RINGBOLT_NET__RESOLVER"] = "127.0.0.1:%d" % silent.getsockname()[1]
        assert "net.resolver" in wrong(ringbolt("doctor", cwd=tmp_path, **place), "DNS")


def test_doctor_finds_out_certificates_that_cannot_be_used(tmp_path, place):
    authority = Authority(tmp_path)
    certificate, key = authority.sign("good.test", days=90)
    pair = {"RINGBOLT_TLS__CERTIFICATE": certificate, "RINGBOLT_TLS__KEY": key}
    assert ringbolt("doctor", cwd=tmp_path, **place, **pair).returncode == 0
    _, other = authority.sign("other.test")
    assert "tls.key" in wrong(ringbolt("doctor", cwd=tmp_path, **place, **pair | {"RINGBOLT_TLS__KEY": other}), "TLS")
    absent = pair | {"RINGBOLT_TLS__CERTIFICATE": tmp_path / "absent.pem"}
    assert "absent.pem" in wrong(ringbolt("doctor", cwd=tmp_path, **place, **absent), "TLS")
    expired, key = authority.sign("old.test", days=-1)
    pair = {"RINGBOLT_TLS__CERTIFICATE": expired, "RINGBOLT_TLS__KEY": key}
    assert "renew it" in wrong(ringbolt("doctor", cwd=tmp_path, **place, **pair), "TLS")
    soon, key = authority.sign("soon.test", days=3)
    pair = {"RINGBOLT_TLS__CERTIFICATE": soon, "RINGBOLT_TLS__KEY": key}
    done = ringbolt("doctor", cwd=tmp_path, **place, **pair)
    assert done.returncode == 0 and re.search(r"^note  TLS .*SIGHUP", done.stdout, re.MULTILINE), said(done)
    roots = tmp_path / "roots.pem"
    roots.write_text("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
    assert "net.extra_roots" in wrong(ringbolt("doctor", cwd=tmp_path, **place, RINGBOLT_NET__EXTRA_ROOTS=roots), "extra roots")


def test_key_makes_no_store_in_the_wrong_folder(tmp_path):
    for arguments in (("create", "--name", "x", "--role", "reader"), ("list",)):
        done = ringbolt("key", *arguments, cwd=tmp_path)
        assert done.returncode == 1 and "there is no store" in done.stderr and "--store" in done.stderr, said(done)
    assert not list(tmp_path.iterdir()), "nothing was made"


def test_commands_that_read_make_no_secrets(tmp_path, place):
    key = "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="
    with Server(tmp_path, ENCRYPTION_KEY=key) as server:
        server.api.post("/key", {"name": "kept", "role": "reader"})
        server.stop()
        settings = dict(server.settings)
    settings.pop("RINGBOLT_ADMIN_TOKEN")
    secrets = ("admin-token", "encryption-key")
    for name in secrets:
        (tmp_path / name).unlink(missing_ok=True)
    done = ringbolt("key", "list", cwd=tmp_path, **settings)
    assert done.returncode == 0 and "kept" in done.stdout, said(done)
    without = {name: value for name, value in settings.items() if name != "RINGBOLT_ENCRYPTION_KEY"}
    done = ringbolt("key", "list", cwd=tmp_path, **without)
    assert done.returncode == 1 and "RINGBOLT_ENCRYPTION_KEY" in done.stderr, said(done)
    for arguments in (("config",), ("doctor",), ("backup", tmp_path / "copy.db")):
        ringbolt(*arguments, cwd=tmp_path, **place | settings)
    assert (tmp_path / "copy.db").exists()
    for name in secrets:
        assert not (tmp_path / name).exists(), name


def test_key_says_what_to_do_when_the_server_listens_elsewhere(tmp_path):
    with Server(tmp_path) as server, Server() as other:
        for listen in (f"127.0.0.1:{free_port()}", other.settings["RINGBOLT_LISTEN"]):
            settings = server.settings | {"RINGBOLT_LISTEN": listen, "RINGBOLT_ADMIN_TOKEN": "another-token-altogether"}
            done = ringbolt("key", "list", cwd=tmp_path, **settings)
            assert done.returncode == 1 and listen in done.stderr and "--listen" in done.stderr, said(done)


def test_the_help_of_every_command_ends_with_an_example():
    for command in ("serve", "config", "doctor", "key", "key create", "key list", "key revoke", "backup", "demo", "version"):
        done = ringbolt(*command.split(), "--help")
        _, _, examples = done.stdout.partition("Example")
        assert f"ringbolt {command}" in examples, said(done)


def create_key(server, *arguments):
    """`ringbolt key create` beside the running server; returns the key, which is printed once."""
    done = ringbolt("key", "create", *arguments, cwd=server.folder, **server.settings)
    assert done.returncode == 0, said(done)
    words = re.findall(r"[A-Za-z0-9_\-.]{24,}", done.stdout)
    for word in words:
        if httpx.get(f"{server.url}/api/v1/app", headers={"authorization": f"Bearer {word}"}).status_code != 401:
            return word
    raise AssertionError(f"no working key in {done.stdout!r}")


def test_keys_have_roles(tmp_path):
    with Server(tmp_path) as server:
        app = server.api.application(uid="keyed")
        sender = server.api.with_token(create_key(server, "--name", "s", "--role", "sender"))
        reader = server.api.with_token(create_key(server, "--name", "r", "--role", "reader"))
        admin = server.api.with_token(create_key(server, "--name", "a", "--role", "admin"))
        assert sender.post(f"/app/{app}/msg", {"eventType": "a.b", "payload": {}}).status_code == 202
        assert sender.post("/app", {"name": "x"}).status_code == 403
        assert reader.get(f"/app/{app}/msg").status_code == 200
        assert reader.post(f"/app/{app}/msg", {"eventType": "a.b", "payload": {}}).status_code == 403
        assert reader.post("/app", {"name": "x"}).status_code == 403
        assert admin.post("/app", {"name": "x"}).status_code == 201
        stored = b"".join(path.read_bytes() for path in tmp_path.glob("ringbolt.db*"))
        for api in (sender, reader, admin):
            token = api.http.headers["authorization"].removeprefix("Bearer ")
            assert token.rsplit(".", 1)[-1] not in ("us", "eu", "in", "ca", "au")
            assert token.encode() not in stored, "only a hash is kept"


def test_a_key_of_one_application_finds_no_other(tmp_path):
    with Server(tmp_path) as server:
        mine, theirs = server.api.application("mine"), server.api.application("theirs")
        key = server.api.with_token(create_key(server, "--name", "mine", "--role", "sender", "--application", mine))
        body = {"eventType": "a.b", "payload": {}}
        assert key.post(f"/app/{mine}/msg", body).status_code == 202
        assert key.post(f"/app/{theirs}/msg", body).status_code == 404


def test_a_key_expires(tmp_path):
    with Server(tmp_path) as server:
        key = create_key(server, "--name", "short", "--role", "reader", "--expires-in", "15s")
        api = server.api.with_token(key)
        assert api.get("/app").status_code == 200
        listed = ringbolt("key", "list", cwd=tmp_path, **server.settings).stdout
        until = server.api.get("/key").json()["data"][0]["expiresAt"]
        assert "expires" in listed.splitlines()[0] and until in listed, listed
        eventually(lambda: api.get("/app").status_code == 401, what="expired")


def test_a_backup_is_a_consistent_copy_while_serving(tmp_path):
    copy = tmp_path / "copy" / "backup.db"
    copy.parent.mkdir()
    with Receiver() as receiver, Server(tmp_path / "server") as server:
        app = server.api.application()
        server.api.endpoint(app, receiver.url())
        load = Load(server, app, senders=4).start()
        eventually(lambda: len(load.accepted) > 200)
        before = set(load.accepted)
        done = ringbolt("backup", copy, cwd=server.folder, **server.settings)
        load.stop()
        assert done.returncode == 0, said(done)
        assert 503 not in load.statuses and 0 not in load.statuses, load.statuses
        settings = {"RINGBOLT_ENCRYPTION_KEY": server.settings.get("RINGBOLT_ENCRYPTION_KEY")}
        server.stop()
    with sqlite3.connect(copy) as database:
        assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    database.close()
    restored = Server(tmp_path / "server", STORE=f"sqlite:{copy}")
    restored.settings |= {key: value for key, value in settings.items() if value}
    for path in (tmp_path / "server").iterdir():
        if "key" in path.name and path.is_file():
            (copy.parent / path.name).write_bytes(path.read_bytes())
    with restored:
        found = set()
        iterator = None
        while True:
            page = restored.api.get(f"/app/{app}/msg", limit=250, **({"iterator": iterator} if iterator else {})).json()
            found |= {one["id"] for one in page["data"]}
            if page["done"]:
                break
            iterator = page["iterator"]
        assert before <= found, "everything accepted before the backup began is in it"


def test_a_backup_names_the_keys_that_the_copy_needs(tmp_path):
    configured, other = ("QkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkI=", "QUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUE=")
    with Server(tmp_path / "server") as server:
        key = server.folder / "encryption-key"

        def advice(copy, **settings):
            done = ringbolt("backup", tmp_path / copy, cwd=tmp_path, **server.settings | settings)
            assert done.returncode == 0, said(done)
            assert configured not in said(done) and other not in said(done)
            return done.stdout

        found = advice("empty.db")
        assert "needs no key" in found and "admin token" not in found, "that is configured"
        (server.folder / "admin-token").write_text("a-token-of-sixteen-or-more")
        del server.settings["RINGBOLT_ADMIN_TOKEN"]
        assert str(server.folder / "admin-token") in advice("token.db")
        server.api.endpoint(server.api.application(), "https://example.com/")
        assert f"the key {key}." in advice("file.db")
        found = advice("lost.db", RINGBOLT_ENCRYPTION_KEY=other)
        assert f"the key {key}." in found and "configured" not in found, "the one that is configured opens nothing"
        file = key.read_text()
        key.write_text(other)
        found = advice("configured.db", RINGBOLT_ENCRYPTION_KEY=f"{configured},{file.strip()}")
        assert "RINGBOLT_ENCRYPTION_KEY" in found and str(key) not in found, found
        assert "neither configured nor" in advice("gone.db", RINGBOLT_ENCRYPTION_KEY=configured)
        key.write_text(file)


def test_a_copy_beside_the_log_of_another_database_is_refused_and_unharmed(tmp_path, place):
    copy = tmp_path / "copy.db"
    with Server(tmp_path / "server") as server:
        database, log, index = (server.folder / f"ringbolt.db{end}" for end in ("", "-wal", "-shm"))
        before = server.api.application()
        assert ringbolt("backup", copy, cwd=tmp_path, **server.settings).returncode == 0
        after = server.api.application()
        server.kill()
        assert log.stat().st_size, "the newest are in the log"
        database.write_bytes(copy.read_bytes())
        settings = place | server.settings
        done = ringbolt("serve", cwd=tmp_path, **settings)
        assert done.returncode == 1 and str(log) in done.stderr and "remove" in done.stderr, said(done)
        assert str(log) in wrong(ringbolt("doctor", cwd=tmp_path, **settings), "store")
        done = ringbolt("backup", tmp_path / "of-both.db", cwd=tmp_path, **settings)
        assert done.returncode == 1 and str(log) in done.stderr and not (tmp_path / "of-both.db").exists(), said(done)
        assert database.read_bytes() == copy.read_bytes()
        log.unlink()
        index.unlink(missing_ok=True)
        done = ringbolt("doctor", cwd=tmp_path, **settings)
        assert re.search("^ok    pages .* sound", done.stdout, re.MULTILINE), said(done)
        server.start()
        assert [server.api.get(f"/app/{app}").status_code for app in (before, after)] == [200, 404]
        server.kill()
        server.start()  # with a log that is its own
        assert server.api.get(f"/app/{before}").status_code == 200


def test_doctor_finds_a_damaged_database(tmp_path, place):
    with Server(tmp_path) as server:
        for _ in range(50):
            server.api.application()
        server.stop()
    file = tmp_path / "ringbolt.db"
    content = bytearray(file.read_bytes())
    middle = len(content) // 8192 * 4096
    content[middle : middle + 8192] = b"\xff" * 8192
    file.write_bytes(content)
    assert "restore a backup" in wrong(ringbolt("doctor", cwd=tmp_path, **place), "pages")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_a_start_says_whose_a_file_is_that_it_may_not_open():
    nobody = 65534
    with tempfile.TemporaryDirectory(prefix="ringbolt-test-") as folder:
        with Server(folder) as server:
            server.stop()
            settings = server.settings
        os.chown(folder, nobody, nobody)

        def start():
            try:
                done = ringbolt("serve", cwd=folder, user=nobody, **settings)
            except PermissionError:
                pytest.skip("others may not run the binary here")
            assert done.returncode == 1, said(done)
            return done.stderr

        for name in ("encryption-key", "ringbolt.db"):
            file = Path(folder) / name
            words = start()
            assert f"{file} belongs to user 0 and group 0 with mode 0600" in words, words
            assert f"chown {nobody}:{nobody} {file}" in words, words
            os.chown(file, nobody, nobody)


def test_a_paused_server_accepts_and_reads_and_sends_nothing_until_it_is_paused_no_more(tmp_path):
    with Receiver() as receiver, Server(tmp_path, DELIVERY__PAUSED="true") as server:
        api = server.api
        app = api.application()
        endpoint = api.endpoint(app, receiver.url())
        messages = [api.send(app)]
        health = api.get("/health")
        assert health.status_code == 200 and health.json()["delivery"]["status"] == "paused", health.text
        assert server.logged("nothing is sent")
        assert server.stop() == 0
        server.start()
        messages.append(api.send(app))
        assert api.post(f"/app/{app}/msg/{messages[0]}/endpoint/{endpoint}/resend").status_code == 202
        never(lambda: receiver.connections, during=2)
        assert [api.destinations(app, message)[endpoint]["status"] for message in messages] == [1, 1]
        server.kill()
        del server.settings["RINGBOLT_DELIVERY__PAUSED"]
        server.start()
        eventually(lambda: set(messages) <= set(receiver.ids), what="what waited is sent")
        assert api.get("/health").json()["delivery"]["status"] == "ok"


def test_a_backup_does_not_overwrite(tmp_path):
    with Server(tmp_path) as server:
        existing = tmp_path / "precious.db"
        existing.write_text("precious")
        done = ringbolt("backup", existing, cwd=tmp_path, **server.settings)
        assert done.returncode != 0
        assert existing.read_text() == "precious"


def test_start_up_has_little_to_do():
    # The figure that counts (0.1 s) is measured by make bench on a quiet machine; this only catches the absurd.
    with Server() as server:
        assert server.cpu_seconds() < 1.0


@pytest.mark.parametrize("arguments", [("nonsense",), ("serve", "--nonsense"), ("key", "create")])
def test_a_wrong_command_line_says_how(arguments, tmp_path):
    done = ringbolt(*arguments, cwd=tmp_path)
    assert done.returncode not in (0, 101), said(done)
    assert "usage" in said(done).lower() or "error" in said(done).lower()
