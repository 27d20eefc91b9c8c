"""Two nodes on a chain: the accounts they were given, what they advertise, and the way back."""

from __future__ import annotations

import json

import pytest
from labtest import LAB, ROOT, SUBNET, arguments_of, lab_host, process_of, wait_until

ACCOUNTS = ROOT / "build/lab" / LAB / "accounts"
API_KEY = "an-api-key-of-the-test"
PRICE = 4768371
MODEL = ("image-to-text", "Salesforce/blip-image-captioning-large")
SERVICE = f"https://{SUBNET}.22:8935"
HERE = ("-i", "molecule/site_onchain/inventory", "--limit", "orch-trixie,gateway")
NODES = {"orch-trixie": ("orchestrator", 7935), "gateway": ("gateway", 5935)}


class Node:
    """One of the two nodes, by the paths and the port that go-livepeer and the roles give it."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.kind, self.port = NODES[name]
        self.host = lab_host(name)
        self.unit = f"livepeer-{self.kind}"
        self.config = f"/etc/livepeer/{self.kind}"
        self.data = f"/var/lib/livepeer/{self.kind}-onchain"
        self.address = json.loads((ACCOUNTS / f"{name}.json").read_text(encoding="utf-8"))["address"]

    def ask(self, path: str) -> str:
        return self.host.check_output(f"curl --silent --fail --max-time 5 http://127.0.0.1:{self.port}/{path}")


@pytest.fixture(params=NODES)
def node(request) -> Node:
    return Node(request.param)


def test_node_runs_with_the_account_it_was_given(node):
    assert node.ask("ethAddr").strip().strip('"').lower() == f"0x{node.address}"
    # go-livepeer makes an account of its own when it misses the declared one, and says so in its log only.
    keys = node.host.check_output(f"find {node.data}/keystore -type f -printf '%m %u %f\\n'").splitlines()
    assert keys == [f"600 livepeer {node.name}.json"]
    assert node.host.file(f"{node.data}/keystore").mode == 0o700


def test_credentials_are_in_their_files_only(node):
    password = (ACCOUNTS / "password").read_text(encoding="utf-8")
    files = {password: f"{node.config}/eth_password", API_KEY: f"{node.config}/secrets.env"}
    process = process_of(node.host, node.unit)
    told = [
        *arguments_of(node.host, process),
        node.host.check_output("systemctl cat %s", node.unit),
        node.host.check_output("journalctl --unit %s --output cat", node.unit),
    ]
    for secret, path in files.items():
        assert node.host.file(path).mode == 0o600
        assert [text for text in told if secret in text] == []
        found = node.host.run(f"grep --recursive --files-with-matches --fixed-strings {secret} /etc /opt {node.data}")
        assert set(found.stdout.split()) - {path} == {f"{node.config}/last_good/{path.rpartition('/')[2]}"}


def test_gateway_lists_the_model_and_its_price(gateway):
    def advertised() -> list[dict]:
        answer = gateway.check_output("curl --silent --max-time 5 http://127.0.0.1:5935/getNetworkCapabilities")
        return json.loads(answer)["orchestrators"] or []

    wait_until(advertised, 20, "orchestrator in the gateway's list")
    (found,) = advertised()
    assert MODEL[1] in json.dumps(found["capabilities"])
    assert f'"pricePerUnit": {PRICE}' in json.dumps(found["capabilities_prices"])


def test_verification_compares_what_is_advertised(playbook):
    run = playbook("verify", *HERE)
    assert run.code == 0, run.output
    report = json.loads((ROOT / "build" / LAB / "report.json").read_text(encoding="utf-8"))
    passed = {result["check"] for result in report["results"] if result["status"] == "passed"}
    assert {"capability", "capability_warm", "capability_price", "gateway_request"} <= passed
    # A BYOC job, signed by the gateway and answered by the orchestrator that was meant.
    jobs = [one for one in report["results"] if one["check"] == "service_request" and one["host"] == "gateway"]
    assert [one["status"] for one in jobs] == ["passed", "passed"], jobs


def test_another_price_than_the_declared_one_is_found(playbook):
    models = [{"pipeline": MODEL[0], "model_id": MODEL[1], "warm": True, "price_per_unit": PRICE + 1}]
    run = playbook("verify", *HERE, "--limit", "gateway", orchestrator_models=models)
    assert run.code != 0
    report = json.loads((ROOT / "build" / LAB / "report.json").read_text(encoding="utf-8"))
    failed = {result["check"] for result in report["results"] if result["status"] == "failed"}
    assert failed == {"capability_price"}


def test_key_of_another_account_is_refused_before_anything_changes(playbook):
    node = Node("orch-trixie")
    before = process_of(node.host, node.unit)
    run = playbook("builtin_pipeline", *HERE, orchestrator_eth_acct_addr="0x" + "1" * 40)
    assert run.code != 0
    assert node.address in run.output.lower()
    assert run.changed == 0
    assert process_of(node.host, node.unit) == before


def test_way_back_to_offchain(playbook):
    """Last, as the other scenarios want to find the hosts so."""
    for name in ("builtin_pipeline", "byoc", "gateway"):
        run = playbook(name, "--limit", "orch-trixie,gateway")
        assert run.code == 0, run.output
    for node in map(Node, NODES):
        assert "network offchain" in node.host.file(f"{node.config}/livepeer.conf").content_string.splitlines()
        assert not node.host.file(f"{node.config}/eth_password").exists, "nobody needs the password any more"
        assert API_KEY not in node.host.file(f"{node.config}/secrets.env").content_string
