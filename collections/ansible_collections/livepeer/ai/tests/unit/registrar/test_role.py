# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the role installs and renders, beside what the registrar reads."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

COLLECTION = Path(__file__).resolve().parents[3]
REPOSITORY = COLLECTION.parents[3]
ROLE = COLLECTION / "roles/byoc"
REGISTRAR = ROLE / "files/registrar"
VARIABLES = yaml.safe_load((ROLE / "vars/main.yml").read_text())
PROTOCOL = COLLECTION / "plugins/module_utils/_byoc.py"
SERVICE = {"name": "words", "source": "external", "url": "http://192.0.2.7:8600", "capacity": 3, "token": "hush"}


def test_the_role_installs_all_of_the_registrar():
    files = {str(path.relative_to(REGISTRAR)) for path in REGISTRAR.rglob("*.py")}
    installed = {file["dest"]: file["src"] for file in VARIABLES["__byoc_code"]}
    assert installed.pop("_byoc.py").endswith("/plugins/module_utils/_byoc.py")
    assert installed == {name: f"registrar/{name}" for name in files}


def test_what_runs_on_hosts_needs_the_standard_library_only():
    own = {"_byoc", "byoc_registrar", "__future__"}
    for path in [*REGISTRAR.rglob("*.py"), PROTOCOL]:
        for node in ast.walk(ast.parse(path.read_text(), feature_version=(3, 9))):
            names = (
                [node.module] if isinstance(node, ast.ImportFrom) else [one.name for one in getattr(node, "names", [])]
            )
            if isinstance(node, (ast.Import, ast.ImportFrom)):
                roots = {name.partition(".")[0] for name in names} - own
                assert roots <= sys.stdlib_module_names, f"{path}: {roots}"


@pytest.fixture(scope="module")
def rendered(tmp_path_factory):
    """The role's templates with the role's variables, rendered by Ansible."""
    tmp_path = tmp_path_factory.mktemp("rendered")
    tasks = [
        {"ansible.builtin.template": {"src": f"{ROLE}/templates/{name}.j2", "dest": f"{tmp_path}/{name}"}, "name": name}
        for name in ("registrar.json", "byoc.schema.json", "livepeer-byoc-registrar.service")
    ]
    files = [f"{ROLE}/defaults/main.yml", f"{ROLE}/vars/main.yml"]
    wanted = {
        "byoc_services": [SERVICE, {**SERVICE, "name": "other", "route": "live_runner", "token": ""}],
        "byoc_orchestrator_url": "192.0.2.1:8935",
        "__byoc_written": "{{ __byoc_capabilities }}",
        "role_path": str(ROLE),
        "ansible_python_interpreter": sys.executable,
    }
    play = {"hosts": "localhost", "gather_facts": False, "connection": "local", "vars_files": files, "tasks": tasks}
    playbook = tmp_path / "play.yml"
    playbook.write_text(yaml.safe_dump([play]))
    (tmp_path / "wanted.json").write_text(json.dumps(wanted))
    command = [Path(sys.executable).with_name("ansible-playbook"), "-i", "localhost,", playbook]
    environment = {**os.environ, "ANSIBLE_CONFIG": str(REPOSITORY / "ansible.cfg"), "ANSIBLE_NOCOLOR": "1"}
    told = subprocess.run(
        [*command, "-e", f"@{tmp_path}/wanted.json"],
        capture_output=True,
        text=True,
        check=False,
        env=environment,
        cwd=REPOSITORY,
    )
    assert told.returncode == 0, told.stdout + told.stderr
    return tmp_path


def test_the_registrar_reads_what_the_role_writes(rendered):
    from byoc_registrar import settings

    credentials = settings.Credentials("secret", {"words": "hush"})
    told = settings.read(str(rendered / "registrar.json"), credentials)
    assert told.orchestrator == "https://192.0.2.1:8935"
    assert list(told.capabilities) == ["words"]
    assert told.capabilities["words"].health_url == "http://192.0.2.7:8600/health"
    assert told.capabilities["words"].document == {
        "name": "words",
        "description": "",
        "url": "http://192.0.2.7:8600",
        "capacity": 3,
        "price_per_unit": 0,
        "price_scaling": 1,
        "currency": "wei",
        "token": "hush",
    }
    assert "hush" not in (rendered / "registrar.json").read_text()


def test_the_protocol_is_a_schema_of_the_header(rendered):
    text = (rendered / "byoc.schema.json").read_text()
    schema = json.loads(text)
    assert schema["properties"]["capability"]["enum"] == ["words"]
    assert schema["required"] == ["request", "parameters", "capability", "timeout_seconds"]
    assert [one["name"] for one in schema["x-capabilities"]] == ["words"]
    assert "hush" not in text
    assert "192.0.2.7" not in text


def test_the_unit_is_handed_its_secrets(rendered):
    lines = (rendered / "livepeer-byoc-registrar.service").read_text().splitlines()
    assert "LoadCredential=orch_secret:/etc/livepeer/orchestrator/orch_secret" in lines
    assert "LoadCredential=tokens:/etc/livepeer/byoc/tokens.json" in lines
    for line in ("Type=notify", "DynamicUser=true", "CapabilityBoundingSet=", "ProtectSystem=strict", "Restart=always"):
        assert line in lines
