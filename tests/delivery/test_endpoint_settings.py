"""What an endpoint may set for itself beyond Svix: its schedule, its concurrency, its signature headers; and payloads of other kinds."""

import base64
import time
from datetime import datetime

import pytest

from harness.receiver import Reply
from harness.server import Server
from harness.waiting import eventually, never

pytestmark = pytest.mark.every_store


def test_an_endpoints_own_schedule_replaces_the_servers(api, app, receiver):
    receiver.answer = Reply(500)
    endpoint = api.endpoint(app, receiver.url(), retrySchedule="300ms")
    assert api.endpoint_out(app, endpoint)["retrySchedule"] == "300ms"
    message = api.send(app)
    eventually(lambda: api.destinations(app, message)[endpoint]["status"] == 2, what="given up after one retry")
    assert receiver.count == 2
    arrivals = receiver.arrivals
    assert arrivals[1].at - arrivals[0].at >= 0.3 * 0.8 - 0.01
    cleared = api.patch(f"/app/{app}/endpoint/{endpoint}", {"retrySchedule": None}).json()
    assert cleared.get("retrySchedule") is None
    for bad in ("soon", "5s,later", [-1], "100000d"):
        assert api.patch(f"/app/{app}/endpoint/{endpoint}", {"retrySchedule": bad}).status_code == 422, bad


@pytest.mark.parametrize("concurrency", [1, 3])
def test_an_endpoints_own_concurrency_is_kept(api, app, receiver, concurrency):
    receiver.answer = Reply(200, delay=0.1)
    api.endpoint(app, receiver.url(), concurrency=concurrency)
    messages = [api.send(app) for _ in range(12)]
    worst = 0
    while receiver.count < 12:
        worst = max(worst, receiver.busy)
        time.sleep(0.002)
    assert worst <= concurrency
    if concurrency == 1:
        assert [arrival.id for arrival in receiver.wait(12)] == messages, "one at a time is in order"


@pytest.mark.parametrize(
    "choice, families", [("standard", {"webhook"}), ("svix", {"svix"}), ("both", {"webhook", "svix"}), (None, {"webhook"})]
)
def test_signature_headers_by_choice(api, app, receiver, choice, families):
    secret = api.secret(app, api.endpoint(app, receiver.url(), signatureHeaders=choice))
    message = api.send(app, payload={"n": 1})
    arrival = receiver.wait()[0]
    seen = {name.lower().split("-")[0] for name, _ in arrival.headers} & {"webhook", "svix"}
    assert seen == families
    for family in families:
        assert arrival.header(f"{family}-id") == message
    if "svix" in families:
        from svix.webhooks import Webhook

        Webhook(secret).verify(arrival.body, {name.lower(): value for name, value in arrival.headers if "svix" in name.lower()})


def test_signature_headers_by_configuration_where_the_endpoint_does_not_say(receiver):
    with Server(DELIVERY__SIGNATURE_HEADERS="both") as server:
        app = server.api.application()
        server.api.endpoint(app, receiver.url("/silent"))
        server.api.endpoint(app, receiver.url("/svix"), signatureHeaders="svix")
        message = server.api.send(app)
        arrivals = {arrival.path: arrival for arrival in receiver.wait(2)}
    assert arrivals["/silent"].header("webhook-id") == arrivals["/silent"].header("svix-id") == message
    assert (arrivals["/svix"].header("webhook-id"), arrivals["/svix"].header("svix-id")) == (None, message)


def test_text_and_bytes_are_payloads_too(api, app, receiver):
    secret = api.secret(app, api.endpoint(app, receiver.url()))
    octets = bytes(range(256))
    bodies = [
        ({"payloadText": "grüße <b>"}, "grüße <b>".encode(), "text/plain; charset=utf-8"),
        ({"payloadText": "<a/>", "contentType": "application/xml"}, b"<a/>", "application/xml"),
        ({"payloadBase64": base64.b64encode(octets).decode()}, octets, "application/octet-stream"),
        ({"payload": {"specversion": "1.0"}, "contentType": "application/cloudevents+json"},
         b'{"specversion": "1.0"}', "application/cloudevents+json"),
    ]  # fmt: skip
    for number, (fields, expected, content_type) in enumerate(bodies, 1):
        answer = api.post(f"/app/{app}/msg", {"eventType": "other.kinds", **fields})
        assert answer.status_code == 202, answer.text
        arrival = receiver.wait(number)[-1]
        assert (arrival.body, arrival.header("content-type").lower()) == (expected, content_type)
        assert arrival.id == answer.json()["id"]
        if number != 3:
            arrival.verify(secret) if "json" in content_type else None
    for bad in ({"payload": {}, "payloadText": "x"}, {"payloadBase64": "%%%"}, {"payload": {}, "contentType": "no\r\ntype"}):
        assert api.post(f"/app/{app}/msg", {"eventType": "other.kinds", **bad}).status_code == 422, bad


def test_an_attempt_tells_an_operator_where_the_time_went(api, app, receiver):
    receiver.answer = Reply(200, b"fine", headers={"x-served-by": "me"}, delay=0.2)
    api.endpoint(app, receiver.url())
    message = api.send(app)
    attempt = eventually(lambda: api.attempts(app, message))[0]
    assert attempt["responseHeaders"]["x-served-by"] in ("me", ["me"])
    assert attempt["address"].startswith("127.0.0.1")
    timings = attempt["timings"]
    assert 200 <= timings["firstByte"] <= timings["total"], timings
    assert 0 <= timings["connect"] <= timings["total"] and "tls" not in timings, timings
    assert attempt["responseDurationMs"] >= 200


def test_the_reason_for_disabling_is_shown(api, app, receiver):
    receiver.answer = Reply(410)
    endpoint = api.endpoint(app, receiver.url())
    api.send(app)
    out = eventually(lambda: found if (found := api.endpoint_out(app, endpoint))["disabled"] else None)
    assert out["disabledReason"] and out["disabledAt"]
    again = api.patch(f"/app/{app}/endpoint/{endpoint}", {"disabled": False}).json()
    assert not again.get("disabledReason") and not again["disabled"]


def test_an_applications_rate_is_kept_over_its_endpoints(api, receiver):
    app = api.application(throttleRate=10)
    for n in range(3):
        api.endpoint(app, receiver.url(f"/{n}"))
    sent = [api.send(app, payload={"n": n}) for n in range(15)]
    receiver.wait(45)
    attempts = [eventually(lambda: len(found := api.attempts(app, message)) == 3 and found) for message in sent]
    moments = sorted(datetime.fromisoformat(one["timestamp"].replace("Z", "+00:00")).timestamp() for three in attempts for one in three)
    # No more than asked for, and what a burst may be. That it is no less is measured with a backlog, in test_rates.py.
    assert moments[-1] - moments[0] >= (45 - 1) / 10 * 0.85, moments
    never(lambda: receiver.count > 45, during=0.5)
