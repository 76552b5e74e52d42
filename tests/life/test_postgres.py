"""A store in PostgreSQL: its schema, its keys, who may use it, and what is said where it cannot be used."""

import re

import pytest

from harness import postgres
from harness.ports import free_port
from harness.receiver import Receiver, Reply
from harness.server import ADMIN_TOKEN, Server, ringbolt
from harness.waiting import eventually

pytestmark = pytest.mark.postgres

OTHER_KEY = "QkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkI="
WRONG_CONFIGURATION = 78


def said(done):
    return done.stdout + done.stderr


@pytest.fixture
def schema():
    with postgres.Schema() as made:
        yield made


@pytest.fixture
def place(schema):
    """What every command needs to know of it."""
    return settings_of(schema.address)


def settings_of(address):
    listen = f"127.0.0.1:{free_port()}"
    return postgres.settings(address) | {"RINGBOLT_ADMIN_TOKEN": ADMIN_TOKEN, "RINGBOLT_LISTEN": listen}


def without(settings, name):
    return {key: value for key, value in settings.items() if key != name}


def about_the_store(done):
    """What doctor found out about it: the first word of its line, and the line."""
    (line,) = re.findall(r"^\w+ +store .*$", done.stdout, re.MULTILINE) or [said(done)]
    return line.split()[0], line


def test_migrate_shows_what_it_would_do_and_then_does_it(tmp_path, schema, place):
    shown = ringbolt("migrate", "--dry-run", cwd=tmp_path, **place)
    assert shown.returncode == 0 and "CREATE TABLE" in shown.stdout, said(shown)
    steps = re.findall(r"^-- (\d{4}_\w+)$", shown.stdout, re.MULTILINE)
    assert steps and "nothing was changed" in shown.stderr, said(shown)
    assert not schema.tables()
    doctor = about_the_store(ringbolt("doctor", cwd=tmp_path, **place))
    assert doctor[0] == "ok" and "ringbolt migrate --dry-run" in doctor[1], doctor
    assert not schema.tables(), "doctor only looks"

    done = ringbolt("migrate", cwd=tmp_path, **place)
    assert done.returncode == 0 and done.stdout.split() == steps, said(done)
    assert {"message", "endpoint", "delivery"} <= schema.tables()
    again = ringbolt("migrate", cwd=tmp_path, **place)
    assert again.returncode == 0 and not again.stdout, said(again)
    shown = ringbolt("migrate", "--dry-run", cwd=tmp_path, **place)
    assert shown.returncode == 0 and not shown.stdout, said(shown)
    with Server(tmp_path, **without(place, "RINGBOLT_LISTEN")) as server:
        server.api.application()
        assert about_the_store(ringbolt("doctor", cwd=tmp_path, **place))[0] == "ok"


def test_a_start_makes_the_schema_and_nothing_in_the_folder(tmp_path, place):
    with Server(tmp_path, **without(place, "RINGBOLT_LISTEN")) as server:
        server.api.application()
        assert server.stop() == 0
    assert [path.name for path in tmp_path.iterdir()] == ["server.log"]


@pytest.mark.parametrize("missing", ["RINGBOLT_ENCRYPTION_KEY", "RINGBOLT_ADMIN_TOKEN"])
def test_what_all_nodes_share_has_to_be_configured(missing, tmp_path, schema, place):
    done = ringbolt("serve", cwd=tmp_path, **without(place, missing))
    assert done.returncode == WRONG_CONFIGURATION, said(done)
    assert missing.removeprefix("RINGBOLT_").lower() in done.stderr and "every node" in done.stderr, said(done)
    assert not schema.tables() and not list(tmp_path.iterdir()), "nothing was made"


def test_a_node_with_another_key_is_told_so(tmp_path, place):
    other = place | {"RINGBOLT_ENCRYPTION_KEY": OTHER_KEY}
    with Server(tmp_path, **without(place, "RINGBOLT_LISTEN")) as server:
        app = server.api.application()
        secret = server.api.secret(app, server.api.endpoint(app, "http://127.0.0.1:9/"))
        for moment in ("while a node serves", "when none does"):
            done = ringbolt("serve", cwd=tmp_path, **other | {"RINGBOLT_LISTEN": f"127.0.0.1:{free_port()}"})
            assert done.returncode == WRONG_CONFIGURATION, f"{moment}: {said(done)}"
            assert "encrypted with another key" in done.stderr and "RINGBOLT_ENCRYPTION_KEY" in done.stderr, said(done)
            assert OTHER_KEY not in said(done)
            found = about_the_store(ringbolt("doctor", cwd=tmp_path, **other))
            assert found[0] == "BAD" and "RINGBOLT_ENCRYPTION_KEY" in found[1], found
            if server.running():
                server.stop()
        server.start()
        listed = server.api.get(f"/app/{app}/endpoint").json()["data"]
        assert [server.api.secret(app, one["id"]) for one in listed] == [secret]


