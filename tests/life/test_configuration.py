"""Configuration: file, environment, flags; what is wrong is named, with its origin and the nearest valid key."""

import contextlib
import json
import socket
import sqlite3
import stat
import subprocess
import time

import httpx
import pytest

from harness.ports import free_port
from harness.receiver import Receiver, Reply
from harness.server import ADMIN_TOKEN, Server, ringbolt
from harness.waiting import eventually

CONFIGURATION_ERROR = 78


def said(done):
    return done.stdout + done.stderr


@pytest.mark.parametrize(
    "key, nearest",
    [("RINGBOLT_LISTN", "listen"), ("RINGBOLT_DELIVERY__TIMEUOT", "timeout"), ("RINGBOLT_DELIVERY__RETRY_SHEDULE", "retry_schedule")],
)
def test_an_unknown_key_in_the_environment(tmp_path, key, nearest):
    for command in ("serve", "config"):
        done = ringbolt(command, cwd=tmp_path, **{key: "1"})
        assert done.returncode == CONFIGURATION_ERROR, said(done)
        assert key.lower() in said(done).lower() or key.removeprefix("RINGBOLT_").lower().replace("__", ".") in said(done).lower()
        assert nearest in said(done).lower()
        assert "environment" in said(done).lower()
    assert not list(tmp_path.iterdir()), "nothing was created"


def test_every_problem_of_a_configuration_is_a_line_that_says_error(tmp_path):
    done = ringbolt("serve", cwd=tmp_path, RINGBOLT_LISTN="1", RINGBOLT_STOER="2", RINGBOLT_DELIVERY__TIMEOUT="soon")
    assert done.returncode == CONFIGURATION_ERROR, said(done)
    lines = done.stderr.splitlines()
    assert len(lines) == 3 and all(line.startswith("error: configuration: ") for line in lines), lines


def test_what_kubernetes_says_of_a_service_of_our_name_is_no_setting(tmp_path):
    address = "10.96.7.1"
    of_the_service = {
        "RINGBOLT_PORT": f"tcp://{address}:8071",
        "RINGBOLT_SERVICE_HOST": address,
        "RINGBOLT_SERVICE_PORT": "8071",
        "RINGBOLT_SERVICE_PORT_HTTP": "8071",
        "RINGBOLT_PORT_8071_TCP": f"tcp://{address}:8071",
        "RINGBOLT_PORT_8071_TCP_PROTO": "tcp",
        "RINGBOLT_PORT_8071_TCP_PORT": "8071",
        "RINGBOLT_PORT_8071_TCP_ADDR": address,
    }
    done = ringbolt("config", cwd=tmp_path, **of_the_service)
    assert done.returncode == 0, said(done)
    done = ringbolt("config", cwd=tmp_path, RINGBOLT_PORT="8071")
    assert done.returncode == CONFIGURATION_ERROR and "RINGBOLT_LISTEN" in said(done), said(done)


def test_an_unknown_key_in_the_file(tmp_path):
    file = tmp_path / "ringbolt.toml"
    file.write_text('[delivery]\ntimeuot = "3s"\n')
    done = ringbolt("serve", "--config", file, cwd=tmp_path)
    assert done.returncode == CONFIGURATION_ERROR, said(done)
    assert "timeuot" in said(done) and "timeout" in said(done) and "ringbolt.toml" in said(done)


@pytest.mark.parametrize(
    "key, value",
    [
        ("RINGBOLT_LISTEN", "not an address"),
        ("RINGBOLT_STORE", "mysql://somewhere"),
        ("RINGBOLT_DELIVERY__TIMEOUT", "soon"),
        ("RINGBOLT_DELIVERY__RETRY_SCHEDULE", "5s,later"),
        ("RINGBOLT_DELIVERY__ALLOW_NETWORKS", "10.0.0.0/99"),
        ("RINGBOLT_ENCRYPTION_KEY", "short"),
        ("RINGBOLT_PUBLIC_URL", "ftp://x"),
        ("RINGBOLT_RETENTION__CONTENT", "0s"),
    ],
)
def test_a_wrong_value_is_named_with_its_origin(tmp_path, key, value):
    done = ringbolt("serve", cwd=tmp_path, **{key: value})
    assert done.returncode == CONFIGURATION_ERROR, said(done)
    assert key.removeprefix("RINGBOLT_").split("__")[-1].lower() in said(done).lower()
    if key == "RINGBOLT_ENCRYPTION_KEY":
        assert value not in said(done).replace("shorter", ""), "a secret is not repeated"


