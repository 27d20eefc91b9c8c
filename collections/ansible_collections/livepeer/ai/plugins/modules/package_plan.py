#!/usr/bin/python
# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: package_plan
short_description: What installing a pinned set of packages would do
version_added: "1.0.0"
author: "livepeer.ai contributors (@livepeer-ai)"
description:
  - Compares packages that should be there with those that are, chooses a version for each that is missing or does not
    fit, has apt or dnf simulate the transaction, and judges it.
  - Changes nothing and fetches nothing, so it answers from the package lists that the host has.
extends_documentation_fragment:
  - livepeer.ai._attributes
  - livepeer.ai._attributes.info_module
options:
  manager:
    description: The package manager of the host.
    type: str
    choices: [apt, dnf]
    required: true
  role:
    description: The role that asks. Sentences name its variables.
    type: str
    required: true
  packages:
    description: The packages that should be there.
    type: list
    elements: str
    required: true
  version:
    description:
      - The version of those that O(pinned) covers, exact or the beginning of one.
      - A beginning ends where the version has one of C(. - + ~ :), so that V(580) is a branch and no part of 5801.
        An epoch may be left out.
    type: str
    default: ""
  pinned:
    description: Patterns of the packages that O(version) is for.
    type: list
    elements: str
    default: []
  held:
    description:
      - Patterns of packages whose holds belong to the role, besides O(pinned).
        A package that somebody else holds is never moved.
    type: list
    elements: str
    default: []
  upgrade:
    description: Whether to move to the newest version that the pin allows. Otherwise one that fits stays.
    type: bool
    default: false
  forbidden:
    description: Patterns of packages that the transaction must not touch.
    type: list
    elements: str
    default: []
  removable:
    description:
      - Patterns of packages that the transaction may remove, besides those of O(pinned) and those that it replaces.
    type: list
    elements: str
    default: []
  replaces:
    description:
      - Packages that must go when something is installed, for example another build of the same program.
    type: list
    elements: str
    default: []
  preferences:
    description: The apt preferences that will hold by then. They are tried, not written.
    type: str
    default: ""
  preferences_path:
    description: The file of those preferences, which is left out of account.
    type: path
    default: /etc/apt/preferences.d/none.pref
"""

EXAMPLES = r"""
- name: See what a driver branch would bring
  livepeer.ai.package_plan:
    manager: apt
    role: nvidia_driver
    packages: [nvidia-driver-cuda, nvidia-kernel-open-dkms]
    version: "580"
    pinned: ["*nvidia*", "libcuda*"]
    forbidden: ["linux-image-*"]
  register: plan
"""

RETURN = r"""
installed:
  description: The version of each package that is there, of those asked for and those the patterns cover.
  returned: always
  type: dict
holdable:
  description: The packages that are there and covered by O(pinned) or O(held).
  returned: always
  type: list
  elements: str
holds:
  description: Those of them that are held now.
  returned: always
  type: list
  elements: str
pending:
  description: The packages that are missing or whose version does not fit.
  returned: always
  type: list
  elements: str
replaced:
  description: Those of O(replaces) that are there.
  returned: always
  type: list
  elements: str
targets:
  description: What the package manager must be asked for, C(name=version) for apt and C(name-version) for dnf.
  returned: always
  type: list
  elements: str
actions:
  description: What the package manager would do.
  returned: always
  type: list
  elements: dict
  contains:
    action: {description: "V(install), V(upgrade), V(downgrade) or V(remove).", type: str}
    name: {description: The package., type: str}
    from: {description: "The version that is there, or empty.", type: str}
    to: {description: "The version that would be there, or empty.", type: str}
refusals:
  description: Why it must not be done, a sentence each.
  returned: always
  type: list
  elements: str
