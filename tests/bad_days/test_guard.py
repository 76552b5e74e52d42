"""Addresses that no endpoint may reach, end to end, inside a network where every address leads to a trap of ours.

`tests/own_network` makes the kernel deliver any IPv4 and IPv6 destination to this machine. A connection that
the guard lets through therefore reaches the trap, which notes the address that was dialled, and nobody else.
"""

import subprocess

import pytest

from harness.dns import Cut, NameServer
from harness.proxy import Proxy
from harness.receiver import Receiver, Reply
from harness.server import Server
from harness.waiting import eventually

pytestmark = pytest.mark.netns

# First and last of each range that must never be dialled.
FORBIDDEN_V4 = [
    "0.0.0.0", "0.255.255.255", "10.0.0.0", "10.255.255.255", "100.64.0.0", "100.100.100.200", "100.127.255.255",
    "127.0.0.1", "127.255.255.255", "168.63.129.16", "169.254.0.0", "169.254.169.254", "169.254.255.255",
    "172.16.0.0", "172.31.255.255", "192.0.0.0", "192.0.0.192", "192.0.0.255", "192.0.2.0", "192.0.2.255",
    "192.31.196.1", "192.52.193.1", "192.88.99.0", "192.88.99.255", "192.168.0.0", "192.168.255.255", "192.175.48.1",
    "198.18.0.0", "198.19.255.255", "198.51.100.0", "198.51.100.255", "203.0.113.0", "203.0.113.255", "224.0.0.0",
    "239.255.255.255", "240.0.0.0", "255.255.255.254", "255.255.255.255",
]  # fmt: skip
FORBIDDEN_V6 = [
    "::", "::1", "::127.0.0.1", "::1.1.1.1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:169.254.169.254",
    "::ffff:1.1.1.1", "::ffff:0:127.0.0.1", "::5efe:127.0.0.1", "2a00:1450::5efe:127.0.0.1", "64:ff9b::7f00:1",
    "64:ff9b::a9fe:a9fe", "64:ff9b::101:101", "64:ff9b:1::1", "64:ff9b:2::1", "100::1", "100:0:0:1::1", "2001::1",
    "2001:0:7f00:1::", "2001:2::1", "2001:10::1", "2001:20::1", "2001:30::1", "2001:db8::1", "3fff::1", "2002:7f00:1::1",
    "2002:a00:1::", "2002:101:101::1", "2620:4f:8000::1", "5f00::1", "fc00::1", "fd00:ec2::254", "fe80::1", "fec0::1",
    "ff02::1", "4000::1",
]  # fmt: skip
# Neighbours just outside; a guard that refuses everything would pass the rest of this file.
PUBLIC_V4 = ["1.1.1.1", "9.255.255.255", "11.0.0.0", "100.63.255.255", "100.128.0.0", "126.255.255.255", "128.0.0.0",
             "169.253.255.255", "172.15.255.255", "172.32.0.0", "192.167.255.255", "198.17.255.255", "198.20.0.0",
             "223.255.255.255"]  # fmt: skip
PUBLIC_V6 = ["2606:4700::1111", "2a00:1450::1"]
# A public address that the machine has on an interface of its own.
OWN = "11.22.33.44"
# One that it gets while the server runs.
LATER = "11.22.33.55"


@pytest.fixture(scope="module")
def trap():
    with Receiver(host="0.0.0.0") as listening:
        yield listening


@pytest.fixture(scope="module")
def trap6(trap):
    with Receiver(host="::", port=trap.port) as listening:
        yield listening


