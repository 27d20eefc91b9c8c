# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The keystore, its password, and the endpoint: facts 1.8, with the exit statuses of 1.3."""

from __future__ import annotations

import importlib.util
import json
import threading
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt
from livepeer_node import crypto, eth
from node_helpers.network import settings
from node_helpers.process import free_port

KEY = (0xC0FFEE).to_bytes(32, "big")
ADDRESS = crypto.checksum_address(crypto.address_of(KEY))
LIGHT = {"n": 2, "p": 1, "r": 8, "dklen": 32}

# The PBKDF2 test vector of the Web3 Secret Storage Definition.
PBKDF2 = {
    "address": "008aeeda4d805471df9b2a5b0f38a0c3bcba786b",
    "crypto": {
        "cipher": "aes-128-ctr",
        "cipherparams": {"iv": "6087dab2f9fdbbfaddc31a909735c1e6"},
        "ciphertext": "5318b4d5bcd28de64ee5559e671353e16f075ecae9f99c7a79a38af5f869aa46",
        "kdf": "pbkdf2",
        "kdfparams": {
            "c": 262144,
            "dklen": 32,
            "prf": "hmac-sha256",
            "salt": "ae3cd4e7013836a3df6bd7241b12db061dbe2c6785853cce422d148a624ce0bd",
        },
        "mac": "517ead924a9d0dc3124507e3393d175ce3ff7c1e96529c6c555ce9e51205e9b2",
    },
    "version": 3,
}


