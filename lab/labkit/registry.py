"""Fill a lab's registry with the runner images and the base of services, so that hosts pull them under their names."""

from __future__ import annotations

import http.client
import json
from collections.abc import Sequence
from pathlib import Path

from . import engine
from .command import attempt
from .errors import LabError
from .images import LIVE_BASE_TAG, RUNNER_REPOSITORY, RUNNER_TAGS
from .progress import step
from .topology import SERVICE_BASE_IMAGE, SERVICES, Lab

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


def _stamp(lab: Lab, name: str) -> Path:
    return lab.directory / f"{name}-pushed"


def forget(lab: Lab) -> None:
    """The registry's volume is gone."""
    for stamp in lab.directory.glob("*-pushed"):
        stamp.unlink()


def ensure_runner(lab: Lab) -> None:
    """The runner's image under every tag that go-livepeer may ask for."""
    _ensure(lab, "runner", RUNNER_REPOSITORY, RUNNER_TAGS)


def ensure_live_base(lab: Lab) -> None:
    """The image that own live pipelines are built on."""
    _ensure(lab, "live-base", RUNNER_REPOSITORY, (LIVE_BASE_TAG,))


def ensure_base(lab: Lab) -> None:
    """The image that hosts build services from."""
    repository, _, tag = SERVICE_BASE_IMAGE.partition(":")
    _ensure(lab, "service-base", repository, (tag,))


def _ensure(lab: Lab, name: str, repository: str, tags: Sequence[str]) -> None:
    """Push the image of the first tag unless the registry has this very one under every tag."""
    image = f"{repository}:{tags[0]}"
    image_id = engine.inspect("image", image)[image]["Id"]
    stamp = _stamp(lab, name)
    pushed = stamp.exists() and stamp.read_text(encoding="ascii") == image_id
    if pushed and tags_there(lab, repository) >= set(tags):
        return
    shown = f"{len(tags)} tags" if len(tags) > 1 else f"the tag {tags[0]}"
    with step("registry", f"taking {repository} under {shown}", "filled"):
        _push(lab, image)
        for tag in tags[1:]:
            _copy_tag(lab, repository, tags[0], tag)
    stamp.write_text(image_id, encoding="ascii")


def tags_there(lab: Lab, repository: str) -> set[str]:
    """Tags of the repository that the registry has."""
    status, _kind, body = _ask(lab, "GET", f"/v2/{repository}/tags/list")
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


def _copy_tag(lab: Lab, repository: str, source: str, target: str) -> None:
    """Give a manifest that is there a second name: quicker than a push, and the digest is the same."""
    manifests = f"/v2/{repository}/manifests"
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
