"""The official JavaScript and Rust SDKs, unmodified, in processes of their own."""

import os
import subprocess

import pytest

from harness.other_sdks import JS, RUST
from harness.server import ADMIN_TOKEN

pytestmark = pytest.mark.every_store


def run(command, server, receiver, **more):
    environment = os.environ | {"SERVER_URL": server.url, "TOKEN": ADMIN_TOKEN, "RECEIVER_URL": receiver.url("/other-sdks")}
    done = subprocess.run(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=500, **more
    )
    assert done.returncode == 0, done.stdout


def test_javascript(server, receiver):
    run(["node", "--test", "contract.test.mjs", "options.test.mjs"], server, receiver, cwd=JS)


def test_rust(server, receiver):
    run([RUST, "sdk"], server, receiver)
