# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Commands that end, fail, hang or do not exist, and files that are not there."""

from __future__ import annotations

import os
import signal
import subprocess
import time

import pytest

from ansible_collections.livepeer.ai.plugins.module_utils import _nvidia_host
from ansible_collections.livepeer.ai.plugins.module_utils._nvidia_host import Host, Outcome, run_command


def test_a_command_that_ends():
    outcome = run_command(["sh", "-c", "echo out; echo err >&2; exit 9"], 10)
    assert outcome == Outcome(9, "out\n", "err\n")
    assert not outcome.ok and not outcome.missing


def test_a_command_that_says_what_is_no_text():
    outcome = run_command(["printf", r"\377ok"], 10)
    assert outcome.ok
    assert outcome.out == "\ufffdok"


def test_a_command_that_is_not_there():
    outcome = run_command(["no-such-program"], 10)
    assert outcome.missing and not outcome.ok


def test_commands_speak_english_and_find_what_is_in_sbin(monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.setenv("LC_ALL", "de_DE.UTF-8")
    outcome = run_command(["sh", "-c", "echo $LC_ALL $PATH"], 10)
    assert outcome.out.startswith("C /usr/local/sbin:")


def test_a_command_that_hangs_is_killed_with_its_children(tmp_path):
    started = time.monotonic()
    outcome = run_command(["sh", "-c", f"sleep 60 & echo $! > {tmp_path}/child; wait"], 0.3)
    assert outcome.timed_out and not outcome.missing
    assert time.monotonic() - started < 5
    child = int((tmp_path / "child").read_text())
    for _attempt in range(50):
        state = subprocess.run(["ps", "-o", "stat=", "-p", str(child)], capture_output=True, text=True, check=False)
        if state.stdout.strip()[:1] in ("", "Z"):
            break
        time.sleep(0.1)
    assert state.stdout.strip()[:1] in ("", "Z")


def test_a_command_that_cannot_be_killed_is_left_behind(monkeypatch, tmp_path):
    """What waits for a broken GPU inside the kernel survives a kill; here the kill is what does not happen."""
    monkeypatch.setattr(_nvidia_host, "GRACE", 0.2)
    monkeypatch.setattr(os, "killpg", lambda *_arguments: None)
    started = time.monotonic()
    outcome = run_command(["sh", "-c", f"echo $$ > {tmp_path}/pid; exec sleep 30"], 0.2)
    monkeypatch.undo()
    os.kill(int((tmp_path / "pid").read_text()), signal.SIGKILL)
    assert outcome.timed_out
    assert time.monotonic() - started < 5


def test_files(tmp_path):
    host = Host(str(tmp_path))
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/text").write_bytes(b"a\xffb")
    assert host.read("/etc/text") == "a\ufffdb"
    assert host.read_bytes("/etc/text") == b"a\xffb"
    assert host.read("/etc/none") == "" and host.read("/etc") == ""
    assert host.glob("/etc/*") == ["/etc/text"]
    assert host.exists("/etc/text") and not host.exists("/none")


@pytest.mark.parametrize(
    ("links", "found"),
    [
        ({}, "/lib/libx.so.1"),
        (
            {"lib/libx.so.1": "/etc/alternatives/libx", "etc/alternatives/libx": "/lib/current/libx.so.5.1"},
            "/lib/current/libx.so.5.1",
        ),
        ({"lib/libx.so.1": "current/../current/libx.so.5.1"}, "/lib/current/libx.so.5.1"),
        ({"lib/libx.so.1": "gone"}, ""),
        ({"lib/libx.so.1": "libx.so.1"}, ""),
    ],
)
def test_links_are_followed_below_the_root(tmp_path, links, found):
    for path in ("lib/current/libx.so.5.1", "lib/libx.so.1"):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text("")
    for path, target in links.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).unlink(missing_ok=True)
        (tmp_path / path).symlink_to(target)
    assert Host(str(tmp_path)).resolve("/lib/libx.so.1") == found


def test_programs(tmp_path):
    host = Host(str(tmp_path))
    for path, mode in (("usr/bin/tool", 0o755), ("usr/sbin/data", 0o644)):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text("")
        (tmp_path / path).chmod(mode)
    assert host.which("tool") == "/usr/bin/tool"
    assert host.which("data") == "" and host.which("none") == ""
