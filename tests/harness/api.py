"""Plain HTTP to the server's API, for what an SDK would hide: status codes, bytes, headers."""

import json

import httpx

from .waiting import PATIENCE


class Api:
    """A client with a token. Paths are below /api/v1 unless they begin with one of the root's own."""

    ROOT = ("/api/", "/metrics", "/openapi.json", "/docs")

    def __init__(self, url, token=None):
        self.url = url
        headers = {"authorization": f"Bearer {token}"} if token else {}
        # The pool's keep-alive is shorter than any server's, so that a restart leaves no dead connection in it.
        self.http = httpx.Client(
            base_url=url,
            headers=headers,
            timeout=PATIENCE,
            trust_env=False,
            verify=False,
            limits=httpx.Limits(keepalive_expiry=2),
            transport=httpx.HTTPTransport(retries=2, verify=False),
        )

    def close(self):
        self.http.close()

    def with_token(self, token):
        """The same server seen by somebody else; None is nobody."""
        return Api(self.url, token)

    def request(self, method, path, body=None, *, raw=None, headers=None, **query):
        if not path.startswith(self.ROOT):
            path = f"/api/v1{path}"
        content = raw if raw is not None else (json.dumps(body).encode() if body is not None else None)
        headers = dict(headers or {})
        if content is not None:
            headers.setdefault("content-type", "application/json")
        return self.http.request(method, path, content=content, headers=headers, params=query or None)

    def get(self, path, **options):
        return self.request("GET", path, **options)

    def post(self, path, body=None, **options):
        return self.request("POST", path, body, **options)

    def put(self, path, body=None, **options):
        return self.request("PUT", path, body, **options)

    def patch(self, path, body=None, **options):
        return self.request("PATCH", path, body, **options)

    def delete(self, path, **options):
        return self.request("DELETE", path, **options)

    # The few objects that nearly every test needs.

    def application(self, name="test", **fields):
        """Creates an application; returns its id."""
        return expect(201, self.post("/app", {"name": name, **fields}))["id"]

    def event_type(self, name):
        """Creates an event type unless it is there."""
        answer = self.post("/event-type", {"name": name, "description": name})
        assert answer.status_code in (201, 409), answer.text
        return name

    def endpoint(self, app, url, **fields):
        """Creates an endpoint; returns its id."""
        return expect(201, self.post(f"/app/{app}/endpoint", {"url": url, **fields}))["id"]

    def secret(self, app, endpoint):
        return expect(200, self.get(f"/app/{app}/endpoint/{endpoint}/secret"))["key"]

    def send(self, app, event_type="test.event", payload=None, **fields):
        """Sends a message; returns its id."""
        body = {"eventType": event_type, "payload": {} if payload is None else payload, **fields}
        return expect(202, self.post(f"/app/{app}/msg", body))["id"]

    def send_bytes(self, app, payload, event_type="test.event"):
        """Sends a message whose payload is exactly these bytes of JSON; returns its id."""
        raw = b'{"eventType":"%s","payload":%s}' % (event_type.encode(), payload)
        return expect(202, self.post(f"/app/{app}/msg", raw=raw))["id"]

    def attempts(self, app, message, **query):
        """All attempts of a message, newest first."""
        return expect(200, self.get(f"/app/{app}/attempt/msg/{message}", **query))["data"]

    def destinations(self, app, message):
        """What each endpoint got of a message, by endpoint id."""
        listed = expect(200, self.get(f"/app/{app}/msg/{message}/endpoint"))["data"]
        return {one["id"]: one for one in listed}

    def endpoint_out(self, app, endpoint):
        return expect(200, self.get(f"/app/{app}/endpoint/{endpoint}"))


def expect(status, answer):
    """The JSON of an answer that must have this status."""
    assert answer.status_code == status, f"{answer.request.method} {answer.request.url}: {answer.status_code} {answer.text}"
    return answer.json() if answer.content else None
