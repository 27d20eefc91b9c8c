# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The table as it is printed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from ansible_collections.livepeer.ai.plugins.plugin_utils._report import gather_checks, summary, table

COLLECTIONS = Path(__file__).resolve().parents[7]


def check(status, host="orch1", name="runner_health", sentence="It is so.", remedy=""):
    return {
        "host": host,
        "check": name,
        "subject": "text-to-image a/b",
        "status": status,
        "sentence": sentence,
        "seconds": 1.25,
        "remedy": remedy,
    }


CHECKS = [
    check("passed"),
    check("unknown", "gateway", "capability_price", "Nobody knows.", "Ask."),
    check("failed", sentence="It is not so, " + "for reasons that take many words to tell, " * 4, remedy="Do this."),
]


def test_failures_come_first_with_their_remedy():
    text = [line for line, _colour in table(CHECKS, 100)]
    assert text[0].split() == ["STATUS", "HOST", "CHECK", "SECONDS", "WHAT", "CAME", "OF", "IT"]
    assert [line.split()[0] for line in text if not line.startswith(" ")] == ["STATUS", "FAILED", "unknown", "passed"]
    assert any(line.endswith("Remedy: Do this.") for line in text)


@pytest.mark.parametrize("width", [80, 100, 160])
def test_no_line_is_wider_than_the_terminal(width):
    lines = table(CHECKS, width)
    assert max(len(line) for line, _colour in lines) <= max(width, 90)
    column = lines[0][0].index("WHAT")
    assert all(line[:column].strip() == "" or line[column - 1] == " " for line, _colour in lines)


def test_colours_tell_the_status():
    assert {colour for _line, colour in table(CHECKS, 100)} == {None, "red", "yellow", "green"}


def test_summary():
    assert summary(CHECKS) == "1 failed, 1 unknown, 1 passed on 2 hosts"
    assert summary([check("passed")]) == "1 passed on 1 host"


def test_a_host_without_results_has_failed():
    hostvars = {"orch1": {"verification_results": [check("passed")]}, "orch2": {}}
    gathered = gather_checks(["orch1", "orch2", "orch3"], hostvars)
    assert [(one["host"], one["status"]) for one in gathered] == [
        ("orch2", "failed"),
        ("orch3", "failed"),
        ("orch1", "passed"),
    ]
    assert "no results" in gathered[0]["sentence"]


def play(tmp_path, checks):
    playbook = [
        {
            "hosts": "localhost",
            "gather_facts": False,
            "tasks": [{"livepeer.ai.report_table": {"title": "The fleet", "checks": checks, "width": 100}}],
        }
    ]
    (tmp_path / "play.yml").write_text(yaml.safe_dump(playbook))
    command = [str(Path(sys.executable).parent / "ansible-playbook"), "-i", "localhost,", "-c", "local", "play.yml"]
    environment = dict(os.environ, ANSIBLE_COLLECTIONS_PATH=str(COLLECTIONS), ANSIBLE_NOCOLOR="1")
    return subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)


def test_ansible_prints_it(tmp_path):
    run = play(tmp_path, CHECKS)
    assert run.returncode == 0, run.stdout + run.stderr
    lines = [line.rstrip() for line in run.stdout.splitlines()]
    for line, _colour in table(CHECKS, 100):
        assert line in lines
    assert "1 failed, 1 unknown, 1 passed on 2 hosts." in lines


def test_what_is_no_check_is_refused(tmp_path):
    run = play(tmp_path, [json.loads('{"status": "passed"}')])
    assert run.returncode != 0
    assert (
        "checks[0] is not a check: it needs check, remedy, seconds, sentence, status, subject."
        in run.stdout + run.stderr
    )
