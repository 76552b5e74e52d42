"""What the documents name is there: settings, commands and their options, routes, metrics."""

import re

import pytest

from harness.pages import PAGES
from harness.server import ringbolt

GROUPS = "log|tls|delivery|net|api|retention|postgres|runtime"
METHODS = "GET|POST|PUT|PATCH|DELETE|HEAD"


def prose(page):
    """The page's text as words of its own: with code, without the pages that it links to."""
    return re.sub(r"\]\([^)]*\)", "]", page.read_text())


def everywhere(pattern):
    """Every match of a pattern in the README and the book, with its page."""
    found = {(match[0], page.name) for page in PAGES for match in [*re.finditer(pattern, prose(page))]}
    assert found, pattern
    return sorted(found)


@pytest.fixture(scope="module")
def configuration(tmp_path_factory):
    return ringbolt("config", "--markdown", cwd=tmp_path_factory.mktemp("config")).stdout


def test_every_setting_that_is_named_exists(configuration):
    settings = set(re.findall(r"^### `(.+)`$", configuration, re.M))
    assert len(settings) > 30
    for name, page in everywhere(rf"(?<=`)(?:{GROUPS})\.[a-z_]+(?=[` ])|(?<=--set )[a-z_.]+(?==)"):
        assert name in settings, f"{page} names {name}"
    variables = set(re.findall(r"RINGBOLT_[A-Z_]+", configuration))
    for name, page in everywhere(r"RINGBOLT_[A-Z_]+[A-Z]"):
        assert name in variables, f"{page} names {name}"


def test_every_command_and_option_that_is_named_exists():
    help_of = {"": ringbolt("--help").stdout}
    commands = re.findall(r"^  ([a-z]+)  ", help_of[""], re.M)
    help_of |= {command: ringbolt(command, "--help").stdout for command in commands if command != "help"}
    help_of |= {f"key {word}": ringbolt("key", word, "--help").stdout for word in ("create", "list", "revoke")}
    for line, page in everywhere(r"(?<=[`\n])ringbolt [a-z][^`\n]*"):
        words = line.split()
        command = " ".join(words[1:3]) if words[1] == "key" and len(words) > 2 and words[2].islower() else words[1]
        command = command if command in help_of else words[1]
        assert command in help_of, f"{page}: {line}"
        for option in re.findall(r"--[a-z-]+", line.split("#")[0]):
            assert option in help_of[command], f"{page}: {line}"


def routes(server):
    document = server.api.get("/openapi.json").json()
    return {(method.upper(), shape(path)) for path, item in document["paths"].items() for method in item}


def shape(path):
    """A route with its parameters' names and what follows a question mark left out."""
    return re.sub(r"\{[^}]*\}", "{}", path.split("?")[0].rstrip("/"))


def test_every_route_that_is_named_exists(server):
    served = routes(server)
    for line, page in everywhere(rf"(?:{METHODS}) /api/v1/[^\s`]*[^\s`.,;:]"):
        method, path = line.split(" ")
        assert (method, shape(path)) in served, f"{page}: {line}"


def test_the_overview_of_the_api_has_every_route_and_no_other(server):
    page = next(page for page in PAGES if page.name == "api.md").read_text()
    table = page[page.index("## Routes") : page.index("## Lists")]
    named, above = set(), ""
    for methods, paths in re.findall(r"^\| ((?:`[A-Z]+` ?)+)\| (.+) \|$", table, re.M):
        for path in re.findall(r"`((?:/|…/)[^`]*)`", paths):
            if path.startswith("…"):
                path = above + path.removeprefix("…")
            else:
                above = path
            named |= {(method, shape(f"/api/v1{path}")) for method in re.findall(r"[A-Z]+", methods)}
    described = {route for route in routes(server) if route[1].startswith("/api/v1")}
    # HEAD goes with GET and is not described by itself.
    assert {route for route in named if route[0] != "HEAD"} == {route for route in described if route[0] != "HEAD"}


def test_every_metric_that_is_named_is_served_and_every_one_served_is_named(server):
    served = set(re.findall(r"^# TYPE (\w+)", server.api.get("/metrics").text, re.M))
    assert len(served) > 20
    named = {re.sub(r"_(total|bucket|sum|count)$", "", name) for name, _ in everywhere(r"ringbolt_[a-z_]*[a-z]")}
    # The first part of a folder's name, or of a file's, is no metric.
    assert named == {name for name in served if name.startswith("ringbolt_")}