@pytest.mark.parametrize(
    "key, value, named",
    [
        ("RINGBOLT_DELIVERY__RETRY_SCHEDULE", "5s,,5m", "item 2 is empty"),
        ("RINGBOLT_DELIVERY__CONCURRENCY", "1001", "whole number from 1 to 1000"),
        ("RUST_LOG", "=,=", "environment variable RUST_LOG"),
        ("RINGBOLT_CONFIG", "absent.toml", "environment variable RINGBOLT_CONFIG"),
    ],
)
@pytest.mark.parametrize("command", ["serve", "config", "doctor"])
def test_what_is_wrong_with_a_value_is_said(tmp_path, command, key, value, named):
    done = ringbolt(command, cwd=tmp_path, **{key: value})
    assert done.returncode == CONFIGURATION_ERROR, said(done)
    assert named in said(done), said(done)
    assert not list(tmp_path.iterdir()), "nothing was created"


def test_a_section_that_is_none_is_answered_with_those_that_there_are(tmp_path):
    file = tmp_path / "ringbolt.toml"
    for text in ("[zzzz]\n", '[zzzz]\nwhat = "3s"\n'):
        file.write_text(text)
        done = ringbolt("config", cwd=tmp_path)
        assert done.returncode == CONFIGURATION_ERROR, said(done)
        assert "`zzzz" in said(done) and "log, tls, delivery, net, api" in said(done), said(done)
    file.write_text("[tls]\n[delivery]\n")
    assert ringbolt("config", cwd=tmp_path).returncode == 0, "a section may be empty"


def test_config_says_what_is_logged_and_by_whom(tmp_path):
    def line(**settings):
        lines = ringbolt("config", cwd=tmp_path, **settings).stdout.splitlines()
        return next(line.split(maxsplit=2) for line in lines if line.startswith("RUST_LOG"))

    assert line(RUST_LOG="warn,ringbolt=debug") == ["RUST_LOG", "warn,ringbolt=debug", "environment variable RUST_LOG"]


def test_a_file_that_is_not_there(tmp_path):
    done = ringbolt("serve", "--config", tmp_path / "absent.toml", cwd=tmp_path)
    assert done.returncode == CONFIGURATION_ERROR
    assert "absent.toml" in said(done)


def test_the_environment_wins_over_the_file_and_flags_over_both(tmp_path):
    file = tmp_path / "ringbolt.toml"
    file.write_text('listen = "127.0.0.1:1001"\n[delivery]\ntimeout = "7s"\nretry_schedule = ["1s", "2s"]\n')
    from_file = said(ringbolt("config", "--config", file, cwd=tmp_path))
    assert "127.0.0.1:1001" in from_file and "7s" in from_file
    environment = said(ringbolt("config", "--config", file, cwd=tmp_path, RINGBOLT_LISTEN="127.0.0.1:1002"))
    assert "127.0.0.1:1002" in environment and "127.0.0.1:1001" not in environment and "7s" in environment
    flag = said(ringbolt("config", "--config", file, "--listen", "127.0.0.1:1003", cwd=tmp_path, RINGBOLT_LISTEN="127.0.0.1:1002"))
    assert "127.0.0.1:1003" in flag and "127.0.0.1:1002" not in flag


def test_config_prints_every_value_with_its_origin_and_hides_secrets(tmp_path):
    key = "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="
    done = ringbolt(
        "config", cwd=tmp_path, RINGBOLT_ADMIN_TOKEN=ADMIN_TOKEN, RINGBOLT_ENCRYPTION_KEY=key, RINGBOLT_LISTEN="127.0.0.1:1004"
    )
    assert done.returncode == 0, said(done)
    for word in ("listen", "store", "public_url", "allow_networks", "retry_schedule", "timeout", "trusted_proxies"):
        assert word in done.stdout.lower(), word
    listen = next(line for line in done.stdout.splitlines() if "127.0.0.1:1004" in line and "listen" in line.lower())
    assert "environment" in listen.lower() or "RINGBOLT_LISTEN" in listen
    assert "default" in done.stdout.lower()
    assert ADMIN_TOKEN not in said(done) and key not in said(done)


