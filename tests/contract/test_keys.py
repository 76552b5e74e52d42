"""API keys made by the API: roles as a table, limits to one application, revoking, last use."""

import pytest

from harness.api import expect
from harness.server import Server
from harness.waiting import eventually

pytestmark = pytest.mark.every_store


@pytest.fixture(scope="module")
def world():
    with Server() as server:
        api = server.api
        app, other = api.application("mine"), api.application("other")
        endpoint = api.endpoint(app, "http://127.0.0.1:9/")
        message = api.send(app)
        api.event_type("key.type")
        yield {"api": api, "app": app, "other": other, "endpoint": endpoint, "message": message}


def make(api, role, **fields):
    return expect(201, api.post("/key", {"name": f"a {role}", "role": role, **fields}))


# Each action with the roles that may do it: (method, path, body, roles).
TABLE = [
    ("POST", "/app/{app}/msg", {"eventType": "a.b", "payload": {}}, "admin sender"),
    ("GET", "/app", None, "admin reader"),
    ("GET", "/app/{app}", None, "admin reader"),
    ("POST", "/app", {"name": "x"}, "admin"),
    ("PATCH", "/app/{app}", {"name": "x"}, "admin"),
    ("GET", "/app/{app}/endpoint", None, "admin reader"),
    ("GET", "/app/{app}/endpoint/{endpoint}/headers", None, "admin reader"),
    ("GET", "/app/{app}/endpoint/{endpoint}/stats", None, "admin reader"),
    ("GET", "/app/{app}/endpoint/{endpoint}/secret", None, "admin"),
    ("POST", "/app/{app}/endpoint/{endpoint}/secret/rotate", {}, "admin"),
    ("GET", "/endpoint/failing", None, "admin reader"),
    ("GET", "/nodes", None, "admin reader"),
    ("POST", "/app/{app}/endpoint", {"url": "http://127.0.0.1:9/"}, "admin"),
    ("PUT", "/app/{app}/endpoint/{endpoint}/headers", {"headers": {}}, "admin"),
    ("GET", "/app/{app}/msg", None, "admin reader"),
    ("GET", "/app/{app}/msg/{message}", None, "admin reader"),
    ("GET", "/app/{app}/attempt/msg/{message}", None, "admin reader"),
    ("POST", "/app/{app}/msg/{message}/endpoint/{endpoint}/resend", None, "admin"),
    ("GET", "/event-type", None, "admin reader"),
    ("POST", "/event-type", {"name": "new.type", "description": "n"}, "admin"),
    ("POST", "/auth/app-portal-access/{app}", {}, "admin"),
    ("GET", "/key", None, "admin"),
    ("POST", "/key", {"name": "k", "role": "reader"}, "admin"),
    ("GET", "/metrics", None, "admin reader"),
]


@pytest.mark.parametrize("role", ["admin", "sender", "reader"])
def test_a_role_may_do_what_the_table_says(world, role):
    key = world["api"].with_token(make(world["api"], role)["token"])
    wrong = []
    for method, path, body, roles in TABLE:
        status = key.request(method, path.format(**{k: v for k, v in world.items() if k != "api"}), body).status_code
        if (status < 300) != (role in roles.split()) or (status >= 300 and status != 403):
            wrong.append((method, path, status))
    assert not wrong


@pytest.mark.parametrize("role", ["admin", "sender", "reader"])
def test_a_key_of_one_application_finds_nothing_of_another(world, role):
    key = world["api"].with_token(make(world["api"], role, appId=world["app"])["token"])
    foreign = world | {"app": world["other"]}
    for method, path, body, _ in TABLE:
        if "{app}" in path:
            status = key.request(method, path.format(**{k: v for k, v in foreign.items() if k != "api"}), body).status_code
            assert status in (403, 404), (method, path, status)
        if path in ("/app", "/key", "/metrics") or (method, path) == ("POST", "/event-type"):
            assert key.request(method, path, body).status_code in (403, 404), (method, path)


def test_a_key_is_shown_once_and_can_be_revoked(world):
    api = world["api"]
    made = make(api, "reader")
    key = api.with_token(made["token"])
    assert key.get("/app").status_code == 200
    listed = api.get("/key").text
    assert made["token"] not in listed and made["id"] in listed
    assert api.delete(f"/key/{made['id']}").status_code == 204
    assert key.get("/app").status_code == 401


@pytest.mark.long
def test_its_last_use_is_known_to_the_minute(world):
    api = world["api"]
    made = make(api, "reader")
    assert api.with_token(made["token"]).get("/app").status_code == 200
    used = lambda: next(k for k in api.get("/key").json()["data"] if k["id"] == made["id"]).get("lastUsedAt")  # noqa: E731
    eventually(used, within=90, every=0.5, what="the time of its last use")


def test_what_is_invalid_is_refused(world):
    api = world["api"]
    assert api.post("/key", {"name": "x", "role": "emperor"}).status_code == 422
    assert api.post("/key", {"role": "reader"}).status_code == 422
    assert api.post("/key", {"name": "x", "role": "reader", "expiresAt": "yesterday"}).status_code == 422
    assert api.post("/key", {"name": "x", "role": "reader", "appId": "nobody"}).status_code in (404, 422)
    assert api.delete("/key/key_nothing").status_code == 404
