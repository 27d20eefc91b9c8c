# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Both halves under ansible-playbook itself: requests of a fleet, progress, check mode, and where no token may be."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

REPOSITORY = Path(__file__).resolve().parents[8]
REALVIS = "SG161222/RealVisXL_V4.0_Lightning"
BLIP = "Salesforce/blip-image-captioning-large"
SVD = "stabilityai/stable-video-diffusion-img2vid-xt-1-1"
TOKEN = "hf_lab_good"


class Play:
    """A play of one task over several hosts, which are this machine under several names."""

    def __init__(self, hub, directory):
        self.hub = hub
        self.directory = directory
        self.playbook = directory / "play.yml"
        self.environment = {
            **os.environ,
            "ANSIBLE_CONFIG": str(REPOSITORY / "ansible.cfg"),
            "ANSIBLE_COLLECTIONS_PATH": str(REPOSITORY / "collections"),
            "ANSIBLE_LOCAL_TEMP": str(directory / "controller"),
            "ANSIBLE_REMOTE_TMP": str(directory / "remote"),
            "ANSIBLE_NOCOLOR": "1",
        }

    def models(self, host="host0"):
        return self.directory / "models" / host

    def run(self, *arguments, hosts=1, environment=None, **options):
        names = ",".join(f"host{number}" for number in range(hosts)) + ","
        task = {
            "livepeer.ai.hf_snapshot": {
                "models_dir": f"{self.directory}/models/{{{{ inventory_hostname }}}}",
                "endpoint": self.hub.url,
                **options,
            },
            "name": "Weights",
        }
        play = {"hosts": "all", "gather_facts": False, "tasks": [task]}
        self.playbook.write_text(yaml.safe_dump([play]))
        result = subprocess.run(
            [
                *(sys.executable, "-m", "ansible", "playbook", "-i", names, "-c", "local"),
                *("-e", f"ansible_python_interpreter={sys.executable}", self.playbook, *arguments),
            ],
            capture_output=True,
            text=True,
            check=False,
            env={**self.environment, **(environment or {})},
            cwd=self.directory,
        )
        return result.returncode, result.stdout + result.stderr

    def recap(self, output, word):
        return sum(int(number) for number in re.findall(rf"\b{word}=(\d+)", output))


@pytest.fixture
def play(lab_hub, tmp_path):
    return Play(lab_hub, tmp_path)


def api_requests(hub):
    return [line for line in hub.stats()["log"] if line.startswith("GET /api/models/")]


def test_a_fleet_asks_once_and_then_never(play):
    code, output = play.run(hosts=4, model_id=REALVIS, pipeline="text-to-image")
    assert code == 0, output
    assert play.recap(output, "changed") == 4
    # The model and its two companions, whatever the number of hosts.
    assert len(api_requests(play.hub)) == 3
    reference = f"models--{REALVIS.replace('/', '--')}/refs/main"
    assert len({(play.models(f"host{number}") / reference).read_text() for number in range(4)}) == 1

    play.hub.reset()
    code, output = play.run(hosts=4, model_id=REALVIS, pipeline="text-to-image")
    assert code == 0, output
    assert play.recap(output, "changed") == 0
    assert play.hub.stats()["total"] == 0

    code, output = play.run(hosts=4, model_id=REALVIS, pipeline="text-to-image", refresh=True)
    assert play.recap(output, "changed") == 0
    assert len(api_requests(play.hub)) == 3


def test_check_mode_says_how_many_bytes(play):
    code, output = play.run("--check", "--diff", model_id=BLIP, pipeline="image-to-text")
    assert code == 0, output
    (size,) = re.findall(rf"host0 \| {BLIP} \| would fetch 7 files, (\d+) bytes", output)
    assert int(size) > 2000000
    assert "+models--Salesforce--blip-image-captioning-large/model.safetensors:" in output
    assert play.hub.stats()["lfs"] == 0
    assert not play.models().exists()


def test_progress_in_the_normal_output(play):
    play.hub.fault({"match": ".", "kind": "slow", "bytes_per_second": 600000, "times": -1})
    code, output = play.run(model_id=BLIP, pipeline="image-to-text", progress_interval=1)
    assert code == 0, output
    lines = re.findall(
        rf"^host0 \| {BLIP} \| [\d.]+ [kM]B of 2\.1 MB \(\d+ %\) \| [\d.]+ [kM]B/s \| \d+ s left", output, re.M
    )
    assert len(lines) >= 2, output