def test_a_database_that_is_down_at_the_start_is_named_without_its_password(tmp_path):
    place = settings_of(f"postgres://ring:pass-word@127.0.0.1:{free_port()}/house")
    for command in ("serve", "migrate"):
        done = ringbolt(command, cwd=tmp_path, **place)
        assert done.returncode == 1, said(done)
        assert "cannot connect to the database" in done.stderr and "refused" in done.stderr, said(done)
        assert "127.0.0.1" in done.stderr and "pass-word" not in said(done), said(done)
    found = about_the_store(ringbolt("doctor", cwd=tmp_path, **place))
    assert found[0] == "BAD" and "see whether it runs" in found[1], found


@pytest.mark.parametrize("command", ["serve", "migrate", "doctor"])
def test_the_schema_of_a_newer_server_is_left_alone(command, tmp_path, schema, place):
    assert ringbolt("migrate", cwd=tmp_path, **place).returncode == 0
    schema.run("INSERT INTO migration (number, name, checksum) VALUES (99, 'later', '')")
    before = schema.tables()
    done = ringbolt(command, cwd=tmp_path, **place)
    assert done.returncode == 1 and "use a newer server" in said(done), said(done)
    assert schema.tables() == before


def test_a_schema_that_others_have_made_is_refused(tmp_path, schema, place):
    assert ringbolt("migrate", cwd=tmp_path, **place).returncode == 0
    schema.run("UPDATE migration SET checksum = 'other'")
    done = ringbolt("serve", cwd=tmp_path, **place)
    assert done.returncode == 1 and "another text of migration 0001" in done.stderr, said(done)


def test_a_role_needs_to_create_in_its_schema_and_no_more(tmp_path):
    with postgres.Schema(role="poor") as schema, Receiver(Reply(200)) as receiver:
        place = settings_of(schema.address)
        schema.run(f"GRANT USAGE ON SCHEMA {schema.name} TO {schema.role}")
        done = ringbolt("serve", cwd=tmp_path, **place)
        assert done.returncode == 1 and "permission denied for schema" in done.stderr, said(done)
        found = about_the_store(ringbolt("doctor", cwd=tmp_path, **place))
        assert found[0] == "BAD" and "GRANT USAGE, CREATE ON SCHEMA" in found[1], found

        schema.run(f"GRANT CREATE ON SCHEMA {schema.name} TO {schema.role}")
        assert about_the_store(ringbolt("doctor", cwd=tmp_path, **place))[0] == "ok"
        with Server(tmp_path, **without(place, "RINGBOLT_LISTEN")) as server:
            app = server.api.application()
            endpoint = server.api.endpoint(app, receiver.url())
            message = server.api.send(app)
            delivered = lambda: server.api.destinations(app, message)[endpoint]["status"] == 0  # noqa: E731
            eventually(delivered, what="it is delivered")
            server.kill()
            server.start()
            assert delivered()
            assert server.api.delete(f"/app/{app}").status_code == 204
            assert server.stop() == 0
            assert "permission" not in server.log(), server.log()


def test_a_schema_that_does_not_exist_is_found_out(tmp_path):
    place = settings_of(f"{postgres.server_address()}?options=-csearch_path%3Dnowhere")
    done = ringbolt("serve", cwd=tmp_path, **place)
    assert done.returncode == 1 and "no schema has been selected" in done.stderr, said(done)
    found = about_the_store(ringbolt("doctor", cwd=tmp_path, **place))
    assert found[0] == "BAD" and "search_path" in found[1], found


def test_commands_of_a_file_say_what_to_use_instead(tmp_path, place):
    done = ringbolt("backup", tmp_path / "copy.db", cwd=tmp_path, **place)
    assert done.returncode == 1 and "pg_dump" in done.stderr, said(done)
    on_a_file = place | {"RINGBOLT_STORE": f"sqlite:{tmp_path / 'ringbolt.db'}"}
    done = ringbolt("migrate", cwd=tmp_path, **on_a_file)
    assert done.returncode == 1 and "by itself" in done.stderr, said(done)
    assert not list(tmp_path.iterdir()), "nothing was made"


def test_keys_are_made_through_a_node(tmp_path, place):
    with Server(tmp_path, **without(place, "RINGBOLT_LISTEN")) as server:
        done = ringbolt("key", "create", "--name", "kept", "--role", "reader", cwd=tmp_path, **server.settings)
        assert done.returncode == 0, said(done)
        assert "kept" in ringbolt("key", "list", cwd=tmp_path, **server.settings).stdout
        server.stop()
        done = ringbolt("key", "list", cwd=tmp_path, **server.settings)
        assert done.returncode == 1 and "--listen" in done.stderr, said(done)
