"""What the page about deploying shows can be read by those it is for, and names what is there."""

import base64
import configparser
import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest
import yaml

from harness.pages import ROOT, blocks
from harness.server import binary, ringbolt

PAGE = ROOT / "docs/src/deploy.md"
KINDS = {
    "Secret": "v1",
    "ConfigMap": "v1",
    "Service": "v1",
    "Deployment": "apps/v1",
    "StatefulSet": "apps/v1",
    "PodDisruptionBudget": "policy/v1",
}
INSTRUCTIONS = "FROM WORKDIR COPY RUN USER ENV VOLUME EXPOSE STOPSIGNAL ENTRYPOINT CMD".split()


def of(language):
    found = [block.text for block in blocks(PAGE) if block.language == language]
    assert found, language
    return found


def manifests():
    return [document for text in of("yaml") for document in yaml.safe_load_all(text)]


def workloads():
    return [manifest for manifest in manifests() if "template" in manifest.get("spec", {})]


def named(kind):
    return {manifest["metadata"]["name"]: manifest for manifest in manifests() if manifest["kind"] == kind}


def pod(workload):
    return workload["spec"]["template"]["spec"]


def container(workload):
    (only,) = pod(workload)["containers"]
    return only


def seconds(text):
    return int(re.fullmatch(r"(\d+)s", text)[1])


@pytest.fixture(scope="module")
def configuration(tmp_path_factory):
    return ringbolt("config", "--markdown", cwd=tmp_path_factory.mktemp("config")).stdout


@pytest.fixture(scope="module")
def grace(configuration):
    return seconds(re.search(r"### `runtime\.shutdown_grace`.*?Default: `(.+?)`", configuration, re.S)[1])


@pytest.fixture(scope="module")
def variables(configuration):
    return set(re.findall(r"RINGBOLT_[A-Z_]+", configuration))


def unit():
    (text,) = of("ini")
    parser = configparser.RawConfigParser(strict=False)
    parser.optionxform = str
    parser.read_string(text)
    return text, parser


def test_the_unit_names_what_is_there_and_gives_time_to_end(variables, grace):
    _, parsed = unit()
    service = parsed["Service"]
    assert service["ExecStart"].split()[1] == "serve"
    assert service["Environment"].split("=")[0] in variables
    assert service["Environment"].split(":")[1].startswith(f"/var/lib/{service['StateDirectory']}/")
    assert int(service["TimeoutStopSec"]) > grace
    assert service["RestartPreventExitStatus"] == "78", "a wrong configuration"


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd-analyze is not installed")
def test_systemd_understands_the_unit(tmp_path):
    text, _ = unit()
    file = tmp_path / "ringbolt.service"
    file.write_text(text.replace("/usr/local/bin/ringbolt", str(Path(binary()).resolve())))
    checked = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", file], capture_output=True, text=True, timeout=120
    )
    said = [line for line in (checked.stdout + checked.stderr).splitlines() if "ringbolt" in line]
    assert not said, said


def instructions():
    (text,) = of("dockerfile")
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    joined = re.sub(r"\\\n\s*", "", "\n".join(lines))
    return [tuple(line.split(maxsplit=1)) for line in joined.splitlines() if line]


def test_the_container_file_builds_from_what_is_there(variables):
    steps = instructions()
    assert steps[0][0] == "FROM"
    stages = set()
    for word, rest in steps:
        assert word in INSTRUCTIONS, word
        parts = rest.split()
        if word == "FROM":
            stages |= set(parts[2:]) if parts[1:2] == ["AS"] else set()
        elif word == "COPY" and parts[0].startswith("--from="):
            assert parts[0].removeprefix("--from=") in stages
        elif word == "COPY":
            assert all((ROOT / source).exists() for source in parts[:-1]), rest
        elif word == "ENV":
            assert rest.split("=")[0] in variables, rest
        elif word in ("ENTRYPOINT", "CMD"):
            assert isinstance(yaml.safe_load(rest), list), "a list: a shell would swallow the signal"
    needed = tomllib.loads((ROOT / "Cargo.toml").read_text())["workspace"]["package"]["rust-version"]
    assert f"rust:{needed}-" in steps[0][1]


