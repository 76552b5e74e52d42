"""TLS on both sides: receivers whose certificate is trusted or not, and the server's own."""

import signal
import ssl

import httpx
import pytest

from harness.certificates import Authority
from harness.dns import NameServer
from harness.receiver import Receiver
from harness.server import Server
from harness.waiting import eventually


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def trusting(authority):
    """A server that trusts our authority and knows the names used here."""
    names = {name: ["127.0.0.1"] for name in ("good.test", "other.test")}
    with NameServer(names) as resolver, Server(
        NET__EXTRA_ROOTS=authority.root, NET__RESOLVER=resolver.address, DELIVERY__RETRY_SCHEDULE="1h"
    ) as server:
        yield server


def first_attempt(server, url):
    app = server.api.application()
    server.api.endpoint(app, url)
    message = server.api.send(app, payload={"n": 1})
    return eventually(lambda: server.api.attempts(app, message))[0]


def test_a_certificate_of_a_configured_authority_is_trusted(trusting, authority):
    with Receiver(tls=authority.context("good.test")) as receiver:
        attempt = first_attempt(trusting, f"https://good.test:{receiver.port}/")
        assert attempt["responseStatusCode"] == 200, attempt
        assert receiver.arrivals[0].header("host") == f"good.test:{receiver.port}"


def test_the_time_of_an_attempt_is_split_into_its_parts(trusting, authority):
    with Receiver(tls=authority.context("good.test")) as receiver:
        api = trusting.api
        app = api.application()
        api.endpoint(app, f"https://good.test:{receiver.port}/")
        first, again = (
            eventually(lambda: api.attempts(app, message), what="its attempt")[0]["timings"]
            for message in map(api.send, [app, app])
        )
        assert set(first) == {"dns", "connect", "tls", "firstByte", "total"}, first
        parts = [first[part] for part in ("dns", "connect", "tls", "firstByte")]
        assert all(part >= 0 for part in parts) and max(parts) <= first["total"], first
        assert receiver.connections == 1, "the second one goes over the same connection"
        assert set(again) == {"firstByte", "total"}, again


@pytest.mark.parametrize("fault", ["another name", "expired", "another authority", "no tls at all"])
def test_a_certificate_that_is_wrong_is_a_failure_with_its_own_word(trusting, authority, tmp_path, fault):
    context = {
        "another name": lambda: authority.context("other.test"),
        "expired": lambda: authority.context("good.test", days=-1),
        "another authority": lambda: Authority(tmp_path).context("good.test"),
        "no tls at all": lambda: None,
    }[fault]()
    with Receiver(tls=context) as receiver:
        attempt = first_attempt(trusting, f"https://good.test:{receiver.port}/")
        assert (attempt["status"], attempt["responseStatusCode"]) == (2, 0)
        assert "tls" in attempt["response"].lower() or "certificate" in attempt["response"].lower(), attempt["response"]
        assert not receiver.arrivals, "nothing was sent"


def test_old_versions_are_not_spoken(trusting, authority):
    context = authority.context("good.test")
    context.maximum_version = ssl.TLSVersion.TLSv1_1
    with Receiver(tls=context) as receiver:
        assert first_attempt(trusting, f"https://good.test:{receiver.port}/")["responseStatusCode"] == 0


def test_the_server_speaks_tls_itself(authority):
    certificate, key = authority.sign("localhost", address="127.0.0.1")
    server = Server(TLS__CERTIFICATE=certificate, TLS__KEY=key)
    server.spawn()
    try:
        trust = ssl.create_default_context(cafile=str(authority.root))
        url = f"https://127.0.0.1:{server.port}/api/v1/health"

        def healthy():
            assert server.running(), server.log()
            try:
                return httpx.get(url, verify=trust).status_code == 200
            except httpx.ConnectError:
                return False

        eventually(healthy)
        plain = httpx.get(url.replace("https", "http"))
        assert plain.status_code == 400
        assert "https://" in plain.json()["detail"]
    finally:
        server.close()


def test_sighup_reads_the_certificate_again(authority, tmp_path):
    first, key = authority.sign("localhost", address="127.0.0.1")
    certificate, key_file = tmp_path / "shown.pem", tmp_path / "shown.key"
    certificate.write_bytes(first.read_bytes())
    key_file.write_bytes(key.read_bytes())
    server = Server(TLS__CERTIFICATE=certificate, TLS__KEY=key_file)
    server.spawn()
    try:
        shown = eventually(lambda: _shown(server), what="it shows a certificate")
        assert shown == ssl.PEM_cert_to_DER_cert(certificate.read_text())
        renewed, key = authority.sign("127.0.0.1", address="127.0.0.1")
        certificate.write_bytes(renewed.read_bytes())
        key_file.write_bytes(key.read_bytes())
        assert _shown(server) == shown, "not before it is told"
        server.signal(signal.SIGHUP)
        eventually(lambda: _shown(server) == ssl.PEM_cert_to_DER_cert(certificate.read_text()), what="the new one")
        renewed = _shown(server)
        certificate.write_text("nonsense")
        server.signal(signal.SIGHUP)
        eventually(lambda: "cannot be used" in server.log(), what="it says that the file is no good")
        assert _shown(server) == renewed, "the one before stays"
    finally:
        server.close()


def _shown(server):
    """The certificate that the server shows, in DER; None when nobody answers."""
    assert server.running(), server.log()
    try:
        return ssl.PEM_cert_to_DER_cert(ssl.get_server_certificate(("127.0.0.1", server.port), timeout=60))
    except OSError:
        return None
