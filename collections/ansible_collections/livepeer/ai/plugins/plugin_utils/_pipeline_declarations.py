# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Declared custom pipelines: what is wrong with them, and what follows from them. Private to the collection."""

from __future__ import annotations

import os
from collections.abc import Mapping

from ansible_collections.livepeer.ai.plugins.module_utils._go_livepeer import nearest
from ansible_collections.livepeer.ai.plugins.module_utils._pipeline_names import NameRefused, pipeline_names
from ansible_collections.livepeer.ai.plugins.plugin_utils._service_container import gpu_request, holds_secrets
from ansible_collections.livepeer.ai.plugins.plugin_utils._service_context import ContextError, context_of
from ansible_collections.livepeer.ai.plugins.plugin_utils._services import (
    ENV_NAME,
    REFERENCE,
    docker_size,
    is_list,
    is_text,
    is_whole,
    scalar_text,
)
from ansible_collections.livepeer.ai.plugins.plugin_utils._values import ProblemsError, is_number, type_name

REPOSITORY = "livepeer-pipeline"
CONTAINER_PREFIX = "livepeer-pipeline-"
LABEL = "ai.livepeer.pipeline"
RUNNER_PORT = 8000
MODELS_TARGET = "/models"
DEFAULTS = {
    "name": "",
    "path": "",
    "image": "",
    "run": "managed",
    "port": 0,
    "gpus": [],
    "gpu_mode": "runtime",
    "env": {},
    "build_args": {},
    "shm_size": "",
    "prepare": True,
    "prepare_size": 0,
    "prepare_timeout": 7200,
}
CHOICES = {"run": ("managed", "external"), "gpu_mode": ("runtime", "cdi")}
# What go-livepeer passes to the container of a managed runner, which knows no other.
OF_EXTERNAL = ("port", "env", "shm_size")
# What the role itself says to a container, and where a credential would show.
RESERVED_ENV = (
    "HF_HUB_OFFLINE",
    "HF_TOKEN",
    "HF_TOKEN_PATH",
    "HUGGING_FACE_HUB_TOKEN",
    "MODEL_ID",
    "PIPELINE",
    "PREPARE_MODELS",
)
# The role tells them from the package's Git revision, which must not make another image of the same files.
RESERVED_ARGS = ("GIT_SHA", "VERSION")


class PipelinesError(ProblemsError):
    """All problems of a list of pipelines, in one text for the person who wrote it."""


def pipeline_declarations(packages, variable):
    """The entries with every key and their names, or PipelinesError."""
    if not is_list(packages):
        raise PipelinesError(f"{variable} is {type_name(packages)}, must be a list of pipelines.")
    problems = []
    for index, entry in enumerate(packages):
        problems += [f"{variable}, entry {index}{_shown(entry)}, {text}" for text in _problems(entry)]
    problems += [f"{variable}, {text}" for text in _conflicts([one for one in packages if isinstance(one, Mapping)])]
    if problems:
        raise PipelinesError(" ".join(f"{one}." for one in problems), [f"{one}." for one in problems])
    return [_complete(entry) for entry in packages]


def _shown(entry):
    name = entry.get("name") if isinstance(entry, Mapping) else None
    return f" ({name})" if is_text(name) and name else ""


def _problems(entry):
    if not isinstance(entry, Mapping):
        yield f"it is {type_name(entry)}, must be a mapping with name and path or image"
        return
    for key, value in entry.items():
        if key not in DEFAULTS:
            yield f"{key}: is not a key of a pipeline{nearest(str(key), DEFAULTS) or '; it has ' + ', '.join(DEFAULTS)}"
        elif value is None:
            yield f"{key}: is null: leave the key out to keep its default"
    full = {**DEFAULTS, **{key: value for key, value in entry.items() if key in DEFAULTS and value is not None}}
    yield from _of_the_name(full)
    yield from _of_the_source(full)
    yield from _of_running(full)
    yield from _of_preparing(full)
    for key in ("env", "build_args"):
        yield from _of_variables(key, full[key])


def _of_the_name(full):
    try:
        pipeline_names(full["name"], "name")
    except NameRefused as error:
        yield f"name: {str(error).rstrip('.')}"


def _of_the_source(full):
    path, image = full["path"], full["image"]
    for key in ("path", "image"):
        if not is_text(full[key]):
            yield f"{key}: is {type_name(full[key])}, must be text: quote it"
    if bool(path) == bool(image):
        yield "path: give either path, a directory to build from, or image, one that is ready" + (
            ", not both" if path else ""
        )
    elif image and is_text(image) and not REFERENCE.fullmatch(image):
        yield f"image: {image!r} is not a reference of an image such as registry.example/name@sha256:..."
    if image and full["build_args"]:
        yield "build_args: are for path, and image is built already: leave them out"


def _of_running(full):
    for key, choices in CHOICES.items():
        if full[key] not in choices:
            yield f"{key}: is {full[key]!r}, must be one of {', '.join(choices)}"
    port = full["port"]
    if not is_whole(port) or not (port == 0 or 1024 <= port <= 65535):
        yield f"port: is {port!r}, must be a whole number from 1024 to 65535"
    elif full["run"] == "external" and port == 0:
        yield "port: is missing: an external runner listens on one, choose it"
    if full["run"] == "managed":
        for key in OF_EXTERNAL:
            if full[key] != DEFAULTS[key]:
                yield f"{key}: is for run: external, go-livepeer gives its own to a managed runner: leave it out"
    gpus = full["gpus"]
    if not is_list(gpus) or not all(is_whole(gpu) and gpu >= 0 for gpu in gpus):
        yield "gpus: must be a list of GPU indexes such as [0]"
    elif len(set(gpus)) != len(gpus):
        yield "gpus: names a GPU twice"
    if not is_text(full["shm_size"]) or (full["shm_size"] and not docker_size(full["shm_size"])):
        yield f"shm_size: is {full['shm_size']!r}, must be a size in quotes such as 4g or 512MiB"