def test_the_container_listens_where_it_says_and_runs_as_the_pods_say():
    steps = instructions()
    environment = dict(rest.split("=", 1) for word, rest in steps if word == "ENV")
    of_word = dict(steps)
    assert environment["RINGBOLT_LISTEN"] == f"0.0.0.0:{of_word['EXPOSE']}"
    assert environment["RINGBOLT_STORE"].startswith(f"sqlite:{of_word['VOLUME']}/")
    for workload in workloads():
        context = pod(workload)["securityContext"]
        assert of_word["USER"] == f"{context['runAsUser']}:{context['runAsGroup']}"
        assert context["runAsNonRoot"]
        assert container(workload)["ports"] == [{"name": "http", "containerPort": int(of_word["EXPOSE"])}]


def test_every_manifest_is_of_a_kind_that_there_is():
    found = manifests()
    assert len(found) == 7
    for manifest in found:
        assert manifest["apiVersion"] == KINDS[manifest["kind"]]
        assert re.fullmatch(r"[a-z][a-z-]*", manifest["metadata"]["name"])


def test_what_selects_pods_finds_them():
    pods = [workload["spec"]["template"]["metadata"]["labels"] for workload in workloads()]
    assert len(pods) == 2
    for workload in workloads():
        assert workload["spec"]["selector"]["matchLabels"] == workload["spec"]["template"]["metadata"]["labels"]
    for service in named("Service").values():
        assert service["spec"]["selector"] in pods
        assert service["spec"]["ports"][0]["targetPort"] == "http"
    for budget in named("PodDisruptionBudget").values():
        assert budget["spec"]["selector"]["matchLabels"] in pods
    for stateful in named("StatefulSet").values():
        assert stateful["spec"]["serviceName"] in named("Service")
        assert stateful["spec"]["replicas"] == 1, "a file has one server"


def test_probes_ask_routes_that_need_no_token(server):
    for workload in workloads():
        probes = {name: probe for name, probe in container(workload).items() if name.endswith("Probe")}
        assert {"livenessProbe", "readinessProbe"} <= set(probes)
        assert probes["livenessProbe"]["httpGet"]["path"].endswith("/ping"), "a restart mends no database"
        for probe in probes.values():
            assert probe["httpGet"]["port"] == "http"
            assert server.api.get(probe["httpGet"]["path"], headers={"authorization": ""}).status_code in (200, 204)


def test_pods_are_given_time_to_end(grace):
    for workload in workloads():
        (word, pause) = container(workload)["lifecycle"]["preStop"]["exec"]["command"]
        assert word == "sleep"
        assert pod(workload)["terminationGracePeriodSeconds"] > int(pause) + grace


def test_what_pods_mount_is_there():
    for workload in workloads():
        claims = workload["spec"].get("volumeClaimTemplates", [])
        volumes = {claim["metadata"]["name"] for claim in claims}
        for volume in pod(workload).get("volumes", []):
            assert volume["configMap"]["name"] in named("ConfigMap")
            volumes.add(volume["name"])
        assert {mount["name"] for mount in container(workload)["volumeMounts"]} == volumes


def environment(workload):
    """What a pod's container is told, with secrets that could be."""
    filled = {"encryption-key": base64.b64encode(bytes(32)).decode(), "admin-token": "a-token-that-is-long-enough"}
    told = {}
    for variable in container(workload)["env"]:
        source = variable.get("valueFrom", {})
        if secret := source.get("secretKeyRef"):
            known = named("Secret")[secret["name"]]["stringData"]
            told[variable["name"]] = known[secret["key"]] or filled[secret["key"]]
        else:
            told[variable["name"]] = variable.get("value", "a-pod")
    return told


@pytest.mark.parametrize("workload", workloads(), ids=lambda workload: workload["kind"])
def test_the_server_understands_what_a_pod_is_told(workload, variables, tmp_path):
    told = environment(workload)
    assert set(told) <= variables
    shown = ringbolt("config", cwd=tmp_path, **told)
    assert shown.returncode == 0, shown.stderr
    assert "PASSWORD" not in shown.stdout