@pytest.fixture(scope="module")
def names():
    """A name for every address: v4-N.test and v6-N.test, and some that play tricks."""
    known = {f"v4-{n}.test": [ip] for n, ip in enumerate(FORBIDDEN_V4)}
    known |= {f"v6-{n}.test": [ip] for n, ip in enumerate(FORBIDDEN_V6)}
    known |= {f"public-{n}.test": [ip] for n, ip in enumerate(PUBLIC_V4 + PUBLIC_V6)}
    known["mixed.test"] = ["1.1.1.1", "10.0.0.1"]
    known["mixed6.test"] = ["1.1.1.1", "::1"]
    known["rebind.test"] = lambda times: ["1.1.1.1"] if times == 0 else ["127.0.0.1"]
    known["flip.test"] = lambda times: ["1.1.1.1"] if times % 2 == 0 else ["10.0.0.1"]
    known["kept.test"] = lambda times: ["1.1.1.1"] if times == 0 else ["10.0.0.1"]
    known["mixed-first.test"] = ["10.0.0.1", "1.1.1.1"]
    known["mixed-families.test"] = ["10.0.0.1", "2606:4700::1111"]
    # The one is among more than are ever tried.
    known["mixed-many.test"] = [*PUBLIC_V4, "192.168.0.1"]
    known["mixed-alias.test"] = "mixed-many.test"
    known["alias.test"] = inside = f"v4-{FORBIDDEN_V4.index('10.0.0.0')}.test"
    known["alias6.test"] = f"v6-{FORBIDDEN_V6.index('::1')}.test"
    known["chain.test"], known["chain-2.test"], known["chain-3.test"] = "chain-2.test", "chain-3.test", inside
    known["cut.test"], known["cut-2.test"] = Cut("cut-2.test"), Cut(inside)
    known["loop.test"], known["loop-2.test"] = "loop-2.test", "loop.test"
    known["cut-loop.test"], known["cut-loop-2.test"] = Cut("cut-loop-2.test"), Cut("cut-loop.test")
    known["fair-alias.test"] = "public-0.test"
    known["fair-chain.test"], known["fair-chain-2.test"] = "fair-chain-2.test", "fair-alias.test"
    known["fair-cut.test"], known["fair-cut-2.test"] = Cut("fair-cut-2.test"), Cut("public-0.test")
    known["turning.test"] = lambda times: "public-0.test" if times == 0 else inside
    known["turning-cut.test"] = lambda times: Cut("public-0.test") if times == 0 else Cut(inside)
    known["own.test"] = [OWN]
    with NameServer(known) as server:
        yield server


@pytest.fixture(scope="module")
def guarded(names, trap, trap6):
    """A server that may reach no private network, with the name server above."""
    with Server(
        allow="", NET__RESOLVER=names.address, DELIVERY__RETRY_SCHEDULE="100ms", DELIVERY__TIMEOUT="2s"
    ) as server:
        yield server


def attempted(api, app, url):
    """Sends one message to an endpoint of its own; returns its attempts when all of them are over."""
    endpoint = api.endpoint(app, url)
    message = api.send(app)
    eventually(lambda: api.destinations(app, message)[endpoint]["status"] in (0, 2), what=f"an end for {url}")
    attempts = [one for one in api.attempts(app, message) if one["endpointId"] == endpoint]
    api.delete(f"/app/{app}/endpoint/{endpoint}")
    return attempts


def host(ip):
    return f"[{ip}]" if ":" in ip else ip


@pytest.mark.parametrize("ip", FORBIDDEN_V4 + FORBIDDEN_V6)
def test_a_forbidden_literal_is_refused_at_creation(guarded, trap, ip):
    app = guarded.api.application()
    answer = guarded.api.post(f"/app/{app}/endpoint", {"url": f"http://{host(ip)}:{trap.port}/"})
    assert answer.status_code == 422, answer.text
    assert any("url" in item["loc"] for item in answer.json()["detail"])


@pytest.mark.parametrize(
    "spelling",
    ["2130706433", "0x7f000001", "0x7F.1", "0177.0.0.1", "017700000001", "127.1", "127.0.1", "127.0.0.0x1", "127.0.0.1.",
     "１２７.０.０.１", "①②⑦.⓪.⓪.①", "127。0。0。1", "%31%32%37.0.0.1", "0", "00.0.0.0", "0x", "[::ffff:7f00:1]",
     "[0:0:0:0:0:ffff:127.0.0.1]", "[::ffff:0x7f.1]", "[fe80::1%25lo]", "[fe80::1%lo]", "256.0.0.1", "1.2.3.4.5",
     "4294967296", "08.0.0.1", "user@127.0.0.1", "1.1.1.1@127.0.0.1", "1.1.1.1:80@127.0.0.1", "127.0.0.1\\@1.1.1.1",
     "127.0.0.1#@1.1.1.1", "127.0.0.1%00.example.com", "127.0.0.1%0a.example.com", "exa\tmple.com", " 1.1.1.1"],
)  # fmt: skip
def test_other_spellings_of_loopback_are_refused_at_creation(guarded, trap, spelling):
    app = guarded.api.application()
    answer = guarded.api.post(f"/app/{app}/endpoint", {"url": f"http://{spelling}:{trap.port}/"})
    assert answer.status_code == 422, answer.text


def test_patch_and_put_refuse_them_too(guarded, trap):
    api = guarded.api
    app = api.application()
    endpoint = api.endpoint(app, f"http://1.1.1.1:{trap.port}/")
    bad = {"url": f"http://169.254.169.254:{trap.port}/latest/meta-data"}
    assert api.patch(f"/app/{app}/endpoint/{endpoint}", bad).status_code == 422
    assert api.put(f"/app/{app}/endpoint/{endpoint}", bad).status_code == 422
    assert api.put(f"/app/{app}/endpoint/brand-new", bad).status_code == 422


