"""Bad clients at our own door: broken HTTP, huge heads, slow bodies, floods. The server answers or hangs up, and lives."""

import json
import os
import select
import socket
import threading
import time
from contextlib import suppress
from pathlib import Path

import httpx
import pytest

from harness.receiver import Receiver
from harness.server import ADMIN_TOKEN, Server
from harness.waiting import PATIENCE, eventually

POST = b"POST /api/v1/app HTTP/1.1\r\nhost: x\r\nauthorization: Bearer %s\r\ncontent-type: application/json\r\n" % ADMIN_TOKEN.encode()

BROKEN = {
    "garbage": b"\x00\xff\x13 garbage\r\n\r\n",
    "no version": b"GET /api/v1/app\r\n\r\n",
    "wrong version": b"GET / HTTP/9.9\r\nhost: x\r\n\r\n",
    "TLS hello": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x00" * 300,
    "space in name": b"GET / HTTP/1.1\r\nho st: x\r\n\r\n",
    "bare line feed in name": b"GET / HTTP/1.1\r\nx\ny: x\r\n\r\n",
    "two lengths": POST + b"content-length: 2\r\ncontent-length: 13\r\n\r\n{}",
    "negative length": POST + b"content-length: -1\r\n\r\n{}",
    "length not a number": POST + b"content-length: many\r\n\r\n{}",
    "length and chunks": POST + b"content-length: 4\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
    "bad chunk": POST + b"transfer-encoding: chunked\r\n\r\nZZZ\r\n{}\r\n0\r\n\r\n",
    "endless chunk size": POST + b"transfer-encoding: chunked\r\n\r\n" + b"f" * 100 + b"\r\n",
    "null in target": b"GET /\x00 HTTP/1.1\r\nhost: x\r\n\r\n",
    "huge target": b"GET /" + b"a" * 1_000_000 + b" HTTP/1.1\r\nhost: x\r\n\r\n",
    "huge header": b"GET / HTTP/1.1\r\nhost: x\r\nx: " + b"y" * 1024 * 1024 + b"\r\n\r\n",
    "many headers": b"GET / HTTP/1.1\r\nhost: x\r\n" + b"".join(b"x-%d: y\r\n" % n for n in range(20_000)) + b"\r\n",
}


