# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Plans for hosts whose dpkg, apt, rpm and dnf answer as recorded."""

from __future__ import annotations

import pathlib

import pytest

from ansible_collections.livepeer.ai.plugins.modules.package_plan import Apt, Dnf, Plan, fits

BARE = "installed\tiptables\t1.8.11-2\tiptables\nconfig-files\tdocker.io\t20.10\tdocker.io\n"
INSTALLED = BARE + (
    "installed\tdocker-ce\t5:26.1.5-1~debian.13~trixie\tdocker-ce\n"
    "installed\tdocker-ce-cli\t5:26.1.5-1~debian.13~trixie\tdocker-ce-cli\n"
    "installed\tcontainerd.io\t1.7.24-1\tcontainerd.io\n"
)
POLICY = """{name}:
  Installed: (none)
  Candidate: {candidate}
  Version table:
     5:27.0.0-1~debian.13~trixie 600
        500 http://repository.example trixie/stable amd64 Packages
     5:26.1.5-2~debian.13~trixie {priority}
        500 http://repository.example trixie/stable amd64 Packages
     5:26.1.5-1~debian.13~trixie {priority}
        500 http://repository.example trixie/stable amd64 Packages
"""
POLICY_CONTAINERD = """containerd.io:
  Installed: (none)
  Candidate: 1.7.24-1
  Version table:
     1.7.24-1 500
        500 http://repository.example trixie/stable amd64 Packages
 *** 1.7.20-1 100
        100 /var/lib/dpkg/status
"""
PARAMS = {
    "role": "container_engine",
    "packages": ["docker-ce", "docker-ce-cli", "containerd.io"],
    "version": "26.1",
    "pinned": ["docker-ce", "docker-ce-cli"],
    "held": ["containerd.io"],
    "upgrade": False,
    "forbidden": [],
    "removable": [],
    "replaces": [],
    "preferences": "",
    "preferences_path": "/nonexistent/none.pref",
}


def policy(candidate="5:26.1.5-2~debian.13~trixie", priority=1001):
    names = ("docker-ce", "docker-ce-cli")
    return "".join(POLICY.format(name=n, candidate=candidate, priority=priority) for n in names) + POLICY_CONTAINERD


class Host:
    """Answers commands by their first words and remembers them."""

    def __init__(self, **answers):
        self.answers = answers
        self.commands = []

    def __call__(self, command):
        self.commands.append(command)
        verb = next((word for word in ("showhold", "policy", "install", "show", "repoquery") if word in command), "")
        answer = self.answers.get(f"{command[0]} {verb}".strip().replace("-", "_").replace(" ", "_"), "")
        return answer if isinstance(answer, tuple) else (0, answer, "")

    def simulated(self):
        return next((command for command in self.commands if command[0] == "apt-get"), None)


def plan(host, **params):
    params = {**PARAMS, **params}
    with Apt(host, params) as manager:
        return Plan(params, manager).answer()


@pytest.mark.parametrize(
    ("version", "wanted", "answer"),
    [
        ("580.95.05-1", "", True),
        ("580.95.05-1", "580", True),
        ("580.95.05-1", "580.95.05-1", True),
        ("5801.1-1", "580", False),
        ("5:26.1.5-1~debian", "26.1.5", True),
        ("5:26.1.5-1~debian", "5:26.1", True),
        ("5:26.1.5-1~debian", "3:26.1", False),
        ("26.1.5+dfsg1-9", "26.1.5", True),
        ("26.1.5", "26.1.5", True),
        ("26.15", "26.1", False),
    ],
)
def test_a_branch_ends_where_versions_do(version, wanted, answer):
    assert fits(version, wanted) is answer


