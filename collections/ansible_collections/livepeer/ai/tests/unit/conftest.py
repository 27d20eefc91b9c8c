# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A Hub for the tests of hf_snapshot: the lab's server over the lab's models, and the module as Ansible starts it."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest
from ansible.module_utils.testing import patch_module_args

from ansible_collections.livepeer.ai.plugins.module_utils._hf_rules import wants
from ansible_collections.livepeer.ai.plugins.modules import hf_snapshot, hf_snapshot_info
from ansible_collections.livepeer.ai.plugins.plugin_utils._hf_resolve import Resolver

REPOSITORY = Path(__file__).resolve().parents[6]
LAB_HUB = REPOSITORY / "lab/hub"


class LabHub:
    """The lab's server on ports of its own choice."""

    def __init__(self, root: Path):
        command = [sys.executable, LAB_HUB / "server.py", "--root", root, "--port", "0", "--lfs-port", "0"]
        self.root = root
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        self.url, self.lfs = re.search(r"api (\S+) lfs (\S+)", self.process.stdout.readline()).groups()

    def stop(self):
        self.process.terminate()
        self.process.wait(timeout=10)
        self.process.stdout.close()

    def ask(self, path, body=None):
        data = None if body is None else json.dumps(body).encode()
        with urllib.request.urlopen(urllib.request.Request(self.url + path, data=data), timeout=10) as answer:
            return json.loads(answer.read() or b"null")

    def reset(self):
        self.ask("/_lab/reset", {})

    def fault(self, *faults):
        self.ask("/_lab/faults", list(faults))

    def stats(self):
        return self.ask("/_lab/stats")


@pytest.fixture(scope="session")
def models(tmp_path_factory):
    """The lab's repositories: true layouts, small files."""
    root = tmp_path_factory.mktemp("hub")
    subprocess.run([sys.executable, LAB_HUB / "make_models.py", root], check=True, stdout=subprocess.DEVNULL)
    return root


@pytest.fixture(scope="session")
def session_hub(models):
    hub = LabHub(models)
    yield hub
    hub.stop()


@pytest.fixture
def lab_hub(session_hub):
    session_hub.reset()
    yield session_hub
    session_hub.reset()


@pytest.fixture
def run_module(capsys):
    """Run a module in this process; what it would have printed, as a dictionary."""

    def run(module, check=False, **arguments):
        with patch_module_args({**arguments, "_ansible_check_mode": check}), pytest.raises(SystemExit):
            module.main()
        return json.loads(capsys.readouterr().out.strip().splitlines()[-1])

    return run


class Snapshots:
    """A models directory, and the module with the controller's half played by the test."""

    def __init__(self, hub, directory, run_module):
        self.hub = hub
        self.directory = directory
        self.run_module = run_module
        self.memory = directory.parent / "controller"
        self.memory.mkdir(exist_ok=True)

    def manifests(self, model_id, pipeline=None, revision="main", allow=(), token=None, companions=False):
        resolver = Resolver(self.hub.url, token, str(self.memory), retries=0)
        needed = wants(model_id, pipeline, revision, allow, companions=companions)
        return {want.model_id: resolver.manifest(want) for want in needed}

    def call(self, model_id="openai/clip-vit-base-patch32", manifests=None, history=None, check=False, **options):
        options.setdefault("companions", False)
        return self.run_module(
            hf_snapshot,
            check=check,
            model_id=model_id,
            models_dir=str(self.directory),
            endpoint=self.hub.url,
            _controller={"manifests": manifests or {}, "history": history or {}, "run": "test", "holder": "the test"},
            **options,
        )

    def fetch(self, model_id, pipeline=None, allow=(), token=None, **options):
        """Resolve and realise, in as many calls as it takes."""
        companions = options.get("companions", False)
        manifests = self.manifests(model_id, pipeline, options.get("revision", "main"), allow, token, companions)
        options.update(pipeline=pipeline, allow_patterns=list(allow), token=token)
        options = {name: value for name, value in options.items() if value is not None}
        told = first = self.call(model_id, manifests, **options)
        while not told.get("failed") and not told["finished"]:
            told = self.call(model_id, manifests, told["history"], **options)
        return told if told.get("failed") else {**told, "changed": first["changed"], "actions": first["actions"]}

    def info(self, *model_ids, verify="quick"):
        arguments = {"model_ids": list(model_ids)} if model_ids else {}
        return self.run_module(hf_snapshot_info, models_dir=str(self.directory), verify=verify, **arguments)

    def root(self, model_id):
        return self.directory / ("models--" + model_id.replace("/", "--"))

    def partials(self):
        return [path for path in (self.directory / ".livepeer/partial").rglob("*") if path.is_file()]


@pytest.fixture
def snapshots(lab_hub, tmp_path, run_module):
    return Snapshots(lab_hub, tmp_path / "models", run_module)
