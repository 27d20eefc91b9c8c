#!/usr/bin/env python3
# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A stand-in for an Ethereum node: enough JSON-RPC for a Livepeer node to start on-chain. README.md says how far."""

from __future__ import annotations

import argparse
import json
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

CLIENT_VERSION = "livepeer-lab-rpc-stand-in/1"
ARBITRUM_ONE = 42161
BLOCK_SECONDS = 1
ONE_ETHER = 10**18
INVALID_REQUEST, METHOD_NOT_FOUND, INVALID_PARAMS, REVERTED = -32600, -32601, -32602, 3

# Selector of a view function -> its signature.
GET_CONTRACT, BALANCE_OF = "e16c7d98", "70a08231"
VIEWS = {
    GET_CONTRACT: "getContract(bytes32)",
    BALANCE_OF: "balanceOf(address)",
    "8a19c8bc": "currentRound()",
    "219bc76c": "currentRoundInitialized()",
    "8807f36e": "lastInitializedRound()",
}
ZERO_WORD = "0" * 64


class CallError(Exception):
    def __init__(self, code, message):
        super().__init__(message)
        self.code = code


def word(number):
    return f"{number:064x}"


class Chain:
    """A chain without transactions: a clock, balances all alike, and a Controller that knows every contract."""

    def __init__(self, chain_id=ARBITRUM_ONE, balance=ONE_ETHER, started_at=None):
        self.chain_id = chain_id
        self.balance = balance
        self._started_at = time.time() if started_at is None else started_at
        self._methods = {
            "web3_clientVersion": lambda: CLIENT_VERSION,
            "eth_chainId": lambda: hex(self.chain_id),
            "net_version": lambda: str(self.chain_id),
            "eth_syncing": lambda: False,
            "eth_blockNumber": lambda: hex(self.height),
            "eth_gasPrice": lambda: hex(10**8),
            "eth_maxPriorityFeePerGas": lambda: hex(0),
            "eth_getBalance": lambda _address, _block="latest": hex(self.balance),
            "eth_getTransactionCount": lambda _address, _block="latest": hex(0),
            "eth_getCode": lambda _address, _block="latest": "0x60",
            "eth_getLogs": lambda _filter: [],
            "eth_call": self.view,
        }

    @property
    def height(self):
        return 1 + int((time.time() - self._started_at) / BLOCK_SECONDS)

    def call(self, method, params):
        if method not in self._methods:
            raise CallError(METHOD_NOT_FOUND, f"the method {method} does not exist/is not available")
        try:
            return self._methods[method](*params)
        except TypeError as error:
            raise CallError(INVALID_PARAMS, f"invalid params: {error}") from error

    def view(self, request, _block="latest"):
        """The address of a contract is the tail of its name's hash; there are no tokens, and the first round runs."""
        data = (request.get("data") or request.get("input") or "0x")[2:]
        selector, arguments = data[:8], data[8:]
        if int(request.get("to") or "0x0", 16) == 0:
            return "0x"
        if selector not in VIEWS:
            raise CallError(REVERTED, "execution reverted")
        if selector == GET_CONTRACT:
            return "0x" + "0" * 24 + arguments[24:64]
        if selector == BALANCE_OF:
            return "0x" + ZERO_WORD
        return "0x" + word(1)


def answer(chain, document):
    """One request object -> one response object."""
    head = {"jsonrpc": "2.0", "id": document.get("id") if isinstance(document, dict) else None}
    if not isinstance(document, dict) or not isinstance(document.get("method"), str):
        return {**head, "error": {"code": INVALID_REQUEST, "message": "invalid request"}}
    try:
        return {**head, "result": chain.call(document["method"], document.get("params") or [])}
    except CallError as error:
        return {**head, "error": {"code": error.code, "message": str(error)}}


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        try:
            document = json.loads(body)
        except ValueError:
            self._send(400, {"jsonrpc": "2.0", "id": None, "error": {"code": -32700, "message": "parse error"}})
            return
        many = isinstance(document, list)
        answers = [answer(self.server.chain, item) for item in (document if many else [document])]
        self._send(200, answers if many else answers[0])

    def do_GET(self):
        self._send(200, {"stand-in": CLIENT_VERSION, "chain_id": self.server.chain.chain_id})

    def _send(self, status, document):
        body = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format, *args):
        pass


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, address, chain):
        super().__init__(address, Handler)
        self.chain = chain


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8545)
    parser.add_argument("--chain-id", type=int, default=ARBITRUM_ONE)
    options = parser.parse_args()
    print(f"{CLIENT_VERSION}: chain {options.chain_id} on http://{options.host}:{options.port}", flush=True)
    Server((options.host, options.port), Chain(options.chain_id)).serve_forever()


if __name__ == "__main__":
    main()
