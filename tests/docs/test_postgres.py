"""What the page about PostgreSQL tells the database is enough for a role that is no superuser."""

import base64
import re
import subprocess
from pathlib import Path

from harness.pages import ROOT, blocks
from harness.server import binary, clean_environment

PAGE = ROOT / "docs/src/postgres.md"

# In the page's order: a role with a database, a schema in somebody else's, what a role behind a pooler is told.
SCRIPT = """
set -eu
as() { psql -q -v ON_ERROR_STOP=1 "$@"; }
here=${RINGBOLT_TEST_POSTGRES#*@}; here=${here%/*}
as "$RINGBOLT_TEST_POSTGRES" -f 0.sql -c 'CREATE DATABASE theirs'
as "${RINGBOLT_TEST_POSTGRES%/*}/theirs" -f 1.sql
as "$RINGBOLT_TEST_POSTGRES" -f 2.sql
for database in sender theirs; do
    export RINGBOLT_STORE="postgres://sender@$here/$database"
    "$BINARY" migrate
    RINGBOLT_POSTGRES__NAMED_STATEMENTS=false "$BINARY" migrate --dry-run
done
"""


def test_the_role_of_the_page_may_do_what_a_server_needs(tmp_path):
    shown = [block.text for block in blocks(PAGE) if block.language == "sql"]
    assert len(shown) == 3
    for number, text in enumerate(shown):
        # The superuser of the tests has the name of the page's role.
        (tmp_path / f"{number}.sql").write_text(text.replace("ringbolt", "sender"))
    environment = clean_environment(
        BINARY=Path(binary()).resolve(),
        RINGBOLT_ADMIN_TOKEN="a-token-that-is-long-enough",
        RINGBOLT_ENCRYPTION_KEY=base64.b64encode(bytes(32)).decode(),
    )
    done = subprocess.run(
        [ROOT / "scripts/with-postgres", "bash", "-c", SCRIPT],
        cwd=tmp_path, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    assert len(re.findall(r"^[1-9]\d* steps were applied", done.stderr, re.M)) == 2, done.stderr
    assert len(re.findall(r"^0 steps are missing", done.stderr, re.M)) == 2, done.stderr