@pytest.mark.parametrize("names_of", ["v4", "v6"])
def test_a_name_that_leads_to_a_forbidden_address_is_never_dialled(guarded, trap, trap6, names, names_of):
    api = guarded.api
    app = api.application()
    table = FORBIDDEN_V4 if names_of == "v4" else FORBIDDEN_V6
    before = trap.connections + trap6.connections
    for n, ip in enumerate(table):
        attempts = attempted(api, app, f"http://{names_of}-{n}.test:{trap.port}/")
        assert attempts and {one["responseStatusCode"] for one in attempts} == {0}, ip
        assert attempts[0]["response"], "its own word"
    assert sum(names.asked.values()) > len(table), "the name server was asked, so this tested the guard"
    reached = trap.reached[before:] + trap6.reached
    assert trap.connections + trap6.connections == before, f"dialled: {reached}"


@pytest.mark.parametrize("name", ["alias.test", "alias6.test", "chain.test", "cut.test"])
def test_an_alias_is_judged_by_where_it_leads(guarded, trap, trap6, name):
    app = guarded.api.application()
    before = trap.connections + trap6.connections
    attempts = attempted(guarded.api, app, f"http://{name}:{trap.port}/")
    assert {one["responseStatusCode"] for one in attempts} == {0}
    assert all(word in attempts[0]["detail"] for word in ("blocked", "::1" if name == "alias6.test" else "10.0.0.0")), attempts
    assert trap.connections + trap6.connections == before


@pytest.mark.parametrize("name", ["fair-alias.test", "fair-chain.test", "fair-cut.test"])
def test_an_alias_that_leads_out_is_followed(guarded, trap, trap6, name):
    app = guarded.api.application()
    assert attempted(guarded.api, app, f"http://{name}:{trap.port}/")[-1]["responseStatusCode"] == 200


@pytest.mark.parametrize("name", ["loop.test", "cut-loop.test"])
def test_aliases_that_lead_to_themselves_end_as_a_failed_look_up(guarded, trap, trap6, name):
    app, failed = guarded.api.application(), guarded.failures()
    before = trap.connections + trap6.connections
    attempts = attempted(guarded.api, app, f"http://{name}:{trap.port}/")
    assert {one["responseStatusCode"] for one in attempts} == {0}
    assert (guarded.failures() - failed)["dns"] == len(attempts)
    assert trap.connections + trap6.connections == before


@pytest.mark.parametrize(
    "name",
    ["mixed.test", "mixed6.test", "mixed-first.test", "mixed-families.test", "mixed-many.test", "mixed-alias.test"],
)
def test_one_forbidden_address_among_good_ones_is_enough(guarded, trap, trap6, name):
    app = guarded.api.application()
    before = trap.connections + trap6.connections
    attempts = attempted(guarded.api, app, f"http://{name}:{trap.port}/")
    assert {one["responseStatusCode"] for one in attempts} == {0}
    assert trap.connections + trap6.connections == before


@pytest.mark.parametrize("name", ["rebind.test", "flip.test", "turning.test", "turning-cut.test"])
def test_an_answer_that_changes_is_judged_anew_and_what_was_judged_is_dialled(guarded, trap, trap6, name):
    """The name leads to a public address at first and then inside: nothing but the public one is ever reached."""
    api = guarded.api
    app = api.application()
    seen = len(trap.reached)
    # A connection that is not kept, so that every attempt has to look the name up and connect anew.
    trap.answer = Reply(500, headers={"connection": "close"})
    for _ in range(3):
        attempted(api, app, f"http://{name}:{trap.port}/")
    trap.answer = Reply(200)
    assert set(trap.reached[seen:]) == {"1.1.1.1"}, "the public address at least once, and nothing else"


def test_a_kept_connection_outlives_a_change_of_its_name_and_the_next_one_is_judged(guarded, trap, trap6, names):
    """While the connection lives the address that was judged is reached; once it is gone the new answer counts."""
    api = guarded.api
    app = api.application()
    api.endpoint(app, f"http://kept.test:{trap.port}/")
    seen, asked = len(trap.reached), names.asked["kept.test", "A"]
    for _ in range(3):
        message = api.send(app)
        attempt = eventually(lambda: api.attempts(app, message))[0]
        assert attempt["responseStatusCode"] == 200
    assert trap.reached[seen:] == ["1.1.1.1"], "one connection for all three"
    trap.close()
    trap.listen()
    message = api.send(app)
    attempt = eventually(lambda: api.attempts(app, message))[0]
    assert (attempt["responseStatusCode"], attempt["status"]) == (0, 2)
    assert "10.0.0.1" in attempt["detail"], "operators read why"
    assert names.asked["kept.test", "A"] - asked >= 2
    assert trap.reached[seen:] == ["1.1.1.1"]