# What was promised, whatever the documentation says now: others rely on it.
DEFAULTS = {
    "listen": "127.0.0.1:8071",
    "public_url": "http://127.0.0.1:8071",
    "trusted_proxies": "(none)",
    "delivery.allow_networks": "(none)",
    "delivery.retry_schedule": "5s,5m,30m,2h,5h,10h,10h",
    "delivery.timeout": "15s",
    "delivery.max_in_flight": "1024",
    "delivery.concurrency": "10",
    "delivery.max_memory_bytes": "64MiB",
    "delivery.max_memory_deliveries": "100000",
    "delivery.max_routes_bytes": "128MiB",
    "delivery.disable_after": "5d",
    "delivery.signature_headers": "standard",
    "api.max_payload": "1MiB",
    "retention.content": "30d",
    "runtime.shutdown_grace": "30s",
}


def test_defaults_are_those_that_were_promised(tmp_path):
    lines = ringbolt("config", cwd=tmp_path).stdout.splitlines()
    found = {line.split()[0]: line.split()[1] for line in lines if len(line.split()) > 2}
    assert {key: found.get(key) for key in DEFAULTS} == DEFAULTS
    assert found["store"].startswith("sqlite:ringbolt-data/")


def test_a_first_start_makes_its_secrets_and_says_where(tmp_path):
    port = free_port()
    server = Server(tmp_path)
    for key in ("RINGBOLT_ADMIN_TOKEN", "RINGBOLT_STORE"):
        del server.settings[key]
    server.settings["RINGBOLT_STORE"] = f"sqlite:{tmp_path / 'data' / 'ringbolt.db'}"
    assert port
    with server:
        secrets = [path for path in (tmp_path / "data").iterdir() if path.stat().st_size < 500 and path.is_file()]
        private = {path.name: stat.S_IMODE(path.stat().st_mode) for path in secrets if "token" in path.name or "key" in path.name}
        assert len(private) == 2 and set(private.values()) == {0o600}, private
        token_file = next(path for path in secrets if "token" in path.name)
        token = token_file.read_text().strip()
        # It is healthy a moment before it has said all this.
        eventually(lambda: "app/demo/msg" in server.log(), what="the last of its first words")
        log = server.log()
        assert str(token_file) in log
        assert token not in log, "where it lies, not what it is"
        assert "backup" in log.lower(), "the encryption key belongs into the backup"
        assert httpx.get(f"{server.url}/api/v1/app", headers={"authorization": f"Bearer {token}"}).status_code == 200
        server.stop()
        server.start()
        assert token_file.read_text().strip() == token, "made once"


@pytest.mark.parametrize("foreign", ["text", "database"])
def test_beside_a_file_that_is_not_ours_nothing_is_made(tmp_path, foreign):
    file = tmp_path / "notes.db"
    if foreign == "text":
        file.write_text("notes of somebody's\n" * 50)
    else:
        with contextlib.closing(sqlite3.connect(file)) as database:
            database.execute("CREATE TABLE note (text)")
            database.commit()
    before = file.read_bytes()
    done = ringbolt("serve", cwd=tmp_path, RINGBOLT_LISTEN="127.0.0.1:0", RINGBOLT_STORE=f"sqlite:{file}")
    assert done.returncode not in (0, 101) and "not a Ringbolt database" in done.stderr, done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["notes.db"] and file.read_bytes() == before


def test_an_admin_token_that_is_made_is_told_of(tmp_path):
    with Server(tmp_path) as server:
        server.stop()
        assert not server.logged("an admin token was made"), "it is configured"
        del server.settings["RINGBOLT_ADMIN_TOKEN"]
        path = f"path={tmp_path / 'admin-token'}"
        key = (tmp_path / "encryption-key").rename(tmp_path / "kept-key")
        # A start that fails makes none.
        done = ringbolt("serve", cwd=tmp_path, **server.settings)
        assert done.returncode not in (0, 101) and "encryption key" in done.stderr, done.stderr
        assert not (tmp_path / "admin-token").exists()
        key.rename(tmp_path / "encryption-key")
        server.start()
        told = "an admin token was made, as the store had none beside it"
        assert eventually(lambda: server.logged(told, path), what="a line says so")
        assert server.api.with_token((tmp_path / "admin-token").read_text().strip()).get("/app").status_code == 200
        server.stop()
        server.start()
        server.stop()
        assert len(server.logged("an admin token was made")) == 1, "once"
    with Server(tmp_path / "new") as server:
        server.stop()
        del server.settings["RINGBOLT_ADMIN_TOKEN"]
        for file in (tmp_path / "new").glob("ringbolt.db*"):
            file.unlink()
        server.start()
        lines = eventually(lambda: server.logged("an admin token was made"), what="a line says so")
        assert len(lines) == 1 and "had none" not in lines[0], "a new store has a new token"


