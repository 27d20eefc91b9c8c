# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From a declared service to its container, for Docker and for people who use Compose. Private to the collection."""

from __future__ import annotations

import hashlib
import json

NAME_LABEL = "ai.livepeer.service"
CONFIG_LABEL = "ai.livepeer.config"
WEIGHTS_LABEL = "ai.livepeer.weights"
MODELS_TARGET = "/models"
TOKEN_TARGET = "/run/secrets/bearer_token"
# The user that images of the template run as.
TEMPLATE_USER = "10001"
# A stop lets requests finish; Docker's own ten seconds are less than an inference may take.
STOP_SECONDS = 30
LOG_OPTIONS = {"max-size": "10m", "max-file": "3"}
DIGEST_LENGTH = 16
# In the name of a variable, the sign of a credential.
SECRET_WORDS = ("token", "secret", "password", "key")


def service_container(entry, image, image_id="", image_user="", commits=None, models_dir="", token_path=""):
    """Options of community.docker.docker_container, their digest, the token's reader, and whether they hold secrets."""
    commits = commits or {}
    options = {
        "name": entry["container"],
        "image": image,
        "pull": "never",
        "restart_policy": entry["restart_policy"],
        "stop_timeout": STOP_SECONDS,
        "log_driver": "json-file",
        "log_options": dict(LOG_OPTIONS),
        "published_ports": [f"127.0.0.1:{entry['port']}:{entry['container_port']}"],
        "env": _environment(entry, commits),
        "labels": {NAME_LABEL: entry["name"]},
        "mounts": _mounts(entry, models_dir, token_path),
    }
    if entry["models"]:
        options["labels"][WEIGHTS_LABEL] = " ".join(
            f"{model['model_id']}@{commits.get(model['model_id'], '')}" for model in entry["models"]
        )
    for key in ("command", "cpus", "memory", "shm_size", "user"):
        if entry[key]:
            options[key] = entry[key]
    if entry["memory"]:
        # Weights that are swapped out serve nobody: too much memory must end the container, and be seen.
        options["memory_swap"] = entry["memory"]
    if entry["hardened"]:
        options.update(read_only=True, tmpfs=["/tmp"], cap_drop=["ALL"], security_opts=["no-new-privileges"])
    if entry["gpus"]:
        options["device_requests"] = [gpu_request(entry["gpus"], entry["gpu_mode"])]
    if entry["network"]:
        # The first one carries the published port, which an internal network would not.
        options["networks"] = [{"name": "bridge"}, {"name": entry["network"]}]
    digest = _digest(options, image_id, entry)
    options["labels"][CONFIG_LABEL] = digest
    return {
        "options": options,
        "digest": digest,
        "token_owner": _token_owner(entry, image_user),
        "commits": {model["model_id"]: commits.get(model["model_id"], "") for model in entry["models"]},
        "secret": holds_secrets(entry["env"]),
    }


def _environment(entry, commits):
    env = {"PORT": str(entry["container_port"]), "MAX_CONCURRENCY": str(entry["capacity"])}
    if entry["models"] or entry["source"] == "template":
        env.update({"MODEL_DIR": MODELS_TARGET, "HF_HUB_CACHE": MODELS_TARGET, "HF_HUB_OFFLINE": "1"})
    if entry["models"]:
        first = entry["models"][0]["model_id"]
        env.update({"MODEL_ID": first, "MODEL_REVISION": commits.get(first, "")})
    if entry["token"]:
        env["BEARER_TOKEN_FILE"] = TOKEN_TARGET
    return {**env, **entry["env"]}


def _mounts(entry, models_dir, token_path):
    mounts = []
    if entry["models"]:
        mounts.append({"type": "bind", "source": models_dir, "target": MODELS_TARGET, "read_only": True})
    if entry["token"]:
        mounts.append({"type": "bind", "source": token_path, "target": TOKEN_TARGET, "read_only": True})
    return mounts


def gpu_request(gpus, mode):
    """What to ask Docker for. It notes a count of 0 beside ids; without ours the module sees a change each time."""
    if mode == "cdi":
        return {"driver": "cdi", "count": 0, "device_ids": [f"nvidia.com/gpu={gpu}" for gpu in gpus]}
    return {"driver": "nvidia", "count": 0, "device_ids": [str(gpu) for gpu in gpus], "capabilities": [["gpu"]]}


def _token_owner(entry, image_user):
    """The numeric user that reads the token; root where the image names its user by a name of its own."""
    user = (entry["user"] or (TEMPLATE_USER if entry["source"] == "template" else image_user)).partition(":")[0]
    return user if user.isdigit() else "0"


def holds_secrets(env):
    return any(word in name.lower() for name in env for word in SECRET_WORDS)


def _digest(options, image_id, entry):
    """Changes with everything that the container depends on, and with nothing else."""
    token = entry["token"]
    if token:
        # The digest is a label that anybody may see: slow to guess a token from, and salted.
        token = hashlib.pbkdf2_hmac("sha256", token.encode(), entry["name"].encode(), 200_000).hex()
    text = json.dumps([options, image_id, token], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:DIGEST_LENGTH]


# What Compose calls the options that it has under another name, and the ones that it has not.
COMPOSE_NAMES = {
    "name": "container_name",
    "restart_policy": "restart",
    "env": "environment",
    "memory": "mem_limit",
    "memory_swap": "memswap_limit",
    "published_ports": "ports",
    "security_opts": "security_opt",
    "pull": "pull_policy",
}
COMPOSE_SAME = ("image", "command", "labels", "cpus", "shm_size", "user", "read_only", "tmpfs", "cap_drop")


def compose_document(options):
    """The same container for `docker compose`. An option that has no counterpart here is a mistake of ours."""
    service = {"network_mode": "bridge"}
    networks = {}
    for key, value in options.items():
        if key in COMPOSE_SAME or key in COMPOSE_NAMES:
            service[COMPOSE_NAMES.get(key, key)] = _literal(value)
        elif key == "stop_timeout":
            service["stop_grace_period"] = f"{value}s"
        elif key == "log_driver":
            service["logging"] = {"driver": value, "options": dict(options["log_options"])}
        elif key == "mounts":
            service["volumes"] = [_volume(mount) for mount in value]
        elif key == "device_requests":
            service["deploy"] = {"resources": {"reservations": {"devices": [_device(one) for one in value]}}}
        elif key == "networks":
            del service["network_mode"]
            names = [network["name"] for network in value if network["name"] != "bridge"]
            # Compose joins no container to Docker's own bridge besides others; its own default is one like it.
            service["networks"] = ["default", *names]
            networks = {"networks": {name: {"external": True} for name in names}}
        elif key != "log_options":
            raise ValueError(f"{key} of {options['name']} has no counterpart in a compose file")
    return {"name": options["name"].replace(".", "-"), "services": {"service": service}, **networks}


def _literal(value):
    """Compose replaces $VARIABLES in every text unless the sign is doubled."""
    if isinstance(value, dict):
        return {key: _literal(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_literal(item) for item in value]
    return value.replace("$", "$$") if isinstance(value, str) else value


def _volume(mount):
    # Docker refuses a source that is missing, and so must Compose, which would make a directory of it.
    return {**{key: _literal(value) for key, value in mount.items()}, "bind": {"create_host_path": False}}


def _device(request):
    device = {"driver": request["driver"], "device_ids": list(request["device_ids"])}
    # Compose demands capabilities; CDI ignores them.
    device["capabilities"] = list(request.get("capabilities", [["gpu"]])[0])
    return device
