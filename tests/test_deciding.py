"""docs/deciding.md shows commands with their answers: each is run, and the answer is the one shown."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PAGE = (ROOT / "docs/deciding.md").read_text(encoding="utf-8")
# Indented text, blank lines inside it included.
BLOCKS = re.findall(r"(?:^    .*\n|^\n(?=    ))+", PAGE, re.M)
METADATA = re.search(r"^    \$ (M=\S+)$", PAGE, re.M).group(1)
EXAMPLES = {}
for block in BLOCKS:
    command, *answer = [line[4:].rstrip() for line in block.strip("\n").splitlines()]
    if "metadata=$M" in command:
        EXAMPLES[command.removeprefix("$ ")] = [line for line in answer if line]


def test_there_are_examples() -> None:
    """The tutorial's model and ten others."""
    assert len(EXAMPLES) >= 11
    assert any("SG161222/RealVisXL_V4.0_Lightning" in command for command in EXAMPLES)


@pytest.mark.parametrize("command", EXAMPLES, ids=lambda command: command.partition("model_id=")[2])
def test_the_answer_is_the_one_shown(command: str) -> None:
    environment = dict(os.environ, PATH=f"{Path(sys.executable).parent}:{os.environ['PATH']}", ANSIBLE_NOCOLOR="1")
    run = subprocess.run(
        ["bash", "-c", f"{METADATA}; {command}"], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stdout + run.stderr
    lines = iter(line.rstrip() for line in run.stdout.splitlines())
    assert EXAMPLES[command]
    for shown in EXAMPLES[command]:
        assert shown in lines, f"not printed, or not in this order: {shown}"
