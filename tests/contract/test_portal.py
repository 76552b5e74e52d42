"""Application-scoped tokens: what the customers' portal may do, and what it must not."""

import httpx
import pytest
from svix.api import AppPortalAccessIn, ApplicationIn, EndpointIn, EventTypeIn, MessageIn
from svix.models import ApplicationTokenExpireIn, AppPortalCapability

from harness.sdk import refused
from harness.server import Server
from harness.waiting import eventually

pytestmark = pytest.mark.every_store


@pytest.fixture
def portal(svix, sdk_as, app):
    """The SDK with the token that the portal of `app` gets."""
    return sdk_as(svix.authentication.app_portal_access(app, AppPortalAccessIn()).token)


def test_access_is_a_url_and_a_token(svix, server, app):
    access = svix.authentication.app_portal_access(app, AppPortalAccessIn(feature_flags=["beta"]))
    assert access.url.startswith(server.url), "every address handed out begins with the public one"
    assert access.token and access.token.rsplit(".", 1)[-1] not in ("us", "eu", "in", "ca", "au")


def test_access_can_make_the_application(svix):
    svix.authentication.app_portal_access(
        "portal-made", AppPortalAccessIn(application=ApplicationIn(name="p", uid="portal-made"))
    )
    assert svix.application.get("portal-made").name == "p"


def test_a_portal_manages_its_endpoints_and_reads_its_messages(svix, portal, api, app, receiver):
    made = portal.endpoint.create(app, EndpointIn(url=receiver.url()))
    assert portal.endpoint.get_secret(app, made.id).key
    sent = svix.message.create(app, MessageIn(event_type="p.t", payload={"n": 1}))
    eventually(lambda: api.destinations(app, sent.id)[made.id]["status"] == 0)
    assert portal.message.get(app, sent.id).id == sent.id
    assert portal.message_attempt.list_by_endpoint(app, made.id).data
    portal.message_attempt.resend(app, sent.id, made.id)
    receiver.wait(2)
    portal.endpoint.delete(app, made.id)
    assert portal.event_type.list().data is not None


def test_a_portal_does_nothing_else(portal, app):
    for call in (
        lambda: portal.application.create(ApplicationIn(name="x")),
        lambda: portal.application.list(),
        lambda: portal.application.delete(app),
        lambda: portal.message.create(app, MessageIn(event_type="p.t", payload={})),
        lambda: portal.event_type.create(EventTypeIn(name="x.y", description="x")),
        lambda: portal.authentication.app_portal_access(app, AppPortalAccessIn()),
    ):
        with refused(403):
            call()


def test_another_application_does_not_exist_for_it(portal, api):
    foreign = api.application()
    for call in (
        lambda: portal.application.get(foreign),
        lambda: portal.endpoint.list(foreign),
        lambda: portal.endpoint.create(foreign, EndpointIn(url="http://127.0.0.1:9/")),
        lambda: portal.message.list(foreign),
    ):
        with refused(404, "not_found"):
            call()


def test_logout_ends_the_token(svix, portal, app):
    assert portal.endpoint.list(app).data == []
    assert portal.authentication.logout() is None
    with refused(401):
        portal.endpoint.list(app)


def test_a_portal_is_limited_as_the_sdk_asked(svix, sdk_as, api, app):
    made = svix.endpoint.create(app, EndpointIn(url="http://127.0.0.1:9/")).id
    reading = sdk_as(svix.authentication.app_portal_access(app, AppPortalAccessIn(read_only=True)).token)
    assert reading.endpoint.get(app, made).id == made
    with refused(403):
        reading.endpoint.get_secret(app, made)
    with refused(403):
        reading.endpoint.delete(app, made)
    asked = AppPortalAccessIn(capabilities=[AppPortalCapability.VIEW_BASE, AppPortalCapability.VIEW_ENDPOINT_SECRET])
    viewing = sdk_as(svix.authentication.app_portal_access(app, asked).token)
    assert viewing.endpoint.get_secret(app, made).key
    with refused(403):
        viewing.endpoint.delete(app, made)


def test_expire_all_ends_the_tokens_of_a_session(svix, sdk_as, app):
    one, two = (
        sdk_as(svix.authentication.app_portal_access(app, AppPortalAccessIn(session_id=name)).token) for name in ("s-1", "s-2")
    )
    assert one.endpoint.list(app).data == two.endpoint.list(app).data == []
    svix.authentication.expire_all(app, ApplicationTokenExpireIn(session_ids=["s-1"]))
    with refused(401):
        one.endpoint.list(app)
    assert two.endpoint.list(app).data == []


def test_flags_show_event_types(svix, sdk_as, app):
    svix.event_type.create(EventTypeIn(name="flagged.type", description="f", feature_flags=["portal-beta"]))
    with_flag, without = (
        sdk_as(svix.authentication.app_portal_access(app, AppPortalAccessIn(feature_flags=flags)).token)
        for flags in (["portal-beta"], [])
    )
    assert with_flag.event_type.get("flagged.type").name == "flagged.type"
    with refused(404):
        without.event_type.get("flagged.type")


def test_a_portal_does_not_see_addresses(svix, portal, api, app, receiver):
    receiver.close()
    made = svix.endpoint.create(app, EndpointIn(url=receiver.url().replace("127.0.0.1", "localhost"))).id
    sent = svix.message.create(app, MessageIn(event_type="p.t", payload={})).id
    eventually(lambda: svix.message_attempt.list_by_msg(app, sent).data)
    token = svix.authentication.app_portal_access(app, AppPortalAccessIn()).token
    answer = api.with_token(token).get(f"/app/{app}/attempt/endpoint/{made}")
    assert answer.status_code == 200 and answer.json()["data"]
    assert "127.0.0.1" not in answer.text


def test_a_portal_reads_an_answer_without_its_headers(svix, portal, api, app, receiver):
    made = api.endpoint(app, receiver.url())
    sent = api.send(app)
    assert eventually(lambda: api.attempts(app, sent))[0]["responseHeaders"]
    token = svix.authentication.app_portal_access(app, AppPortalAccessIn()).token
    answer = api.with_token(token).get(f"/app/{app}/attempt/endpoint/{made}").json()["data"][0]
    assert answer["responseStatusCode"] == 200 and "responseHeaders" not in answer


def test_a_token_that_is_no_token(server, app):
    for headers in ({}, {"authorization": "Bearer nonsense"}, {"authorization": "Basic YTpi"}, {"authorization": "Bearer"}):
        answer = httpx.get(f"{server.url}/api/v1/app", headers=headers)
        assert answer.status_code == 401, headers
        assert answer.json()["code"] and answer.json()["detail"]


def test_pages_of_configured_origins_may_use_it():
    with Server(API__CORS_ORIGINS="https://portal.example.com") as server:
        def preflight(origin):
            headers = {"origin": origin, "access-control-request-method": "GET", "access-control-request-headers": "authorization"}
            return httpx.options(f"{server.url}/api/v1/app/x/endpoint", headers=headers).headers

        allowed = preflight("https://portal.example.com")
        assert allowed.get("access-control-allow-origin") == "https://portal.example.com"
        assert "authorization" in allowed.get("access-control-allow-headers", "").lower()
        assert "access-control-allow-origin" not in preflight("https://evil.example.com")
