# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""On-chain starts of the whole process, against the JSON-RPC stand-in (facts 1.3, 1.8, 1.9)."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
from pathlib import Path

import pytest
from livepeer_node import crypto, eth, web
from node_helpers.network import Service, fetch
from node_helpers.process import eventually, free_port, listens

RPC = Path(__file__).parents[2] / "rpc" / "server.py"
KEY = (0xC0FFEE).to_bytes(32, "big")


@pytest.fixture(scope="module")
def rpc_url():
    port = free_port()
    process = subprocess.Popen([sys.executable, RPC, "--port", str(port)], stdout=subprocess.DEVNULL)
    eventually(lambda: listens(port))
    yield f"http://127.0.0.1:{port}"
    process.kill()
    process.wait()


@pytest.fixture
def start_onchain(start_node, rpc_url, tmp_path):
    """An on-chain node with a key and a password file of its own."""

    def start(*arguments):
        keystore = tmp_path / "keystore"
        keystore.mkdir(exist_ok=True)
        sealed = eth.encrypt_key(KEY, "hush", {"n": 2, "p": 1, "r": 8, "dklen": 32})
        (keystore / "UTC--key").write_text(json.dumps(sealed))
        (tmp_path / "password").write_text("hush\n")
        return start_node(
            *("-network", "arbitrum-one-mainnet", "-ethUrl", rpc_url, "-ethKeystorePath", keystore),
            *("-ethPassword", tmp_path / "password", "-cliAddr", f"127.0.0.1:{free_port()}", *arguments),
        )

    return start


def orchestrator(*arguments):
    return ("-orchestrator", "-orchSecret", "x", "-serviceAddr", f"127.0.0.1:{free_port()}", *arguments)


def ends(node, status, text):
    assert node.wait() == status, node.log
    assert text in node.log, node.log


def test_an_orchestrator_starts_and_shows_its_rpc_address_but_not_its_password(start_onchain, rpc_url, tmp_path):
    node = start_onchain(*orchestrator("-pricePerUnit", "1"))
    node.says("Livepeer Running in Orchestrator Mode")
    address = crypto.checksum_address(crypto.address_of(KEY))
    assert f"Using Ethereum account: {address}" in node.log
    assert "-serviceAddr is a not a public address" in node.log
    assert rpc_url in node.output
    assert "| EthPassword     | ***" in node.output
    assert node.terminate() == 0


def test_a_gateway_starts(start_onchain):
    free = ("-httpAddr", f"127.0.0.1:{free_port()}", "-rtmpAddr", f"127.0.0.1:{free_port()}")
    start_onchain("-gateway", *free, "-orchAddr", "127.0.0.1:1").says("Livepeer Running in Gateway Mode")


def test_a_free_capability_answers_through_a_gateway(start_onchain, tmp_path):
    service = Service(web.text("done"))
    port, orchestrators_port = free_port(), free_port()
    address = f"127.0.0.1:{orchestrators_port}"
    offering = ("-orchestrator", "-orchSecret", "x", "-serviceAddr", address, "-dataDir", tmp_path / "o")
    start_onchain(*offering, "-pricePerUnit", "0").says("Livepeer Running in Orchestrator Mode")
    eventually(lambda: listens(orchestrators_port))
    own = ("-httpAddr", f"127.0.0.1:{port}", "-rtmpAddr", f"127.0.0.1:{free_port()}", "-dataDir", tmp_path / "g")
    start_onchain("-gateway", "-orchAddr", address, *own).says("Livepeer Running in Gateway Mode")
    declaration = json.dumps({"name": "echo", "url": service.url, "capacity": 1})
    assert fetch(f"https://{address}/capability/register", "POST", declaration, {"Authorization": "x"})[0] == 200
    job = {"request": "{}", "parameters": "{}", "capability": "echo", "timeout_seconds": 5}
    header = {"Livepeer": base64.b64encode(json.dumps(job).encode()).decode()}
    answer = fetch(f"http://127.0.0.1:{port}/process/request/v1/infer", "POST", b"{}", header)
    service.stop()
    assert answer[::2] == (200, b"done")


def test_an_endpoint_nobody_answers_on_ends_with_0(start_onchain):
    ends(start_onchain(*orchestrator("-ethUrl", "http://127.0.0.1:1")), 0, "failed to get chain ID")


def test_a_wrong_password_ends_with_0(start_onchain, tmp_path):
    (tmp_path / "wrong").write_text("guess")
    ends(start_onchain(*orchestrator("-ethPassword", tmp_path / "wrong")), 0, "Error unlocking Ethereum account")


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (("-pricePerUnit", "free"), "panic: -pricePerUnit must be a valid integer with an optional currency"),
        ((), "panic: -pricePerUnit must be set"),
        (("-pricePerUnit", "1", "-pixelsPerUnit", "0"), "panic: -pixelsPerUnit must be > 0"),
        (("-pricePerUnit", "1EUR"), "panic: Error converting price: price feed does not have EUR"),
        (("-pricePerUnit", "0", "-aiModels", "upscale:a/b:false"), "panic: 'pricePerUnit' must be set for model 'a/b'"),
    ],
)
def test_prices_that_panic_end_with_2(start_onchain, arguments, text):
    ends(start_onchain(*orchestrator(*arguments)), 2, text)


def test_selection_weights_must_add_up(start_onchain):
    ends(start_onchain("-gateway", "-selectStakeWeight", "0.9"), 2, "sum of selection algorithm weights must be 1.0")


def test_offchain_ignores_all_of_it(start_node):
    cli = ("-cliAddr", f"127.0.0.1:{free_port()}")
    node = start_node(*orchestrator("-pricePerUnit", "free", "-ethUrl", "nonsense", *cli))
    node.says("Livepeer Running in Orchestrator Mode")