def exchange(server, data, end=True):
    """Sends bytes, and that they end; returns what came back until the other side ended it."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=PATIENCE) as connection:
        try:
            connection.sendall(data)
            if end:
                connection.shutdown(socket.SHUT_WR)
        except OSError:
            pass  # hung up on us while we were still talking: fine
        answer = b""
        try:
            while chunk := connection.recv(65_536):
                answer += chunk
        except ConnectionResetError:
            pass
        return answer


ANY = b"GET /api/v1/health HTTP/1.1\r\n"
SMUGGLED = b"0\r\n\r\nGET /api/v1/health HTTP/1.1\r\nhost: x\r\n\r\n"
AMBIGUOUS = {
    "no host": ANY + b"\r\n",
    "two hosts": ANY + b"host: x\r\nhost: y\r\n\r\n",
    "length and encoding": POST + b"content-length: 5\r\ntransfer-encoding: chunked\r\n\r\n" + SMUGGLED,
    "encoding and length": POST + b"transfer-encoding: chunked\r\ncontent-length: 5\r\n\r\n" + SMUGGLED,
    "two encodings": POST + b"transfer-encoding: identity, chunked\r\n\r\n" + SMUGGLED,
    "two equal lengths": POST + b"content-length: 2\r\ncontent-length: 2\r\n\r\n{}",
    "bare line feed": ANY + b"host: x\nx: y\r\n\r\n",
    "only line feeds": b"GET /api/v1/health HTTP/1.1\nhost: x\n\n",
    "folded line": ANY + b"host: x\r\nx: y\r\n z\r\n\r\n",
}


@pytest.mark.parametrize("name", AMBIGUOUS)
def test_what_a_proxy_could_read_otherwise_is_refused(server, name):
    answer = exchange(server, AMBIGUOUS[name], end=False)
    head, body = answer.split(b"\r\n\r\n", 1)
    assert head.startswith(b"HTTP/1.1 400 "), answer
    assert b"connection: close" in head.lower(), "and nothing else is read on this connection"
    said = json.loads(body)
    assert said["code"] == "bad_request" and said["detail"], answer


def test_of_an_absolute_target_the_path_counts_whatever_the_host_is(server, app):
    close = b"host: other.example\r\nconnection: close\r\n"
    health = b"GET http://one.example/api/v1/health/ HTTP/1.1\r\n" + close + b"\r\n"
    assert exchange(server, health, end=False).startswith(b"HTTP/1.1 200 ")
    body = b'{"eventType": "a.b", "payload": {}}'
    message = POST.replace(b" /api/v1/app ", b" http://one.example/api/v1/app/%s/msg " % app.encode()).replace(b"host: x\r\n", close)
    message += b"content-length: %d\r\n\r\n%s" % (len(body), body)
    assert exchange(server, message, end=False).startswith(b"HTTP/1.1 202 ")


def test_what_the_door_refuses_itself_is_said_in_json(server):
    for data, status in (
        (b"garbage\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nhost: x\r\n" + b"x: y\r\n" * 101 + b"\r\n", 431),
        (b"GET / HTTP/1.1\r\nhost: x\r\nx: " + b"y" * 100_000, 431),
        (b"GET /unknown HTTP/1.1\r\nhost: x\r\nx: " + b"y" * 100_000 + b"\r\n\r\n", 431),
    ):
        answer = exchange(server, data, end=False)
        assert answer.startswith(b"HTTP/1.1 %d " % status), answer[:200]
        said = json.loads(answer.split(b"\r\n\r\n", 1)[1])
        assert said["code"] and said["detail"]


def test_what_does_not_arrive_in_time_is_a_408():
    with Server(API__HEADER_TIMEOUT="1s", API__BODY_TIMEOUT="1s") as server:
        for data in (
            POST[:40],
            POST + b"content-length: 100\r\n\r\n{",
            POST.replace(b"/app ", b"/app/x/msg ") + b"content-length: 100\r\n\r\n{",
        ):
            with socket.create_connection(("127.0.0.1", server.port), timeout=PATIENCE) as connection:
                connection.sendall(data)
                answer = b""
                while chunk := connection.recv(65_536):
                    answer += chunk
            assert answer.startswith(b"HTTP/1.1 408 "), answer
            said = json.loads(answer.split(b"\r\n\r\n", 1)[1])
            assert said["code"] == "timeout" and said["detail"]


@pytest.mark.alone
def test_answers_that_nobody_reads_hold_little_memory():
    """Pages of 700 kB for 150 connections that ask five times each and read nothing: others are served, memory is bounded."""
    with Server(API__ANSWER_TIMEOUT="20s", API__IDLE_TIMEOUT="20s") as server:
        app = server.api.application()
        for _ in range(4):
            server.api.send(app, payload={"pad": "x" * 700_000})
        page = server.api.get(f"/app/{app}/msg", limit=250, with_content="true")
        assert len(page.content) > 700_000
        ask = b"GET /api/v1/app/%s/msg?limit=250&with_content=true HTTP/1.1\r\nhost: x\r\nauthorization: Bearer %s\r\n\r\n"
        ask %= app.encode(), ADMIN_TOKEN.encode()
        before = server.rss_kib()
        deaf = []
        for _ in range(150):
            connection = socket.socket()
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            connection.connect(("127.0.0.1", server.port))
            connection.sendall(ask * 5)
            deaf.append(connection)
        eventually(lambda: _served(server, app), within=240, what="whoever reads is served")
        grown = (server.rss_kib("VmHWM") - before) / 1024
        assert grown < 160, f"{grown:.0f} MiB more for answers that nobody reads"
        eventually(lambda: _open_connections(server) < 20, within=300, every=1, what="they are closed in the end")
        for connection in deaf:
            connection.close()


def _served(server, app):
    answer = server.api.get(f"/app/{app}/msg", limit=250, with_content="true")
    assert answer.status_code in (200, 503), answer.text
    return answer.status_code == 200


def _open_connections(server):
    return sum(_leads_to_a_socket(entry) for entry in Path(f"/proc/{server.process.pid}/fd").iterdir())


def _leads_to_a_socket(entry):
    try:
        return os.readlink(entry).startswith("socket:")
    except FileNotFoundError:
        return False  # closed since it was listed


@pytest.mark.parametrize("name", BROKEN)
def test_broken_http_is_refused_or_hung_up_on(server, api, name):
    before = len(api.get("/app", limit=250).json()["data"])
    answer = exchange(server, BROKEN[name])
    if answer:
        assert answer.startswith(b"HTTP/1."), answer[:100]
        assert answer.split(b" ")[1][:1] in (b"4", b"5"), answer[:200]
        assert answer.split(b" ")[1] != b"500", answer[:200]
    assert len(api.get("/app", limit=250).json()["data"]) == before, "nothing was created"
    assert server.running()


@pytest.mark.alone
@pytest.mark.parametrize("kind", ["heads", "bodies"])
def test_slowloris_does_not_keep_others_out(kind):
    """Hundreds of connections that drip: others are served meanwhile, and the drippers are dropped in the end."""
    with Server(API__HEADER_TIMEOUT="4s", API__BODY_TIMEOUT="6s") as server:
        start = b"GET /api/v1/app HTTP/1.1\r\nhost: x\r\n" if kind == "heads" else POST + b"content-length: 100000\r\n\r\n{"
        dripping = []
        for _ in range(500):
            connection = socket.create_connection(("127.0.0.1", server.port), timeout=PATIENCE)
            connection.sendall(start)
            dripping.append(connection)
        api = server.api
        app = api.application()
        drip = b"x" if kind == "heads" else b" "

        def left():
            api.send(app)  # which is answered meanwhile
            return sum(not _hung_up(connection, drip) for connection in dripping)

        assert left() > 0, "they hold their connections when the first of the others comes"
        eventually(lambda: left() == 0, within=2 * PATIENCE, every=1, what="all who drip are hung up on")


def _hung_up(connection, drip):
    if connection.fileno() < 0:
        return True
    try:
        connection.sendall(drip)
        connection.setblocking(False)
        try:
            while connection.recv(65_536):
                pass
            connection.close()
            return True
        except BlockingIOError:
            return False
        finally:
            if connection.fileno() >= 0:
                connection.settimeout(PATIENCE)
    except OSError:
        connection.close()
        return True


def test_many_idle_connections_do_no_harm(server, api):
    idle = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(1_000)]
    try:
        assert api.get("/app").status_code == 200
        assert server.rss_kib() < 300 * 1024
    finally:
        for connection in idle:
            connection.close()
    eventually(lambda: httpx.get(f"{server.url}/api/v1/health").status_code == 200)


def test_a_client_that_leaves_early_leaves_nothing_behind(server, api, app):
    with Receiver() as receiver:
        api.endpoint(app, receiver.url())
        for _ in range(50):
            with socket.create_connection(("127.0.0.1", server.port)) as connection:
                connection.sendall(POST.replace(b"/app ", b"/app/%s/msg " % app.encode()) + b'content-length: 90000\r\n\r\n{"eventType":')
        assert api.get(f"/app/{app}/msg").json()["data"] == []
        message = api.send(app)
        assert receiver.wait(1)[0].id == message


def test_an_answer_before_the_body_keeps_the_connection_or_says_that_it_ends(server):
    """Many clients write head and body apart. A refusal that crosses the body must not break their next request."""
    head = b"POST /api/v1/app HTTP/1.1\r\nhost: x\r\nauthorization: Bearer wrong\r\ncontent-length: 2\r\n\r\n"
    with socket.create_connection(("127.0.0.1", server.port), timeout=PATIENCE) as connection:
        for _ in range(20):
            connection.sendall(head)
            time.sleep(0.01)  # the two writes have to be two packets: this is what is tested
            connection.sendall(b"{}")
            answer = connection.recv(65_536)
            assert answer.startswith(b"HTTP/1.1 401"), f"hung up on without a word: {answer!r}"
            if b"connection: close" in answer.lower():
                return


@pytest.mark.parametrize("path", ["/api/v1/app", "/api/v1/app/x/msg"])
def test_nobody_waits_for_the_body_of_somebody_unknown(path):
    head = b"POST %s HTTP/1.1\r\nhost: x\r\nauthorization: Bearer wrong\r\ncontent-length: 100\r\n\r\n" % path.encode()
    with Server(API__BODY_TIMEOUT="1h") as server:
        answer = exchange(server, head, end=False)
    assert answer.startswith(b"HTTP/1.1 401 "), answer


def test_two_tokens_in_one_request_are_refused(server):
    again = b"authorization: Bearer %s\r\n" % ADMIN_TOKEN.encode()
    for second in (again, b"authorization: Bearer other\r\n"):
        rest = b'connection: close\r\ncontent-length: 12\r\n\r\n{"name":"x"}'
        answer = exchange(server, POST + second + rest, end=False)
        assert answer.startswith(b"HTTP/1.1 401 "), answer


def test_requests_in_one_pipe_do_not_starve_a_neighbour(server, api):
    """A connection that asks for the largest page again and again, and reads: others are answered meanwhile."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=PATIENCE) as pipe:
        enough, ends = threading.Event(), []
        for keep_at_it in (_ask_on, _read_on):
            ends.append(threading.Thread(target=keep_at_it, args=(pipe, enough), daemon=True))
            ends[-1].start()
        for _ in range(20):
            assert api.get("/app").status_code == 200
        assert all(end.is_alive() for end in ends), "the pipe was never empty meanwhile"
        enough.set()
        pipe.shutdown(socket.SHUT_RDWR)
        for end in ends:
            end.join()


