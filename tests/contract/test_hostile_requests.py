"""Every operation of the OpenAPI document with what nobody should send: 4xx in the documented form, never a server's fault."""

import json
import os
import re
import threading
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from harness.server import ADMIN_TOKEN, Server
from harness.waiting import PATIENCE

DEEP = 100_000
METHODS = ("get", "post", "put", "patch", "delete")
# Each place gets one in so many of what could stand there, the next place the next ones; at full size each gets all.
SHARE = 1 if os.environ.get("TEST_LONG") else 3
# In place of any value of a body.
VALUES = [
    "null", "true", "-1", "0", "1.5", "70000", "18446744073709551616", "-9223372036854775809", "1e308", '""', '"a b"',
    '"\\u0000"', '"a\\u0000b"', '"\\ud800"', '"\\udfff\\ud800"', '"\\ufffe\\u202e"', '"' + "x" * 5_000 + '"', "[]", "{}", "[null]",
    '[["a"]]', '{"a": null}', '{"": "", "\\u0000": "\\u0000"}', '["' + '","'.join(["a"] * 300) + '"]',
    "[" * 120 + "]" * 120, "[" * 300 + "]" * 300, '{"a":' * 300 + "1" + "}" * 300,
]  # fmt: skip
# In place of a whole body.
BODIES = [
    b"", b"{", b"}", b"null", b"[]", b"1", b'"text"', b"\x00", b"\xff\xfe{}", b'{"name": "\xff"}', b'{"\xc3\x28": 1}', b"{}{}", b"{} x",
    b'{"name": 1e999}', b'{"eventType": "a", "eventType": "b"}', b"[" * DEEP, b'{"a":' * DEEP, b"\xef\xbb\xbf{}", b"{'name': 'x'}", b"NaN",
]  # fmt: skip
QUERIES = ["", "%00", "%ff", "-1", "0", "99999999999999999999999", "1e3", "nothing", "true,false", "a,,b", "%F0%9F%92%A5", "-", "--", "~", "x" * 300]
SEGMENTS = ["%00", "%ff", "%20", "%2e%2e", "..%2f..", "%F0%9F%92%A5", "x" * 300, "app_", "ep_" + "z" * 27, "msg_" + "!" * 27, "-", "{app_id}", "*"]


@pytest.fixture(scope="module")
def world():
    with Server() as server:
        api = server.api
        app = api.application("hostile", uid="hostile")
        names = {
            "app_id": app,
            "endpoint_id": api.endpoint(app, "http://127.0.0.1:9/", disabled=True),
            "msg_id": api.send(app),
            "attempt_id": "atmpt_" + "0" * 27,
            "event_type_name": api.event_type("known.type"),
            "key_id": "key_" + "0" * 27,
        }
        document = httpx.get(f"{server.url}/openapi.json").json()
        yield document, names, client_of(server)
        assert server.running(), "it is still there"


def client_of(server):
    """A function that makes a request. Each thread has its own client: threads that share one may close
    each other's connections, since httpcore's pool looks at an idle connection without its lock."""
    own = threading.local()

    def request(method, path, **options):
        if not hasattr(own, "client"):
            headers = {"authorization": f"Bearer {ADMIN_TOKEN}"}
            own.client = httpx.Client(base_url=server.url, timeout=PATIENCE, trust_env=False, headers=headers)
        return own.client.request(method, path, **options)

    return request


def operations(document):
    for path, item in document["paths"].items():
        for method in METHODS:
            if method in item:
                yield method.upper(), path, item[method]


def filled(path, names):
    return re.sub(r"\{(\w+)\}", lambda m: names[m[1]], path)


def fault_of(answer, operation):
    """What is wrong with an answer; None if it is one of those that the document promises."""
    if str(answer.status_code) not in operation["responses"]:
        return "a status that is not documented"
    if answer.status_code < 400:
        return None
    try:
        body = answer.json()
    except ValueError:
        return "no JSON"
    if not isinstance(body.get("code"), str):
        return "no code"
    detail = body.get("detail")
    if answer.status_code == 422:
        sound = detail and all(isinstance(one["msg"], str) and one["type"] and one["loc"] for one in detail)
    else:
        sound = isinstance(detail, str) and detail
    if not sound:
        return "no detail of the documented form"
    leaks = ("untagged", "variant", "invalid type", "struct ", "EOF while", "line 1 column", "digit found", "nonzero", "utf-8 sequence")
    return next((f"leaks {word!r}" for word in leaks if word in answer.text), None)


