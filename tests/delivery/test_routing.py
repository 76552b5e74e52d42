"""Which endpoint gets which message: event types, channels, the disabled and the deleted."""

import pytest

from harness.receiver import Reply
from harness.waiting import eventually, never

pytestmark = pytest.mark.every_store


def arrived(receiver):
    """Which paths got which messages."""
    return {(arrival.path, arrival.id) for arrival in list(receiver.arrivals)}


def settled(api, app, *messages):
    """Waits until nothing of these messages is pending or being sent."""
    eventually(
        lambda: all(d["status"] in (0, 2, 4) for m in messages for d in api.destinations(app, m).values()),
        what="everything delivered or given up",
    )


def test_event_types_filter(api, app, receiver):
    api.event_type("user.created"), api.event_type("user.deleted")
    api.endpoint(app, receiver.url("/all"))
    api.endpoint(app, receiver.url("/empty"), eventTypes=[])
    api.endpoint(app, receiver.url("/created"), eventTypes=["user.created"])
    api.endpoint(app, receiver.url("/both"), eventTypes=["user.created", "user.deleted"])
    created, deleted, other = (api.send(app, name) for name in ("user.created", "user.deleted", "something.else"))
    receiver.wait(9)
    settled(api, app, created, deleted, other)
    assert arrived(receiver) == (
        {(path, m) for path in ("/all", "/empty") for m in (created, deleted, other)}
        | {("/created", created), ("/both", created), ("/both", deleted)}
    )


def test_channels_overlap_or_the_endpoint_takes_everything(api, app, receiver):
    api.endpoint(app, receiver.url("/none"))
    api.endpoint(app, receiver.url("/a"), channels=["a"])
    api.endpoint(app, receiver.url("/ab"), channels=["a", "b"])
    plain = api.send(app)
    in_a = api.send(app, channels=["a", "x"])
    in_b = api.send(app, channels=["b"])
    in_c = api.send(app, channels=["c"])
    receiver.wait(7)
    settled(api, app, plain, in_a, in_b, in_c)
    assert arrived(receiver) == {
        ("/none", plain), ("/none", in_a), ("/none", in_b), ("/none", in_c),
        ("/a", in_a), ("/ab", in_a), ("/ab", in_b),
    }  # fmt: skip


def test_a_change_of_subscription_counts_from_the_next_message(api, app, receiver):
    api.event_type("sub.a"), api.event_type("sub.b")
    endpoint = api.endpoint(app, receiver.url(), eventTypes=["sub.a"])
    first = api.send(app, "sub.a")
    receiver.wait(1)
    assert api.patch(f"/app/{app}/endpoint/{endpoint}", {"eventTypes": ["sub.b"]}).status_code == 200
    api.send(app, "sub.a")
    second = api.send(app, "sub.b")
    receiver.wait(2)
    assert [arrival.id for arrival in receiver.arrivals] == [first, second]


def test_applications_do_not_meet(api, app, receiver):
    other = api.application()
    api.endpoint(app, receiver.url("/mine"))
    api.endpoint(other, receiver.url("/theirs"))
    mine, theirs = api.send(app), api.send(other)
    receiver.wait(2)
    assert arrived(receiver) == {("/mine", mine), ("/theirs", theirs)}


def test_the_disabled_park_and_enabling_resumes_in_order(api, app, receiver):
    endpoint = api.endpoint(app, receiver.url())
    api.patch(f"/app/{app}/endpoint/{endpoint}", {"disabled": True})
    messages = [api.send(app, payload={"n": n}) for n in range(60)]
    never(lambda: receiver.count, during=1.0, what="a disabled endpoint gets something")
    assert {api.destinations(app, m)[endpoint]["status"] for m in messages} == {1}, "parked reads as pending"
    api.patch(f"/app/{app}/endpoint/{endpoint}", {"disabled": False})
    order = [arrival.id for arrival in receiver.wait(60)]
    assert sorted(order) == sorted(messages), "each once"
    # A lane has up to ten on their way at once (growing to 32), and those may overtake each other.
    assert max(place - order.index(m) for place, m in enumerate(messages)) <= 32
    settled(api, app, *messages)


def test_disabling_between_two_tries_parks_too(api, app, receiver):
    receiver.answer = Reply(500)
    endpoint = api.endpoint(app, receiver.url())
    message = api.send(app)
    receiver.wait(1)
    api.patch(f"/app/{app}/endpoint/{endpoint}", {"disabled": True})
    count = eventually(lambda: receiver.count)
    never(lambda: receiver.count > count + 1, during=1.2, what="more than what was on its way")
    receiver.answer = Reply(200)
    api.patch(f"/app/{app}/endpoint/{endpoint}", {"disabled": False})
    eventually(lambda: api.destinations(app, message)[endpoint]["status"] == 0, what="resumed and delivered")


def test_deleting_an_endpoint_cancels_what_waits_for_it(api, app, receiver):
    receiver.answer = Reply(500)
    endpoint = api.endpoint(app, receiver.url())
    api.send(app)
    receiver.wait(1)
    assert api.delete(f"/app/{app}/endpoint/{endpoint}").status_code == 204
    count = receiver.count
    never(lambda: receiver.count > count + 1, during=1.5, what="a deleted endpoint gets something")
    other = api.endpoint(app, receiver.url("/other"))
    receiver.answer = Reply(200)
    message = api.send(app)
    eventually(lambda: api.destinations(app, message).get(other, {}).get("status") == 0)
    assert set(api.destinations(app, message)) == {other}


def test_deleting_an_application_cancels_everything_in_it(api, app, receiver):
    receiver.answer = Reply(500)
    for n in range(5):
        api.endpoint(app, receiver.url(f"/{n}"))
    for _ in range(5):
        api.send(app)
    receiver.wait(5)
    assert api.delete(f"/app/{app}").status_code == 204
    count = receiver.count
    never(lambda: receiver.count > count + 25, during=1.5, what="the endpoints of a deleted application get more")
    assert api.get(f"/app/{app}/msg").status_code == 404