def test_a_bare_host_gets_the_newest_of_the_branch():
    steps = (
        "Inst docker-ce (5:26.1.5-2~debian.13~trixie example [amd64])\nConf docker-ce (5:26.1.5-2 example [amd64])\n"
    )
    host = Host(dpkg_query=BARE, apt_cache_policy=policy(), apt_get_install=steps)
    answer = plan(host)
    assert answer["pending"] == PARAMS["packages"]
    assert answer["targets"] == [
        "docker-ce=5:26.1.5-2~debian.13~trixie",
        "docker-ce-cli=5:26.1.5-2~debian.13~trixie",
        "containerd.io=1.7.24-1",
    ]
    assert answer["actions"] == [
        {"action": "install", "name": "docker-ce", "from": "", "to": "5:26.1.5-2~debian.13~trixie"}
    ]
    assert answer["refusals"] == []


def test_what_fits_stays_and_nothing_is_asked_of_apt():
    host = Host(dpkg_query=INSTALLED, apt_mark_showhold="docker-ce\niptables\n")
    answer = plan(host)
    assert (answer["pending"], answer["targets"], answer["actions"]) == ([], [], [])
    assert answer["holds"] == ["docker-ce"]
    assert answer["holdable"] == ["containerd.io", "docker-ce", "docker-ce-cli"]
    assert host.simulated() is None
    assert not any("policy" in command for command in host.commands)


def test_upgrade_moves_within_the_pin():
    host = Host(dpkg_query=INSTALLED, apt_cache_policy=policy())
    assert plan(host, upgrade=True)["targets"] == [
        "docker-ce=5:26.1.5-2~debian.13~trixie",
        "docker-ce-cli=5:26.1.5-2~debian.13~trixie",
    ]


def test_what_joins_takes_the_version_of_what_stays():
    there = "\n".join(line for line in INSTALLED.splitlines() if "docker-ce-cli" not in line) + "\n"
    answer = plan(Host(dpkg_query=there, apt_cache_policy=policy()))
    assert answer["targets"] == ["docker-ce-cli=5:26.1.5-1~debian.13~trixie"]


def test_a_version_that_is_not_to_be_had_names_those_that_are():
    candidate = "5:27.0.0-1~debian.13~trixie"
    host = Host(dpkg_query=INSTALLED, apt_cache_policy=policy(candidate=candidate, priority=500))
    (sentence,) = plan(host, version="99")["refusals"]
    assert "container_engine_version is 99" in sentence
    assert "docker-ce, docker-ce-cli" in sentence
    assert candidate in sentence
    assert host.simulated() is None


def test_unknown_packages_are_named_together():
    (sentence,) = plan(Host(dpkg_query=BARE))["refusals"]
    assert sentence == "The repositories of this host do not have docker-ce, docker-ce-cli, containerd.io."


@pytest.mark.parametrize(
    ("steps", "params", "words"),
    [
        ("Inst linux-image-amd64 [6.1] (6.2 example [amd64])\n", {"forbidden": ["linux-image-*"]}, "linux-image-amd64"),
        ("Inst iptables [1.8.11-2] (1.9 example [amd64])\n", {}, "held on this host by somebody else"),
        ("Remv tini [0.19]\n", {}, "would remove tini without replacing it"),
    ],
)
def test_transactions_that_touch_what_they_must_not_are_refused(steps, params, words):
    host = Host(dpkg_query=BARE, apt_mark_showhold="iptables\n", apt_cache_policy=policy(), apt_get_install=steps)
    (sentence,) = plan(host, **params)["refusals"]
    assert words in sentence


@pytest.mark.parametrize(
    ("removed", "params", "shown"),
    [
        ("docker-ce", {}, ""),
        ("tini", {"removable": ["tin*"]}, ""),
        ("tini", {}, "Package: docker-ce\nReplaces: docker.io (<< 3), tini\n"),
    ],
)
def test_what_is_replaced_or_may_go_is_no_loss(removed, params, shown):
    steps = f"Remv {removed} [1]\nInst docker-ce (5:26.1.5-2~debian.13~trixie example [amd64])\n"
    host = Host(dpkg_query=BARE, apt_cache_policy=policy(), apt_get_install=steps, apt_cache_show=shown)
    assert plan(host, **params)["refusals"] == []


