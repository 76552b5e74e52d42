"""The clients in other languages: where they lie and how their verifiers are asked."""

import base64
import json
import subprocess
from pathlib import Path

JS = Path(__file__).parents[1] / "clients/js"
RUST = Path(__file__).parents[2] / "target/clients/debug/ringbolt-contract-client"


def verdicts(secret, arrival):
    """What the libraries of npm (standardwebhooks, svix) and crates.io (standardwebhooks) say to a delivery."""
    line = json.dumps(
        {
            "secret": secret,
            "headers": {name.lower(): value for name, value in arrival.headers},
            "body": base64.b64encode(arrival.body).decode(),
        }
    )
    said = []
    for command in (["node", JS / "verify.mjs"], [RUST, "verify"]):
        done = subprocess.run(command, input=line, capture_output=True, text=True, timeout=120, check=True)
        said += json.loads(done.stdout)
    return said
