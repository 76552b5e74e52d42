"""What the server prints for people works as pasted."""

import re
import subprocess

from harness.server import Server, clean_environment
from harness.waiting import eventually


def paste(script, cwd, **environment):
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        cwd=cwd, env=clean_environment(**environment), capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, f"{script}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def curl_lines(text):
    """The commands in a text that begin with curl, continuation lines included."""
    joined = re.sub(r"\\\n\s*", " ", text)
    plain = re.sub(r"\x1b\[[0-9;]*m", "", joined)
    return [line.strip().removeprefix("$ ") for line in plain.splitlines() if re.match(r"\s*(\$ )?curl ", line)]


def test_the_printed_lines_go_to_the_public_url(tmp_path):
    with Server(tmp_path, PUBLIC_URL="https://hooks.example.com/in") as server:
        lines = eventually(lambda: found if len(found := curl_lines(server.log())) >= 3 else None, what="three curl lines")
        assert all('"https://hooks.example.com/in/api/v1/' in line for line in lines), lines


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
