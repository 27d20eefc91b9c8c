"""An inventory with two dozen mistakes: playbooks/preflight.yml tells all of them at once, and touches nothing."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parent.parent
SHA256 = "0123456789abcdef" * 4
# Credentials that the inventory holds and that nobody may read in the output.
SECRET = "not-for-the-terminal"


def model(name, pipeline="text-to-image", **more):
    return {"pipeline": pipeline, "model_id": f"org/{name}", **more}


def live(name, port, **more):
    return {"name": name, "route": "live_runner", "source": "image", "image": "registry.lab/x:1", "port": port, **more}


def sound():
    """Two orchestrators and a gateway without a mistake."""
    return {
        "all": {
            "vars": {
                # Whoever connects learns that there is nobody.
                "ansible_host": "192.0.2.1",
                "orchestrator_binary_sha256": SHA256,
                "gateway_binary_sha256": SHA256,
                "model_weights_models": "{{ orchestrator_models }}",
            },
            "children": {
                "orchestrators": {
                    "hosts": {
                        "orch-1": {
                            "orchestrator_service_addr": "orch-1.example.org:8935",
                            "orchestrator_gpus": [0, 1],
                            "orchestrator_models": [
                                model("a", warm=True, vram="20GiB"),
                                model("b", warm=True, vram="9GiB"),
                            ],
                            "fleet_preflight_gpus": [{"index": 0, "memory": "24GiB"}, {"index": 1, "memory": "12GiB"}],
                        },
                        "orch-2": {
                            "orchestrator_service_addr": "orch-2.example.org:8935",
                            "orchestrator_models": [model("c", url="http://127.0.0.1:9000", token=SECRET)],
                            "orchestrator_live_runners": True,
                            "live_runner_services": [live("echo", 9100, env={"KEY": SECRET})],
                        },
                    }
                },
                "gateways": {
                    "hosts": {
                        "gateway": {
                            "gateway_orchestrators": ["orch-1.example.org:8935", "orch-2.example.org:8935"],
                            "verification_requests": [{"pipeline": "text-to-image", "model_id": "org/a"}],
                        }
                    }
                },
            },
        }
    }


def mistaken():
    """The same, with mistakes on every host."""
    inventory = sound()
    groups = inventory["all"]["children"]
    hosts = groups["orchestrators"]["hosts"]
    hosts["orch-1"].update(
        orchestrator_models=[model("a", warm=True, vram="9GiB"), model("b", warm=True, vram="20GiB")],
        orchestrator_contianers_per_gpu=2,
        orchestrator_binary_sha256="0123",
        orchestrator_cli_addr="0.0.0.0:7935",
        orchestrator_extra_flags={"nvida": "0"},
        model_weights_models=[model("a")],
        model_weights_token_file="/nowhere/token",
    )
    hosts["orch-2"].update(
        orchestrator_service_addr="orch-2.example.org",
        orchestrator_live_runners=False,
        custom_pipeline_packages=[{"name": "night-vision", "path": "nowhere", "image": "registry.lab/n:1"}],
        live_runner_services=[
            live("echo", 9100),
            {"name": "wrapped", "route": "live_runner", "source": "template", "path": "nowhere", "port": 9101},
        ],
        orchestrator_models=[
            model("c", pipeline="text-to-imag"),
            model("d", warm=True),
            model("d", warm=False),
            model("e", price_per_unit="100", token=SECRET),
        ],
    )
    hosts["orch-3"] = {
        "orchestrator_service_addr": "10.0.0.5:8935",
        "orchestrator_network": "arbitrum-one-mainnet",
        "orchestrator_eth_acct_addr": "0x" + "1" * 40,
        "orchestrator_eth_password": "{{ undef(hint='Put the encrypted password here.') }}",
        "orchestrator_models": [model("f", price_per_unit=1)],
        "orchestrator_models_dir": "models",
        "model_weights_dir": "models",
        "custom_pipeline_packages": [{"name": "day-vision", "image": "registry.lab/d:1"}],
    }
    hosts["orch-4"] = {
        "orchestrator_service_addr": "10.0.0.5:8935",
        "orchestrator_models": [model("g", warm=True)],
        "byoc_services": [{**live("clash", 8000), "route": "byoc", "env": {"KEY": SECRET}}],
        "orchestrator_start_timeout": "soon",
    }
    hosts["orch-5"] = {"orchestrator_gpus": [0, 12], "orchestrator_models": [model("h")]}
    groups["gateways"]["hosts"]["gateway"].update(
        gateway_http_addr="0.0.0.0:9935",
        gateway_orchestrators=["orch-1.example.org:8936", "10.0.0.5:8935"],
    )
    groups["gateways"]["hosts"]["gateway-2"] = {
        "gateway_orchestrators": ["orch-1.example.org:8935"],
        "verification_requests": [{"pipeline": "llm", "model_id": "org/z"}],
        "gateway_version": "0.9.9",
    }
    return inventory


# Host, variable, and words of the sentence.
PLANTED = [
    ("orch-1", "orchestrator_models", "GPU 1 has 12.0 GiB, and go-livepeer puts 20.0 GiB on it (org/b 20.0 GiB)"),
    (
        "orch-1",
        "orchestrator_models",
        "It fits with -nvidia 0,1, 1 container(s) per GPU and the warm models in the order",
    ),
    ("orch-1", "orchestrator_contianers_per_gpu", "did you mean orchestrator_containers_per_gpu?"),
    ("orch-1", "orchestrator_binary_sha256", "is not 64 hexadecimal digits"),
    ("orch-1", "orchestrator_cli_addr", "is 0.0.0.0:7935, and whoever reaches it can move funds"),
    ("orch-1", "orchestrator_extra_flags", "has no flag 'nvida' (did you mean nvidia?)"),
    ("orch-1", "model_weights_models", "orchestrator_models needs org/b, which model_weights_models does not fetch"),
    ("orch-1", "model_weights_token_file", "(/nowhere/token) is not a file on the controller"),
    ("orch-2", "custom_pipeline_packages", "night-vision"),
    (
        "orch-3",
        "orchestrator_models",
        "custom_pipeline_packages has day-vision, and orchestrator_models has no live",
    ),
    ("orch-2", "orchestrator_service_addr", "has no port: write host:port"),
    (
        "orch-2",
        "orchestrator_live_runners",
        "live_runner_services has echo, wrapped, and orchestrator_live_runners is false",
    ),
    ("orch-2", "byoc_services", "wrapped, path: there is no service.py in"),
    ("orch-2", "orchestrator_models", "has no pipeline 'text-to-imag' (did you mean text-to-image?)"),
    ("orch-2", "orchestrator_models", "entry 1 has the same text-to-image model with warm: true"),
    ("orch-2", "orchestrator_models", "price_per_unit: is text, go-livepeer takes a JSON number only"),
    ("orch-3", "orchestrator_eth_url", "the node ends without the address of an Ethereum node"),
    ("orch-3", "orchestrator_eth_password", "cannot be read: Put the encrypted password here"),
    ("orch-3", "orchestrator_service_addr", "which gateways on other networks cannot reach"),
    ("orch-3", "orchestrator_models_dir", "Docker mounts absolute paths only"),
    ("orch-4", "orchestrator_service_addr", "is 10.0.0.5:8935, which is that of orch-3 as well"),
    ("orch-4", "byoc_services", "Port 8000 of clash is one that the node takes"),
    ("orch-4", "orchestrator_start_timeout", "cannot be converted to an int"),
    ("orch-5", "orchestrator_service_addr", "orchestrator_service_addr is not set"),
    ("orch-5", "orchestrator_gpus", "runner ports have room for GPUs 0 to 9"),
    ("gateway", "gateway_http_addr", "is 0.0.0.0:9935, which others can reach"),
    (
        "gateway",
        "gateway_orchestrators",
        "has orch-1.example.org:8936, but orch-1 is served at orch-1.example.org:8935",
    ),
    ("gateway", "gateway_network", "is offchain, and orch-3, which it sends to, is on arbitrum-one-mainnet"),
    ("gateway-2", "gateway_version", "'0.9.9' is newer than"),
    ("gateway-2", "verification_requests", "asks for llm org/z, which none of its orchestrators has"),
]


class Run:
    """The playbook over an inventory, and what it left."""

    def __init__(self, directory, inventory, *arguments):
        self.inventory = directory / "inventory"
        self.inventory.mkdir()
        (self.inventory / "hosts.yml").write_text(yaml.safe_dump(inventory), encoding="utf-8")
        before = self.digests()
        report = directory / "report.json"
        result = subprocess.run(
            [
                Path(sys.executable).parent / "ansible-playbook",
                "-i",
                self.inventory,
                ROOT / "playbooks/preflight.yml",
                "-e",
                f"fleet_preflight_path={report}",
                *arguments,
            ],
            cwd=ROOT,
            # No connection can be made, so none is needed.
            env={**os.environ, "ANSIBLE_SSH_EXECUTABLE": "/nonexistent", "COLUMNS": "160"},
            capture_output=True,
            text=True,
        )
        self.status, self.output = result.returncode, result.stdout + result.stderr
        self.text = report.read_text(encoding="utf-8") if report.exists() else "{}"
        self.report = json.loads(self.text)
        self.untouched = self.digests() == before

    def digests(self):
        return {
            path: hashlib.sha256(path.read_bytes()).hexdigest() for path in self.inventory.rglob("*") if path.is_file()
        }

    def recap(self):
        """What Ansible counted for each host."""
        lines = [
            line.split()[2:6] for line in self.output.partition("PLAY RECAP")[2].splitlines() if "changed=" in line
        ]
        return [" ".join(words) for words in lines]

    def failed(self):
        return [check for check in self.report["results"] if check["status"] == "failed"]


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return Run(tmp_path_factory.mktemp("mistaken"), mistaken())


def is_told(check, planted):
    host, variable, words = planted
    return (check["host"], check["subject"]) == (host, variable) and words in check["sentence"]


@pytest.mark.parametrize("planted", PLANTED, ids=lambda planted: " ".join(planted[:2]))
def test_each_mistake_is_told_with_host_variable_and_remedy(run, planted):
    told = [check for check in run.failed() if is_told(check, planted)]
    assert len(told) == 1, run.output
    assert len(told[0]["remedy"]) > 10
    # And in the one table that people read.
    assert planted[1] in run.output and run.output.count("STATUS ") == 1


def test_nothing_else_is_told(run):
    assert [check for check in run.failed() if not any(is_told(check, planted) for planted in PLANTED)] == []


def test_the_run_fails_and_changes_nothing(run):
    assert run.status == 2
    assert "Nothing was changed." in run.output
    assert len(run.recap()) == 7
    assert all("changed=0 unreachable=0" in line for line in run.recap())
    assert run.untouched


def test_no_credential_is_shown(run):
    assert SECRET not in run.output and SECRET not in run.text


def test_a_sound_inventory_passes(tmp_path):
    run = Run(tmp_path, sound(), "--check")
    assert run.status == 0, run.output
    assert run.report["counts"] == {"failed": 0, "unknown": 0, "passed": 3}
    assert SECRET not in run.output and SECRET not in run.text


def test_tags_of_the_roles_run_nothing(tmp_path):
    """The roles are imported for their variables; asking for their tags must not bring their tasks to life."""
    run = Run(tmp_path, sound(), "--tags", "orchestrator,orchestrator_install,gateway,model_weights,never")
    assert run.status == 0, run.output
    assert run.recap() == ["ok=1 changed=0 unreachable=0 failed=0"] * 3


def test_with_a_limit_the_others_are_no_part_of_it(tmp_path):
    run = Run(tmp_path, mistaken(), "--limit", "orch-2")
    assert {check["host"] for check in run.failed()} == {"orch-2"}


def test_an_unknown_is_neither_a_failure_nor_a_pass(tmp_path):
    inventory = sound()
    hosts = inventory["all"]["children"]["orchestrators"]["hosts"]
    del hosts["orch-1"]["fleet_preflight_gpus"]
    # What else runs on a GPU of go-livepeer is known where it is reserved.
    for host, more in (("orch-2", {}), ("orch-3", {"reserved": "8GiB"})):
        hosts[host] = {
            "orchestrator_service_addr": f"{host}.example.org:8935",
            "orchestrator_gpus": [0],
            "orchestrator_models": [model("a", warm=True, vram="12GiB")],
            "byoc_services": [{**live("beside", 9100, gpus=[0]), "route": "byoc"}],
            "fleet_preflight_gpus": [{"index": 0, "memory": "24GiB", **more}],
        }
    # A list whose template fails beneath a value that is fine in itself.
    hosts["orch-3"]["model_weights_models"] = "{{ [{'pipeline': 'llm', 'model_id': 'org/a'}] | map(attribute='none') }}"
    run = Run(tmp_path, inventory)
    unknown = {(one["host"], one["subject"]) for one in run.report["results"] if one["status"] == "unknown"}
    assert {("orch-1", "fleet_preflight_gpus"), ("orch-2", "byoc_services")} == unknown
    assert [(one["host"], one["subject"]) for one in run.failed()] == [("orch-3", "model_weights_models")]