def _ask_on(pipe, enough):
    with suppress(OSError):
        while not enough.is_set():
            pipe.sendall(b"GET /openapi.json HTTP/1.1\r\nhost: x\r\n\r\n" * 100)


def _read_on(pipe, enough):
    with suppress(OSError):
        while not enough.is_set() and pipe.recv(1 << 20):
            pass


@pytest.mark.alone
def test_bodies_on_their_way_hold_bounded_memory():
    """200 MiB of bodies that never end: those beyond the bound are told to come later, and nobody else is."""
    with Server(API__MAX_PAYLOAD="10MiB", API__BODY_TIMEOUT="10m") as server:
        app = server.api.application()
        head = POST.replace(b"/app ", b"/app/%s/msg " % app.encode()) + b"content-length: 10000000\r\n\r\n"
        part = head + b'{"eventType":"a.b","payload":{"pad":"' + b"x" * 9_500_000
        before = server.rss_kib()
        slow = []
        for _ in range(21):
            connection = socket.create_connection(("127.0.0.1", server.port), timeout=20)  # one that is not read stays
            slow.append(connection)
            try:
                connection.sendall(part)
            except OSError:
                pass  # it was refused while it still sent
        eventually(lambda: any(_answer_so_far(connection).startswith(b"HTTP/1.1 429 ") for connection in slow))
        grown = (server.rss_kib("VmHWM") - before) / 1024
        assert grown < 250, f"{grown:.0f} MiB more"
        for connection in slow:
            connection.close()
        sent = lambda: server.api.post(f"/app/{app}/msg", {"eventType": "a.b", "payload": {}}).status_code == 202  # noqa: E731
        eventually(sent, what="there is room again")


