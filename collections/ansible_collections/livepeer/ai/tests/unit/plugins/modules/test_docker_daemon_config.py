# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A daemon.json with parts that are not ours, and a dockerd that can or cannot be asked."""

from __future__ import annotations

import json
import os
import stat

import pytest
import yaml

from ansible_collections.livepeer.ai.plugins.modules import docker_daemon_config
from ansible_collections.livepeer.ai.plugins.modules.docker_daemon_config import RELOADED
from ansible_collections.livepeer.ai.tests.unit.liars import run_module

FOREIGN = """{
    "insecure-registries" : [ "r:5000" ],
    "shutdown-timeout": 1.50e1,
    "runtimes": { "x": {"path": "/x"} }
}
"""


@pytest.fixture(autouse=True)
def programs(tmp_path, monkeypatch):
    """A directory for a dockerd of the test's own; without one in it, the host has none."""
    directory = tmp_path / "bin"
    directory.mkdir()
    find = docker_daemon_config.AnsibleModule.get_bin_path

    def get_bin_path(self, name, *arguments):
        if name != "dockerd":
            return find(self, name, *arguments)
        return str(directory / name) if (directory / name).exists() else None

    monkeypatch.setattr(docker_daemon_config.AnsibleModule, "get_bin_path", get_bin_path)
    return directory


@pytest.fixture
def dockerd(programs):
    """Say how dockerd answers; it notes what it was given."""

    def answer(words, code):
        (programs / "words").write_text(words)
        script = programs / "dockerd"
        script.write_text(
            f'#!/bin/sh\ncd {programs}\ncat "$3" >seen\necho "$@" >arguments\ncat words >&2\nexit {code}\n'
        )
        script.chmod(0o755)
        return programs

    return answer


@pytest.fixture
def path(tmp_path):
    return tmp_path / "docker" / "daemon.json"


@pytest.fixture
def foreign(path):
    path.parent.mkdir()
    path.write_text(FOREIGN)
    return path


def call(path, check_mode=False, **arguments):
    return run_module(docker_daemon_config, check_mode, path=str(path), **arguments)


def sentence(path, **arguments):
    """The refusal, after which the file and its directory are as they were."""
    before = path.read_bytes()
    told = call(path, **arguments)
    assert told["failed"]
    assert path.read_bytes() == before
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]
    return told["msg"].replace(str(path), "FILE")


def test_a_missing_file_is_made(path):
    told = call(path, config={"live-restore": True}, mode="0640")
    assert path.read_text() == '{\n  "live-restore": true\n}\n'
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert told["changed"] and told["config"] == {"live-restore": True}
    assert "backup_file" not in told
    assert not call(path, config={"live-restore": True}, mode="0640")["changed"]


def test_an_empty_file(path):
    path.parent.mkdir()
    path.write_text("\n")
    assert not call(path)["changed"]
    assert call(path, config={"debug": False})["changed"]
    assert json.loads(path.read_text()) == {"debug": False}


def test_foreign_parts_stay(foreign):
    told = call(foreign, config={"runtimes": {"nvidia": {"path": "n", "args": []}}, "debug": True})
    assert foreign.read_text() == FOREIGN.replace(
        '"/x"} }\n', '"/x"}, "nvidia": {"path": "n", "args": []} },\n    "debug": true\n'
    )
    assert told["changed_keys"] == ["runtimes", "debug"]
    with open(told["backup_file"]) as kept:
        assert kept.read() == FOREIGN
    again = call(foreign, config={"runtimes": {"nvidia": {"path": "n", "args": []}}, "debug": True})
    assert not again["changed"] and "backup_file" not in again


def test_removal_brings_the_old_file_back(foreign):
    call(foreign, config={"runtimes": {"nvidia": {"path": "n"}}, "a.b": 1}, backup=False)
    told = call(foreign, absent=["runtimes.nvidia", ["a.b"]], backup=False)
    assert told["changed"] and foreign.read_text() == FOREIGN
    assert not call(foreign, absent=["runtimes.nvidia", ["a.b"]])["changed"]
    assert os.listdir(foreign.parent) == ["daemon.json"]


def test_removal_and_setting_in_one_call(foreign):
    told = call(foreign, absent=["insecure-registries"], config={"debug": True})
    assert told["config"] == {"shutdown-timeout": 15.0, "runtimes": {"x": {"path": "/x"}}, "debug": True}


def test_check_mode_changes_nothing(foreign, path):
    told = call(foreign, check_mode=True, config={"debug": True})
    assert told["changed"] and told["config"]["debug"]
    assert told["diff"]["before"] == FOREIGN and '"debug": true' in told["diff"]["after"]
    assert foreign.read_text() == FOREIGN
    assert os.listdir(foreign.parent) == ["daemon.json"]


def test_check_mode_on_a_bare_host(path):
    told = call(path, check_mode=True, config={"debug": True}, owner="root", mode="0644")
    assert told["changed"] and not path.parent.exists()
    assert told["diff"]["before"] == ""


def test_mode_is_kept_and_can_be_set(foreign):
    foreign.chmod(0o600)
    call(foreign, config={"debug": True})
    assert stat.S_IMODE(foreign.stat().st_mode) == 0o600
    told = call(foreign, config={"debug": True}, mode="0644")
    assert told["changed"] and told["changed_keys"] == [] and told["reload_enough"]
    assert stat.S_IMODE(foreign.stat().st_mode) == 0o644


def test_a_link_stays_a_link(foreign, tmp_path):
    link = tmp_path / "link.json"
    link.symlink_to(foreign)
    call(link, config={"debug": True})
    assert link.is_symlink() and json.loads(foreign.read_text())["debug"] is True


# What makes the change effective


