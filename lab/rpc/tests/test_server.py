# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The JSON-RPC stand-in: what a node asks it, and what it refuses."""

from __future__ import annotations

import importlib.util
import json
import sys
import threading
import urllib.request
from pathlib import Path

import pytest

RPC = Path(__file__).parents[1]


def load(name, path):
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


server = load("lab_rpc", RPC / "server.py")
crypto = load("lab_rpc_crypto", RPC.parent / "node" / "livepeer_node" / "crypto.py")


@pytest.fixture
def url():
    running = server.Server(("127.0.0.1", 0), server.Chain(started_at=0))
    threading.Thread(target=running.serve_forever, args=(0.05,), daemon=True).start()
    yield f"http://127.0.0.1:{running.server_address[1]}"
    running.shutdown()
    running.server_close()


def post(url, document):
    request = urllib.request.Request(url, json.dumps(document).encode(), {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=10) as reply:
        return json.load(reply)


def call(url, method, *params):
    return post(url, {"jsonrpc": "2.0", "id": 9, "method": method, "params": params})


def test_chain_block_balance_and_name(url):
    assert call(url, "eth_chainId") == {"jsonrpc": "2.0", "id": 9, "result": "0xa4b1"}
    assert call(url, "net_version")["result"] == "42161"
    assert int(call(url, "eth_blockNumber")["result"], 16) > 10**9
    assert int(call(url, "eth_getBalance", "0x" + "1" * 40, "latest")["result"], 16) == 10**18
    assert "stand-in" in call(url, "web3_clientVersion")["result"]


@pytest.mark.parametrize(("selector", "signature"), server.VIEWS.items())
def test_selectors_are_the_hashes_of_their_signatures(selector, signature):
    assert crypto.keccak256(signature.encode()).hex()[:8] == selector


def test_the_controller_knows_every_contract_and_the_zero_address_none(url):
    name = crypto.keccak256(b"BondingManager").hex()
    data = f"0x{server.GET_CONTRACT}{name}"
    result = call(url, "eth_call", {"to": "0x" + "2" * 40, "data": data}, "latest")["result"]
    assert result == "0x" + "0" * 24 + name[24:]
    assert call(url, "eth_call", {"to": "0x" + "0" * 40, "data": data}, "latest")["result"] == "0x"


def test_what_it_does_not_do_is_refused_not_invented(url):
    assert call(url, "eth_sendRawTransaction", "0x00")["error"]["code"] == -32601
    assert call(url, "eth_call", {"to": "0x" + "2" * 40, "data": "0xdeadbeef"})["error"]["message"] == (
        "execution reverted"
    )
    assert call(url, "eth_getBalance")["error"]["code"] == -32602
    assert post(url, ["nonsense"])[0]["error"]["code"] == -32600


def test_batches_are_answered_in_order(url):
    batch = [{"jsonrpc": "2.0", "id": n, "method": m} for n, m in enumerate(("net_version", "eth_chainId"))]
    assert [(a["id"], a["result"]) for a in post(url, batch)] == [(0, "42161"), (1, "0xa4b1")]
