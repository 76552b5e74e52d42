"""Endpoints that keep failing: warned about, disabled, parked, resumed; and what becomes of what waits for one that is deleted."""

import time

from harness.receiver import Held, Receiver, Reply, script
from harness.server import Server
from harness.waiting import eventually, never

# Days as seconds: disabled after 8 s, and tries for longer than that.
SMALL = {"DELIVERY__DISABLE_AFTER": "8s", "DELIVERY__RETRY_SCHEDULE": "300ms," * 63 + "300ms"}


def status(api, app, message, endpoint):
    return api.destinations(app, message)[endpoint]["status"]


def test_three_messages_that_fail_for_long_enough_disable_after_three_warnings():
    with Server(**SMALL) as server, Receiver() as receiver:
        api = server.api
        app = api.application()
        receiver.answer = Reply(500)
        endpoint = api.endpoint(app, receiver.url(), concurrency=1)
        first = api.send(app)
        receiver.wait(1)
        began = time.monotonic()
        sent = [first] + [api.send(app) for _ in range(2)]
        failing = eventually(lambda: api.endpoint_out(app, endpoint).get("failing"), what="failing")
        assert failing["disablesAt"] > failing["since"]
        warned = eventually(lambda: api.endpoint_out(app, endpoint)["failing"]["warnings"], what="a warning")
        assert warned[0]["percent"] in (50, 75, 90)
        # A restart forgives nothing.
        server.kill()
        server.start()
        out = api.endpoint_out(app, endpoint)
        assert out["failing"]["since"] == failing["since"] and warned[0] in out["failing"]["warnings"]
        disabled = lambda: (out := api.endpoint_out(app, endpoint))["disabled"] and out  # noqa: E731
        out = eventually(disabled, within=60, what="disabled")
        assert time.monotonic() - began >= 7.5, "not before its time"
        assert out["disabledReason"] == "failing" and out["disabledAt"] >= failing["disablesAt"]
        assert "disablesAt" not in out["failing"], "it is disabled already"
        names = (f"app={app}", f"endpoint={endpoint}")
        assert server.logged("endpoint keeps failing and will be disabled", "percent=", *names)
        eventually(lambda: server.logged("endpoint disabled", 'reason="failing"', *names), what="a line says so")
        steps = [warning["percent"] for warning in out["failing"]["warnings"]]
        assert steps and steps == sorted(set(steps)) and set(steps) <= {50, 75, 90}
        moments = [warning["at"] for warning in out["failing"]["warnings"]]
        assert moments == sorted(moments) and moments[-1] < out["disabledAt"]
        # What is owed is parked, what comes is parked as well, and all of it goes on, in order.
        sent += [api.send(app) for _ in range(3)]
        before = receiver.count
        never(lambda: receiver.count > before, during=1.5, what="something for a disabled endpoint")
        assert all(status(api, app, message, endpoint) == 1 for message in sent)
        receiver.answer = Reply(200)
        assert api.patch(f"/app/{app}/endpoint/{endpoint}", {"disabled": False}).status_code == 200
        eventually(lambda: all(status(api, app, message, endpoint) == 0 for message in sent), what="resumed")
        arrived = [arrival.id for arrival in receiver.arrivals[before:]]
        assert sorted(arrived) == sorted(sent), "each once"
        assert set(arrived[:3]) == set(sent[:3]) and arrived[3:] == sent[3:], "what waited longest goes first"
        out = api.endpoint_out(app, endpoint)
        assert "failing" not in out and "disabledReason" not in out


def test_two_messages_that_fail_do_not_disable():
    with Server(**SMALL) as server, Receiver() as receiver:
        api = server.api
        app = api.application()
        receiver.answer = Reply(500)
        endpoint = api.endpoint(app, receiver.url())
        for _ in range(2):
            api.send(app)
        receiver.wait(2)
        never(lambda: api.endpoint_out(app, endpoint)["disabled"], during=10, every=0.5)
        assert receiver.arrivals[-1].at - receiver.arrivals[0].at > 4, "it is still being tried"
        out = api.endpoint_out(app, endpoint)
        assert not out["disabled"] and out["failing"]["warnings"] == []


def test_one_success_forgives():
    # Between the first warning and the end lies half of this time, for the success to come.
    with Server(**SMALL | {"DELIVERY__DISABLE_AFTER": "30s", "DELIVERY__RETRY_SCHEDULE": "1s," * 63 + "1s"}) as server, Receiver() as receiver:
        api = server.api
        app = api.application()
        receiver.answer = Reply(500)
        endpoint = api.endpoint(app, receiver.url())
        for _ in range(3):
            api.send(app)
        eventually(lambda: api.endpoint_out(app, endpoint)["failing"]["warnings"], what="a warning")
        receiver.answer = Reply(200)
        eventually(lambda: "failing" not in api.endpoint_out(app, endpoint), what="forgiven")
        assert not api.endpoint_out(app, endpoint)["disabled"]