def _answer_so_far(connection):
    connection.setblocking(False)
    try:
        return connection.recv(65_536, socket.MSG_PEEK)
    except OSError:
        return b""


def test_known_keys_are_not_slowed_down_with_their_address(server, api):
    """Whoever guesses tokens is slowed down by address; a neighbour behind the same address keeps working."""
    key = api.with_token(api.post("/key", {"name": "known", "role": "reader"}).json()["token"])
    assert key.get("/app").status_code == 200
    nobody = api.with_token(None)
    guesses = (nobody.get("/app", headers={"authorization": f"Bearer guess-{n}"}).status_code for n in range(500))
    assert 429 in guesses, "whoever guesses is slowed down"
    assert key.get("/app").status_code == 200
    assert api.get("/app").status_code == 200


@pytest.mark.parametrize("trusted", ["127.0.0.0/8", ""])
def test_whom_a_proxy_speaks_for_is_believed_of_trusted_proxies_only(trusted):
    with Server(TRUSTED_PROXIES=trusted) as server:
        nobody = server.api.with_token(None)

        def guesses(number, address):
            for n in range(number):
                headers = {"authorization": f"Bearer {address(n)}-{n}", "x-forwarded-for": address(n)}
                yield nobody.get("/app", headers=headers).status_code

        slowed_down = 429 in guesses(200, lambda n: f"203.0.113.{n}")
        assert slowed_down == (not trusted), "two hundred clients with a guess each, or one that makes them up"
        assert 429 in guesses(500, lambda n: "198.51.100.1"), "one that guesses, whoever tells of him"


