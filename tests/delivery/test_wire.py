"""What goes over the wire: exact bytes, signatures that every library accepts, the endpoint's own headers."""

import time

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from harness.other_sdks import verdicts
from harness.waiting import eventually

PAYLOADS = {
    "object": b'{"a":1}',
    "whitespace": b'{ "a" :\t1 ,\r\n "b":[ 1,2 , 3 ] }',
    "key order and repeated keys": b'{"z":1,"a":2,"z":3}',
    "big numbers": b'{"n":123456789012345678901234567890.12345678901234567890e+30,"m":-0.0,"e":1E400}',
    "number forms": b"[1.0,1.00,1e2,1E+2,0.1e-7]",
    "escapes": rb'{"a":"\u00e9\/\ud83d\ude00","\u0061":"\u0000"}',
    "unicode": '{"ключ":"значение 😀 \u2028"}'.encode(),
    "array": b"[1,2,3]",
    "string": b'"just text"',
    "number": b"42",
    "true": b"true",
    "null": b"null",
    "empty object": b"{}",
    "empty string": b'""',
}


@pytest.mark.parametrize("name", PAYLOADS)
def test_the_bytes_arrive_as_they_were_sent(api, app, receiver, name):
    secret = api.secret(app, api.endpoint(app, receiver.url()))
    sent = api.send_bytes(app, PAYLOADS[name])
    arrival = receiver.wait()[0]
    assert arrival.body == PAYLOADS[name]
    assert arrival.id == sent
    arrival.verify(secret)


def test_a_mebibyte_arrives_whole(api, app, receiver):
    secret = api.secret(app, api.endpoint(app, receiver.url()))
    payload = b'"' + bytes(32 + n % 2 for n in range(1024 * 1024 - 2)).replace(b'"', b"x") + b'"'
    api.send_bytes(app, payload)
    arrival = receiver.wait()[0]
    assert arrival.body == payload
    arrival.verify(secret)


def test_the_libraries_of_every_registry_accept_it(api, app, receiver):
    secret = api.secret(app, api.endpoint(app, receiver.url()))
    api.send_bytes(app, '{"text":"grüße"}'.encode())
    arrival = receiver.wait()[0]
    arrival.verify(secret)
    assert verdicts(secret, arrival) == ["ok", "ok", "ok"]
    wrong = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"
    assert "ok" not in verdicts(wrong, arrival)
    with pytest.raises(WebhookVerificationError):
        Webhook(wrong).verify(arrival.body, {name: value for name, value in arrival.headers})


def test_the_request_is_what_a_receiver_expects(api, app, receiver):
    api.endpoint(app, receiver.url("/hook?tenant=7&x=%2F"))
    api.send(app, payload={"n": 1})
    arrival = receiver.wait()[0]
    assert (arrival.method, arrival.target) == ("POST", "/hook?tenant=7&x=%2F")
    assert arrival.header("content-type") == "application/json"
    assert arrival.header("content-length") == str(len(arrival.body))
    assert arrival.header("host") == f"127.0.0.1:{receiver.port}"
    assert "ringbolt" in arrival.header("user-agent").lower()
    assert abs(int(arrival.header("webhook-timestamp")) - time.time()) < 60
    assert arrival.header("webhook-signature").startswith("v1,")
    assert not arrival.header("accept-encoding") or arrival.header("accept-encoding") == "identity"


def test_the_endpoints_own_headers_go_with_it(api, app, receiver):
    endpoint = api.endpoint(app, receiver.url(), headers={"X-Team": "blue", "Authorization": "Bearer s3cret"})
    api.send(app)
    first = receiver.wait()[0]
    assert (first.header("x-team"), first.header("authorization")) == ("blue", "Bearer s3cret")
    answer = api.patch(f"/app/{app}/endpoint/{endpoint}/headers", {"headers": {"X-Team": None, "X-New": "1"}})
    assert answer.status_code == 204
    api.send(app)
    second = receiver.wait(2)[1]
    assert (second.header("x-team"), second.header("x-new")) == (None, "1")
    assert second.header("authorization") == "Bearer s3cret"


