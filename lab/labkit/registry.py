"""Fill a lab's registry with the runner images, so that hosts pull them under their true names."""

from __future__ import annotations

import http.client
import json
from pathlib import Path

from . import engine
from .command import attempt
from .errors import LabError
from .images import RUNNER_REPOSITORY, RUNNER_TAGS
from .progress import step
from .topology import SERVICES, Lab

REGISTRY = next(service for service in SERVICES if service.name == "registry")


def _stamp(lab: Lab) -> Path:
    return lab.directory / "runner-pushed"


def forget(lab: Lab) -> None:
    """The registry's volume is gone."""
    _stamp(lab).unlink(missing_ok=True)


def tags_there(lab: Lab) -> set[str]:
    """Tags of the runner that the registry has."""
    connection = http.client.HTTPConnection(lab.address(REGISTRY), REGISTRY.port, timeout=5)
    connection.request("GET", f"/v2/{RUNNER_REPOSITORY}/tags/list")
    answer = connection.getresponse()
    body = answer.read()
    return set(json.loads(body).get("tags") or []) if answer.status == 200 else set()


def ensure_runner(lab: Lab, image_id: str) -> None:
    """Push every tag unless the registry has this very image."""
    stamp = _stamp(lab)
    pushed = stamp.exists() and stamp.read_text(encoding="ascii") == image_id
    if pushed and tags_there(lab) >= set(RUNNER_TAGS):
        return
    # `docker port` prints 127.0.0.1:<port>; engines trust a registry without TLS at localhost only.
    authority = engine.docker("port", lab.container(REGISTRY), str(REGISTRY.port)).split()[0]
    with step("registry", f"taking {len(RUNNER_TAGS)} runner tags", "filled"):
        for tag in RUNNER_TAGS:
            _push(f"{RUNNER_REPOSITORY}:{tag}", f"{authority}/{RUNNER_REPOSITORY}:{tag}")
    stamp.write_text(image_id, encoding="ascii")


def _push(local: str, remote: str) -> None:
    engine.docker("tag", local, remote)
    try:
        engine.docker("push", "--quiet", remote)
    except LabError as error:
        raise LabError(f"The lab's registry did not take {local}: {error}") from error
    finally:
        attempt(engine.docker_argv("rmi", remote))