@pytest.mark.parametrize(
    ("arguments", "enough"),
    [
        ({}, True),
        ({"config": {"debug": True, "live-restore": True, "runtimes": {"y": {"path": "/y"}}}}, True),
        ({"config": {"debug": True, "log-driver": "local"}}, False),
        ({"config": {"features": {"cdi": True}}}, False),
        # The engine goes on with what it had.
        ({"absent": ["insecure-registries"]}, False),
        ({"absent": ["runtimes.x"]}, True),
        # It returns to its default.
        ({"absent": ["max-concurrent-downloads"]}, True),
        # It is 15 already.
        ({"config": {"shutdown-timeout": 15}}, True),
    ],
)
def test_reload_enough(foreign, arguments, enough):
    foreign.write_text(FOREIGN.replace("{\n", '{\n    "max-concurrent-downloads": 2,\n', 1))
    assert call(foreign, **arguments)["reload_enough"] is enough


def test_the_documentation_names_the_keys_of_the_table():
    notes = yaml.safe_load(docker_daemon_config.DOCUMENTATION)["notes"]
    told = {part.partition(")")[0] for note in notes if note.startswith("Setting") for part in note.split("C(")[1:]}
    gone = {
        part.partition(")")[0] for note in notes if note.startswith("For the removal") for part in note.split("C(")[1:]
    }
    assert told == set(RELOADED)
    assert gone == {key for key, resets in RELOADED.items() if resets}


# dockerd is asked


def test_dockerd_accepts(foreign, dockerd):
    programs = dockerd("configuration OK", 0)
    assert call(foreign, config={"debug": True})["validated"]
    assert (programs / "seen").read_text() == foreign.read_text()
    assert (programs / "arguments").read_text().startswith("--validate --config-file /")


def test_dockerd_is_not_asked_without_a_change(foreign, dockerd):
    programs = dockerd("no", 1)
    assert not call(foreign, config={"shutdown-timeout": 15})["validated"]
    assert not (programs / "seen").exists()


def test_an_old_dockerd_cannot_be_asked(foreign, dockerd):
    # As Docker 20.10 answers.
    dockerd("Status: unknown flag: --validate\nSee 'dockerd --help'., Code: 125", 125)
    told = call(foreign, config={"debug": True})
    assert told["changed"] and not told["validated"]


@pytest.mark.parametrize("check_mode", [False, True])
def test_dockerd_refuses(foreign, dockerd, check_mode):
    dockerd("unable to configure the Docker daemon with file:\n the following directives do not match: x", 1)
    assert sentence(foreign, config={"x": 1}, check_mode=check_mode) == (
        "Docker refuses the result (unable to configure the Docker daemon with file: the following directives do not"
        " match: x); nothing was changed. Correct config or the file."
    )


def test_dockerd_refuses_without_a_word(foreign, dockerd):
    dockerd("", 2)
    assert sentence(foreign, config={"x": 1}) == (
        "Docker refuses the result (it ends with 2 without a word); nothing was changed. Correct config or the file."
    )


# What is refused


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ('{\n  "a": 1\n  "b": 2\n}', "FILE is not valid JSON (Expecting ',' delimiter) at line 3, column 3"),
        ('{"a": 1,\n "a": 2}', "FILE has the key a twice at line 2, column 2"),
        ('{"a": Infinity}', "FILE holds Infinity, which JSON does not have at line 1, column 7"),
        ("[]", "FILE holds a list instead of an object at line 1, column 1"),
        ("[" * 100000, "FILE is nested too deeply"),
    ],
)
def test_files_that_cannot_be_understood(foreign, text, why):
    foreign.write_text(text)
    assert sentence(foreign, config={"debug": True}) == (
        f"{why}; nothing was changed. Correct the file, or move it away to begin a new one."
    )


def test_a_file_that_is_not_utf8(foreign):
    foreign.write_bytes(b'{\n  "a": "\xe9"}')
    assert sentence(foreign, config={"debug": True}) == (
        "FILE is not UTF-8 at line 2, byte 9 of it; nothing was changed."
        " Save it as UTF-8, or move it away to begin a new one."
    )


def test_a_value_in_the_way(foreign):
    assert sentence(foreign, config={"debug": True, "insecure-registries": {"a": 1}}) == (
        "FILE has a list as insecure-registries, where an object is wanted; nothing was changed."
        " Correct config, or remove the key with absent first."
    )


def test_a_directory_in_the_way(path):
    path.mkdir(parents=True)
    told = call(path, config={"debug": True})
    assert told["msg"] == f"{path} cannot be read: Is a directory."


def test_a_directory_that_cannot_be_made(path):
    path.parent.parent.joinpath("docker").write_text("")
    told = call(path, config={"debug": True})
    assert told["msg"] == f"{path} cannot be read: Not a directory."


def test_a_directory_that_cannot_be_written(path, monkeypatch):
    def refuse(*_arguments, **_options):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(docker_daemon_config.os, "makedirs", refuse)
    assert call(path, config={"debug": True})["msg"] == f"{path} cannot be written: Permission denied."


@pytest.mark.parametrize("entry", ["", "a..b", ["a", ""], [], 5, {"a": 1}])
def test_absent_entries_that_are_no_keys(foreign, entry):
    assert sentence(foreign, absent=[entry]) == (
        f"absent holds {json.dumps(entry)}; give a key as a text such as runtimes.nvidia, or as a list of texts."
    )


def test_a_key_that_is_wanted_and_unwanted(foreign):
    assert sentence(
        foreign, config={"runtimes": {"n": {}}, "debug": True}, absent=["runtimes", "debug", "debug.x"]
    ) == ("runtimes, debug is both in config and in absent; leave one of the two out.")


def test_a_value_that_json_does_not_have(foreign):
    assert sentence(foreign, config={"a": float("nan")}).startswith("config holds a value that JSON does not have (")
