# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runner containers as the Docker Engine sees them, through its socket alone. Private to the collection."""

from __future__ import annotations

import http.client
import json
import re
import socket
import struct
import urllib.parse

from ansible_collections.livepeer.ai.plugins.module_utils._http import redact, shorten

RUNNER_LABEL = "creator=ai-worker"
RUNNER_PORT = "8000/tcp"
LONGEST_WORDS = 200

# What a container's last words mean: pattern, name, sentence, remedy. The first match wins, the specific first.
CAUSES = (
    (
        r"CUDA out of memory|OutOfMemoryError",
        "cuda_out_of_memory",
        "the GPU has too little memory for the model",
        "Give the model a GPU of its own or a larger one; one warm model per GPU is the rule.",
    ),
    (
        r"no kernel image is available|CUDA capability sm_\d+ is not compatible",
        "gpu_unsupported",
        "the image was built for other GPUs than this one",
        "Use a newer runner image, or a GPU that the image supports.",
    ),
    (
        r"unsatisfied condition: cuda|nvidia-container-cli: requirement error|driver version is insufficient",
        "driver_too_old",
        "the NVIDIA driver is older than the image needs",
        "Update the NVIDIA driver, or use an older runner image.",
    ),
    (
        r"could not select device driver|nvidia-container-cli|failed to discover GPU|unresolvable CDI devices",
        "gpu_unreachable",
        "Docker cannot hand the GPU to the container",
        "Install the NVIDIA container toolkit on this host and check that a container sees the GPU.",
    ),
    (
        r"GatedRepoError|gated repo|Access to model .+ is restricted|401 Client Error|403 Client Error",
        "gated",
        "the model is gated and the runner tried to download it",
        "Put the weights on the host with the role model_weights and a token that has accepted the licence.",
    ),
    (
        r"LocalEntryNotFoundError|OfflineModeIsEnabled|FileNotFoundError|No such file or directory|Error no file named"
        r"|does not appear to have a file named|Cannot find the requested files|couldn't connect to '?https?://"
        r"|is not a valid model identifier",
        "missing_file",
        "a file of the model is missing on the host",
        "Run the role model_weights for this model and check that the orchestrator uses the same directory.",
    ),
    (
        r"SafetensorError|InvalidHeader|HeaderTooLarge|PytorchStreamReader failed|EOFError|unexpected end of file",
        "damaged_file",
        "a file of the model is damaged",
        "Run the role model_weights with model_weights_verify set to full; it replaces what is damaged.",
    ),
    (
        r"No space left on device",
        "disk_full",
        "the disk is full",
        "Free space on the host; the weights and /tmp of the runner need it.",
    ),
    (
        r"ModuleNotFoundError|ImportError|exec format error|executable file not found",
        "image_broken",
        "the image does not fit: its program cannot start",
        "Use the image that belongs to this pipeline, for this machine's architecture.",
    ),
    (
        r"port is already allocated|address already in use",
        "port_taken",
        "another process has the runner's port",
        "Stop the process or the orphaned container that listens on the port.",
    ),
)


class DockerError(Exception):
    """The Docker Engine did not answer the question."""


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path, timeout):
        super().__init__("docker", timeout=timeout)
        self._path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


