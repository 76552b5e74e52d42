"""Endpoints through the official Python SDK: their fields, secrets, headers and statistics."""

import json
from datetime import datetime, timedelta, timezone

import pytest
from svix.api import (
    EndpointHeadersIn,
    EndpointHeadersPatchIn,
    EndpointIn,
    EndpointListOptions,
    EndpointPatch,
    EventExampleIn,
    EventTypeIn,
    MessageIn,
    RecoverIn,
)
from svix.api.endpoint import EndpointGetStatsOptions
from svix.models import EndpointSecretRotateIn, EndpointUpsertIn

from harness.receiver import Reply
from harness.sdk import invalid, refused, walk
from harness.waiting import eventually

pytestmark = pytest.mark.every_store

URL = "http://127.0.0.1:9/never-sent-to"
KEY = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


def test_create_answers_what_was_given_and_what_was_made(svix, api, app):
    api.event_type("order.created")
    made = svix.endpoint.create(
        app,
        EndpointIn(
            url=URL,
            description="orders",
            uid="orders",
            throttle_rate=9,
            disabled=True,
            event_types=["order.created"],
            channels=["eu", "b2b"],
            metadata={"team": "a"},
            secret=KEY,
        ),
    )
    assert made.id.startswith("ep_") and len(made.id) == 30
    assert (made.url, made.description, made.uid, made.throttle_rate) == (URL, "orders", "orders", 9)
    assert (made.disabled, made.event_types, set(made.channels)) == (True, ["order.created"], {"eu", "b2b"})
    assert made.metadata == {"team": "a"}
    assert svix.endpoint.get(app, made.id) == svix.endpoint.get(app, "orders") == made
    assert svix.endpoint.get_secret(app, "orders").key == KEY


def test_defaults(svix, app):
    made = svix.endpoint.create(app, EndpointIn(url=URL))
    assert (made.description, made.disabled, made.uid, made.metadata) == ("", False, None, {})
    assert (made.event_types, made.channels, made.throttle_rate) == (None, None, None)
    key = svix.endpoint.get_secret(app, made.id).key
    assert key.startswith("whsec_") and len(key) > 30


def test_headers_given_at_creation_are_kept(svix, app):
    made = svix.endpoint.create(app, EndpointIn(url=URL, headers={"X-Tenant": "7"}))
    headers = svix.endpoint.get_headers(app, made.id).headers
    assert {name.lower(): value for name, value in headers.items()} == {"x-tenant": "7"}


def test_an_empty_list_of_event_types_means_all(svix, app):
    made = svix.endpoint.create(app, EndpointIn(url=URL, event_types=[]))
    assert not made.event_types


def test_what_is_invalid_is_named(svix, api, app):
    for url in ("not a url", "ftp://example.com/", "javascript:alert(1)", "http://", "//example.com/"):
        with invalid("url"):
            svix.endpoint.create(app, EndpointIn(url=url))
    with invalid("eventTypes"):
        svix.endpoint.create(app, EndpointIn(url=URL, event_types=["never.registered"]))
    with invalid("channels"):
        svix.endpoint.create(app, EndpointIn(url=URL, channels=["with space"]))
    with invalid("channels"):
        svix.endpoint.create(app, EndpointIn(url=URL, channels=[]))
    with invalid("channels"):
        svix.endpoint.create(app, EndpointIn(url=URL, channels=[f"c{n}" for n in range(11)]))
    for secret in ("w", "whsec_%", "whsec_wronglength", "hwsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"):
        with invalid("secret"):
            svix.endpoint.create(app, EndpointIn(url=URL, secret=secret))
    assert api.post(f"/app/{app}/endpoint", {"url": URL, "throttleRate": 0}).status_code == 422
    assert api.post(f"/app/{app}/endpoint", {}).status_code == 422


def test_uids_are_taken_once_in_an_application(svix, api, app):
    svix.endpoint.create(app, EndpointIn(url=URL, uid="same"))
    with refused(409):
        svix.endpoint.create(app, EndpointIn(url=URL, uid="same"))
    other = api.application()
    assert svix.endpoint.create(other, EndpointIn(url=URL, uid="same")).uid == "same"