def test_410_parks_what_waits_and_all_of_it_arrives_in_order_once_enabled(api, app, receiver):
    receiver.answer = Reply(410)
    endpoint = api.endpoint(app, receiver.url(), concurrency=1)
    first = api.send(app)
    out = eventually(lambda: (out := api.endpoint_out(app, endpoint))["disabled"] and out, what="disabled")
    assert out["disabledReason"] == "gone"
    assert status(api, app, first, endpoint) == 1, "it waits as well"
    later = [api.send(app) for _ in range(20)]
    receiver.answer = Reply(200)
    never(lambda: receiver.count > 1, during=0.7, what="something for an endpoint that is gone")
    api.patch(f"/app/{app}/endpoint/{endpoint}", {"disabled": False})
    arrivals = receiver.wait(22)
    assert [arrival.id for arrival in arrivals[1:]] == [first, *later]


def test_deliveries_to_a_deleted_endpoint_are_cancelled(api, app, receiver):
    receiver.answer = Reply(500, headers={"retry-after": "3600"})
    endpoint, other = api.endpoint(app, receiver.url("/gone")), api.endpoint(app, receiver.url("/stays"))
    message = api.send(app)
    eventually(lambda: len(api.attempts(app, message)) == 2, what="both tried")
    assert api.delete(f"/app/{app}/endpoint/{endpoint}").status_code == 204
    eventually(lambda: endpoint not in api.destinations(app, message) or status(api, app, message, endpoint) not in (0, 1),
               what="no longer owed")  # fmt: skip
    assert status(api, app, message, other) == 1, "the other one waits on"
    before = len(receiver.at("/gone"))
    api.send(app)
    eventually(lambda: len(receiver.at("/stays")) >= 2)
    never(lambda: len(receiver.at("/gone")) > before, during=0.7, what="something for a deleted endpoint")


def test_recovered_deliveries_are_manual_and_only_failed_ones_are(api, app, receiver):
    receiver.answer = script(Reply(200), Reply(500), Reply(500), Reply(500), Reply(500), Reply(500), Reply(200))
    endpoint = api.endpoint(app, receiver.url())
    good = api.send(app)
    eventually(lambda: status(api, app, good, endpoint) == 0)
    bad = api.send(app)
    eventually(lambda: status(api, app, bad, endpoint) == 2, what="given up")
    tried = len(api.attempts(app, bad))
    since = api.endpoint_out(app, endpoint)["createdAt"]
    answer = api.post(f"/app/{app}/endpoint/{endpoint}/recover", {"since": since})
    assert answer.status_code == 202, answer.text
    eventually(lambda: status(api, app, bad, endpoint) == 0, what="recovered")
    again = api.attempts(app, bad)[: -tried]
    # A person asked for the first of them; what followed its failure came on schedule.
    assert [attempt["triggerType"] for attempt in reversed(again)] == [1, 0], "one more failure, then the success"
    assert {attempt["triggerType"] for attempt in api.attempts(app, bad)[-tried:]} == {0}
    assert receiver.ids[good] == 1, "what was delivered is left alone"


def test_asking_twice_for_one_delivery_sends_once(api, app, receiver):
    endpoint = api.endpoint(app, receiver.url())
    message = api.send(app)
    eventually(lambda: status(api, app, message, endpoint) == 0)
    receiver.answer = held = Held(Reply(200))
    for _ in range(5):
        assert api.post(f"/app/{app}/msg/{message}/endpoint/{endpoint}/resend").status_code == 202
    receiver.wait(2)
    never(lambda: receiver.busy > 1, during=0.5, what="one delivery twice in flight")
    held.released = True
    eventually(lambda: status(api, app, message, endpoint) == 0)
    never(lambda: receiver.count > 3, during=1.5, what="more than was asked for while one was under way")


def test_send_example_to_a_disabled_endpoint_is_parked(api, app, receiver):
    kind = api.event_type("example.parked")
    schema = {"examples": [{"n": 1}]}
    assert api.patch(f"/event-type/{kind}", {"schemas": {"1": schema}}).status_code == 200
    endpoint = api.endpoint(app, receiver.url(), disabled=True)
    answer = api.post(f"/app/{app}/endpoint/{endpoint}/send-example", {"eventType": kind})
    assert answer.status_code in (200, 202), answer.text
    message = answer.json()["id"]
    never(lambda: receiver.count > 0, during=0.7, what="something for a disabled endpoint")
    assert status(api, app, message, endpoint) == 1
    api.patch(f"/app/{app}/endpoint/{endpoint}", {"disabled": False})
    assert receiver.wait(1)[0].id == message
