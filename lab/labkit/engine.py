"""The machine's Docker Engine, through its command line: some options the lab needs exist there only."""

from __future__ import annotations

import functools
import json
from typing import Any

from .command import as_root, attempt, run, tail
from .errors import LabError

# Everything the lab makes carries this label with the lab's name, and `down` removes nothing else.
LAB_LABEL = "ai.livepeer.lab"
# What a container was made from: image, flags, sources, identity.
SPEC_LABEL = "ai.livepeer.lab.spec"
# What an image was built from.
RECIPE_LABEL = "ai.livepeer.lab.recipe"


@functools.cache
def _prefix() -> tuple[str, ...]:
    """`docker`, or `sudo docker` for a person who may not use the socket."""
    probe = attempt(["docker", "version", "--format", "{{.Server.Version}}"])
    if probe.returncode == 0:
        return ("docker",)
    if "permission denied" in probe.stderr.lower():
        return tuple(as_root(["docker"]))
    raise LabError(f"No Docker daemon answers; run lab/bootstrap.sh, which starts one.\n{tail(probe.stderr, 2)}")


def answers() -> bool:
    """Whether there is a daemon to talk to."""
    try:
        return bool(_prefix())
    except LabError:
        return False


def docker_argv(*arguments: str) -> list[str]:
    return [*_prefix(), *arguments]


def docker(*arguments: str, data: bytes | None = None, timeout: float | None = None) -> str:
    """Run docker and return its output; raise on failure."""
    return run(docker_argv(*arguments), data, timeout)


def inspect(kind: str, *names: str) -> dict[str, dict[str, Any]]:
    """What the engine knows of the named things; those that are not there are left out."""
    if not names:
        return {}
    answer = attempt(docker_argv(kind, "inspect", *names))
    missing = "no such" in answer.stderr.lower() or "not found" in answer.stderr.lower()
    if answer.returncode != 0 and not missing:
        raise LabError(f"'docker {kind} inspect' failed: {tail(answer.stderr)}")
    found = json.loads(answer.stdout or "[]")
    if kind == "image":
        return {tag: item for item in found for tag in item.get("RepoTags") or [] if tag in names}
    return {item["Name"].lstrip("/"): item for item in found}


def labels(item: dict[str, Any]) -> dict[str, str]:
    """Labels of an inspected container, image, network or volume."""
    config = item.get("Config") or item
    return config.get("Labels") or {}


def names_of_lab(kind: str, lab_name: str) -> list[str]:
    """Names of the lab's containers, networks or volumes, found by their label."""
    flags = ["--all"] if kind == "container" else []
    column = "{{.Names}}" if kind == "container" else "{{.Name}}"
    listed = docker(kind, "ls", *flags, "--filter", f"label={LAB_LABEL}={lab_name}", "--format", column)
    return sorted(listed.split())