def test_put_creates_and_replaces_but_keeps_the_secret(svix, api, app):
    assert api.put(f"/app/{app}/endpoint/put", {"url": URL, "uid": "put"}).status_code == 201
    key = svix.endpoint.get_secret(app, "put").key
    whole = svix.endpoint.upsert(app, "put", EndpointUpsertIn(url=URL, uid="put", channels=["a"], throttle_rate=3))
    assert (whole.channels, whole.throttle_rate) == (["a"], 3)
    bare = svix.endpoint.upsert(app, "put", EndpointUpsertIn(url=URL + "2", uid="put"))
    assert (bare.url, bare.channels, bare.throttle_rate) == (URL + "2", None, None)
    assert svix.endpoint.get_secret(app, "put").key == key


def test_patch_changes_only_what_it_names_and_null_clears(svix, api, app):
    api.event_type("patch.type")
    made = svix.endpoint.create(
        app, EndpointIn(url=URL, uid="pt", event_types=["patch.type"], channels=["c"], throttle_rate=4, description="d")
    )
    named = svix.endpoint.patch(app, made.id, EndpointPatch(description="e"))
    assert (named.description, named.uid, named.event_types, named.channels, named.throttle_rate) == (
        "e", "pt", ["patch.type"], ["c"], 4,
    )  # fmt: skip
    cleared = svix.endpoint.patch(
        app, made.id, EndpointPatch(uid=None, event_types=None, channels=None, throttle_rate=None)
    )
    assert (cleared.uid, cleared.event_types, cleared.channels, cleared.throttle_rate) == (None,) * 4
    assert (cleared.description, cleared.url) == ("e", URL)


def test_delete(svix, app):
    made = svix.endpoint.create(app, EndpointIn(url=URL, uid="del"))
    assert svix.endpoint.delete(app, "del") is None
    for call in (svix.endpoint.get, svix.endpoint.delete, svix.endpoint.get_secret, svix.endpoint.get_headers):
        with refused(404, "not_found"):
            call(app, made.id)


def test_lists_page_both_ways_newest_first(svix, app):
    ids = [svix.endpoint.create(app, EndpointIn(url=f"{URL}/{n}")).id for n in range(5)]
    fetch = lambda options: svix.endpoint.list(app, options)  # noqa: E731
    assert [one.id for page in walk(fetch, EndpointListOptions, 2) for one in page] == ids[::-1]
    first = fetch(EndpointListOptions(limit=2))
    second = fetch(EndpointListOptions(limit=2, iterator=first.iterator))
    back = fetch(EndpointListOptions(limit=2, iterator=second.prev_iterator))
    assert [one.id for one in back.data] == [one.id for one in first.data]


def test_rotation_answers_the_new_key(svix, app):
    made = svix.endpoint.create(app, EndpointIn(url=URL, secret=KEY))
    rotated = svix.endpoint.rotate_secret(app, made.id, EndpointSecretRotateIn())
    assert rotated.key.startswith("whsec_") and rotated.key != KEY
    assert svix.endpoint.get_secret(app, made.id).key == rotated.key
    given = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"
    assert svix.endpoint.rotate_secret(app, made.id, EndpointSecretRotateIn(key=given, grace_period_seconds=0)).key == given
    with invalid("gracePeriodSeconds"):
        svix.endpoint.rotate_secret(app, made.id, EndpointSecretRotateIn(grace_period_seconds=604_801))


def test_headers_are_set_patched_and_hidden(svix, api, app):
    made = svix.endpoint.create(app, EndpointIn(url=URL)).id
    svix.endpoint.set_headers(app, made, EndpointHeadersIn(headers={"X-A": "1", "X-B": "2", "Authorization": "Bearer s"}))
    read = svix.endpoint.get_headers(app, made)
    assert {k.lower(): v for k, v in read.headers.items()} == {"x-a": "1", "x-b": "2"}
    assert [name.lower() for name in read.sensitive] == ["authorization"]
    svix.endpoint.patch_headers(app, made, EndpointHeadersPatchIn(headers={"X-C": "3"}))
    # The Python SDK's type does not let a value be null; the API does.
    assert api.patch(f"/app/{app}/endpoint/{made}/headers", {"headers": {"X-A": None}}).status_code == 204
    read = svix.endpoint.get_headers(app, made)
    assert {k.lower(): v for k, v in read.headers.items()} == {"x-b": "2", "x-c": "3"}
    assert [name.lower() for name in read.sensitive] == ["authorization"], "patch leaves the others alone"


