# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The package index that the lab's hosts build services from."""

from __future__ import annotations

import hashlib
import importlib.util
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest
from packaging.requirements import Requirement

SPEC = importlib.util.spec_from_file_location("wheels", Path(__file__).parents[1] / "build.py")
wheels = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(wheels)

IMAGE = {
    "implementation_name": "cpython",
    "os_name": "posix",
    "platform_machine": "x86_64",
    "platform_python_implementation": "CPython",
    "platform_system": "Linux",
    "python_full_version": "3.13.5",
    "python_version": "3.13",
    "sys_platform": "linux",
}
HERE = {**IMAGE, "python_full_version": "3.11.2", "python_version": "3.11"}


class Links(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.targets: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag, attributes) -> None:
        self.targets += [value for name, value in attributes if (tag, name) == ("a", "href")]


def links(page: Path) -> list[str]:
    return Links(page.read_text(encoding="utf-8")).targets


@pytest.fixture
def index(tmp_path: Path) -> Path:
    made = []
    for name in ("typing_extensions-4.16.0-py3-none-any.whl", "numpy-2.5.5-cp313-cp313-manylinux_2_28_x86_64.whl"):
        made.append(tmp_path / name)
        made[-1].write_bytes(name.encode())
    wheels.write_index(made, tmp_path / "index")
    return tmp_path / "index"


def test_projects_are_found_by_their_normalized_names(index: Path) -> None:
    assert links(index / "simple/index.html") == ["numpy/", "typing-extensions/"]


def test_each_link_leads_to_the_file_it_has_the_hash_of(index: Path) -> None:
    page = index / "simple/typing-extensions/index.html"
    (target,) = links(page)
    path, _, digest = target.partition("#sha256=")
    content = (page.parent / path).resolve().read_bytes()
    assert content == b"typing_extensions-4.16.0-py3-none-any.whl"
    assert digest == hashlib.sha256(content).hexdigest()


def test_made_again_it_holds_the_new_alone_in_the_same_folder(index: Path, tmp_path: Path) -> None:
    inode = index.stat().st_ino
    wheel = tmp_path / "h11-0.16.0-py3-none-any.whl"
    wheel.touch()
    wheels.write_index([wheel], index)
    assert links(index / "simple/index.html") == ["h11/"]
    assert [path.name for path in (index / "files").iterdir()] == [wheel.name]
    assert index.stat().st_ino == inode


@pytest.mark.parametrize("file", wheels.REQUIREMENTS, ids=lambda path: path.parent.name)
def test_markers_mean_the_same_here_and_in_the_image(file: Path) -> None:
    lines = re.findall(r"^([A-Za-z0-9._-]+==[^\\\n]+?)\s*\\?$", file.read_text(encoding="utf-8"), re.M)
    requirements = [Requirement(line) for line in lines]
    assert requirements
    for requirement in requirements:
        if requirement.marker:
            assert requirement.marker.evaluate(HERE) == requirement.marker.evaluate(IMAGE), requirement


def test_the_wrapper_and_the_service_agree_on_versions() -> None:
    own = re.findall(r"^([A-Za-z0-9._-]+)==([^\s;]+)", wheels.REQUIREMENTS[1].read_text(encoding="utf-8"), re.M)
    wrapper = wheels.REQUIREMENTS[0].read_text(encoding="utf-8")
    shared = [(name, version) for name, version in own if re.search(rf"^{re.escape(name)}==", wrapper, re.M)]
    assert shared
    for name, version in shared:
        assert re.search(rf"^{re.escape(name)}=={re.escape(version)}[ ;]", wrapper, re.M), name


def test_without_a_place_it_says_how() -> None:
    done = subprocess.run([sys.executable, wheels.__file__], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (2, "usage: build.py DEST\n")
