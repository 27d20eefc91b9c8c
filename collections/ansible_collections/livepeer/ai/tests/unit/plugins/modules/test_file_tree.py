# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Both halves under ansible-playbook itself, and what the host's half refuses."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from ansible_collections.livepeer.ai.plugins.action.file_tree import pack
from ansible_collections.livepeer.ai.plugins.modules.file_tree import Problem, Tree, digest_of

REPOSITORY = Path(__file__).resolve().parents[8]


@pytest.fixture
def files(tmp_path):
    sources = tmp_path / "sources"
    sources.mkdir()
    for name, text in (("one", "1"), ("two", "22"), ("three", "")):
        (sources / name).write_text(text)
    return [
        {"src": str(sources / "one"), "dest": "one.txt"},
        {"src": str(sources / "two"), "dest": "deep/er/two.sh", "mode": "0755"},
        {"src": str(sources / "three"), "dest": "deep/three"},
    ]


def play(tmp_path, files, *arguments):
    task = {
        "livepeer.ai.file_tree": {"dest": str(tmp_path / "dest"), "files": files},
        "register": "told",
        "name": "Tree",
    }
    show = {"ansible.builtin.debug": {"msg": "written: {{ told.files | join(' ') }}"}, "name": "Show"}
    playbook = tmp_path / "play.yml"
    playbook.write_text(yaml.safe_dump([{"hosts": "all", "gather_facts": False, "tasks": [task, show]}]))
    command = [sys.executable, "-m", "ansible", "playbook", "-i", "host,", "-c", "local"]
    command += ["-e", f"ansible_python_interpreter={sys.executable}", str(playbook), *arguments]
    environment = {
        **os.environ,
        "ANSIBLE_CONFIG": str(REPOSITORY / "ansible.cfg"),
        "ANSIBLE_COLLECTIONS_PATH": str(REPOSITORY / "collections"),
        "ANSIBLE_LOCAL_TEMP": str(tmp_path / "controller"),
        "ANSIBLE_REMOTE_TMP": str(tmp_path / "remote"),
        "ANSIBLE_NOCOLOR": "1",
    }
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, cwd=tmp_path)


def written(done):
    assert done.returncode == 0, done.stdout + done.stderr
    return re.search("written: ?(.*)", done.stdout).group(1).strip("'\"").split()


def test_what_differs_is_sent_and_nothing_else(tmp_path, files):
    dest = tmp_path / "dest"
    checked = play(tmp_path, files, "--check", "--diff")
    assert written(checked) == ["deep/er/two.sh", "deep/three", "one.txt"]
    assert "+deep/er/two.sh" in checked.stdout
    assert not dest.exists()

    written(play(tmp_path, files))
    assert (dest / "deep/er/two.sh").read_text() == "22"
    assert [oct((dest / name).stat().st_mode)[-3:] for name in ("deep", "one.txt", "deep/er/two.sh")] == [
        "755",
        "644",
        "755",
    ]
    (dest / "foreign").write_text("stays")
    again = play(tmp_path, files)
    assert (written(again), "changed=0" in again.stdout) == ([], True)

    (dest / "one.txt").write_text("x")
    (dest / "deep/three").chmod(0o600)
    assert written(play(tmp_path, files)) == ["deep/three", "one.txt"]
    assert ((dest / "one.txt").read_text(), (dest / "foreign").read_text()) == ("1", "stays")
    assert list((tmp_path / "remote").glob("*")) == []


def test_a_missing_source_is_named(tmp_path, files):
    done = play(tmp_path, [{"src": "nowhere", "dest": "x"}])
    assert done.returncode != 0
    assert "files, src: nowhere is not there on the controller" in done.stdout + done.stderr


@pytest.mark.parametrize("dest", ["/etc/passwd", "../x", "a/../../x", "a//b", "./a", ""])
def test_no_file_leaves_the_directory(tmp_path, dest):
    with pytest.raises(Problem, match="does not lie below the directory"):
        Tree(str(tmp_path), [{"dest": dest, "mode": "0644", "digest": ""}]).differing()


def test_a_directory_is_not_replaced(tmp_path):
    (tmp_path / "x").mkdir()
    with pytest.raises(Problem, match="is a directory where a file belongs"):
        Tree(str(tmp_path), [{"dest": "x", "mode": "0644", "digest": ""}]).differing()


def test_what_was_not_declared_stays_in_the_archive(tmp_path, files):
    pack(str(tmp_path / "all.tar.gz"), files)
    tree = Tree(str(tmp_path / "dest"), [{"dest": "one.txt", "mode": "0644", "digest": digest_of(files[0]["src"])}])
    tree.write(str(tmp_path / "all.tar.gz"))
    assert [path.name for path in (tmp_path / "dest").iterdir()] == ["one.txt"]


def test_what_did_not_arrive_whole_changes_nothing(tmp_path, files):
    pack(str(tmp_path / "all.tar.gz"), files)
    (tmp_path / "dest").mkdir()
    (tmp_path / "dest/one.txt").write_text("before")
    tree = Tree(str(tmp_path / "dest"), [{"dest": "one.txt", "mode": "0644", "digest": "0" * 64}])
    with pytest.raises(Problem, match="did not arrive as it was sent"):
        tree.write(str(tmp_path / "all.tar.gz"))
    assert [(path.name, path.read_text()) for path in (tmp_path / "dest").iterdir()] == [("one.txt", "before")]