class DockerSocket:
    """The few questions that the collection has for the Docker Engine."""

    def __init__(self, path, timeout=10.0):
        self.path = path
        self.timeout = timeout

    def _get(self, path, **query):
        status, body = self._ask("GET", path + ("?" + urllib.parse.urlencode(query) if query else ""), self.timeout)
        if status != 200:
            raise DockerError(f"the Docker Engine answers {status} to {path}")
        return body

    def _ask(self, method, path, timeout):
        connection = _UnixConnection(self.path, timeout)
        try:
            connection.request(method, path)
            answer = connection.getresponse()
            return answer.status, answer.read()
        except (OSError, http.client.HTTPException) as error:
            raise DockerError(f"the Docker Engine at {self.path} does not answer ({error})") from error
        finally:
            connection.close()

    def version(self):
        return json.loads(self._get("/version"))["Version"]

    def info(self):
        return json.loads(self._get("/info"))

    def runners(self):
        """Every container that a node made, stopped ones included; the bare list lacks the ports of those."""
        found = json.loads(self._get("/containers/json", all="1", filters=json.dumps({"label": [RUNNER_LABEL]})))
        return [container for container in map(self.inspect, (item["Id"] for item in found)) if container]

    def all(self):
        found = json.loads(self._get("/containers/json", all="1"))
        return [container for container in map(self.inspect, (item["Id"] for item in found)) if container]

    def inspect(self, name):
        """None if there is no such container, which is also what one sees that is removed at this moment."""
        try:
            return Container(json.loads(self._get("/containers/{}/json".format(urllib.parse.quote(name, safe="")))))
        except DockerError as error:
            if "answers 404" in str(error):
                return None
            raise

    def stop(self, container, timeout):
        """Stop it, with the time to end that it was made with; one that is stopped is fine (304)."""
        self._order(container, "stop", timeout)

    def start(self, container, timeout):
        self._order(container, "start", timeout)

    def _order(self, container, what, timeout):
        status, body = self._ask("POST", f"/containers/{container.id}/{what}", timeout)
        if status not in (204, 304):
            said = shorten(body.decode("utf-8", "replace"), 200)
            raise DockerError(f"the Docker Engine answers {status} to the order to {what} {container.name} ({said})")

    def log_tail(self, container, lines):
        raw = self._get(f"/containers/{container.id}/logs", stdout="1", stderr="1", tail=str(lines))
        text = raw if container.tty else _demultiplex(raw)
        return redact(text.decode("utf-8", "replace")).splitlines()[-lines:]


class Container:
    """What matters of one `docker inspect`."""

    def __init__(self, document):
        state, config = document["State"], document["Config"]
        self.id = document["Id"]
        self.name = document["Name"].lstrip("/")
        self.status = state["Status"]
        self.exit_code = state.get("ExitCode", 0)
        self.error = redact(state.get("Error") or "")
        self.killed_for_memory = bool(state.get("OOMKilled"))
        self.restarts = document.get("RestartCount", 0)
        self.created = document.get("Created", "")
        self.tty = bool(config.get("Tty"))
        self.image = config.get("Image", "")
        labels = config.get("Labels") or {}
        self.is_runner = labels.get("creator") == "ai-worker"
        # The service address of the node that made it.
        self.creator_id = labels.get("creator_id", "")
        environment = dict(item.partition("=")[::2] for item in config.get("Env") or [])
        self.pipeline, self.model_id = environment.get("PIPELINE", ""), environment.get("MODEL_ID", "")
        self.ports = _published((document.get("HostConfig") or {}).get("PortBindings") or {})

    @property
    def ended(self):
        return self.status in ("exited", "dead")

    @property
    def url(self):
        """Where the runner answers on this host, empty if its port is not published."""
        return f"http://127.0.0.1:{self.ports[RUNNER_PORT]}" if RUNNER_PORT in self.ports else ""

    def describe(self):
        return {
            "name": self.name,
            "image": self.image,
            "status": self.status,
            "exit_code": self.exit_code,
            "restarts": self.restarts,
        }


def _published(bindings):
    ports = {}
    for inner, outer in bindings.items():
        for binding in outer or []:
            if (binding.get("HostPort") or "").isdigit():
                ports[inner] = int(binding["HostPort"])
    return ports


def _demultiplex(raw):
    """Without a terminal, Docker frames both streams into one: type, three zeros, length, text."""
    pieces, position = [], 0
    while position + 8 <= len(raw):
        (length,) = struct.unpack_from(">I", raw, position + 4)
        pieces.append(raw[position + 8 : position + 8 + length])
        position += 8 + length
    return b"".join(pieces)


def likely_cause(container, lines):
    """(name, sentence, remedy) of why the container does not serve, from its state and its last words, newest first."""
    for text in (container.error, *reversed(lines)):
        for pattern, name, sentence, remedy in CAUSES:
            if re.search(pattern, text):
                return name, f"{sentence} ({shorten(text, LONGEST_WORDS)})", remedy
    if container.killed_for_memory or container.exit_code == 137:
        return (
            "killed",
            "it was killed, as happens when the host runs out of memory",
            "Give the host more memory, or the runner fewer models to share it with.",
        )
    if container.ended or container.status == "restarting":
        last = next((line for line in reversed(lines) if line.strip()), "no last words")
        return (
            "exited",
            f"it exited with code {container.exit_code} ({shorten(last, LONGEST_WORDS)})",
            "Read the log lines that come with this message, or `docker logs` on the host.",
        )
    return "", "", ""
