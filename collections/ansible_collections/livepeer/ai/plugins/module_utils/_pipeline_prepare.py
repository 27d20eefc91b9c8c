# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One run that prepares the models of a custom pipeline, beside the models that serve. Private to the collection."""

from __future__ import annotations

import calendar
import http.client
import json
import os
import shutil
import subprocess
import time
import urllib.parse

from ansible_collections.livepeer.ai.plugins.module_utils._http import redact, shorten
from ansible_collections.livepeer.ai.plugins.module_utils._runner_container import (
    DockerError,
    DockerSocket,
    _demultiplex,
    _UnixConnection,
    likely_cause,
)

# dl_checkpoints.sh of ai-runner looks for this label and waits for nobody.
PREPARE_LABEL = "Pipeline-Prepare"
MODELS_TARGET = "/models"
TOKEN_TARGET = "/run/secrets/hf_token"
# The daemon may have to unpack or to stop something.
PATIENCE = 120
LAST_LINES = 20


class PrepareError(Exception):
    """Why the models are not prepared, as a sentence."""


class PrepareDocker(DockerSocket):
    """What a prepare run asks of the Docker Engine beyond looking."""

    def call(self, method, path, body=None, **query):
        """Status and parsed answer."""
        connection = _UnixConnection(self.path, PATIENCE)
        target = path + ("?" + urllib.parse.urlencode(query) if query else "")
        try:
            connection.request(
                method,
                target,
                None if body is None else json.dumps(body),
                {"Content-Type": "application/json"} if body is not None else {},
            )
            answer = connection.getresponse()
            raw = answer.read()
        except (OSError, http.client.HTTPException) as error:
            raise DockerError(f"the Docker Engine at {self.path} does not answer ({error})") from error
        finally:
            connection.close()
        return answer.status, json.loads(raw) if raw.strip() else {}

    def order(self, method, path, accepted, body=None, **query):
        status, answer = self.call(method, path, body, **query)
        if status not in accepted:
            said = answer.get("message", "") if isinstance(answer, dict) else ""
            raise DockerError(f"the Docker Engine answers {status} ({shorten(redact(said), 300)})")
        return answer

    def image_id(self, name):
        """Empty if there is no such image."""
        status, answer = self.call("GET", f"/images/{urllib.parse.quote(name, safe='/:@')}/json")
        return answer.get("Id", "") if status == 200 else ""

    def preparing(self):
        """Names of the prepare runs that are under way, whoever started them."""
        filters = json.dumps({"label": [PREPARE_LABEL]})
        found = self.order("GET", "/containers/json", (200,), filters=filters)
        return sorted(name.lstrip("/") for one in found for name in one["Names"][:1])

    def remove(self, name):
        self.order("DELETE", f"/containers/{name}", (204, 404), force="1", v="1")

    def log_since(self, container, since):
        """(time stamp, line) of what was written after a time stamp."""
        query = {"stdout": "1", "stderr": "1", "timestamps": "1"}
        if since:
            query["since"] = str(_seconds(since))
        raw = self._get(f"/containers/{container.id}/logs", **query)
        text = raw if container.tty else _demultiplex(raw)
        lines = [line.partition(" ")[::2] for line in text.decode("utf-8", "replace").splitlines()]
        # Docker's own filter is by seconds. Its time stamps are of one width, so they sort as text.
        return [(stamp, redact(line)) for stamp, line in lines if stamp > since]


def _seconds(stamp):
    """Docker's time stamps are UTC with nanoseconds."""
    return calendar.timegm(time.strptime(stamp[:19], "%Y-%m-%dT%H:%M:%S"))