def test_an_output_that_cannot_be_written_ends_nothing():
    """Standard output and error on a full device: it starts, serves, logs into nothing, and ends in good order."""
    with Server() as server:
        server.stop()
        log, server.log_path = server.log_path, Path("/dev/full")
        try:
            server.spawn()
        finally:
            server.log_path = log
        server.wait_healthy()
        app = server.api.application()
        server.api.endpoint(app, "http://127.0.0.1:9/")
        server.api.send(app)
        assert exchange(server, BROKEN["garbage"]) is not None
        assert server.api.get(f"/app/{app}/msg").status_code == 200
        assert server.stop() == 0


def test_half_sent_bodies_of_one_application_leave_others_their_room():
    """One portal holds back the end of 40 large bodies: beyond its share they are refused, others are served, large bodies too."""
    with Server(API__BODY_TIMEOUT="10m") as server:
        api = server.api
        bad, good = api.application("bad"), api.application("good")
        token = api.post(f"/auth/app-portal-access/{bad}", {}).json()["token"]
        head = POST.replace(ADMIN_TOKEN.encode(), token.encode()).replace(b"/app ", b"/app/%s/endpoint " % bad.encode())
        held = [socket.create_connection(("127.0.0.1", server.port), timeout=PATIENCE) for _ in range(40)]
        try:
            for connection in held:
                # Whoever is refused early may be hung up on while it still sends.
                with suppress(OSError):
                    connection.sendall(head + b"content-length: 1048576\r\n\r\n" + b"x" * 1_048_570)
            eventually(lambda: any(map(_refused, select.select(held, [], [], 0)[0])), what="some of them are refused")
            portal = api.with_token(token)
            small = portal.post(f"/app/{bad}/endpoint", {"url": "http://127.0.0.1:9/"})
            portal.close()
            assert small.status_code == 201, "small bodies have room of their own"
            api.send(good, payload={"pad": "x" * 900_000})
        finally:
            for connection in held:
                connection.close()


def _refused(connection):
    with suppress(OSError):
        return connection.recv(65_536).startswith(b"HTTP/1.1 429 ")


def test_with_few_files_idle_connections_make_room_for_new_ones():
    """Many more connections than the process may have files, none of which sends a request."""
    with Receiver() as receiver, Server(files=256, API__HEADER_TIMEOUT="10m", API__IDLE_TIMEOUT="10m") as server:
        app = server.api.application()
        server.api.endpoint(app, receiver.url())
        idle = []
        try:
            for _ in range(400):
                connection = socket.create_connection(("127.0.0.1", server.port), timeout=PATIENCE)
                idle.append(connection)
                with suppress(OSError):
                    connection.sendall(b"G")
            for number in range(5):
                message = {"eventType": "test.event", "payload": {"number": number}}
                headers = {"authorization": f"Bearer {ADMIN_TOKEN}"}
                sent = httpx.post(f"{server.url}/api/v1/app/{app}/msg", json=message, headers=headers, timeout=PATIENCE, trust_env=False)
                assert sent.status_code == 202, sent.text
            assert receiver.wait(5), "they are delivered"
            assert "fewer files can be open" in server.log()
        finally:
            for connection in idle:
                connection.close()