def test_public_addresses_are_reached(guarded, trap, trap6):
    api = guarded.api
    app = api.application()
    seen, seen6 = len(trap.reached), len(trap6.reached)
    for n, ip in enumerate(PUBLIC_V4 + PUBLIC_V6):
        attempts = attempted(api, app, f"http://public-{n}.test:{trap.port}/")
        assert attempts[-1]["responseStatusCode"] == 200, (ip, attempts)
        literal = attempted(api, app, f"http://{host(ip)}:{trap.port}/")
        assert literal[-1]["responseStatusCode"] == 200, (ip, literal)
    assert set(trap.reached[seen:]) == set(PUBLIC_V4)
    assert set(trap6.reached[seen6:]) == set(PUBLIC_V6)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_inwards_is_not_followed(guarded, trap, status):
    api = guarded.api
    app = api.application()
    seen = len(trap.reached)
    trap.answer = Reply(status, headers={"location": f"http://127.0.0.1:{trap.port}/inside"})
    attempts = attempted(api, app, f"http://1.1.1.1:{trap.port}/")
    trap.answer = Reply(200)
    assert {one["responseStatusCode"] for one in attempts} == {status}
    # Nothing new at all where a kept connection was used.
    assert set(trap.reached[seen:]) <= {"1.1.1.1"}
    assert not trap.at("/inside")


def test_this_machine_is_not_reached_by_its_public_address(names, trap):
    subprocess.run(["ip", "addr", "add", f"{OWN}/32", "dev", "lo"], check=True)
    try:
        with Server(allow="", NET__RESOLVER=names.address, DELIVERY__RETRY_SCHEDULE="100ms") as server:
            app = server.api.application()
            before = trap.connections
            answer = server.api.post(f"/app/{app}/endpoint", {"url": f"http://{OWN}:{trap.port}/"})
            assert answer.status_code == 422, answer.text
            attempts = attempted(server.api, app, f"http://own.test:{trap.port}/")
            assert {one["responseStatusCode"] for one in attempts} == {0}
            assert "this machine" in attempts[0]["detail"]
            assert trap.connections == before
        with Server(allow=OWN, NET__RESOLVER=names.address) as server:
            app = server.api.application()
            attempts = attempted(server.api, app, f"http://own.test:{trap.port}/")
            assert attempts[-1]["responseStatusCode"] == 200
    finally:
        subprocess.run(["ip", "addr", "del", f"{OWN}/32", "dev", "lo"], check=True)


def test_an_address_that_the_machine_gets_later_is_its_own_too(guarded, trap):
    api = guarded.api
    app, asking = api.application(), api.application()
    url = f"http://{LATER}:{trap.port}/"
    endpoint = api.endpoint(app, url)
    subprocess.run(["ip", "addr", "add", f"{LATER}/32", "dev", "lo"], check=True)
    try:

        def refused():
            return api.post(f"/app/{asking}/endpoint", {"url": url}).status_code == 422

        eventually(refused, within=120, every=0.5, what="a refusal of the new address")
        before = trap.connections
        message = api.send(app)
        eventually(lambda: api.destinations(app, message)[endpoint]["status"] == 2, within=60, what="a failure")
        assert {one["responseStatusCode"] for one in api.attempts(app, message)} == {0}
        assert trap.connections == before, "endpoints from before do not reach it, either"
    finally:
        subprocess.run(["ip", "addr", "del", f"{LATER}/32", "dev", "lo"], check=True)


def test_behind_nat64_what_is_inside_the_address_is_judged(names, trap6):
    """A network that reaches IPv4 through NAT64 only allows the prefix; private addresses behind it stay closed."""
    with Server(allow="64:ff9b::/96", NET__RESOLVER=names.address, DELIVERY__RETRY_SCHEDULE="100ms") as server:
        app = server.api.application()
        seen = len(trap6.reached)
        attempts = attempted(server.api, app, f"http://[64:ff9b::101:101]:{trap6.port}/")
        assert attempts[-1]["responseStatusCode"] == 200
        for inside in ("7f00:1", "a9fe:a9fe", "a00:1"):
            url = f"http://[64:ff9b::{inside}]:{trap6.port}/"
            assert server.api.post(f"/app/{app}/endpoint", {"url": url}).status_code == 422
        name = f"v6-{FORBIDDEN_V6.index('64:ff9b::7f00:1')}.test"
        attempts = attempted(server.api, app, f"http://{name}:{trap6.port}/")
        assert {one["responseStatusCode"] for one in attempts} == {0}
        assert set(trap6.reached[seen:]) == {"64:ff9b::101:101"}


