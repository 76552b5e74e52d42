"""Messages through the official Python SDK, and their limits over plain HTTP."""

from datetime import datetime, timedelta, timezone

import pytest
from svix.api import (
    ApplicationIn,
    MessageAttemptListAttemptedMessagesOptions,
    MessageAttemptListByEndpointOptions,
    MessageCreateOptions,
    MessageGetOptions,
    MessageIn,
    MessageListOptions,
)

from harness.sdk import invalid, refused, walk
from harness.waiting import eventually

pytestmark = pytest.mark.every_store

CONTENT = MessageCreateOptions(with_content=True)


def test_create_and_get(svix, app):
    made = svix.message.create(
        app, MessageIn(event_type="m.t", payload={"a": [1, {"b": None}]}, event_id="evt-1", channels=["x", "y"]), CONTENT
    )
    assert made.id.startswith("msg_") and len(made.id) == 31
    assert (made.event_type, made.payload, made.event_id) == ("m.t", {"a": [1, {"b": None}]}, "evt-1")
    assert set(made.channels) == {"x", "y"}
    assert abs(made.timestamp - datetime.now(timezone.utc)) < timedelta(seconds=30)
    full = MessageGetOptions(with_content=True)
    assert svix.message.get(app, made.id, full) == svix.message.get(app, "evt-1", full) == made
    assert svix.message.get(app, made.id).payload == {}, "the SDK does not ask for content by default"


def test_lists_are_narrowed_by_tags(svix, api, app, receiver):
    endpoint = api.endpoint(app, receiver.url())
    sent = [svix.message.create(app, MessageIn(event_type="m.t", payload={}, tags=tags)) for tags in (["gold", "eu"], ["eu"], None)]
    assert [sorted(made.tags or []) for made in sent] == [["eu", "gold"], ["eu"], []]
    assert sorted(svix.message.get(app, sent[0].id).tags) == ["eu", "gold"]
    ids = [made.id for made in sent]
    for tag, found in (("gold", ids[:1]), ("eu", ids[1::-1]), ("tin", [])):
        assert [one.id for one in svix.message.list(app, MessageListOptions(tag=tag)).data] == found, tag
        listed = svix.message_attempt.list_attempted_messages(app, endpoint, MessageAttemptListAttemptedMessagesOptions(tag=tag))
        assert [one.id for one in listed.data] == found, tag
    attempts = lambda tag: svix.message_attempt.list_by_endpoint(app, endpoint, MessageAttemptListByEndpointOptions(tag=tag))  # noqa: E731
    assert eventually(lambda: [one.msg_id for one in attempts("gold").data]) == ids[:1]
    assert attempts("tin").data == []
    receiver.wait(3)
    assert all(b"gold" not in arrival.body for arrival in receiver.arrivals), "tags do not leave the house"


def test_an_event_id_is_taken_once_in_an_application(svix, api, app):
    svix.message.create(app, MessageIn(event_type="m.t", payload={}, event_id="once"))
    with refused(409):
        svix.message.create(app, MessageIn(event_type="m.t", payload={}, event_id="once"))
    other = api.application()
    assert svix.message.create(other, MessageIn(event_type="m.t", payload={}, event_id="once")).event_id == "once"


def test_lists_filter_and_page_both_ways_newest_first(svix, app):
    ids = [
        svix.message.create(
            app, MessageIn(event_type=f"list.{n % 2}", payload={"n": n}, channels=["odd" if n % 2 else "even"])
        ).id
        for n in range(7)
    ]
    fetch = lambda options: svix.message.list(app, options)  # noqa: E731
    assert [m.id for page in walk(fetch, MessageListOptions, 3) for m in page] == ids[::-1]
    odd = ids[1::2][::-1]
    assert [m.id for m in fetch(MessageListOptions(channel="odd")).data] == odd
    assert [m.id for m in fetch(MessageListOptions(event_types=["list.1"])).data] == odd
    assert [m.id for m in fetch(MessageListOptions(event_types=["list.0", "list.1"])).data] == ids[::-1]
    assert [m.payload for m in fetch(MessageListOptions(limit=2, with_content=True)).data] == [{"n": 6}, {"n": 5}]
    now = datetime.now(timezone.utc)
    assert fetch(MessageListOptions(after=now + timedelta(minutes=5))).data == []
    assert fetch(MessageListOptions(before=now - timedelta(minutes=5))).data == []
    assert len(fetch(MessageListOptions(after=now - timedelta(minutes=5))).data) == 7
    first = fetch(MessageListOptions(limit=2))
    second = fetch(MessageListOptions(limit=2, iterator=first.iterator))
    back = fetch(MessageListOptions(limit=2, iterator=second.prev_iterator))
    assert [m.id for m in back.data] == [m.id for m in first.data]


