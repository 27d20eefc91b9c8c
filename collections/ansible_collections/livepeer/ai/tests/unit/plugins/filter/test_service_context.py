# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an image is built of: named by contents, free of leftovers, refused in one sentence; and what a builder says."""

from __future__ import annotations

import os

import pytest
from ansible.errors import AnsibleFilterError

from ansible_collections.livepeer.ai.plugins.filter.build_failure import FilterModule as FailureFilters
from ansible_collections.livepeer.ai.plugins.filter.service_context import FilterModule as ContextFilters

service_context = ContextFilters().filters()["service_context"]
build_failure = FailureFilters().filters()["build_failure"]


@pytest.fixture
def tree(tmp_path):
    wrapper, service = tmp_path / "wrapper", tmp_path / "service"
    for path, text in (
        (wrapper / "Dockerfile", "FROM x"),
        (wrapper / "app.py", "app"),
        (service / "service.py", "service"),
        (service / "Dockerfile", "FROM y"),
        (service / "data/deep/table.json", "{}"),
    ):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(0o644)
    return tmp_path


def context(tree, source="template", path="service", build_args=None):
    entry = {"name": "chat", "source": source, "path": path, "build_args": build_args or {}}
    return service_context(entry, "byoc_services", str(tree / "wrapper"), str(tree))


def test_a_template_takes_the_engineer_in(tree):
    found = context(tree)
    assert [file["dest"] for file in found["files"]] == [
        "Dockerfile",
        "app.py",
        "service/Dockerfile",
        "service/data/deep/table.json",
        "service/service.py",
    ]
    assert found["files"][0]["src"] == str(tree / "wrapper/Dockerfile")


def test_the_examples_of_the_template_stay_behind(tree):
    before = context(tree)
    for name in ("service/service.py", "service/data.json", "tests/test_service.py"):
        path = tree / "wrapper" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text("example")
    assert context(tree) == before


def test_a_build_is_the_directory_itself(tree):
    found = context(tree, source="build")
    assert [file["dest"] for file in found["files"]] == ["Dockerfile", "data/deep/table.json", "service.py"]
    assert context(tree, source="build", path=str(tree / "service")) == found


def test_the_tag_tells_contents(tree):
    before = context(tree)["tag"]
    assert len(before) == 12
    assert context(tree)["tag"] == before
    os.utime(tree / "service/service.py", (1, 1))
    assert context(tree)["tag"] == before
    (tree / "service/service.py").write_text("other")
    assert context(tree)["tag"] != before


@pytest.mark.parametrize("change", ["rename", "mode", "wrapper", "new"])
def test_the_tag_tells_more_than_contents(tree, change):
    before = context(tree)["tag"]
    if change == "rename":
        (tree / "service/data/deep/table.json").rename(tree / "service/data/deep/list.json")
    elif change == "mode":
        (tree / "service/service.py").chmod(0o755)
    elif change == "wrapper":
        (tree / "wrapper/app.py").write_text("newer")
    else:
        (tree / "service/new.py").write_text("")
    assert context(tree)["tag"] != before


def test_the_tag_tells_the_arguments(tree):
    assert context(tree, build_args={"A": "1"})["tag"] != context(tree)["tag"]


def test_a_umask_is_no_change(tree):
    before = context(tree)
    (tree / "service/service.py").chmod(0o600)
    assert context(tree) == before


def test_leftovers_neither_travel_nor_rebuild(tree):
    before = context(tree)
    for name in ("__pycache__/service.pyc", ".git/HEAD", ".pytest_cache/x", "service.py~"):
        path = tree / "service" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text("x")
    assert context(tree) == before


@pytest.mark.parametrize(("source", "needed"), [("template", "service.py"), ("build", "Dockerfile")])
def test_what_is_missing_is_named(tree, source, needed):
    (tree / "service" / needed).unlink()
    with pytest.raises(AnsibleFilterError, match=f"byoc_services, chat, path: there is no {needed} in {tree}/service"):
        context(tree, source=source)


@pytest.mark.parametrize("name", ["link.json", "linked"])
def test_links_are_refused(tree, name):
    (tree / "service" / name).symlink_to(tree / "wrapper" / ("app.py" if name == "link.json" else ""))
    with pytest.raises(AnsibleFilterError, match="is a symbolic link, put what it points to in its place"):
        context(tree)


REPORT = (
    "Error building livepeer-service/chat - code: 1, message: The command '/bin/sh -c pip install x' returned a"
    " non-zero code: 1, logs: ['Step 1/2 : FROM y', ' ---> 0123', 'Step 2/2 : RUN pip install x',"
    " ' ---> Running in 45', '\\x1b[91mit', '\\x1b[0m', '', 'gone']"
)


def test_the_builder_is_quoted():
    assert build_failure(REPORT, lines=3).splitlines() == [
        "The command '/bin/sh -c pip install x' returned a non-zero code: 1. The builder's last lines:",
        "Step 2/2 : RUN pip install x",
        "it",
        "gone",
    ]


@pytest.mark.parametrize("message", ["No space left on device", "", "Error building x - message: y, logs: [broken"])
def test_other_messages_stay(message):
    assert build_failure(message) == message
