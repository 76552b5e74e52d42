"""The idempotency key: one effect, one answer, in the message's own transaction."""

import uuid
from concurrent.futures import ThreadPoolExecutor

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
