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

# What engines push: Docker's own form, or OCI's from newer ones; an index where the image store makes one.
MANIFEST_TYPES = ", ".join(
    (
        "application/vnd.docker.distribution.manifest.v2+json",
        "application/vnd.oci.image.manifest.v1+json",
        "application/vnd.docker.distribution.manifest.list.v2+json",
        "application/vnd.oci.image.index.v1+json",
    )
)
REGISTRY = next(service for service in SERVICES if service.name == "registry")


def _stamp(lab: Lab) -> Path:
    return lab.directory / "runner-pushed"


def forget(lab: Lab) -> None:
    """The registry's volume is gone."""
    _stamp(lab).unlink(missing_ok=True)


def ensure_runner(lab: Lab) -> None:
    """Push the image unless the registry has this very one under every tag."""
    image = f"{RUNNER_REPOSITORY}:{RUNNER_TAGS[0]}"
    image_id = engine.inspect("image", image)[image]["Id"]
    stamp = _stamp(lab)
    pushed = stamp.exists() and stamp.read_text(encoding="ascii") == image_id
    if pushed and tags_there(lab) >= set(RUNNER_TAGS):
        return
    with step("registry", f"taking {RUNNER_REPOSITORY} under {len(RUNNER_TAGS)} tags", "filled"):
        _push(lab, image)
        for tag in RUNNER_TAGS[1:]:
            _copy_tag(lab, RUNNER_TAGS[0], tag)
    stamp.write_text(image_id, encoding="ascii")


def tags_there(lab: Lab) -> set[str]:
    """Tags of the runner that the registry has."""
    status, _kind, body = _ask(lab, "GET", f"/v2/{RUNNER_REPOSITORY}/tags/list")
    return set(json.loads(body).get("tags") or []) if status == 200 else set()


def _push(lab: Lab, image: str) -> None:
    # `docker port` prints 127.0.0.1:<port>; engines trust a registry without TLS at localhost only.
    authority = engine.docker("port", lab.container(REGISTRY), str(REGISTRY.port)).split()[0]
    remote = f"{authority}/{image}"
    engine.docker("tag", image, remote)
    try:
        engine.docker("push", "--quiet", remote)
    except LabError as error:
        raise LabError(f"The lab's registry did not take {image}: {error}") from error
    finally:
        attempt(engine.docker_argv("rmi", remote))


def _copy_tag(lab: Lab, source: str, target: str) -> None:
    """Give a manifest that is there a second name: quicker than a push, and the digest is the same."""
    manifests = f"/v2/{RUNNER_REPOSITORY}/manifests"
    status, kind, body = _ask(lab, "GET", f"{manifests}/{source}")
    if status == 200:
        status, _kind, _body = _ask(lab, "PUT", f"{manifests}/{target}", body, kind)
    if status != 201:
        raise LabError(f"The lab's registry did not take the tag {target}: HTTP {status}.")


def _ask(lab: Lab, method: str, path: str, body: bytes | None = None, kind: str = "") -> tuple[int, str, bytes]:
    """Status, content type and body of the registry's answer."""
    connection = http.client.HTTPConnection(lab.address(REGISTRY), REGISTRY.port, timeout=10)
    headers = {"Content-Type": kind} if body else {"Accept": MANIFEST_TYPES}
    connection.request(method, path, body, headers)
    answer = connection.getresponse()
    return answer.status, answer.getheader("Content-Type", ""), answer.read()