def test_an_empty_store_beside_the_keys_of_another_is_pointed_at(tmp_path):
    with Server(tmp_path) as server:
        assert server.stop() == 0
        for file in tmp_path.glob("ringbolt.db*"):
            file.rename(tmp_path / f"moved-{file.name}")
        assert "empty store" not in server.log() and "new and empty" not in server.log()
        server.start()
        in_log, on_console = "an empty store was started beside the secrets of another", "is new and empty, but"
        eventually(lambda: in_log in server.log() and on_console in server.log(), what="the log and the console say so")
        assert str(tmp_path / "encryption-key") in server.log()
        server.stop()
        server.start()
        assert server.stop() == 0
        assert server.log().count(in_log) == server.log().count(on_console) == 1, "at the first start only"


def test_the_public_url_begins_every_address_handed_out(tmp_path):
    with Server(tmp_path, PUBLIC_URL="https://hooks.example.com/base") as server:
        app = server.api.application()
        access = server.api.post(f"/auth/app-portal-access/{app}", {}).json()
        assert access["url"].startswith("https://hooks.example.com/base")


def test_keys_for_encryption_can_be_rotated_and_not_lost(tmp_path):
    old, new = ("QUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUE=", "QkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkI=")
    with Server(tmp_path, ENCRYPTION_KEY=old) as server:
        app = server.api.application()
        endpoint = server.api.endpoint(app, "http://127.0.0.1:9/")
        secret = server.api.secret(app, endpoint)
        server.stop()
        assert secret.removeprefix("whsec_").encode() not in server.folder.joinpath("ringbolt.db").read_bytes()
        server.settings["RINGBOLT_ENCRYPTION_KEY"] = f"{new},{old}"
        told = lambda: len(server.logged("everything is encrypted with the first key"))  # noqa: E731
        assert told() == 0, "there was no older key"
        server.start()
        assert server.api.secret(app, endpoint) == secret
        eventually(lambda: told() == 1, what="a line says that the old key can go")
        server.stop()
        server.settings["RINGBOLT_ENCRYPTION_KEY"] = "Q0NDQ0NDQ0NDQ0NDQ0NDQ0NDQ0NDQ0NDQ0NDQ0NDQ0M="
        server.spawn()
        try:
            refused = server.process.wait(60) != 0
        except Exception:
            refused = False
        if not refused:
            server.wait_healthy()
            assert server.api.get(f"/app/{app}/endpoint/{endpoint}/secret").status_code >= 500


def test_an_old_key_can_go_once_all_is_encrypted_under_the_new_one(tmp_path):
    old, new = ("QUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUE=", "QkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkI=")

    def upkeep(server):
        workers = server.api.get("/health").json()["workers"]
        return next((worker["state"] for worker in workers if worker["name"] == "upkeep"), None)

    with Server(tmp_path, ENCRYPTION_KEY=old) as server:
        app = server.api.application()
        endpoints = [server.api.endpoint(app, "http://127.0.0.1:9/", headers={"x-secret": f"{n}"}) for n in range(5)]
        secrets = [server.api.secret(app, endpoint) for endpoint in endpoints]
        for keys in (f"{new},{old}", new):
            server.stop()
            server.settings["RINGBOLT_ENCRYPTION_KEY"] = keys
            server.start()
            # It begins to tidy when it has encrypted all of it anew.
            eventually(lambda: upkeep(server) in ("tidying", "resting"), what="all is encrypted under the first key")
            assert [server.api.secret(app, endpoint) for endpoint in endpoints] == secrets


def test_logs_are_json_on_request(tmp_path):
    with Server(tmp_path, LOG__FORMAT="json") as server:
        server.api.application()
        server.stop()
        lines = [line for line in server.log().splitlines() if line.startswith("{")]
        assert lines and all(json.loads(line) for line in lines)


def _lines(server, **wanted):
    lines = [json.loads(line) for line in server.log().splitlines() if line.startswith("{")]
    return [line for line in lines if all(line.get(name) == value for name, value in wanted.items())]


