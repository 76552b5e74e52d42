"""The idempotency key: one effect, one answer; a message's in its own transaction, any other POST's beside it."""

import uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from svix.api import (
    ApplicationCreateOptions,
    ApplicationIn,
    EndpointCreateOptions,
    EndpointIn,
    MessageCreateOptions,
    MessageIn,
)

from harness.server import Server

pytestmark = pytest.mark.every_store

BODY = {"eventType": "i.t", "payload": {"n": 1}}


def key():
    return {"idempotency-key": str(uuid.uuid4())}


def test_the_sdk_repeats_without_a_second_effect(svix, app):
    options = MessageCreateOptions(idempotency_key="sdk-key-1", with_content=True)
    first = svix.message.create(app, MessageIn(event_type="i.t", payload={"n": 1}), options)
    assert svix.message.create(app, MessageIn(event_type="i.t", payload={"n": 1}), options) == first
    assert len(svix.message.list(app).data) == 1


def test_other_posts_keep_the_promise_too(svix, app):
    options = EndpointCreateOptions(idempotency_key="endpoint-1")
    first = svix.endpoint.create(app, EndpointIn(url="http://127.0.0.1:9/"), options)
    assert svix.endpoint.create(app, EndpointIn(url="http://127.0.0.1:9/"), options).id == first.id
    options = ApplicationCreateOptions(idempotency_key="application-1")
    one, two = (svix.application.create(ApplicationIn(name="same"), options) for _ in range(2))
    assert one.id == two.id


def test_the_answer_is_replayed_whole(api, app):
    once = key()
    first, second = (api.post(f"/app/{app}/msg", BODY, headers=once) for _ in range(2))
    assert first.status_code == second.status_code == 202
    assert first.json() == second.json()


def test_another_body_under_the_same_key_is_422(api, app):
    once = key()
    assert api.post(f"/app/{app}/msg", BODY, headers=once).status_code == 202
    other = api.post(f"/app/{app}/msg", BODY | {"payload": {"n": 2}}, headers=once)
    assert other.status_code == 422, other.text
    assert other.json()["detail"]
    assert len(api.get(f"/app/{app}/msg").json()["data"]) == 1


def test_a_failure_is_not_remembered(api, app):
    once = key()
    assert api.post(f"/app/{app}/msg", {"eventType": "no good"}, headers=once).status_code == 422
    assert api.post(f"/app/{app}/msg", BODY, headers=once).status_code == 202


def test_keys_of_different_applications_do_not_meet(api, app):
    once, other = key(), api.application()
    one = api.post(f"/app/{app}/msg", BODY, headers=once).json()["id"]
    two = api.post(f"/app/{other}/msg", BODY | {"payload": {"n": 3}}, headers=once)
    assert two.status_code == 202 and two.json()["id"] != one


def test_a_quoted_key_as_in_the_draft_is_understood(api, app):
    once = {"idempotency-key": f'"{uuid.uuid4()}"'}
    one, two = (api.post(f"/app/{app}/msg", BODY, headers=once) for _ in range(2))
    assert one.status_code == 202 and one.json()["id"] == two.json()["id"]


@pytest.mark.parametrize("value", ["", "k" * 10_000])
def test_a_key_that_is_no_key_is_refused_or_ignored(api, app, value):
    assert api.post(f"/app/{app}/msg", BODY, headers={"idempotency-key": value}).status_code in (202, 400, 422)


def test_a_race_has_one_winner(api, app, receiver):
    api.endpoint(app, receiver.url())
    once = key()
    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda _: api.post(f"/app/{app}/msg", BODY, headers=once), range(32)))
    accepted = {answer.json()["id"] for answer in answers if answer.status_code == 202}
    assert {answer.status_code for answer in answers} <= {202, 409}, "done, or being done"
    assert len(accepted) == 1
    receiver.wait(1)
    assert len(api.get(f"/app/{app}/msg").json()["data"]) == 1


def test_a_key_survives_kill_minus_nine():
    with Server() as server:
        app, once = server.api.application(), key()
        first = server.api.post(f"/app/{app}/msg", BODY, headers=once)
        assert first.status_code == 202
        server.kill()
        server.start()
        again = server.api.post(f"/app/{app}/msg", BODY, headers=once)
        assert (again.status_code, again.json()["id"]) == (202, first.json()["id"])
        assert server.api.post(f"/app/{app}/msg", BODY | {"payload": []}, headers=once).status_code == 422