def _of_preparing(full):
    if not isinstance(full["prepare"], bool):
        yield f"prepare: is {type_name(full['prepare'])}, must be true or false without quotes"
    if not is_number(full["prepare_size"]) or full["prepare_size"] < 0:
        yield f"prepare_size: is {full['prepare_size']!r}, must be a number of bytes"
    if not is_whole(full["prepare_timeout"]) or full["prepare_timeout"] < 1:
        yield f"prepare_timeout: is {full['prepare_timeout']!r}, must be a number of seconds"


def _of_variables(key, values):
    if not isinstance(values, Mapping):
        yield f"{key}: is {type_name(values)}, must map names to values"
        return
    for name, value in values.items():
        # The values may be credentials: name the variable, never show its value.
        if not is_text(name) or not ENV_NAME.fullmatch(name):
            yield f"{key}: {name!r} cannot be the name of a variable"
        elif not isinstance(value, (str, bool)) and not is_number(value):
            yield f"{key}: {name} is {type_name(value)}, must be text, a number or a boolean"
        elif name in (RESERVED_ENV if key == "env" else RESERVED_ARGS):
            hint = "give the token in custom_pipeline_hf_token" if "TOKEN" in name else "leave it out"
            yield f"{key}: {name} is what the role itself says: {hint}"


def _conflicts(entries):
    """Two pipelines that want one thing."""
    for key, what in (("name", "name"), ("port", "port"), ("models", "directory of models")):
        seen = set()
        for entry in entries:
            value = _models_of(entry) if key == "models" else entry.get(key)
            if not isinstance(value, (str, int)) or not value:
                continue
            if value in seen and not (key == "models" and _is_twice(entry, entries)):
                yield f"two entries have the {what} {value}: give each its own"
            seen.add(value)


def _models_of(entry):
    try:
        return pipeline_names(entry.get("name"), "name")["models"]
    except NameRefused:
        return None


def _is_twice(entry, entries):
    return [other.get("name") for other in entries].count(entry.get("name")) > 1


def _complete(entry):
    full = {**DEFAULTS, **{key: _plain(value) for key, value in entry.items()}}
    full["names"] = pipeline_names(full["name"], "name")
    full["build_args"] = {str(name): scalar_text(value) for name, value in full["build_args"].items()}
    full["env"] = {str(name): scalar_text(value) for name, value in full["env"].items()}
    full["shm_size"] = docker_size(full["shm_size"]) if full["shm_size"] else ""
    external = full["run"] == "external"
    full["container"] = f"{CONTAINER_PREFIX}{full['name']}" if external else ""
    full["url"] = f"http://127.0.0.1:{full['port']}" if external else ""
    return full


def _plain(value):
    """Ansible's own containers are lazy and cannot be shared."""
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if is_list(value) else value


def pipeline_context(entry, variable, base):
    """What an entry of pipeline_declarations is built of."""
    path = os.path.normpath(os.path.join(base, entry["path"]))
    if not os.path.isfile(os.path.join(path, "Dockerfile")):
        raise PipelinesError(f"{variable}, {entry['name']}, path: there is no Dockerfile in {path} on the controller.")
    try:
        return {**context_of([(path, "", ())], entry["build_args"]), "path": path}
    except ContextError as error:
        raise PipelinesError(f"{variable}, {entry['name']}, path: {error}.") from error


def pipeline_images(packages, base, registry="", variable="custom_pipeline_packages"):
    """The image of each pipeline by its name, known from its files alone."""
    images = {}
    for entry in pipeline_declarations(packages, variable):
        image = entry["image"]
        if not image:
            image = f"{image_repository(entry['name'], registry)}:{pipeline_context(entry, variable, base)['tag']}"
        images[entry["name"]] = image
    return images


def image_repository(name, registry):
    return f"{registry.rstrip('/') if registry else REPOSITORY}/{name}"


def pipeline_container(entry, image, image_id, models_dir):
    """Options of community.docker.docker_container for an external runner, and whether they hold secrets."""
    options = {
        "name": entry["container"],
        "image": image,
        "pull": "never",
        "restart_policy": "unless-stopped",
        "stop_timeout": 30,
        "log_driver": "json-file",
        "log_options": {"max-size": "10m", "max-file": "3"},
        "published_ports": [f"127.0.0.1:{entry['port']}:{RUNNER_PORT}"],
        # What go-livepeer tells a runner of its own.
        "env": {"PIPELINE": "live-video-to-video", "MODEL_ID": entry["name"], **entry["env"]},
        # The image's id besides its name: a tag of an image that is ready may come to name another.
        "labels": {LABEL: entry["name"], f"{LABEL}.image": image_id},
        # Writable, as go-livepeer mounts it: engines are kept there.
        "mounts": [{"type": "bind", "source": models_dir, "target": MODELS_TARGET}],
    }
    if entry["shm_size"]:
        options["shm_size"] = entry["shm_size"]
    if entry["gpus"]:
        options["device_requests"] = [gpu_request(entry["gpus"], entry["gpu_mode"])]
    return {"options": options, "secret": holds_secrets(entry["env"])}