def test_a_request_that_fails_is_one_line_in_the_log(tmp_path):
    with Server(tmp_path, LOG__FORMAT="json") as server:
        api = server.api
        made = api.post("/key", {"name": "logged", "role": "sender"}).json()
        sender, app = api.with_token(made["token"]), api.application()
        asked = [
            (api.get("/app/nobody", headers={"x-request-id": "r-1"}), "/api/v1/app/{app_id}", "admin token"),
            (sender.get("/app", headers={"x-request-id": "r-2"}), "/api/v1/app", made["id"]),
            (sender.post(f"/app/{app}/msg", {}, headers={"x-request-id": "r-3"}), "/api/v1/app/{app_id}/msg", made["id"]),
            (api.with_token("wrong").get("/app", headers={"x-request-id": "r-4"}), "/api/v1/app", "none"),
            (api.get("/nothing/here", headers={"x-request-id": "r-5"}), "none", "none"),
        ]
        assert sender.post(f"/app/{app}/msg", {"eventType": "a.b", "payload": {}}, headers={"x-request-id": "well"}).status_code == 202
        for answer, route, key in asked:
            (line,) = eventually(lambda: _lines(server, id=answer.headers["x-request-id"]), what=route)
            assert (line["status"], line["route"], line["key"], line["level"]) == (answer.status_code, route, key, "INFO"), line
            assert line["method"] == answer.request.method and line["duration"], line
            assert line["code"] == answer.json()["code"], line
        assert not _lines(server, id="well")
        assert made["token"] not in server.log()


def test_what_an_operator_does_is_a_line_with_ids_and_without_secrets(tmp_path):
    with Server(tmp_path, LOG__FORMAT="json") as server:
        api = server.api
        app = api.application()
        made = api.post("/key", {"name": "tenant", "role": "admin", "appId": app}).json()
        tenant = api.with_token(made["token"])
        endpoint, other = (api.endpoint(app, "http://127.0.0.1:9/") for _ in range(2))
        path = f"/app/{app}/endpoint/{endpoint}"
        # What changes nothing is no act.
        for disabled in (False, True, True, False):
            assert tenant.patch(path, {"disabled": disabled}).status_code == 200
        assert tenant.put(path, {"url": "http://127.0.0.1:9/", "disabled": True}).status_code == 200
        rotated = tenant.post(f"{path}/secret/rotate", {}).json()["key"]
        assert tenant.delete(f"/app/{app}/endpoint/{other}").status_code == 204
        assert api.delete(f"/key/{made['id']}").status_code == 204
        assert api.delete(f"/app/{app}").status_code == 204

        def told(message):
            return [(line.get("endpoint"), line["by"]) for line in _lines(server, message=message, level="INFO", app=app)]

        eventually(lambda: told("application deleted"), what="the last act is told")
        key = made["id"]
        assert told("API key made") == [(None, "admin token")]
        assert told("endpoint disabled") == [(endpoint, key), (endpoint, key)]
        assert told("endpoint enabled") == [(endpoint, key)]
        assert told("secret rotated") == [(endpoint, key)]
        assert told("endpoint deleted") == [(other, key)]
        assert told("application deleted") == [(None, "admin token")]
        (line,) = _lines(server, message="API key made")
        assert (line["made"], line["role"]) == (key, "admin"), line
        (line,) = _lines(server, message="API key revoked")
        assert (line["revoked"], line["by"]) == (key, "admin token"), line
        for secret in (made["token"], rotated, rotated.removeprefix("whsec_")):
            assert secret not in server.log()


@pytest.mark.parametrize("level, steps", [("info", 0), ("info,ringbolt=debug", 1)])
def test_the_log_tells_the_story_of_a_message_or_only_its_end(tmp_path, level, steps):
    story = steps * ["a delivery was tried", "a delivery was tried", "a message was accepted"]
    story = sorted([*story, "a delivery has failed: no try is left"])
    settings = {"LOG__FORMAT": "json", "RUST_LOG": level, "DELIVERY__RETRY_SCHEDULE": "1s"}
    with Receiver(Reply(status=500)) as receiver, Server(tmp_path, **settings) as server:
        app = server.api.application()
        endpoint = server.api.endpoint(app, receiver.url())
        message = server.api.send(app)
        lines = eventually(
            lambda: (lines := _lines(server, msg=message)) and len(lines) >= len(story) and lines, what="the lines"
        )
        assert sorted(line["message"] for line in lines) == story
        assert all(line["app"] == app and line.get("endpoint", endpoint) == endpoint for line in lines)


