# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""On-chain start-up: the JSON-RPC endpoint, the keystore and its password, the contracts (facts 1.8).

Nothing is signed or sent: the account is opened exactly as strictly as the real node opens it, then only shown.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import secrets
import urllib.parse
import uuid
from datetime import datetime, timezone
from pathlib import Path

from . import crypto, log, tables, web
from .node import ChainMismatch, check_or_store_chain_id

ZERO_ADDRESS = "0x" + "0" * 40
# What the node asks the Controller for, and the names under which the CLI port lists them.
CONTRACTS = ("LivepeerToken", "ServiceRegistry", "BondingManager", "TicketBroker", "RoundsManager", "Minter")
RPC_TIMEOUT = 20
# Chain 1 and 42161 need a binary built with the tag "mainnet", which release binaries are.
_SCRYPT = {"n": 1 << 18, "p": 1, "r": 8, "dklen": 32}
_WRONG_PASSWORD = "could not decrypt key with given password"
_NO_TERMINAL = "liner: function not supported in this terminal"


class EthError(Exception):
    """Why an on-chain node does not start, and the exit status with which it ends."""

    def __init__(self, text, exit_code):
        super().__init__(text)
        self.exit_code = exit_code


class RpcError(Exception):
    """The endpoint cannot be reached, or it refused the call."""


class Rpc:
    """A JSON-RPC endpoint of an Ethereum node."""

    def __init__(self, url):
        self.url = url

    def call(self, method, *params):
        body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).encode()
        try:
            reply = web.call("POST", self.url, body, {"Content-Type": "application/json"}, RPC_TIMEOUT)
            content = reply.read()
        except OSError as error:
            raise RpcError(f'Post "{self.url}": {error}') from error
        if not 200 <= reply.status < 300:
            raise RpcError(f"{reply.status}: {content.decode('utf-8', 'replace').strip()}")
        try:
            answer = json.loads(content)
        except json.JSONDecodeError as error:
            raise RpcError(f"invalid JSON from {self.url}: {error}") from error
        if answer.get("error"):
            raise RpcError(answer["error"].get("message", "unknown error"))
        return answer.get("result")

    def number(self, method, *params):
        return int(self.call(method, *params), 16)

    def view(self, contract, signature, *words):
        """The 32-byte words that a view function of a contract returns."""
        data = crypto.keccak256(signature.encode())[:4] + b"".join(words)
        result = self.call("eth_call", {"to": contract, "data": "0x" + data.hex()}, "latest")
        raw = bytes.fromhex((result or "0x")[2:])
        if not raw:
            raise RpcError("no contract code at given address")
        return [raw[i : i + 32] for i in range(0, len(raw), 32)]


def word_of_address(address):
    return bytes(12) + address_bytes(address)


def address_bytes(text):
    """go-ethereum's HexToAddress: what is no hex becomes the zero address, what is too long loses its head."""
    digits = text[2:] if text[:2] in ("0x", "0X") else text
    try:
        raw = bytes.fromhex("0" * (len(digits) % 2) + digits)
    except ValueError:
        raw = b""
    return raw[-20:].rjust(20, b"\0")


def same_address(text):
    return crypto.checksum_address(address_bytes(text))


