"""What the make targets need: without the right to install it they say what it is, and stop."""

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

NEED = Path(__file__).parents[2] / "scripts/need"
NOBODY = 65534


@pytest.mark.parametrize(
    "group, there, said",
    [
        ("build", [], "Rust"),
        ("build", ["cargo"], "build-essential"),
        ("test", ["cargo", "python3", "node", "npm", "curl", "openssl", "ip", "unshare"], "please install: mount"),
        ("lint", [], "Rust"),
        ("lint", ["cargo"], "rustfmt"),
    ],
)
def test_what_is_missing_is_named_and_nothing_is_installed(group, there, said):
    """Somebody without rights whose PATH lacks a tool. What is there does nothing but fail."""
    with tempfile.TemporaryDirectory() as folder:
        checkout, tools = Path(folder), Path(folder) / "tools"
        for made in (checkout / "scripts", tools):
            made.mkdir()
        # Nobody may look into a folder of pytest's own, nor perhaps into the one that we are in.
        checkout.chmod(0o755)
        need = shutil.copy(NEED, checkout / "scripts")
        for name in ("bash", "dirname", "env", "id"):
            (tools / name).symlink_to(shutil.which(name))
        for name in there:
            (tools / name).write_text("#!/bin/bash\nexit 1\n")
            (tools / name).chmod(0o755)
        nobody = {"user": NOBODY, "group": NOBODY, "extra_groups": []} if os.geteuid() == 0 else {}
        done = subprocess.run([need, group], env={"PATH": str(tools)}, capture_output=True, text=True, timeout=300, **nobody)
    assert done.returncode == 1, done.stdout + done.stderr
    assert done.stderr.startswith("missing: ") and said in done.stderr, done.stderr
