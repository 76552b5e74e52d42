"""What the README and the book show in code blocks, and a terminal to paste them into.

A block that cannot run here is marked in the page, on the line before it: `<!-- not run: why -->`.
"""

import os
import re
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import httpx

from .server import binary, clean_environment
from .waiting import eventually

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs/src").glob("*.md"))]
RUN_HERE = ("sh", "python", "javascript")

BLOCK = re.compile(r"^(?:<!-- not run: (?P<why>.+?) -->\n)?```(?P<language>[^\s`]*)\n(?P<text>.*?)^```$", re.M | re.S)
SERVES = re.compile(r"\b(make run|ringbolt serve)\s*\Z")

# What a block sets for those after it.
VARIABLES = "AUTH auth api"

# What builds first in a reader's folder is built already here. Anything else that a page may ask of these two fails.
MAKE = '#!/bin/sh\n[ "$*" = run ] || exit 64\nexec ringbolt serve\n'
CARGO = '#!/bin/sh\n[ "$1 $2 $3" = "run --release --" ] || exit 64\nshift 3\nexec ringbolt "$@"\n'


@dataclass
class Block:
    page: str
    line: int
    language: str
    text: str
    not_run: str | None

    @property
    def serves(self):
        """Whether it starts a server, and so does not end."""
        return bool(SERVES.search(self.text))

    def __str__(self):
        return f"{self.page}:{self.line}\n{self.text}"


def blocks(page):
    """All the code blocks of a page, in order."""
    text = page.read_text()
    return [
        Block(page.name, text[: found.start("language")].count("\n") + 1, found["language"], found["text"], found["why"])
        for found in BLOCK.finditer(text)
    ]


def runnable(page):
    """The blocks of a page that a reader may paste and that run here."""
    return [block for block in blocks(page) if block.language in RUN_HERE and not block.not_run]


class Terminal:
    """A reader's folder with a shell in it. The ports are those of the text, so it needs a network of its own."""

    API = "http://127.0.0.1:8071"

    def __init__(self, folder):
        self.folder = folder
        self.processes = []
        tools = folder / ".tools"
        tools.mkdir()
        (tools / "ringbolt").symlink_to(Path(binary()).resolve())
        for name, script in (("make", MAKE), ("cargo", CARGO)):
            (tools / name).write_text(script)
            (tools / name).chmod(0o755)
        # Of each curl a failure of the request is a failure of the command.
        (tools / ".curlrc").write_text("fail-with-body\nshow-error\n")
        (folder / "node_modules").symlink_to(ROOT / "tests/clients/js/node_modules")
        path = os.pathsep.join([str(tools), str(Path(sys.executable).parent), os.environ["PATH"]])
        self.environment = clean_environment(PATH=path, CURL_HOME=tools, PYTHONUNBUFFERED=1)
        self.variables = tools / "variables"
        self.variables.touch()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for process in self.processes:
            self.end(process)

    def paste(self, block):
        """Runs a block to its end, or starts the server that it is about; returns what it printed."""
        if block.language != "sh":
            return self._script(block)
        if block.serves:
            self.start(["bash", "-c", block.text])
            eventually(self._healthy, what=f"a healthy server after {block}")
            return ""
        # To the reader all blocks of a page are one session: what a block sets, the next one finds.
        keep = f"for name in {VARIABLES}; do declare -p $name; done > {self.variables} 2>/dev/null || true"
        return self._run(["bash", "-c", f". {self.variables}\nset -euo pipefail\n{block.text}\nset +u\n{keep}"], block)

    def start(self, command):
        """Starts what goes on until the terminal is left; what it prints is in `printed`."""
        log = open(self.folder / f".printed-{len(self.processes)}", "wb")
        with log:
            process = subprocess.Popen(
                command, cwd=self.folder, env=self.environment, stdin=subprocess.DEVNULL,
                stdout=log, stderr=subprocess.STDOUT, start_new_session=True,
            )  # fmt: skip
        process.printed = Path(log.name).read_text
        self.processes.append(process)
        return process

    def end(self, process):
        """Interrupts it, as a reader would, and waits for its end."""
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGINT)
            process.wait(120)

    def quick_start(self):
        """What the pages after the quick start take for granted: its server, application and endpoint."""
        self.environment["RINGBOLT_DELIVERY__ALLOW_NETWORKS"] = "127.0.0.0/8"
        self.start(["ringbolt", "serve"])
        eventually(self._healthy, what="a healthy server")
        token = (self.folder / "ringbolt-data/admin-token").read_text().strip()
        with httpx.Client(base_url=f"{self.API}/api/v1", headers={"authorization": f"Bearer {token}"}, trust_env=False) as api:
            assert api.post("/app", json={"name": "Acme", "uid": "acme"}).status_code == 201
            answer = api.post("/app/acme/endpoint", json={"url": "http://127.0.0.1:3000/hook", "uid": "main"})
            assert answer.status_code == 201, answer.text

    def _healthy(self):
        try:
            return httpx.get(f"{self.API}/api/v1/health", trust_env=False).status_code == 200
        except httpx.HTTPError:
            return False

    def _script(self, block):
        name, command = {"python": ("pasted.py", "python3"), "javascript": ("pasted.mjs", "node")}[block.language]
        (self.folder / name).write_text(block.text)
        return self._run([command, name], block)

    def _run(self, command, block):
        done = subprocess.run(
            command, cwd=self.folder, env=self.environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=300
        )
        assert done.returncode == 0, f"{block}\n{done.returncode}\n{done.stdout}\n{done.stderr}"
        return done.stdout