@pytest.fixture
def posts(api, app):
    """POSTs other than sending, each with two bodies that would do, and the status of success."""
    made = api.endpoint(app, "http://127.0.0.1:9/", disabled=True)
    one = f"/app/{app}/endpoint/{made}"
    name = uuid.uuid4().hex
    return [
        ("/app", {"name": "one"}, {"name": "two"}, 201),
        ("/event-type", {"name": f"{name}.1", "description": "d"}, {"name": f"{name}.2", "description": "d"}, 201),
        ("/key", {"name": "one", "role": "reader"}, {"name": "two", "role": "reader"}, 201),
        (f"/app/{app}/endpoint", {"url": "http://127.0.0.1:9/1"}, {"url": "http://127.0.0.1:9/2"}, 201),
        (f"{one}/secret/rotate", {}, {"gracePeriodSeconds": 1}, 200),
        (f"{one}/recover", {"since": moments_ago(60)}, {"since": moments_ago(120)}, 202),
        (f"{one}/send-example", {"eventType": "svix.ping"}, {"eventType": "svix.ping", "payload": 1}, 200),
        (f"/app/{app}/msg/{api.send(app)}/endpoint/{made}/resend", {}, {"x": 1}, 202),
        (f"/auth/app-portal-access/{app}", {}, {"expiry": 3600}, 200),
    ]


def moments_ago(seconds):
    return (datetime.now(UTC) - timedelta(seconds=seconds)).isoformat()


def test_every_post_repeats_its_answer_and_refuses_another_body(api, posts):
    for path, body, other, status in posts:
        once = key()
        first, second = (api.post(path, body, headers=once) for _ in range(2))
        assert first.status_code == status, (path, first.text)
        assert (second.status_code, second.text) == (first.status_code, first.text), path
        assert "idempotent-replayed" not in first.headers and second.headers["idempotent-replayed"] == "true", path
        refused = api.post(path, other, headers=once)
        assert refused.status_code == 422, (path, refused.text)
        assert refused.json()["detail"][0]["loc"] == ["header", "idempotency-key"], path
        assert api.post(path, other, headers=key()).status_code == status, f"{path}: the body was not at fault"


def test_a_key_is_one_of_its_path(api, app):
    once, other = key(), api.application()
    body = {"url": "http://127.0.0.1:9/"}
    one, two = (api.post(f"/app/{owner}/endpoint", body, headers=once).json()["id"] for owner in (app, other))
    assert one != two
    assert len(api.get(f"/app/{other}/endpoint").json()["data"]) == 1


def test_keys_of_different_callers_do_not_meet(api):
    callers = [api.with_token(api.post("/key", {"name": name, "role": "admin"}).json()["token"]) for name in ("one", "two")]
    once = key()
    ids = [[caller.post("/app", {"name": "mine"}, headers=once).json()["id"] for _ in range(2)] for caller in (api, *callers)]
    assert all(first == second for first, second in ids), "each repeats its own"
    assert len({first for first, _ in ids}) == 3, "and nobody another's"
    assert callers[0].post("/app", {"name": "other"}, headers=once).status_code == 422
    for caller in callers:
        caller.close()


def test_what_was_refused_may_be_mended_under_the_same_key(api, app):
    once, path, body = key(), f"/app/{app}/endpoint", {"url": "http://127.0.0.1:9/", "uid": "mended"}
    assert api.post(path, {"url": "no url"}, headers=once).status_code == 422
    assert api.post("/app/app_nobody/endpoint", body, headers=once).status_code == 404
    made = api.post(path, body, headers=once)
    assert made.status_code == 201
    taken, other = key(), body | {"description": "another"}
    assert api.post(path, other, headers=taken).status_code == 409
    assert api.delete(f"{path}/mended").status_code == 204
    assert api.post(path, other, headers=taken).status_code == 201, "a clash is not kept either"
    assert api.post(path, body, headers=once).json() == made.json(), "what succeeded is kept, whatever came of it since"


def test_other_posts_have_one_effect_in_a_race(api, app):
    once, path = key(), f"/app/{app}/endpoint"
    body = {"url": "http://127.0.0.1:9/"}
    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda _: api.post(path, body, headers=once), range(32)))
    assert {answer.status_code for answer in answers} <= {201, 409}, "done, or being done"
    assert len({answer.json()["id"] for answer in answers if answer.status_code == 201}) == 1
    assert len(api.get(path).json()["data"]) == 1


@pytest.mark.parametrize("end", ["stop", "kill"])
def test_other_posts_are_replayed_over_a_restart(end):
    with Server() as server:
        app, once = server.api.application(), key()
        path, body = f"/app/{app}/endpoint", {"url": "http://127.0.0.1:9/"}
        first = server.api.post(path, body, headers=once)
        assert first.status_code == 201
        getattr(server, end)()
        server.start()
        again = server.api.post(path, body, headers=once)
        assert (again.status_code, again.text) == (201, first.text)
        assert again.headers["idempotent-replayed"] == "true"
        assert server.api.post(path, body | {"disabled": True}, headers=once).status_code == 422
        assert len(server.api.get(path).json()["data"]) == 1
