"""What we print and write for people works as pasted."""

import json
import os
import re
import subprocess
from pathlib import Path

import pytest

from harness.receiver import Receiver
from harness.server import Server, clean_environment
from harness.waiting import eventually

ROOT = Path(__file__).parents[2]


def paste(script, cwd, **environment):
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        cwd=cwd, env=clean_environment(**environment), capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, f"{script}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def curl_lines(text):
    """The commands in a text that begin with curl, continuation lines included."""
    joined = re.sub(r"\\\n\s*", " ", text)
    plain = re.sub(r"\x1b\[[0-9;]*m", "", joined)
    return [line.strip().removeprefix("$ ") for line in plain.splitlines() if re.match(r"\s*(\$ )?curl ", line)]


def test_the_three_lines_printed_at_start_work_as_pasted(tmp_path):
    server = Server(tmp_path)
    del server.settings["RINGBOLT_ADMIN_TOKEN"]
    with server:
        lines = eventually(lambda: found if len(found := curl_lines(server.log())) >= 3 else None, what="three curl lines")
        assert len(lines) == 3, lines
        answers = [paste(line, tmp_path) for line in lines]
        ids = [re.search(r'"id"\s*:\s*"((?:app|ep|msg)_\w+)"', answer) for answer in answers]
        assert all(ids), answers
        assert [match[1].split("_")[0] for match in ids] == ["app", "ep", "msg"]


def shell_blocks():
    """The blocks of the README that are marked ```sh or ```bash and speak to a running server."""
    readme = ROOT / "README.md"
    if not readme.exists():
        return []
    blocks = re.findall(r"^```(?:sh|bash|shell)\n(.*?)^```", readme.read_text(), re.M | re.S)
    return [block for block in blocks if "curl" in block]


@pytest.mark.skipif(not shell_blocks(), reason="the README has no shell example that speaks to a server")
def test_the_readmes_shell_examples_work_one_after_the_other(tmp_path):
    """Run as one session, in order, on a fresh server at another port than the text's."""
    with Receiver() as receiver:
        server = Server(tmp_path, STORE=f"sqlite:{tmp_path / 'ringbolt-data' / 'ringbolt.db'}")
        del server.settings["RINGBOLT_ADMIN_TOKEN"]
        with server:
            session = "\n".join(shell_blocks()).replace("127.0.0.1:8071", f"127.0.0.1:{server.port}")
            session = session.replace("localhost:8071", f"127.0.0.1:{server.port}")
            session = re.sub(r"https?://[\w.-]*example\.(com|org)[^\s\"']*", receiver.url("/readme"), session)
            session = "\n".join(line for line in session.splitlines() if not re.match(r"\s*(make |git |cd |cargo )", line))
            paste(session, tmp_path)


def python_blocks():
    readme = ROOT / "README.md"
    if not readme.exists():
        return []
    return [b for b in re.findall(r"^```python\n(.*?)^```", readme.read_text(), re.M | re.S) if "svix" in b]


@pytest.mark.skipif(not python_blocks(), reason="the README has no example in Python")
def test_the_readmes_python_example_works(tmp_path):
    import sys

    with Receiver() as receiver, Server(tmp_path / "server") as server:
        for number, block in enumerate(python_blocks()):
            text = block.replace("127.0.0.1:8071", f"127.0.0.1:{server.port}").replace("localhost:8071", f"127.0.0.1:{server.port}")
            text = re.sub(r"https?://[\w.-]*example\.(com|org)[^\s\"']*", receiver.url("/readme"), text)
            (tmp_path / "ringbolt-data").mkdir(exist_ok=True)
            (tmp_path / "ringbolt-data" / "admin-token").write_text(server.settings["RINGBOLT_ADMIN_TOKEN"])
            script = tmp_path / f"example{number}.py"
            script.write_text(text)
            environment = os.environ | {"RINGBOLT_TOKEN": server.settings["RINGBOLT_ADMIN_TOKEN"]}
            done = subprocess.run([sys.executable, script], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=60)
            assert done.returncode == 0, done.stderr
            assert json.dumps(done.stdout)