@pytest.mark.parametrize("scheme, word", [("http", "CONNECT"), ("socks5", "SOCKS5")])
def test_with_an_egress_proxy_the_proxy_resolves_and_literals_are_judged_here(names, trap, scheme, word):
    """The proxy is handed the name and nothing is looked up here; it lies in a private network and is reached all the same."""
    with Proxy(("127.0.0.1", trap.port)) as proxy:
        settings = {"DELIVERY__EGRESS_PROXY": f"{scheme}://127.0.0.1:{proxy.port}", "NET__RESOLVER": names.address}
        with Server(allow="", DELIVERY__RETRY_SCHEDULE="100ms", **settings) as server:
            app = server.api.application()
            seen, asked = len(trap.reached), sum(names.asked.values())
            inside = f"v4-{FORBIDDEN_V4.index('10.0.0.0')}.test"
            attempts = attempted(server.api, app, f"http://{inside}/")
            assert attempts[-1]["responseStatusCode"] == 200
            assert proxy.asked == [(word, inside, 80)]
            assert sum(names.asked.values()) == asked, "the name was not looked up here"
            for url in ("http://10.0.0.1/", "http://[::1]/", "http://2130706433/", "http://localhost/", "http://db/"):
                assert server.api.post(f"/app/{app}/endpoint", {"url": url}).status_code == 422, url
            assert trap.reached[seen:] == ["127.0.0.1"], "the proxy's own connection and no other"
            assert len(proxy.asked) == 1


def test_names_of_this_machine_are_refused(guarded, trap):
    api = guarded.api
    app = api.application()
    before = trap.connections
    for name in ("localhost", "LOCALHOST", "localhost.", "sub.localhost"):
        answer = api.post(f"/app/{app}/endpoint", {"url": f"http://{name}:{trap.port}/"})
        assert answer.status_code in (201, 422)
        if answer.status_code == 201:
            message = api.send(app)
            endpoint = answer.json()["id"]
            eventually(lambda: api.destinations(app, message)[endpoint]["status"] == 2)
            api.delete(f"/app/{app}/endpoint/{endpoint}")
    assert trap.connections == before


def test_a_name_that_does_not_exist_fails_with_its_own_word(guarded, trap):
    app = guarded.api.application()
    attempts = attempted(guarded.api, app, f"http://nowhere.test:{trap.port}/")
    assert {one["responseStatusCode"] for one in attempts} == {0}
    assert attempts[0]["response"]


def test_a_portal_cannot_tell_refused_from_unreachable(guarded, trap):
    """Tokens of one application read the same word for a guarded address as for one that does not answer."""
    api = guarded.api
    app = api.application()
    endpoint = api.endpoint(app, f"http://v4-{FORBIDDEN_V4.index('10.0.0.0')}.test:{trap.port}/")
    message = api.send(app)
    eventually(lambda: api.destinations(app, message)[endpoint]["status"] == 2)
    token = api.post(f"/auth/app-portal-access/{app}", {}).json()["token"]
    text = api.with_token(token).get(f"/app/{app}/attempt/msg/{message}").text
    assert "10.0.0.0" not in text
    assert "refused" in text.lower()


def test_what_the_operator_allows_is_reached_and_nothing_else(names, trap):
    with Server(allow="10.0.0.0/8, fd00::/8", NET__RESOLVER=names.address, DELIVERY__RETRY_SCHEDULE="100ms") as server:
        app = server.api.application()
        assert attempted(server.api, app, f"http://10.1.2.3:{trap.port}/")[-1]["responseStatusCode"] == 200
        for ip in ("127.0.0.1", "192.168.0.1", "169.254.169.254"):
            assert server.api.post(f"/app/{app}/endpoint", {"url": f"http://{ip}:{trap.port}/"}).status_code == 422


def test_proxies_of_the_environment_are_ignored(names, trap):
    server = Server(allow="", NET__RESOLVER=names.address)
    for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY", "https_proxy"):
        server.settings[name] = f"http://127.0.0.1:{trap.port}"
    with server:
        app = server.api.application()
        seen = len(trap.reached)
        attempted(server.api, app, f"http://public-0.test:{trap.port}/")
        assert set(trap.reached[seen:]) == {PUBLIC_V4[0]}