# --- the keystore ------------------------------------------------------------------------------------------------
class Keystore:
    """A directory of Web3 keystore files, version 3."""

    def __init__(self, directory):
        self.directory = Path(directory)

    def accounts(self):
        """(address, path), by file name; files that are no keystores are passed over as go-ethereum does."""
        found = []
        for path in sorted(self.directory.iterdir()) if self.directory.is_dir() else []:
            if path.name.startswith(".") or path.name.endswith("~") or not path.is_file():
                continue
            try:
                raw = bytes.fromhex(json.loads(path.read_bytes())["address"].removeprefix("0x"))
            except (ValueError, KeyError, TypeError, AttributeError, OSError):
                continue
            if len(raw) == 20 and any(raw):
                found.append((crypto.checksum_address(raw), path))
        return found

    def create(self, password):
        private = (secrets.randbelow(crypto.ORDER - 1) + 1).to_bytes(32, "big")
        address = crypto.address_of(private)
        self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        now = datetime.now(timezone.utc)
        name = f"UTC--{now:%Y-%m-%dT%H-%M-%S.%f}000Z--{address.hex()}"
        descriptor = os.open(self.directory / name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            json.dump(encrypt_key(private, password), file)
        return crypto.checksum_address(address), self.directory / name


def encrypt_key(private, password, kdf=None):
    """A Web3 keystore document; `kdf` lets tests take less than go-ethereum's quarter of a gigabyte."""
    parameters = {**(kdf or _SCRYPT), "salt": secrets.token_hex(32)}
    vector = secrets.token_bytes(16)
    derived = _derive("scrypt", parameters, password)
    ciphertext = crypto.aes128_ctr(derived[:16], vector, private)
    return {
        "address": crypto.address_of(private).hex(),
        "crypto": {
            "cipher": "aes-128-ctr",
            "ciphertext": ciphertext.hex(),
            "cipherparams": {"iv": vector.hex()},
            "kdf": "scrypt",
            "kdfparams": parameters,
            "mac": crypto.keccak256(derived[16:32] + ciphertext).hex(),
        },
        "id": str(uuid.uuid4()),
        "version": 3,
    }


def _derive(kdf, parameters, password):
    salt, length = bytes.fromhex(parameters["salt"]), int(parameters["dklen"])
    if kdf == "scrypt":
        n, r, p = (int(parameters[name]) for name in ("n", "r", "p"))
        memory = 128 * r * (n + p + 2) + (1 << 20)
        return hashlib.scrypt(password.encode(), salt=salt, n=n, r=r, p=p, dklen=length, maxmem=memory)
    if kdf == "pbkdf2":
        if parameters["prf"] != "hmac-sha256":
            raise ValueError(f"unsupported PBKDF2 PRF: {parameters['prf']}")
        return hashlib.pbkdf2_hmac("sha256", password.encode(), salt, int(parameters["c"]), length)
    raise ValueError(f"unsupported KDF: {kdf}")


def decrypt_key(document, password):
    """The private key; ValueError with go-ethereum's text when the file or the password is not right."""
    if document.get("version") != 3:
        raise ValueError(f"version not supported: {document.get('version')}")
    sealed = document.get("crypto") or document.get("Crypto")
    if sealed["cipher"] != "aes-128-ctr":
        raise ValueError(f"cipher not supported: {sealed['cipher']}")
    ciphertext = bytes.fromhex(sealed["ciphertext"])
    derived = _derive(sealed["kdf"], sealed["kdfparams"], password)
    if not hmac.compare_digest(crypto.keccak256(derived[16:32] + ciphertext), bytes.fromhex(sealed["mac"])):
        raise ValueError(_WRONG_PASSWORD)
    private = crypto.aes128_ctr(derived[:16], bytes.fromhex(sealed["cipherparams"]["iv"]), ciphertext)
    have, want = crypto.address_of(private).hex(), document["address"].removeprefix("0x").lower()
    if have != want:
        raise ValueError(f"key content mismatch: have account {have}, want {want}")
    return private


# --- the account -------------------------------------------------------------------------------------------------
class Account:
    """An unlocked account on a chain, with the addresses of the protocol's contracts."""

    def __init__(self, rpc, chain_id, address, recipient, contracts):
        self.rpc = rpc
        self.chain_id = chain_id
        self.address = address
        # Tickets are paid to the registered orchestrator when -ethOrchAddr names one.
        self.recipient = recipient
        self.contracts = contracts

    @property
    def url(self):
        return self.rpc.url


def open_account(settings, data_dir):
    """Everything the node does on-chain before it looks at models, in its order; raises EthError."""
    directory, wanted = _keystore_choice(settings, Path(data_dir))
    if not settings["ethUrl"]:
        raise EthError("Need to specify an Ethereum node JSON-RPC URL using -ethUrl", 1)
    rpc, chain_id = _dial(settings["ethUrl"])
    try:
        check_or_store_chain_id(Path(data_dir), chain_id)
    except ChainMismatch as error:
        raise EthError(str(error), 0) from error
    try:
        rpc.number("eth_gasPrice")
    except (RpcError, TypeError, ValueError) as error:
        raise EthError(f"Error starting gas price monitor: {error}", 0) from error
    address = _unlocked_address(Keystore(directory), wanted, settings)
    recipient = same_address(settings["ethOrchAddr"]) if settings["ethOrchAddr"] else address
    return Account(rpc, chain_id, address, recipient, _contracts(rpc, settings))


def _keystore_choice(settings, data_dir):
    """(directory, wanted address): a key *file* in -ethKeystorePath gives the address, not the directory."""
    directory, wanted = data_dir / "keystore", settings["ethAcctAddr"]
    if not settings["ethKeystorePath"]:
        return directory, wanted
    path = Path(settings["ethKeystorePath"])
    if not path.exists():
        raise EthError("provided -ethKeystorePath was not found", 1)
    if path.is_dir():
        return path, wanted
    try:
        found = same_address("0x" + json.loads(path.read_bytes())["address"].removeprefix("0x"))
    except OSError as error:
        raise EthError("error opening keystore", 1) from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise EthError("error parsing address from keyfile", 1) from error
    if same_address(wanted) not in (same_address(ZERO_ADDRESS), found):
        raise EthError(
            "-ethKeystorePath and -ethAcctAddr were both provided, "
            "but ethAcctAddr does not match the address found in keystore",
            1,
        )
    return directory, found


def _dial(url):
    scheme = urllib.parse.urlsplit(url).scheme
    if scheme not in ("http", "https"):
        raise EthError(f'Failed to connect to Ethereum client: no known transport for URL scheme "{scheme}"', 0)
    rpc = Rpc(url)
    try:
        return rpc, rpc.number("eth_chainId")
    except (RpcError, TypeError, ValueError) as error:
        raise EthError(f"failed to get chain ID from remote ethereum node: {error}", 0) from error


def _unlocked_address(keystore, wanted, settings):
    password = settings["ethPassword"]
    accounts = keystore.accounts()
    wanted = same_address(wanted)
    named = wanted != same_address(ZERO_ADDRESS)
    known = dict(accounts)
    if not accounts or (named and wanted not in known):
        log.info("No Ethereum account found. Creating a new account")
        if not password:
            # The real node prompts here; a service has no terminal to answer on.
            raise EthError(f"Error creating Ethereum account manager: {_NO_TERMINAL}", 0)
        # The trap of facts 1.8: the new key is sealed with the flag's own text, a path included.
        address, path = keystore.create(password)
    else:
        address, path = (wanted, known[wanted]) if named else accounts[0]
    log.info(f"Using Ethereum account: {address}")
    try:
        decrypt_key(json.loads(path.read_bytes()), settings.value_or_file("ethPassword"))
    except (ValueError, KeyError, TypeError, OSError) as error:
        raise EthError(f"Error unlocking Ethereum account: {error}", 0) from error
    log.info(f"Unlocked ETH account: {address}")
    return address


def _contracts(rpc, settings):
    controller = same_address(settings["ethController"])
    addresses = {"Controller": controller}
    for name in CONTRACTS:
        if name == "ServiceRegistry" and settings["aiServiceRegistry"]:
            addresses[name] = tables.AI_SERVICE_REGISTRY
            continue
        try:
            (word, *_rest) = rpc.view(controller, "getContract(bytes32)", crypto.keccak256(name.encode()))
        except RpcError as error:
            raise EthError(f"Failed to create Livepeer Ethereum client: {error}", 0) from error
        addresses[name] = crypto.checksum_address(word[12:])
    return addresses