class Prepare:
    """The models of one pipeline on a host, and the run that makes new ones."""

    def __init__(self, docker, params):
        self.docker = docker
        self.params = params
        self.name = params["name"]
        self.container = f"livepeer-prepare-{self.name}"
        self.target = os.path.join(params["models_dir"], params["models"])
        # Beside the models, so that a rename is enough to put the new ones in their place.
        self.staging = os.path.join(params["models_dir"], f".prepare-{self.name}")
        self.staged = os.path.join(self.staging, "new", params["models"])
        self.old = os.path.join(self.staging, "old")
        self.record = os.path.join(params["state_dir"], "prepared.json")
        self.token_file = os.path.join(params["state_dir"], "hf_token")

    # What is there

    def wanted(self, image_id):
        return {
            "image_id": image_id,
            "architectures": sorted(set(self.params["architectures"])),
            "models": self.params["models"],
        }

    def reason(self, image_id):
        """Why a run is needed, empty if it is not."""
        if not os.path.isdir(self.target):
            return "the models are not there"
        try:
            with open(self.record, encoding="utf-8") as file:
                known = json.load(file)
        except (OSError, ValueError):
            return "there is no record of a run"
        for key, what in (
            ("image_id", "they were prepared by another image"),
            ("architectures", "they were prepared for other GPUs"),
            ("models", "they were prepared for another directory"),
        ):
            if known.get(key) != self.wanted(image_id)[key]:
                return what
        return ""

    def check(self):
        """Refuse what cannot end well."""
        running = self.docker.preparing()
        if running:
            raise PrepareError(
                f"{running[0]} prepares models on this host at the moment, and only one run at a time may: "
                f"wait until it has ended, or end it with: docker rm -f {running[0]}"
            )
        place = self.params["models_dir"]
        while not os.path.isdir(place):
            place = os.path.dirname(place)
        free = shutil.disk_usage(place).free
        # The new models are made beside the ones that serve.
        needed = max(self.params["size"], _size_of(self.target)) if self.params["size"] else 0
        if free < needed:
            raise PrepareError(
                f"the models of {self.name} need {needed} bytes below {self.params['models_dir']}, where {free} are "
                "free; make room, or correct prepare_size"
            )

    # The run

    def begin(self, token):
        self.recover()
        self.docker.remove(self.container)
        for directory in (self.params["models_dir"], self.params["state_dir"]):
            os.makedirs(directory, exist_ok=True)
        shutil.rmtree(self.staging, ignore_errors=True)
        os.makedirs(os.path.dirname(self.staged), mode=0o755)
        if os.path.isdir(self.target):
            # What has not changed need not be fetched again. Where the file system can, the copy shares the blocks.
            command = ["cp", "-a", "--reflink=auto", self.target, self.staged]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            if done.returncode:
                raise PrepareError(f"the present models cannot be copied: {shorten(done.stderr.strip(), 300)}")
        else:
            os.mkdir(self.staged)
        self.write_token(token)
        made = self.docker.order(
            "POST", "/containers/create", (201,), self.description(bool(token)), name=self.container
        )
        self.docker.order("POST", f"/containers/{made['Id']}/start", (204,))

    def write_token(self, token):
        self.forget_token()
        if token:
            handle = os.open(self.token_file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o400)
            with os.fdopen(handle, "w") as file:
                file.write(token)

    def forget_token(self):
        if os.path.lexists(self.token_file):
            os.unlink(self.token_file)

    def description(self, has_token):
        """The container for the Docker Engine's API."""
        env = {**self.params["env"], "PREPARE_MODELS": "1", "HF_HUB_OFFLINE": "0"}
        mounts = [{"Type": "bind", "Source": os.path.dirname(self.staged), "Target": MODELS_TARGET}]
        if has_token:
            # A file: neither the environment nor `docker inspect` shows it.
            env["HF_TOKEN_PATH"] = TOKEN_TARGET
            mounts.append({"Type": "bind", "Source": self.token_file, "Target": TOKEN_TARGET, "ReadOnly": True})
        host = {"Mounts": mounts, "LogConfig": {"Type": "json-file", "Config": {"max-size": "50m"}}}
        if self.params["gpus"]:
            host["DeviceRequests"] = [self.gpu_request()]
        return {
            "Image": self.params["image"],
            "Env": [f"{name}={value}" for name, value in env.items()],
            "Labels": {PREPARE_LABEL: "1", "ai.livepeer.prepare": self.name},
            "HostConfig": host,
        }

    def gpu_request(self):
        if self.params["gpu_mode"] == "cdi":
            return {"Driver": "cdi", "DeviceIDs": [f"nvidia.com/gpu={gpu}" for gpu in self.params["gpus"]]}
        ids = [str(gpu) for gpu in self.params["gpus"]]
        return {"Driver": "nvidia", "DeviceIDs": ids, "Capabilities": [["gpu"]]}

    def watch(self, since, seconds):
        """(lines, last time stamp, whether it has ended) after it has ended or so many seconds."""
        deadline = time.monotonic() + seconds
        while True:
            container = self.docker.inspect(self.container)
            if container is None:
                raise PrepareError(f"{self.container} was removed while it prepared the models")
            if container.ended or time.monotonic() >= deadline:
                lines = self.docker.log_since(container, since)
                return [line for _stamp, line in lines], lines[-1][0] if lines else since, container.ended
            time.sleep(min(1.0, max(0.05, deadline - time.monotonic())))

    def finish(self, image_id):
        """Judge the run that has ended, and put its models in the place of the old."""
        container = self.docker.inspect(self.container)
        if container is None:
            raise PrepareError(f"{self.container} was removed before its models were taken over")
        if container.exit_code:
            lines = self.docker.log_tail(container, LAST_LINES)
            name, cause, remedy = likely_cause(container, lines)
            # The container goes, so its log is here and nowhere else.
            advice = "" if name == "exited" else f" {remedy}"
            raise PrepareError(f"{cause}.{advice} Its last lines:\n" + "\n".join(lines))
        if not os.path.isdir(self.staged) or not os.listdir(self.staged):
            raise PrepareError(
                f"the run ended well and wrote nothing into {MODELS_TARGET}/{self.params['models']}: prepare_models "
                "must write there"
            )
        self.swap()
        self.write_record(image_id)
        self.clean()

    def swap(self):
        # The record goes first: without it, whatever happens next is prepared again.
        if os.path.lexists(self.record):
            os.unlink(self.record)
        if os.path.isdir(self.target):
            os.rename(self.target, self.old)
        try:
            os.rename(self.staged, self.target)
        except OSError:
            self.recover()
            raise

    def recover(self):
        """Bring back what a swap left half-way."""
        if os.path.isdir(self.old) and not os.path.lexists(self.target):
            os.rename(self.old, self.target)

    def write_record(self, image_id):
        text = json.dumps(self.wanted(image_id), indent=2, sort_keys=True) + "\n"
        beside = f"{self.record}.new"
        with open(beside, "w", encoding="utf-8") as file:
            file.write(text)
        os.replace(beside, self.record)

    def clean(self):
        """Leave nothing of the run, and the models that serve as they are."""
        self.forget_token()
        self.docker.remove(self.container)
        self.recover()
        shutil.rmtree(self.staging, ignore_errors=True)


def _size_of(path):
    total = 0
    for directory, _names, files in os.walk(path):
        for name in files:
            total += os.lstat(os.path.join(directory, name)).st_size
    return total
