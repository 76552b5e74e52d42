"""An egress proxy that the operator has configured: every attempt goes through it, by name, and nothing else does."""

import pytest

from harness.certificates import Authority
from harness.proxy import Proxy
from harness.receiver import Receiver
from harness.server import Server
from harness.waiting import eventually


@pytest.mark.parametrize("scheme, word", [("http", "CONNECT"), ("socks5", "SOCKS5")])
def test_attempts_go_through_the_proxy(tmp_path, scheme, word):
    authority = Authority(tmp_path)
    with Receiver(tls=authority.context("hooks.example")) as receiver, Proxy(("127.0.0.1", receiver.port)) as proxy:
        settings = {"DELIVERY__EGRESS_PROXY": f"{scheme}://127.0.0.1:{proxy.port}", "NET__EXTRA_ROOTS": authority.root}
        with Server(**settings) as server:
            app = server.api.application()
            endpoint = server.api.endpoint(app, "https://hooks.example/path")
            message = server.api.send(app)
            eventually(lambda: server.api.destinations(app, message)[endpoint]["status"] == 0)
            assert proxy.asked == [(word, "hooks.example", 443)]
            assert receiver.arrivals[0].id == message


def test_a_proxy_that_is_away_is_a_failure_and_not_a_way_round(receiver):
    with Server(DELIVERY__EGRESS_PROXY="http://127.0.0.1:9", DELIVERY__RETRY_SCHEDULE="1h") as server:
        app = server.api.application()
        server.api.endpoint(app, receiver.url())
        message = server.api.send(app)
        attempt = eventually(lambda: server.api.attempts(app, message))[0]
        assert attempt["responseStatusCode"] == 0
        assert receiver.connections == 0
