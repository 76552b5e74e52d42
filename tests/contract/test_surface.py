"""What stands beside the API: health, OpenAPI, documentation, metrics, errors of HTTP itself."""

import httpx
import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from harness import postgres
from harness.waiting import eventually

pytestmark = pytest.mark.every_store

PATHS = {
    "/api/v1/app",
    "/api/v1/app/{app_id}",
    "/api/v1/app/{app_id}/attempt/endpoint/{endpoint_id}",
    "/api/v1/app/{app_id}/attempt/msg/{msg_id}",
    "/api/v1/app/{app_id}/endpoint",
    "/api/v1/app/{app_id}/endpoint/{endpoint_id}",
    "/api/v1/app/{app_id}/endpoint/{endpoint_id}/headers",
    "/api/v1/app/{app_id}/endpoint/{endpoint_id}/msg",
    "/api/v1/app/{app_id}/endpoint/{endpoint_id}/recover",
    "/api/v1/app/{app_id}/endpoint/{endpoint_id}/secret",
    "/api/v1/app/{app_id}/endpoint/{endpoint_id}/secret/rotate",
    "/api/v1/app/{app_id}/endpoint/{endpoint_id}/send-example",
    "/api/v1/app/{app_id}/endpoint/{endpoint_id}/stats",
    "/api/v1/app/{app_id}/msg",
    "/api/v1/app/{app_id}/msg/{msg_id}",
    "/api/v1/app/{app_id}/msg/{msg_id}/attempt/{attempt_id}",
    "/api/v1/app/{app_id}/msg/{msg_id}/attempt/{attempt_id}/content",
    "/api/v1/app/{app_id}/msg/{msg_id}/content",
    "/api/v1/app/{app_id}/msg/{msg_id}/endpoint",
    "/api/v1/app/{app_id}/msg/{msg_id}/endpoint/{endpoint_id}/resend",
    "/api/v1/auth/app-portal-access/{app_id}",
    "/api/v1/auth/logout",
    "/api/v1/event-type",
    "/api/v1/event-type/{event_type_name}",
    "/api/v1/health",
}


def _workers(server):
    return httpx.get(f"{server.url}/api/v1/health").json()["workers"]


def test_health_names_its_parts(server, svix):
    answer = httpx.get(f"{server.url}/api/v1/health")
    assert answer.status_code == 200
    parts = answer.json()
    assert {parts[part]["status"] for part in ("store", "delivery")} == {"ok"}, "each part's state"
    assert parts["lease"] == {"held": True}
    workers = {"driver", "start-up", "upkeep", "key-uses", "revocations", "door", "door-sweep"}
    if not postgres.is_the_store():
        workers |= {"store-write", "store-read", "store-copy"}
    eventually(lambda: workers <= {one["name"] for one in _workers(server) if one["state"]}, what="each worker's state")
    assert httpx.head(f"{server.url}/api/v1/health").status_code in (200, 204)
    assert httpx.get(f"{server.url}/api/v1/health/ping").status_code == 204
    assert svix.health.get() is None


def test_openapi_describes_the_whole_surface(server):
    document = httpx.get(f"{server.url}/openapi.json").json()
    assert tuple(map(int, document["openapi"].split(".")[:2])) >= (3, 1)
    shapes = {_shape(path) for path in document["paths"]}
    missing = [path for path in PATHS if _shape(path) not in shapes]
    assert not missing


def _shape(path):
    """A path with its parameters' names left out."""
    return "/".join("{}" if part.startswith("{") else part for part in path.strip("/").split("/"))


def test_the_documentation_fetches_nothing_from_outside(server):
    page = httpx.get(f"{server.url}/docs", follow_redirects=True)
    assert page.status_code == 200 and "text/html" in page.headers["content-type"]
    for attribute in ('src="http', "src='http", 'href="http', "src=//", 'src="//'):
        assert attribute not in page.text
    assert "<title>Ringbolt API</title>" in page.text


def test_metrics_are_prometheus(server, api, app, receiver):
    api.endpoint(app, receiver.url())
    api.send(app)
    receiver.wait()
    answer = api.get("/metrics")
    assert answer.status_code == 200 and "# TYPE" in answer.text
    for word in ("accepted", "delivered", "failed", "retried", "in_flight", "pending"):
        assert word in answer.text, word
    for histogram in ("attempt_seconds", "accept_seconds", "store_commit_seconds", "store_commit_writes"):
        assert f"# TYPE ringbolt_{histogram} histogram" in answer.text, histogram
        assert f'ringbolt_{histogram}_bucket{{le="+Inf"}}' in answer.text, histogram


def test_metrics_are_read_by_the_parser_of_prometheus(api, app, receiver):
    api.endpoint(app, receiver.url())
    api.send(app)
    receiver.wait()
    answer = api.get("/metrics")
    assert answer.headers["content-type"].startswith("application/openmetrics-text")
    families = list(text_string_to_metric_families(answer.text))
    names = {family.name for family in families}
    assert "ringbolt_attempt_seconds" in names, names
    assert all(family.documentation and family.samples for family in families)


@pytest.mark.parametrize("path", ["/api/v1/nothing", "/api/v1/app/x/y/z", "/nothing"])
def test_an_unknown_path_is_404_in_the_house_form(api, path):
    answer = api.get(path)
    assert answer.status_code == 404
    assert answer.json()["code"] and answer.json()["detail"]


def test_a_wrong_method_is_405(api):
    answer = api.delete("/app")
    assert answer.status_code == 405
    assert answer.json()["code"] and answer.json()["detail"]


def test_every_answer_has_a_request_id(api):
    assert api.get("/app").headers.get("x-request-id")
    assert api.get("/app", headers={"x-request-id": "mine-1"}).headers["x-request-id"] == "mine-1"


def test_one_answer_names_every_parameter_that_is_wrong(api, app):
    wrong = {"limit": "0", "iterator": "nonsense", "order": "sideways", "before": "x", "with_content": "maybe"}
    for path, more in {f"/app/{app}/msg": {}, f"/app/{app}/endpoint/{api.endpoint(app, 'http://127.0.0.1:9/')}/msg": {"status": "9"}}.items():
        answer = api.get(path, **wrong, **more)
        assert answer.status_code == 422, answer.text
        assert {one["loc"][1] for one in answer.json()["detail"]} == wrong.keys() | more.keys()