def test_another_build_of_the_program_goes_first_held_or_not():
    there = BARE + "installed\tdocker.io\t26.1.5\tdocker.io\n"
    steps = "Remv docker.io [26.1.5]\nInst docker-ce (5:26.1.5-2~debian.13~trixie example [amd64])\n"
    host = Host(dpkg_query=there, apt_mark_showhold="docker.io\n", apt_cache_policy=policy(), apt_get_install=steps)
    answer = plan(host, replaces=["docker.io", "podman-docker"])
    assert answer["replaced"] == ["docker.io"]
    assert answer["refusals"] == []
    assert host.simulated()[-1] == "docker.io-"


@pytest.mark.parametrize("params", [{"upgrade": True}, {"version": "26.1.5-2"}])
def test_what_goes_is_not_moved_as_well(params):
    """The other flavour of a driver has the same versions and is covered by the same pattern."""
    there = INSTALLED + "installed\tdocker-ce-other\t5:26.1.5-1~debian.13~trixie\tdocker-ce-other\n"
    other = POLICY.format(name="docker-ce-other", candidate="5:26.1.5-2~debian.13~trixie", priority=1001)
    host = Host(dpkg_query=there, apt_cache_policy=policy() + other)
    answer = plan(host, pinned=["docker-ce*"], replaces=["docker-ce-other"], **params)
    assert answer["replaced"] == ["docker-ce-other"]
    assert [target for target in answer["targets"] if "other" in target] == []
    assert "docker-ce-other" not in answer["pending"]
    assert host.simulated()[-1] == "docker-ce-other-"


def test_what_apt_says_is_passed_on():
    said = "The following packages have unmet dependencies:\n docker-ce : Depends: tini but it is not installable\n"
    failed = (100, said, "E: Unable to correct problems, you have held broken packages.\n")
    (sentence,) = plan(Host(dpkg_query=BARE, apt_cache_policy=policy(), apt_get_install=failed))["refusals"]
    assert "held broken packages" in sentence
    assert "docker-ce : Depends: tini" in sentence


def test_preferences_are_tried_beside_those_of_others(tmp_path):
    (tmp_path / "others.pref").write_text("Package: a\n")
    (tmp_path / "own.pref").write_text("old\n")
    params = {**PARAMS, "preferences": "new\n", "preferences_path": str(tmp_path / "own.pref")}
    with Apt(Host(), params) as manager:
        parts = pathlib.Path(manager.parts)
        assert {path.name: path.read_text() for path in parts.iterdir()} == {
            "others.pref": "Package: a\n",
            "own.pref": "new\n",
        }
    assert not parts.exists()
    assert (tmp_path / "own.pref").read_text() == "old\n"


TABLE = """Last metadata expiration check: 0:01:00 ago.
Dependencies resolved.
================================================================================
 Package             Arch    Version              Repository            Size
================================================================================
Installing:
 docker-ce           x86_64  3:26.1.3-1.el9       docker                27 M
Installing dependencies:
 a-package-whose-name-is-long-enough-to-stand-alone
                     x86_64  4:2.235.0-2.el9      appstream             60 k
Removing:
 runc                x86_64  4:1.1.12-1.el9       @appstream            10 M

Transaction Summary
================================================================================
Install  2 Packages
"""


def test_dnf_tells_the_same():
    host = Host(
        rpm="runc\t4:1.1.12-1.el9\nbash\t0:5.1.8-9.el9\n",
        dnf_repoquery="docker-ce\t3:27.0.1-1.el9\ndocker-ce\t3:26.1.3-1.el9\n",
        dnf_install=(1, TABLE, "Operation aborted.\n"),
    )
    params = {**PARAMS, "packages": ["docker-ce"]}
    with Dnf(host, params) as manager:
        # The newest of what fits is dnf's choice.
        manager.pairs = lambda command: {"docker-ce": ["3:26.1.3-1.el9"]}
        answer = Plan(params, manager).answer()
    assert answer["targets"] == ["docker-ce-3:26.1.3-1.el9"]
    assert [(step["action"], step["name"]) for step in answer["actions"]] == [
        ("install", "docker-ce"),
        ("install", "a-package-whose-name-is-long-enough-to-stand-alone"),
        ("remove", "runc"),
    ]
    assert "would remove runc without replacing it" in answer["refusals"][0]