"""

import os
import re
import shutil
import tempfile
from fnmatch import fnmatchcase

from ansible.module_utils.basic import AnsibleModule

# Where a version may end that begins another.
ENDS = (".", "-", "+", "~", ":")
EPOCH = re.compile(r"^\d+:")
SHOWN = 12


def covers(patterns, name):
    return any(fnmatchcase(name, pattern) for pattern in patterns)


def fits(version, wanted):
    """Whether a version is the wanted one or of its branch."""
    if not wanted:
        return True
    if not EPOCH.match(wanted):
        version = EPOCH.sub("", version)
    return version == wanted or (version.startswith(wanted) and version[len(wanted)] in ENDS)


def listing(names):
    names = list(names)
    more = len(names) - SHOWN
    return ", ".join(names[:SHOWN]) + (f" and {more} more" if more > 0 else "")


class Apt:
    """Answers of dpkg and apt."""

    def __init__(self, run, params):
        self.run = run
        self.params = params
        self.parts = None

    def __enter__(self):
        """apt's preferences as they will be, in a folder of their own."""
        self.parts = tempfile.mkdtemp(prefix="livepeer-preferences-")
        own = self.params["preferences_path"]
        folder = os.path.dirname(own)
        for name in sorted(os.listdir(folder)) if os.path.isdir(folder) else []:
            path = os.path.join(folder, name)
            if path != own and os.path.isfile(path):
                shutil.copy(path, self.parts)
        if self.params["preferences"]:
            with open(os.path.join(self.parts, os.path.basename(own)), "w", encoding="utf-8") as file:
                file.write(self.params["preferences"])
        # apt reads the files as its own user.
        os.chmod(self.parts, 0o755)
        return self

    def __exit__(self, *_exception):
        shutil.rmtree(self.parts)

    def installed(self):
        """The version of every package that is there, configured or not; the native architecture wins."""
        form = "${db:Status-Status}\t${Package}\t${Version}\t${binary:Package}\n"
        found = {}
        for line in self.run(["dpkg-query", "--show", f"--showformat={form}"])[1].splitlines():
            status, name, version, qualified = line.split("\t")
            if status not in ("not-installed", "config-files") and (name not in found or ":" not in qualified):
                found[name] = version
        return found

    def holds(self):
        return {name.split(":")[0] for name in self.run(["apt-mark", "showhold"])[1].split()}

    def available(self, names):
        """For each name the versions that a repository has, newest first, and apt's choice."""
        versions, choice, name = {}, {}, ""
        version = ""
        output = self.run(["apt-cache", "--option", f"Dir::Etc::PreferencesParts={self.parts}", "policy", *names])[1]
        for line in output.splitlines():
            if not line.startswith(" "):
                name = line.rstrip(":").split(":")[0]
            elif line.startswith("  Candidate: "):
                choice[name] = line.split(": ", 1)[1]
            elif re.match(r" (\*\*\*|   ) \S+ -?\d+$", line):
                version = line[5:].split()[0]
            elif re.match(r" {8,}-?\d+ \S+", line) and not line.rstrip().endswith("/dpkg/status"):
                listed = versions.setdefault(name, [])
                if version not in listed:
                    listed.append(version)
        return versions, choice

    @staticmethod
    def target(name, version):
        return f"{name}={version}"

    def simulate(self, targets, gone):
        """The transaction, and what apt says if it cannot be made."""
        command = ["apt-get", "--simulate", "--no-install-recommends", "--allow-downgrades"]
        command += ["--allow-change-held-packages", "--option", f"Dir::Etc::PreferencesParts={self.parts}"]
        code, output, error = self.run([*command, "install", *targets, *(f"{name}-" for name in gone)])
        steps = []
        for line in output.splitlines():
            step = re.match(r"(Inst|Remv|Purg) (\S+)(?: \[([^\]]+)\])?(?: \((\S+))?", line)
            if step:
                verb, name, old, new = step.groups()
                steps.append((name.split(":")[0], old or "", new if verb == "Inst" and new else ""))
        reason = ""
        if code:
            # Below "The following packages have unmet dependencies:" apt says which.
            unmet = re.findall(r"^ (\S+ : .*)$", output, re.MULTILINE)
            reason = " ".join([*re.findall(r"^E: (.*)$", error, re.MULTILINE), *(line.strip() for line in unmet)])
        return steps, reason or (error.strip() if code else "")

    def newer(self, one, other):
        return self.run(["dpkg", "--compare-versions", one, "gt", other])[0] == 0

    def replaced(self, steps):
        """The names that packages of the transaction say they replace."""
        names = set()
        for name, _old, new in steps:
            if new:
                output = self.run(["apt-cache", "show", f"{name}={new}"])[1]
                for line in re.findall(r"^Replaces: (.*)$", output, re.MULTILINE):
                    names.update(part.split()[0].split(":")[0] for part in line.split(",") if part.strip())
        return names