@pytest.mark.parametrize(
    "name, value",
    [
        ("User-Agent", "me"),
        ("Content-Length", "3"),
        ("Transfer-Encoding", "chunked"),
        ("Host", "elsewhere"),
        ("Connection", "close"),
        ("svix-id", "x"),
        ("webhook-id", "x"),
        ("webhook-signature", "x"),
        ("x-amz-meta", "x"),
        ("X-Line", "a\r\nInjected: yes"),
        ("X-Nul", "a\x00b"),
        ("X Space", "x"),
        ("X-Long", "v" * 4097),
    ],
)
def test_headers_that_are_ours_or_break_the_wire_are_refused(svix, app, name, value):
    made = svix.endpoint.create(app, EndpointIn(url=URL)).id
    with invalid("headers"):
        svix.endpoint.set_headers(app, made, EndpointHeadersIn(headers={name: value}))
    assert svix.endpoint.get_headers(app, made).headers == {}


def test_statistics_count_what_happened(svix, app, receiver):
    receiver.answer = lambda arrival: Reply(200 if b'"ok"' in arrival.body else 400)
    made = svix.endpoint.create(app, EndpointIn(url=receiver.url())).id
    for n in range(3):
        svix.message.create(app, MessageIn(event_type="s.t", payload={"ok": n}))
    svix.message.create(app, MessageIn(event_type="s.t", payload={"bad": 1}))

    def settled():
        stats = svix.endpoint.get_stats(app, made)
        return stats if (stats.success, stats.fail) == (3, 1) else None

    stats = eventually(settled, what="3 successes and 1 failure")
    assert (stats.pending, stats.sending, stats.canceled) == (0, 0, 0)


def test_statistics_have_a_window(svix, app):
    made = svix.endpoint.create(app, EndpointIn(url=URL)).id
    now = datetime.now(timezone.utc)
    window = EndpointGetStatsOptions(since=now - timedelta(days=1), until=now - timedelta(minutes=1))
    assert svix.endpoint.get_stats(app, made, window).success == 0
    with refused(400, "invalid_range"):
        svix.endpoint.get_stats(app, made, EndpointGetStatsOptions(since=now, until=now + timedelta(days=1)))


def test_send_example_sends_the_schemas_example(svix, app, receiver):
    example = {"total": 42, "text": "Beispiel"}
    svix.event_type.create(
        EventTypeIn(name="example.type", description="e", schemas={"1": {"type": "object", "examples": [example]}})
    )
    made = svix.endpoint.create(app, EndpointIn(url=receiver.url())).id
    sent = svix.endpoint.send_example(app, made, EventExampleIn(event_type="example.type"))
    arrived = receiver.wait()[0]
    assert arrived.id == sent.id
    assert json.loads(arrived.body) == example
    ping = svix.endpoint.send_example(app, made, EventExampleIn(event_type="svix.ping"))
    assert receiver.wait(2)[1].id == ping.id, "the ping needs no event type of one's own"


def test_recover_takes_the_failed_ones(svix, api, app, receiver):
    receiver.answer = Reply(400)
    made = svix.endpoint.create(app, EndpointIn(url=receiver.url())).id
    failed = svix.message.create(app, MessageIn(event_type="r.t", payload={"n": 1})).id
    eventually(lambda: api.destinations(app, failed)[made]["status"] == 2, what="every attempt failed")
    before = receiver.ids[failed]
    receiver.answer = Reply(200)
    good = svix.message.create(app, MessageIn(event_type="r.t", payload={"n": 2})).id
    eventually(lambda: api.destinations(app, good)[made]["status"] == 0, what="delivered")
    task = svix.endpoint.recover(app, made, RecoverIn(since=datetime.now(timezone.utc) - timedelta(hours=1)))
    assert task.id.startswith("qtask_") and task.task == "endpoint.recover"
    eventually(lambda: api.destinations(app, failed)[made]["status"] == 0, what="recovered")
    assert receiver.ids[failed] == before + 1
    assert receiver.ids[good] == 1, "what was delivered is not sent again"
    too_far = (datetime.now(timezone.utc) - timedelta(days=15)).isoformat()
    assert api.post(f"/app/{app}/endpoint/{made}/recover", {"since": too_far}).status_code in (400, 422)