def judged(client, cases):
    """What is wrong with the answers; a case is an operation, its path filled in, a label and what else the request has."""

    def one(case):
        (method, _, operation), path, label, request = case
        answer = client(method, path, **request)
        fault = fault_of(answer, operation)
        return fault and (method, path[:120], label[:60], answer.status_code, fault, answer.text[:160])

    with ThreadPoolExecutor(4) as pool:
        return [fault for fault in pool.map(one, cases) if fault]


def share(values, turn):
    return values[turn % SHARE :: SHARE]


def properties(document, operation):
    """Names of the fields of an operation's body, and names of the fields of objects in it as pairs."""
    content = operation.get("requestBody", {}).get("content", {})
    shape = resolve(document, content.get("application/json", {}).get("schema", {}))
    for name, inner in shape.get("properties", {}).items():
        yield (name,)
        for deeper in resolve(document, inner).get("properties", {}):
            yield (name, deeper)


def resolve(document, shape):
    for one in [shape, *shape.get("oneOf", [])]:
        if "$ref" in one:
            return document["components"]["schemas"][one["$ref"].rsplit("/", 1)[1]]
    return shape


def test_bodies_of_wrong_types_and_sizes(world):
    document, names, client = world
    cases = []
    sound = {"name": "n", "url": "http://127.0.0.1:9/", "description": "d", "eventType": "known.type", "payload": {}, "role": "reader",
             "headers": {}, "since": "2020-01-01T00:00:00Z"}  # fmt: skip
    ways = [(operation, way) for operation in operations(document) for way in properties(document, operation[2])]
    for turn, (operation, way) in enumerate(ways):
        for value in share(VALUES, turn):
            fields = {name: json.dumps(one) for name, one in sound.items() if name != way[0]}
            fields[way[0]] = value if len(way) == 1 else f'{{"{way[1]}": {value}}}'
            body = "{" + ",".join(f'"{name}": {text}' for name, text in fields.items()) + "}"
            label = f"{'.'.join(way)} = {value}"
            cases.append((operation, filled(operation[1], names), label, {"content": body.encode()}))
    found = judged(client, cases)
    assert not found, found[:20]
    assert len(cases) > 2_000 / SHARE


def test_bodies_that_are_no_json_object(world):
    document, names, client = world
    cases = [
        (operation, filled(operation[1], names), repr(body[:40]), {"content": body})
        for turn, operation in enumerate(operations(document))
        if operation[0] in ("POST", "PUT", "PATCH")
        for body in share(BODIES, turn)
    ]
    found = judged(client, cases)
    assert not found, found[:20]
    assert cases


def test_queries_that_make_no_sense(world):
    document, names, client = world
    cases, turn = [], 0
    for operation in operations(document):
        method, path, described = operation
        if method == "DELETE":
            continue
        queries = ["%ff=%00&&&=&[]="]
        for parameter in described.get("parameters", []):
            if parameter["in"] == "query":
                turn += 1
                queries += [f"{parameter['name']}={value}" for value in share(QUERIES, turn)]
        more = {"content": b"{}"} if method != "GET" else {}
        cases += [(operation, f"{filled(path, names)}?{query}", query, more) for query in queries]
    found = judged(client, cases)
    assert not found, found[:20]
    assert cases


def test_paths_that_name_nothing(world):
    document, names, client = world
    cases, turn = [], 0
    for operation in operations(document):
        method, path, _ = operation
        more = {"content": b'{"description": "d", "url": "http://127.0.0.1:9/"}'} if method != "GET" else {}
        for parameter in re.findall(r"\{(\w+)\}", path):
            turn += 1
            cases += [(operation, filled(path, names | {parameter: odd}), odd, more) for odd in share(SEGMENTS, turn)]
    found = judged(client, cases)
    assert not found, found[:20]
    assert cases


def test_keys_and_tokens_that_are_none(world):
    document, names, client = world
    keys = (b"", b"k" * 257, b"k" * 20_000, b"\xff\xfe", b"a\tb", b'""')
    cases = [
        (operation, filled(operation[1], names), repr(key[:40]), {"content": b"{}", "headers": [(b"idempotency-key", key)]})
        for operation in operations(document)
        if operation[0] == "POST"
        for key in keys
    ]
    found = judged(client, cases)
    assert not found, found[:20]
    assert cases