class Dnf:
    """Answers of rpm and dnf."""

    HEADINGS = {
        "Installing": "in",
        "Upgrading": "in",
        "Downgrading": "in",
        "Reinstalling": "in",
        "Removing": "out",
    }

    def __init__(self, run, params):
        self.run = run
        self.params = params

    def __enter__(self):
        return self

    def __exit__(self, *_exception):
        """Nothing was made."""

    def installed(self):
        form = "%{NAME}\t%{EPOCHNUM}:%{VERSION}-%{RELEASE}\n"
        lines = self.run(["rpm", "--query", "--all", f"--queryformat={form}"])[1].splitlines()
        return {name: re.sub(r"^0:", "", version) for name, version in (line.split("\t") for line in lines)}

    def holds(self):
        code, output, _error = self.run(["dnf", "--quiet", "--cacheonly", "versionlock", "list"])
        # name-epoch:version-release.*
        return {line.rsplit("-", 2)[0] for line in output.split() if line.count("-") >= 2} if code == 0 else set()

    def available(self, names):
        base = ["dnf", "--quiet", "--cacheonly", "--disableplugin=versionlock", "repoquery", "--available"]
        form = "--queryformat=%{name}\t%{evr}\n"
        versions = self.pairs([*base, form, *names])
        wanted = self.params["version"]
        choice = {}
        for name in names:
            fitting = [version for version in versions.get(name, []) if fits(version, wanted)]
            patterns = [name]
            if wanted and covers(self.params["pinned"], name):
                patterns = [f"{name}-{version}" for version in fitting]
            if patterns:
                newest = self.pairs([*base, "--latest-limit=1", form, *patterns])
                choice[name] = newest.get(name, [""])[0]
        return versions, choice

    def pairs(self, command):
        found = {}
        for line in self.run(command)[1].splitlines():
            name, tab, version = line.partition("\t")
            if tab and version not in found.setdefault(name, []):
                found[name].append(version)
        return found

    @staticmethod
    def target(name, version):
        return f"{name}-{version}"

    def simulate(self, targets, gone):
        command = ["dnf", "--cacheonly", "--assumeno", "--disableplugin=versionlock"]
        command += ["--setopt=install_weak_deps=False", "install"]
        code, output, error = self.run([*command, *targets])
        there = self.installed()
        # They are removed beforehand; dnf would speak of a conflict instead.
        steps, kind = [(name, there[name], "") for name in gone], ""
        for line in output.splitlines():
            heading = re.match(r"(\w+)[ \w]*:$", line)
            if heading:
                kind = self.HEADINGS.get(heading.group(1), "")
            elif not line.startswith(" "):
                kind = ""
            elif kind:
                # A long name stands alone; the rest of its row is indented further and has no name.
                row = re.match(r" (\S+)(?:\s+\S+\s+(\S+))?", line)
                if row and not line.startswith("  "):
                    name = row.group(1)
                    steps.append((name, there.get(name, ""), (row.group(2) or "chosen by dnf") if kind == "in" else ""))
        # --assumeno ends with 1 after a table, and with 1 and without one if it cannot be done.
        reason = "" if steps or code == 0 else " ".join((error or output).split())
        return steps, reason

    def newer(self, one, other):
        return one != other and self.params["upgrade"]

    def replaced(self, steps):
        """dnf names what is obsoleted beside what replaces it and not among the removed."""
        return set()


