"""The code blocks of the README and the book work as a reader pastes them, ports and all."""

import re
from datetime import datetime, timezone

import httpx
import pytest
from standardwebhooks import Webhook

from harness.pages import PAGES, ROOT, RUN_HERE, Terminal, blocks, runnable
from harness.waiting import PATIENCE, eventually

README = ROOT / "README.md"
QUICK_START = ROOT / "docs/src/quick-start.md"
VERIFYING = ROOT / "docs/src/verifying.md"
SHELLS = ("sh", "bash", "shell", "console", "")
AS_PASTED = [page for page in PAGES if runnable(page) and page != QUICK_START]


def test_every_block_is_run_or_says_why_not():
    every = [block for page in PAGES for block in blocks(page)]
    fences = sum(len(re.findall(r"^\s*(?:```|~~~)", page.read_text(), re.M)) for page in PAGES)
    assert fences == 2 * len(every), "a fence that this test does not understand"
    assert not [str(block) for block in every if block.language in SHELLS and block.language != "sh"]
    marks = sum(page.read_text().count("<!-- not run:") for page in PAGES)
    assert marks == sum(block.not_run is not None for block in every), "a mark that stands before no block"

    unmarked = [block for block in every if block.language in RUN_HERE and not block.not_run]
    run = [block for page in {*AS_PASTED, QUICK_START} for block in runnable(page)]
    assert len(unmarked) == len(run) > 15


@pytest.mark.netns
@pytest.mark.parametrize("page", AS_PASTED, ids=lambda page: page.stem)
def test_a_page_works_as_pasted(page, tmp_path):
    pasted = runnable(page)
    with Terminal(tmp_path) as terminal:
        if not any(block.serves for block in pasted):
            terminal.quick_start()
        for block in pasted:
            terminal.paste(block)


@pytest.mark.netns
def test_the_quick_start_leads_to_a_verified_message(tmp_path):
    demo, serve, receiver, create, send, attempts, from_code = runnable(QUICK_START)
    with Terminal(tmp_path) as terminal:
        # A slow machine is given more tries than the one within a few seconds that the page speaks of.
        terminal.environment["RINGBOLT_DELIVERY__RETRY_SCHEDULE"] = "5s,5s,5s,5s"

        def listen(secret):
            process = terminal.start(["python3", "receiver.py", secret])
            return process, lambda: "verified: {'order': 4711}" in process.printed()

        assert "verif" in terminal.paste(demo)
        terminal.paste(serve)
        # Who comes from the README has its application already.
        terminal.paste(next(block for block in runnable(README) if "/app/acme/msg" in block.text))
        (tmp_path / "receiver.py").write_text(receiver.text)
        secret = re.search(r"whsec_[\w+/=]+", terminal.paste(create))[0]
        first, verified = listen(secret)
        terminal.paste(send)
        eventually(verified, what="the message, or its next try if it was quicker than the receiver")
        forged = httpx.post("http://127.0.0.1:3000/hook", json={"order": 1}, timeout=PATIENCE, trust_env=False)
        assert forged.status_code == 400, "what is not signed is refused"
        assert "refused:" in first.printed() and "Traceback" not in first.printed()

        terminal.end(first)
        terminal.paste(send)
        second, verified = listen(secret)
        eventually(verified, what="the next try of what met a closed port")
        assert '"status":2' in re.sub(r"\s", "", terminal.paste(attempts)), "the try that failed is shown"
        terminal.paste(from_code)
        eventually(lambda: second.printed().count("verified:") == 2, what="what the SDK sent")


def test_signing_by_hand_prints_what_the_page_says(tmp_path):
    by_hand = next(block for block in runnable(VERIFYING) if "openssl dgst" in block.text)
    with Terminal(tmp_path) as terminal:
        printed = terminal.paste(by_hand).strip()
    assert f"It prints `{printed}`" in VERIFYING.read_text()


def test_the_receiver_in_python_takes_what_is_signed_and_nothing_else():
    example = next(block for block in runnable(VERIFYING) if block.language == "python")
    page = {}
    exec(compile(example.text, str(VERIFYING), "exec"), page)
    secret, body, now = page["webhook"], '{"test": 1}', datetime.now(tz=timezone.utc)
    assert isinstance(secret, Webhook)
    signed = {
        "webhook-id": "msg_1",
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": secret.sign("msg_1", now, body),
    }
    assert page["receive"](body.encode(), signed) == 204
    assert page["receive"](b'{"test": 2}', signed) == 400