def _rpc_module():
    path = Path(__file__).parents[2] / "rpc" / "server.py"
    spec = importlib.util.spec_from_file_location("lab_rpc_server", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def chain():
    """The URL of a running stand-in of an Ethereum node."""
    rpc = _rpc_module()
    server = rpc.Server(("127.0.0.1", 0), rpc.Chain())
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def light(monkeypatch):
    """go-ethereum's scrypt takes a quarter of a gigabyte; new keys of a test need not."""
    monkeypatch.setattr(eth, "_SCRYPT", LIGHT)


def open_account(chain, folder, *arguments):
    url = f"http://127.0.0.1:{chain.server_address[1]}"
    controller = "-ethController=0xD8E8328501E9645d16Cf49539efC04f734606ee4"
    return eth.open_account(settings(f"-ethUrl={url}", controller, *arguments), folder)


def refusal(chain, folder, *arguments):
    with pytest.raises(eth.EthError) as caught:
        open_account(chain, folder, *arguments)
    return str(caught.value), caught.value.exit_code


def with_key(folder, password, key=KEY):
    directory = folder / "keystore"
    directory.mkdir(exist_ok=True)
    path = directory / f"UTC--2026--{crypto.address_of(key).hex()}"
    path.write_text(json.dumps(eth.encrypt_key(key, password, LIGHT)))
    return path


def password_file(folder, text):
    path = folder / "password"
    path.write_text(text)
    return path


# --- primitives --------------------------------------------------------------------------------------------------
def test_keccak_is_not_sha3():
    assert crypto.keccak256(b"").hex() == "c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470"
    assert crypto.keccak256(b"a" * 136).hex() != crypto.keccak256(b"a" * 135).hex()
    assert crypto.keccak256(b"transfer(address,uint256)").hex().startswith("a9059cbb")


def test_an_address_is_spelled_with_its_checksum():
    for text in ("0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed", "0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359"):
        assert eth.same_address(text.lower()) == text
    assert crypto.checksum_address(crypto.address_of((1).to_bytes(32, "big"))) == (
        "0x7E5F4552091A69125d5DfCb7b8C2659029395Bdf"
    )


def test_the_published_keystore_opens():
    secret = "7a28b5ba57c53603b0b07b56bba752f7784bf506fa95edc395f5cf6c7514fe9d"
    assert eth.decrypt_key(PBKDF2, "testpassword").hex() == secret


def test_a_keystore_sealed_by_another_implementation_opens():
    salt, vector = bytes(range(32)), bytes(range(16))
    derived = Scrypt(salt=salt, length=32, n=4096, r=8, p=6).derive(b"hunter2")
    cipher = Cipher(algorithms.AES(derived[:16]), modes.CTR(vector)).encryptor()
    ciphertext = cipher.update(KEY) + cipher.finalize()
    document = {
        "address": ADDRESS[2:].lower(),
        "crypto": {
            "cipher": "aes-128-ctr",
            "cipherparams": {"iv": vector.hex()},
            "ciphertext": ciphertext.hex(),
            "kdf": "scrypt",
            "kdfparams": {"dklen": 32, "n": 4096, "r": 8, "p": 6, "salt": salt.hex()},
            "mac": crypto.keccak256(derived[16:32] + ciphertext).hex(),
        },
        "version": 3,
    }
    assert eth.decrypt_key(document, "hunter2") == KEY


def test_a_wrong_password_and_a_changed_file_are_told_apart():
    sealed = eth.encrypt_key(KEY, "good", LIGHT)
    with pytest.raises(ValueError, match="could not decrypt key with given password"):
        eth.decrypt_key(sealed, "bad")
    with pytest.raises(ValueError, match="key content mismatch"):
        eth.decrypt_key({**sealed, "address": "00" * 20}, "good")
    with pytest.raises(ValueError, match="version not supported: 1"):
        eth.decrypt_key({**sealed, "version": 1}, "good")


# --- the endpoint ------------------------------------------------------------------------------------------------
def test_an_existing_key_and_a_password_file_open_the_account(chain, tmp_path):
    with_key(tmp_path, "hunter2")
    account = open_account(chain, tmp_path, f"-ethPassword={password_file(tmp_path, 'hunter2')}")
    assert (account.address, account.recipient, account.chain_id) == (ADDRESS, ADDRESS, 42161)
    assert set(account.contracts) == {"Controller", *eth.CONTRACTS}
    assert account.rpc.number("eth_getBalance", account.address, "latest") == 10**18


def test_without_an_endpoint_the_node_exits_1(tmp_path):
    with pytest.raises(eth.EthError, match="Need to specify an Ethereum node JSON-RPC URL using -ethUrl") as caught:
        eth.open_account(settings(), tmp_path)
    assert caught.value.exit_code == 1


@pytest.mark.parametrize(
    ("url", "text"),
    [
        ("http://127.0.0.1:{port}", "failed to get chain ID from remote ethereum node: Post"),
        ("ftp://127.0.0.1", 'Failed to connect to Ethereum client: no known transport for URL scheme "ftp"'),
    ],
)
def test_an_endpoint_that_does_not_answer_ends_with_status_0(tmp_path, url, text):
    url = url.format(port=free_port())
    with pytest.raises(eth.EthError) as caught:
        eth.open_account(settings(f"-ethUrl={url}"), tmp_path)
    assert str(caught.value).startswith(text)
    assert caught.value.exit_code == 0


def test_another_chain_in_the_same_data_dir_is_refused(chain, tmp_path, monkeypatch):
    with_key(tmp_path, "p")
    open_account(chain, tmp_path, "-ethPassword=p")
    monkeypatch.setattr(chain.chain, "chain_id", 5)
    text, code = refusal(chain, tmp_path, "-ethPassword=p")
    assert text.startswith("expecting chainID of 42161, but got 5.")
    assert code == 0


def test_a_custom_network_needs_a_controller(chain, tmp_path):
    with_key(tmp_path, "p")
    text, code = refusal(chain, tmp_path, "-ethPassword=p", "-ethController=")
    assert text == "Failed to create Livepeer Ethereum client: no contract code at given address"
    assert code == 0


# --- the password ------------------------------------------------------------------------------------------------
def test_a_password_may_be_given_as_text(chain, tmp_path):
    with_key(tmp_path, "hunter2")
    assert open_account(chain, tmp_path, "-ethPassword=hunter2").address == ADDRESS


def test_a_typo_in_the_path_makes_the_path_the_password(chain, tmp_path):
    with_key(tmp_path, "hunter2")
    text, code = refusal(chain, tmp_path, f"-ethPassword={tmp_path}/pasword")
    assert text == "Error unlocking Ethereum account: could not decrypt key with given password"
    assert code == 0


def test_without_a_password_and_a_terminal_the_unlocking_fails(chain, tmp_path):
    with_key(tmp_path, "hunter2")
    assert refusal(chain, tmp_path)[1] == 0


# --- creating an account -----------------------------------------------------------------------------------------
def test_an_empty_keystore_gets_an_account_sealed_with_the_literal_text(chain, tmp_path, light):
    account = open_account(chain, tmp_path, "-ethPassword=hunter2")
    (path,) = (tmp_path / "keystore").iterdir()
    assert path.name.startswith("UTC--")
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.name.endswith(account.address[2:].lower())
    assert open_account(chain, tmp_path, "-ethPassword=hunter2").address == account.address


def test_a_new_account_with_a_password_file_cannot_be_unlocked(chain, tmp_path, light):
    file = password_file(tmp_path, "hunter2")
    text, code = refusal(chain, tmp_path, f"-ethPassword={file}")
    assert "could not decrypt key with given password" in text
    assert code == 0
    (path,) = (tmp_path / "keystore").iterdir()
    assert eth.decrypt_key(json.loads(path.read_text()), str(file))


def test_a_new_account_without_password_needs_a_terminal(chain, tmp_path):
    text, code = refusal(chain, tmp_path)
    assert text.startswith("Error creating Ethereum account manager:")
    assert code == 0


def test_an_unknown_address_silently_makes_a_new_account(chain, tmp_path, light):
    with_key(tmp_path, "p")
    wanted = crypto.checksum_address(bytes(range(20)))
    account = open_account(chain, tmp_path, "-ethPassword=p", f"-ethAcctAddr={wanted}")
    assert account.address not in (ADDRESS, wanted)
    assert len(list((tmp_path / "keystore").iterdir())) == 2


def test_the_address_chooses_among_keys_whatever_its_spelling(chain, tmp_path):
    with_key(tmp_path, "p")
    with_key(tmp_path, "q", (1).to_bytes(32, "big"))
    address = open_account(chain, tmp_path, "-ethPassword=p", f"-ethAcctAddr={ADDRESS.lower()}").address
    assert address == ADDRESS


def test_the_orchestrators_address_receives_the_tickets(chain, tmp_path):
    with_key(tmp_path, "p")
    other = crypto.checksum_address(bytes(range(20)))
    account = open_account(chain, tmp_path, "-ethPassword=p", f"-ethOrchAddr={other.lower()}")
    assert (account.address, account.recipient) == (ADDRESS, other)


# --- -ethKeystorePath --------------------------------------------------------------------------------------------
def test_a_keystore_path_may_be_a_directory(chain, tmp_path):
    with_key(tmp_path, "p")
    (tmp_path / "keystore").rename(tmp_path / "elsewhere")
    address = open_account(chain, tmp_path, "-ethPassword=p", f"-ethKeystorePath={tmp_path}/elsewhere").address
    assert address == ADDRESS


def test_a_keystore_path_to_a_file_gives_the_address_but_not_the_directory(chain, tmp_path, light):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    key = with_key(elsewhere, "p")
    account = open_account(chain, tmp_path, "-ethPassword=p", f"-ethKeystorePath={key}")
    assert account.address != ADDRESS
    assert (tmp_path / "keystore").is_dir()


def test_a_missing_keystore_path_and_a_mismatch_exit_1(chain, tmp_path):
    key = with_key(tmp_path, "p")
    assert refusal(chain, tmp_path, "-ethKeystorePath=/nonexistent") == ("provided -ethKeystorePath was not found", 1)
    other = crypto.checksum_address(bytes(range(20)))
    text, code = refusal(chain, tmp_path, f"-ethKeystorePath={key}", f"-ethAcctAddr={other}")
    assert "does not match the address found in keystore" in text
    assert code == 1