def test_rotation_signs_with_both_keys_until_the_grace_period_ends(api, app, receiver):
    endpoint = api.endpoint(app, receiver.url())
    old = api.secret(app, endpoint)
    answer = api.post(f"/app/{app}/endpoint/{endpoint}/secret/rotate", {"gracePeriodSeconds": 3600})
    assert answer.status_code == 200
    new = answer.json()["key"]
    api.send(app)
    during = receiver.wait()[0]
    assert len(during.header("webhook-signature").split(" ")) == 2
    during.verify(old)
    during.verify(new)
    assert verdicts(old, during) == verdicts(new, during) == ["ok", "ok", "ok"]


def test_the_old_key_signs_no_more_when_its_grace_period_has_ended(api, app, receiver):
    endpoint = api.endpoint(app, receiver.url())
    old = api.secret(app, endpoint)
    new = api.post(f"/app/{app}/endpoint/{endpoint}/secret/rotate", {"gracePeriodSeconds": 2}).json()["key"]

    def signed():
        sent = api.send(app)
        arrival = eventually(lambda: next((one for one in list(receiver.arrivals) if one.id == sent), None), what="the message")
        arrival.verify(new)
        return arrival, len(arrival.header("webhook-signature").split(" "))

    # Nothing changes the endpoint meanwhile: what was prepared for it with both keys has to end by itself.
    last = eventually(lambda: found[0] if (found := signed())[1] == 1 else None, every=0.2, what="one signature")
    with pytest.raises(WebhookVerificationError):
        last.verify(old)


def test_a_rotation_that_says_nothing_of_it_leaves_the_old_key_a_day(api, app, receiver):
    endpoint = api.endpoint(app, receiver.url())
    old = api.secret(app, endpoint)
    new = api.post(f"/app/{app}/endpoint/{endpoint}/secret/rotate", {}).json()["key"]
    api.send(app)
    arrival = receiver.wait()[0]
    arrival.verify(old), arrival.verify(new)
    described = api.get("/openapi.json").json()["components"]["schemas"]["EndpointSecretRotateIn"]
    assert described["properties"]["gracePeriodSeconds"]["default"] == 24 * 3600


def test_rotation_without_grace_ends_the_old_key_at_once(api, app, receiver):
    endpoint = api.endpoint(app, receiver.url())
    old = api.secret(app, endpoint)
    answer = api.post(f"/app/{app}/endpoint/{endpoint}/secret/rotate", {"gracePeriodSeconds": 0})
    assert answer.status_code == 200
    api.send(app)
    after = receiver.wait()[0]
    after.verify(answer.json()["key"])
    with pytest.raises(WebhookVerificationError):
        after.verify(old)


def test_an_asymmetric_endpoint_is_signed_v1a(api, app, receiver):
    pair = "whsk_6Xb/dCcHpPea21PS1N9VY/NZW723CEc77N4rJCubMbfVKIDij2HKpMKkioLlX0dRqSKJp4AJ6p9lMicMFs6Kvg=="
    endpoint = api.endpoint(app, receiver.url(), secret=pair)
    assert api.secret(app, endpoint) == "whpk_1SiA4o9hyqTCpIqC5V9HUakiiaeACeqfZTInDBbOir4="
    api.send(app)
    assert receiver.wait()[0].header("webhook-signature").startswith("v1a,")


def test_raw_payloads_of_other_content_types(api, app, receiver):
    """The newest SDKs' `messageInRaw`: a string is sent as it is, under a content type of its own."""
    secret = api.secret(app, api.endpoint(app, receiver.url()))
    body = {
        "eventType": "raw.text",
        "payload": {},
        "transformationsParams": {"rawPayload": "<a>é</a>", "headers": {"content-type": "application/xml"}},
    }
    assert api.post(f"/app/{app}/msg", body).status_code == 202
    arrival = receiver.wait()[0]
    assert (arrival.body, arrival.header("content-type")) == ("<a>é</a>".encode(), "application/xml")
    # standardwebhooks of npm verifies and then insists on JSON; the others verify bytes.
    assert verdicts(secret, arrival)[1:] == ["ok", "ok"]
