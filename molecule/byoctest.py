"""BYOC as a client of the lab's orchestrators sees it; requests of the tests' own, not of the roles' modules."""

from __future__ import annotations

import base64
import json

import requests
import urllib3
from labtest import SUBNET

# The node's certificate is self-signed and new at every start.
urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)

NAME = "sentence-embeddings"
CONTAINER = f"livepeer-service-{NAME}"
TRIXIE = f"https://{SUBNET}.22:8935"
BOOKWORM = f"https://{SUBNET}.21:8935"
NOBODY = "0x0000000000000000000000000000000000000000"


def encoded(document: dict) -> str:
    return base64.b64encode(json.dumps(document).encode()).decode()


def token(name: str = NAME, url: str = TRIXIE) -> dict:
    """What the orchestrator says of a capability; empty while it does not answer."""
    headers = {"Livepeer-Eth-Address": encoded({"addr": NOBODY, "sig": ""}), "Livepeer-Capability": name}
    try:
        return requests.get(f"{url}/process/token", headers=headers, timeout=3, verify=False).json()
    except requests.RequestException:
        return {}


def offered(name: str = NAME, url: str = TRIXIE) -> bool:
    return token(name, url).get("available_capacity", 0) > 0


def job(name: str = NAME, url: str = TRIXIE, timeout: int = 20) -> requests.Response:
    header = {
        "id": "fault",
        "request": "{}",
        "parameters": "{}",
        "capability": name,
        "timeout_seconds": timeout,
        "sender": NOBODY,
        "sig": "",
    }
    return requests.post(
        f"{url}/process/request/v1/infer",
        headers={"Livepeer": encoded(header)},
        json={"texts": ["a quiet harbour at dawn"]},
        timeout=timeout + 10,
        verify=False,
    )


def answered(name: str = NAME, url: str = TRIXIE) -> bool:
    try:
        return job(name, url).status_code == 200
    except requests.RequestException:
        return False


def status(host) -> dict:
    """What the registrar says of itself; nothing while it starts, since systemd makes its directory anew."""
    answer = host.run("cat /run/livepeer-byoc/status.json")
    return json.loads(answer.stdout) if answer.rc == 0 else {"capabilities": {}}