@pytest.mark.parametrize("spelling", ["event_types=list.a,list.b", "event_types=list.a&event_types=list.b",
                                      "event_types[]=list.a&event_types[]=list.b"])  # fmt: skip
def test_lists_in_queries_are_understood_in_all_their_spellings(api, app, spelling):
    for event_type in ("list.a", "list.b", "list.c"):
        api.send(app, event_type)
    listed = api.get(f"/app/{app}/msg?{spelling}").json()
    assert sorted(m["eventType"] for m in listed["data"]) == ["list.a", "list.b"]


def test_every_list_carries_its_four_keys(api, app):
    for path in ("/app", "/event-type", f"/app/{app}/endpoint", f"/app/{app}/msg"):
        listed = api.get(path).json()
        assert {"data", "done", "iterator", "prevIterator"} <= set(listed), path
    empty = api.get(f"/app/{app}/msg").json()
    assert (empty["data"], empty["done"]) == ([], True)


def test_expunged_content_is_gone_for_good(svix, api, app):
    made = svix.message.create(app, MessageIn(event_type="m.t", payload={"secret": 1})).id
    assert svix.message.expunge_content(app, made) is None
    assert svix.message.get(app, made, MessageGetOptions(with_content=True)).payload == {"expired": True}
    with refused(404):
        svix.message.expunge_content(app, "msg_" + "0" * 27)


def test_the_application_can_be_made_on_the_way(svix):
    made = svix.message.create(
        "inline-app", MessageIn(event_type="m.t", payload={}, application=ApplicationIn(name="inline", uid="inline-app"))
    )
    assert svix.message.get("inline-app", made.id).id == made.id
    assert svix.application.get("inline-app").name == "inline"
    with invalid():
        svix.message.create(
            "inline-b", MessageIn(event_type="m.t", payload={}, application=ApplicationIn(name="n", uid="inline-c"))
        )


def test_what_is_invalid_is_named(svix, api, app):
    with invalid("eventType"):
        svix.message.create(app, MessageIn(event_type="with space", payload={}))
    with invalid("eventType"):
        svix.message.create(app, MessageIn(event_type="t" * 257, payload={}))
    with invalid("channels"):
        svix.message.create(app, MessageIn(event_type="a.b", payload={}, channels=["no space"]))
    with invalid("eventId"):
        svix.message.create(app, MessageIn(event_type="a.b", payload={}, event_id="no space"))
    assert api.post(f"/app/{app}/msg", {"eventType": "a.b"}).status_code == 422, "a payload is needed"
    assert api.post(f"/app/{app}/msg", {"payload": {}}).status_code == 422
    with refused(404, "not_found"):
        svix.message.create("nobody", MessageIn(event_type="a.b", payload={}))
    with refused(404, "not_found"):
        svix.message.get(app, "msg_" + "0" * 27)
    assert api.get(f"/app/{app}/msg").json()["data"] == [], "nothing that was refused was stored"


@pytest.mark.parametrize(
    "raw",
    [b"", b"{", b"[]", b"null", b'"text"', b"\xff\xfe", b'{"eventType":"a.b","payload":{"a":}}', b'{"eventType":"a.b","payload":{}} x'],
)
def test_broken_json_is_a_validation_error(api, app, raw):
    answer = api.post(f"/app/{app}/msg", raw=raw)
    assert answer.status_code in (400, 422), answer.text
    assert answer.json().get("detail")


def test_a_payload_of_a_mebibyte_is_the_limit(api, app):
    fits = b'"' + b"x" * (1024 * 1024 - 2) + b'"'
    assert api.send_bytes(app, fits)
    answer = api.post(f"/app/{app}/msg", raw=b'{"eventType":"a.b","payload":%s}' % (b'"' + b"x" * (1024 * 1024) + b'"'))
    assert answer.status_code == 413, answer.text
    assert answer.json()["code"] == "payload_too_large" and answer.json()["detail"]
    huge = api.post(f"/app/{app}/msg", raw=b'{"eventType":"a.b","payload":"%s"}' % (b"x" * (20 * 1024 * 1024)))
    assert huge.status_code == 413


def test_deep_nesting_is_refused_and_harms_nothing(server, api, app):
    for depth in (129, 5_000, 100_000):
        answer = api.post(f"/app/{app}/msg", raw=b'{"eventType":"a.b","payload":%s}' % (b"[" * depth + b"]" * depth))
        assert 400 <= answer.status_code < 500, depth
        mixed = b'{"a":' * depth + b"1" + b"}" * depth
        assert 400 <= api.post(f"/app/{app}/msg", raw=b'{"eventType":"a.b","payload":%s}' % mixed).status_code < 500
    assert server.running()
    assert api.send_bytes(app, b"[" * 120 + b"]" * 120)
