"""Every route of the OpenAPI document against tokens that must not open it. The table is made from the document."""

import re
from datetime import datetime, timedelta, timezone

import httpx
import pytest

from harness.api import expect
from harness.server import ADMIN_TOKEN, Server
from harness.waiting import eventually

pytestmark = pytest.mark.every_store

# Open to everybody on purpose.
OPEN = {"/api/v1/health", "/api/v1/health/ping", "/openapi.json", "/docs"}
METHODS = ("get", "post", "put", "patch", "delete")


@pytest.fixture(scope="module")
def world():
    """A server with two applications, each with an endpoint and a message, and a token of each kind."""
    with Server() as server:
        api = server.api
        mine, theirs = api.application("mine", uid="mine"), api.application("theirs", uid="theirs")
        endpoint = api.endpoint(theirs, "http://127.0.0.1:9/")
        message = api.send(theirs)
        api.event_type("known.type")
        portal = api.post(f"/auth/app-portal-access/{mine}", {}).json()["token"]
        ended = api.post(f"/auth/app-portal-access/{mine}", {}).json()["token"]
        assert api.with_token(ended).post("/auth/logout").status_code == 204
        revoked = api.post("/key", {"name": "revoked", "role": "admin"}).json()
        assert api.delete(f"/key/{revoked['id']}").status_code == 204
        end = (datetime.now(timezone.utc) + timedelta(seconds=10)).isoformat()
        expired = expect(201, api.post("/key", {"name": "expired", "role": "admin", "expiresAt": end}))["token"]
        eventually(lambda: api.with_token(expired).get("/app").status_code == 401, every=0.2, what="its time is over")
        yield {
            "server": server,
            "api": api,
            # A connection for every request: what becomes of a kept one is another test's question.
            "http": httpx.Client(
                base_url=server.url, timeout=60, trust_env=False, limits=httpx.Limits(max_keepalive_connections=0)
            ),
            "portal": portal,
            "ended": ended,
            "revoked": revoked["token"],
            "expired": expired,
            "names": {
                "app_id": theirs,
                "endpoint_id": endpoint,
                "msg_id": message,
                "attempt_id": "atmpt_" + "0" * 27,
                "event_type_name": "known.type",
            },
        }


def routes(world):
    """(method, path with its parameters filled in, template) of every operation that needs a token."""
    document = httpx.get(f"{world['server'].url}/openapi.json").json()
    for template, operations in document["paths"].items():
        if template.rstrip("/") in OPEN:
            continue
        path = re.sub(r"\{(\w+)\}", lambda m: world["names"].get(_snake(m[1]), "unknown"), template)
        for method in METHODS:
            if method in operations:
                yield method.upper(), path, template


def _snake(name):
    return re.sub(r"(?<=[a-z])([A-Z])", r"_\1", name).lower()


def ask(world, method, path, token, header=None):
    headers = {} if token is None else {"authorization": header or f"Bearer {token}"}
    content = b"{}" if method in ("POST", "PUT", "PATCH") else None
    if content:
        headers["content-type"] = "application/json"
    return world["http"].request(method, path, headers=headers, content=content)


def test_the_table_is_worth_the_name(world):
    assert len(list(routes(world))) >= 35


@pytest.mark.parametrize("kind", ["missing", "wrong", "one letter off", "cut off", "another scheme", "empty", "ended", "expired", "revoked", "hash"])
def test_a_token_that_is_none_opens_nothing(world, kind):
    token, header = {
        "missing": (None, None),
        "wrong": ("wrong-token", None),
        "one letter off": (ADMIN_TOKEN[:-1] + "g", None),
        "cut off": (ADMIN_TOKEN[:-1], None),
        "another scheme": (ADMIN_TOKEN, f"Basic {ADMIN_TOKEN}"),
        "empty": ("", "Bearer"),
        "ended": (world["ended"], None),
        "expired": (world["expired"], None),
        "revoked": (world["revoked"], None),
        "hash": ("x" * 4096, None),
    }[kind]
    opened = []
    for method, path, template in routes(world):
        answer = ask(world, method, path, token, header)
        if answer.status_code != 401 or not {"code", "detail"} <= set(answer.json()):
            opened.append((method, template, answer.status_code, answer.text[:80]))
    assert not opened


def test_a_foreign_token_finds_nothing_of_another_application(world):
    """The portal of one application on every path of another: 404, or 403 where no portal may go at all."""
    seen = []
    for method, path, template in routes(world):
        if "{app_id}" not in template.replace("{appId}", "{app_id}"):
            continue
        answer = ask(world, method, path, world["portal"])
        if answer.status_code not in (403, 404):
            seen.append((method, template, answer.status_code, answer.text[:80]))
    assert not seen
    assert world["api"].get("/app/theirs").status_code == 200, "and it is all still there"
    assert world["api"].endpoint_out("theirs", world["names"]["endpoint_id"])


def test_a_portal_may_not_touch_what_belongs_to_the_operator(world):
    allowed = []
    for method, path, template in routes(world):
        if "{app" in template or template.rstrip("/").endswith("/auth/logout"):
            continue
        if method == "GET" and "event-type" in template:
            continue
        answer = ask(world, method, path, world["portal"])
        if answer.status_code not in (401, 403, 404):
            allowed.append((method, template, answer.status_code, answer.text[:80]))
    assert not allowed


def test_with_the_right_token_every_route_answers(world):
    """The table's other half: none of these is 401, 403 or a server's fault."""
    wrong = []
    for method, path, template in routes(world):
        if method == "DELETE" or template.endswith("/auth/logout"):
            continue
        answer = ask(world, method, path, ADMIN_TOKEN)
        if answer.status_code in (401, 403) or answer.status_code >= 500:
            wrong.append((method, template, answer.status_code, answer.text[:80]))
    assert not wrong