class Plan:
    """Which packages are missing, what would bring them, and why that may be wrong."""

    def __init__(self, params, manager):
        self.params = params
        self.manager = manager

    def pinned(self, name):
        return covers(self.params["pinned"], name)

    def holdable(self, name):
        return covers(self.params["pinned"] + self.params["held"], name)

    def own(self, name):
        return name in self.params["packages"] or self.holdable(name)

    def fits(self, name, version):
        return not self.pinned(name) or fits(version, self.params["version"])

    def satisfied(self, name, there):
        return name in there and self.fits(name, there[name])

    def answer(self):
        everything = self.manager.installed()
        there = {name: version for name, version in everything.items() if self.own(name)}
        held = self.manager.holds()
        gone = set(self.params["replaces"]) & set(everything)
        # What goes is in nobody's way, whatever its version.
        staying = sorted(set(there) - set(self.params["packages"]) - gone)
        pending = [name for name in [*self.params["packages"], *staying] if not self.satisfied(name, there)]
        result = {
            "installed": there,
            "holdable": sorted(name for name in there if self.holdable(name)),
            "holds": sorted(name for name in held if self.holdable(name)),
            "pending": pending,
            "targets": [],
            "actions": [],
            "refusals": [],
        }
        result["replaced"] = sorted(gone)
        names = sorted({*self.params["packages"], *staying}) if self.params["upgrade"] else pending
        if names:
            wanted, result["refusals"] = self.choose(names, there)
            result["targets"] = [self.manager.target(name, version) for name, version in wanted.items()]
            # A foreign package that only the pattern covers may have no version of the kind; that is none of ours.
            result["pending"] = [name for name in pending if name in self.params["packages"] or name in wanted]
        if result["targets"] and not result["refusals"]:
            steps, reason = self.manager.simulate(result["targets"], result["replaced"])
            result["actions"] = [self.action(*step) for step in steps]
            foreign = {name for name in held if not self.holdable(name)} - set(result["replaced"])
            result["refusals"] = self.judge(steps, reason, foreign)
        return result

    def choose(self, names, there):
        """A version for each package that must be installed or moved, and sentences about those that have none."""
        versions, choice = self.manager.available(names)
        wanted, lacking = {}, {}
        for name in names:
            version = self.version(name, there, versions.get(name, []), choice.get(name, ""))
            if version and version != there.get(name):
                wanted[name] = version
            elif not version and name in self.params["packages"] and not self.satisfied(name, there):
                found = versions.get(name, [])
                lacking.setdefault((bool(found) and self.pinned(name), *found), []).append(name)
        return wanted, [self.not_to_be_had(names, pinned, found) for (pinned, *found), names in lacking.items()]

    def version(self, name, there, versions, choice):
        if choice in ("", "(none)") or not self.fits(name, choice):
            return ""
        if self.params["upgrade"] or not self.pinned(name):
            return choice
        # What joins packages that are there and stay must be of their version.
        staying = [there[other] for other in there if self.pinned(other) and self.fits(other, there[other])]
        same = [version for version in versions if version in staying]
        return same[0] if same and name not in there else choice

    def not_to_be_had(self, names, pinned, versions):
        role, wanted = self.params["role"], self.params["version"]
        if not versions:
            return f"The repositories of this host do not have {listing(names)}."
        if wanted and pinned:
            return (
                f"{role}_version is {wanted}, but the repositories of this host lack that version of {listing(names)} "
                f"and have {listing(versions)}; name one of them, or the beginning of one."
            )
        return (
            f"Preferences of this host (/etc/apt/preferences.d) keep {listing(names)} from being installed, "
            f"although the repositories have {listing(versions)}."
        )

    def action(self, name, old, new):
        if not new:
            kind = "remove"
        elif not old:
            kind = "install"
        else:
            kind = "upgrade" if self.manager.newer(new, old) else "downgrade"
        return {"action": kind, "name": name, "from": old, "to": new}

    def judge(self, steps, reason, foreign):
        sentences = []
        if reason:
            sentences.append(f"The package manager cannot install {listing(self.params['packages'])}: {reason}")
        touched = [name for name, _old, _new in steps]
        forbidden = sorted(name for name in touched if covers(self.params["forbidden"], name))
        if forbidden:
            sentences.append(
                f"Installing {listing(self.params['packages'])} would also touch {listing(forbidden)}, "
                f"which {self.params['role']} must leave alone; "
                "bring the host up to date first, or choose another version."
            )
        held = sorted(name for name in touched if name in foreign)
        if held:
            sentences.append(
                f"{listing(held)} would change but is held on this host by somebody else; "
                "release it first (apt-mark unhold)."
            )
        gone = self.lost(steps)
        if gone:
            sentences.append(
                f"Installing {listing(self.params['packages'])} would remove {listing(gone)} without replacing it; "
                f"remove it yourself first if it may go."
            )
        return sentences

    def lost(self, steps):
        """What would be removed and is neither the role's own nor replaced by what comes."""
        allowed = self.params["pinned"] + self.params["removable"] + self.params["replaces"]
        gone = [name for name, _old, new in steps if not new and not covers(allowed, name)]
        return sorted(set(gone) - self.manager.replaced(steps)) if gone else []


def main():
    strings = {"type": "list", "elements": "str"}
    module = AnsibleModule(
        argument_spec={
            "manager": {"type": "str", "choices": ["apt", "dnf"], "required": True},
            "role": {"type": "str", "required": True},
            "packages": {**strings, "required": True},
            "version": {"type": "str", "default": ""},
            "pinned": {**strings, "default": []},
            "held": {**strings, "default": []},
            "upgrade": {"type": "bool", "default": False},
            "forbidden": {**strings, "default": []},
            "removable": {**strings, "default": []},
            "replaces": {**strings, "default": []},
            "preferences": {"type": "str", "default": ""},
            "preferences_path": {"type": "path", "default": "/etc/apt/preferences.d/none.pref"},
        },
        supports_check_mode=True,
    )
    module.run_command_environ_update = {"LC_ALL": "C.UTF-8", "DEBIAN_FRONTEND": "noninteractive"}
    kind = {"apt": Apt, "dnf": Dnf}[module.params["manager"]]
    with kind(module.run_command, module.params) as manager:
        answer = Plan(module.params, manager).answer()
    module.exit_json(changed=False, **answer)


if __name__ == "__main__":
    main()