def test_wait_for_the_rate_limit_is_told(play):
    play.hub.fault({"match": "/resolve/", "kind": "rate_limit", "retry_after": 3, "times": 1})
    code, output = play.run(model_id=BLIP, pipeline="image-to-text", progress_interval=1)
    assert code == 0, output
    assert "HTTP status 429 | next attempt in" in output


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"model_id": BLIP}, "Neither pipeline nor allow_patterns is set"),
        ({"model_id": "a b"}, "Neither pipeline nor allow_patterns is set"),
        ({"model_id": "a b", "pipeline": "llm"}, "not a Hugging Face model name"),
        ({"model_id": BLIP, "pipeline": "image-to-txt"}, "use one of audio-to-text"),
        ({"model_id": BLIP, "pipeline": "text-to-image"}, "has no model_index.json"),
        ({"model_id": "org/none", "pipeline": "llm"}, "has no model org/none"),
        ({"model_id": SVD, "pipeline": "image-to-video"}, "is gated and no token was given"),
        ({"model_id": SVD, "pipeline": "image-to-video", "token": "hf_lab_nolicence"}, "accept the licence"),
        ({"model_id": BLIP, "pipeline": "image-to-text", "token": "hf_two words"}, "token has blanks"),
        ({"model_id": BLIP, "pipeline": "image-to-text", "token_file": "none"}, "token_file none cannot be read"),
        ({"model_id": BLIP, "pipeline": "image-to-text", "token": "hf_a", "token_file": "b"}, "mutually exclusive"),
        ({"model_id": BLIP, "allow_patterns": ["*.gguf"]}, "is left after allow_patterns"),
    ],
)
def test_refusals_change_nothing(play, options, sentence):
    code, output = play.run(**options)
    assert code == 2
    assert sentence in re.sub(r"\s+", " ", output)
    assert "Traceback" not in output
    assert options.get("token", "no token at all") not in output
    assert not play.models().exists()


def test_token_file(play):
    (play.directory / "empty").write_text("\n")
    code, output = play.run(model_id=SVD, pipeline="image-to-video", token_file="empty")
    assert "token_file empty is empty" in output
    (play.directory / "token").write_text(f"{TOKEN}\n")
    code, output = play.run(model_id=SVD, pipeline="image-to-video", token_file="token")
    assert code == 0, output


def test_vaulted_token_file(play):
    (play.directory / "password").write_text("secret")
    (play.directory / "token").write_text(TOKEN)
    vault = Path(sys.executable).parent / "ansible-vault"
    arguments = ["--vault-password-file", "password"]
    subprocess.run([vault, "encrypt", *arguments, "token"], cwd=play.directory, check=True, env=play.environment)
    assert TOKEN not in (play.directory / "token").read_text()
    code, output = play.run(*arguments, model_id=SVD, pipeline="image-to-video", token_file="token")
    assert code == 0, output


# A process that looks at every command line of this machine, and at every file below a directory, until it is stopped.
SPY = """
import os, sys, pathlib
token, directory = sys.argv[1].replace("+", "").encode(), pathlib.Path(sys.argv[2])
me, seen = str(os.getpid()), set()
print("ready", flush=True)
while not (directory / "stop").exists():
    for process in os.listdir("/proc"):
        if process.isdigit() and process != me:
            try:
                if token in pathlib.Path("/proc", process, "cmdline").read_bytes():
                    seen.add("a command line")
            except OSError:
                pass
print(sorted(seen))
"""


@pytest.mark.parametrize("pipelining", ["1", "0"])
def test_token_is_nowhere(play, pipelining):
    """Not in argv, output (even at -vvvv and with --diff), callbacks' arguments, or a file afterwards."""
    (play.directory / "token").write_text(TOKEN)
    # Written apart, so that the spy does not find itself.
    spy = subprocess.Popen(
        [sys.executable, "-c", SPY, "+".join(TOKEN), play.directory], stdout=subprocess.PIPE, text=True
    )
    assert spy.stdout.readline() == "ready\n"
    play.hub.fault({"match": ".", "kind": "slow", "bytes_per_second": 400000, "times": -1})
    environment = {"ANSIBLE_PIPELINING": pipelining, "ANSIBLE_DISPLAY_ARGS_TO_STDOUT": "1"}
    code, output = play.run(
        "-vvvv",
        "--diff",
        environment=environment,
        model_id=SVD,
        pipeline="image-to-video",
        token_file="token",
        progress_interval=1,
    )
    (play.directory / "stop").touch()
    assert spy.communicate(timeout=10)[0] == "[]\n"
    assert code == 0, output
    assert TOKEN not in output
    assert play.hub.stats()["lfs_with_token"] == 0

    (play.directory / "token").unlink()
    for path in play.directory.rglob("*"):
        if path.is_file():
            assert TOKEN.encode() not in path.read_bytes(), path


def test_token_option_is_hidden_in_the_result(play):
    code, output = play.run("-vvv", model_id=SVD, pipeline="image-to-video", token=TOKEN)
    assert code == 0, output
    assert TOKEN not in output
    assert "VALUE_SPECIFIED_IN_NO_LOG_PARAMETER" in output


def test_absent(play):
    play.run(model_id=BLIP, pipeline="image-to-text")
    code, output = play.run(model_id=BLIP, state="absent")
    assert code == 0, output
    assert play.recap(output, "changed") == 1
    assert list(play.models().glob("models--*")) == []


def test_result(play):
    code, output = play.run(model_id=BLIP, pipeline="image-to-text", environment={"ANSIBLE_STDOUT_CALLBACK": "json"})
    told = json.loads(output[output.index("{") : output.rindex("}") + 1])
    result = told["plays"][0]["tasks"][0]["hosts"]["host0"]
    assert result["bytes_fetched"] == result["bytes_to_fetch"] == result["repositories"][0]["bytes"]
    assert {"actions", "bytes_fetched", "bytes_to_fetch", "commit", "path", "repositories", "diff"} <= set(result)
    assert not {"history", "finished", "_controller"} & set(result)
    assert "_controller" not in json.dumps(result)