def test_what_the_door_refuses_is_a_line_in_the_log_too(tmp_path):
    refused = {
        400: b"garbage\r\n\r\n",
        431: b"GET / HTTP/1.1\r\nhost: x\r\nx: " + b"y" * 100_000,
        408: b"GET / HTTP/1.1\r\n",
    }
    with Server(tmp_path, LOG__FORMAT="json", API__HEADER_TIMEOUT="1s") as server:
        for data in [*refused.values(), b"GET / HTTP/1.1\r\n\r\n"]:
            # Who has not sent everything may find the connection reset.
            with (
                socket.create_connection(("127.0.0.1", server.port), timeout=60) as connection,
                contextlib.suppress(ConnectionError),
            ):
                connection.sendall(data)
                while connection.recv(65_536):
                    pass

        def said():
            return sorted(line["status"] for line in _lines(server, message="a request was refused at the door"))

        eventually(lambda: said() == [400, 400, 408, 431], within=30, what="a line for each")
        assert all(line["peer"] for line in _lines(server, message="a request was refused at the door"))


def test_a_flood_of_failures_does_not_fill_the_log(tmp_path):
    with Server(tmp_path, LOG__FORMAT="json") as server:
        nobody, began = server.api.with_token(None), time.monotonic()
        for _ in range(400):
            assert nobody.get("/app").status_code == 401
        seconds = time.monotonic() - began
        lines = _lines(server, message="a request was refused")
        assert 0 < len(lines) <= 50 * (seconds + 2), f"{len(lines)} lines in {seconds:.1f} s"
        time.sleep(1)  # the second in which no more may be written has to pass
        assert nobody.get("/app").status_code == 401

        def told():
            said = _lines(server, message="lines about requests that failed were left out")
            return len(_lines(server, message="a request was refused")) + sum(line["left_out"] for line in said)

        eventually(lambda: told() == 401, what="each was told or counted")


@pytest.mark.parametrize("key", ["RINGBOLT_TLS__CERTIFICATE", "RINGBOLT_TLS__KEY", "RINGBOLT_NET__EXTRA_ROOTS"])
def test_a_file_that_cannot_be_used_is_named_with_its_key_and_origin(tmp_path, key):
    (tmp_path / "nonsense.pem").write_text("nonsense")
    settings = {key: tmp_path / "nonsense.pem", "RINGBOLT_LISTEN": "127.0.0.1:0"}
    if "TLS" in key:
        settings = {"RINGBOLT_TLS__CERTIFICATE": tmp_path / "none.pem", "RINGBOLT_TLS__KEY": tmp_path / "none.pem"} | settings
    if key.endswith("__KEY"):
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=x",
             "-keyout", tmp_path / "key.pem", "-out", tmp_path / "none.pem"], check=True, capture_output=True,
        )  # fmt: skip
    done = ringbolt("serve", cwd=tmp_path, RINGBOLT_STORE=f"sqlite:{tmp_path / 'r.db'}", **settings)
    assert done.returncode == CONFIGURATION_ERROR, said(done)
    assert key in said(done) and "nonsense.pem" in said(done), said(done)


def test_a_root_that_is_pem_but_no_certificate_is_named_with_its_key_and_origin(tmp_path):
    roots = tmp_path / "roots.pem"
    roots.write_text("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
    done = ringbolt("serve", cwd=tmp_path, RINGBOLT_LISTEN="127.0.0.1:0", RINGBOLT_STORE=f"sqlite:{tmp_path / 'r.db'}",
                    RINGBOLT_NET__EXTRA_ROOTS=roots)  # fmt: skip
    assert done.returncode == CONFIGURATION_ERROR, said(done)
    assert "net.extra_roots" in said(done) and "RINGBOLT_NET__EXTRA_ROOTS" in said(done) and "roots.pem" in said(done)


def test_another_encryption_key_is_named_with_its_origin(tmp_path):
    with Server(tmp_path) as server:
        app = server.api.application()
        server.api.endpoint(app, "http://127.0.0.1:9/")
        server.stop()
        other = "QkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkI="
        done = ringbolt("serve", cwd=tmp_path, **server.settings | {"RINGBOLT_ENCRYPTION_KEY": other})
    assert done.returncode == CONFIGURATION_ERROR, said(done)
    assert "RINGBOLT_ENCRYPTION_KEY" in said(done) and other not in said(done)


def test_a_secret_in_an_argument_is_refused_and_not_repeated(tmp_path):
    done = ringbolt("config", "--set", f"admin_token={ADMIN_TOKEN}", cwd=tmp_path)
    assert done.returncode == CONFIGURATION_ERROR, said(done)
    assert "admin_token" in said(done) and ADMIN_TOKEN not in said(done)
