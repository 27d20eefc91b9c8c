# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""pyproject.toml and uv.lock of a pipeline's package against ai-runner v0.14.1. Private to the collection."""

from __future__ import annotations

import re
import sys

try:
    import tomllib
except ImportError:  # Python before 3.11: the module says so
    tomllib = None

RUNNER_VERSION = "0.14.1"
RUNNER_PYTHON = ">=3.10,<3.12"
# ai-runner's extras exclude one another; the first serves live video on a GPU.
RUNNER_EXTRAS = ("realtime", "realtime-dev", "batch", "llm")
# What runner.live imports although [realtime] does not bring it.
UNBUNDLED = ("torch", "diffusers", "transformers")
# Folders of these names would hide what the runner imports.
TAKEN = frozenset({"runner", "torch", "diffusers", "transformers", "numpy", "pydantic", "fastapi", "uvicorn", "av"})

# Releases of Python that bounds are judged by: enough patches of each for every bound that somebody writes.
PYTHONS = (*((3, minor, patch) for minor in range(20) for patch in range(31)), (4, 0, 0))

REQUIREMENT = re.compile(r"^\s*([A-Za-z0-9][A-Za-z0-9._-]*)\s*(?:\[([^]]*)\])?\s*(?:@\s*(\S+))?([^;]*)")
CLAUSE = re.compile(r"^(===|==|~=|!=|<=|>=|<|>)\s*([0-9]+(?:\.[0-9]+)*)(\.\*)?$")


def read_toml(text):
    """The document and nothing, or nothing and (line, what is wrong)."""
    try:
        return tomllib.loads(text), None
    except tomllib.TOMLDecodeError as exc:
        line = re.search(r"line (\d+)", str(exc))
        return None, (int(line.group(1)) if line else 0, str(exc))


def normal(name):
    """A distribution's name as indexes compare it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def requirement(text):
    """Name, extras and address of one dependency."""
    name, extras, url, _rest = REQUIREMENT.match(text).groups()
    return normal(name), sorted(normal(extra.strip()) for extra in (extras or "").split(",") if extra.strip()), url


def admits(bounds, version):
    """Whether a requires-python admits a version such as (3, 12, 0); None if it cannot be read."""
    for clause in filter(None, (part.strip() for part in bounds.split(","))):
        match = CLAUSE.match(clause)
        if not match:
            return None
        operator, number, wildcard = match.groups()
        given = tuple(int(part) for part in number.split("."))
        if not _holds(operator, bool(wildcard), given, version):
            return False
    return True


def same_pythons(first, second):
    """Whether two requires-python mean the same; uv writes >=3.11,<3.12 as ==3.11.* into its lock."""
    return all(admits(first, version) == admits(second, version) for version in PYTHONS)


def _holds(operator, wildcard, given, version):
    padded = (*given, 0, 0)[:3]
    same = version[: len(given)] == given if wildcard else version == padded
    return {
        "===": version == padded,
        "==": same,
        "!=": not same,
        "<": version < padded,
        "<=": version <= padded,
        ">": version > padded,
        ">=": version >= padded,
        "~=": version >= padded and version[: len(given) - 1] == given[:-1],
    }[operator]


def _table(document, *path):
    """A table inside the document; what is no table reads as empty."""
    for key in path:
        document = document.get(key) if isinstance(document, dict) else None
    return document if isinstance(document, dict) else {}


class Project:
    """What pyproject.toml and uv.lock say."""

    FILE = "pyproject.toml"
    LOCK = "uv.lock"

    def __init__(self, files, findings):
        self.files = files
        self.findings = findings
        self.text = files.text(self.FILE)
        self.document = {}
        self.has_lock = files.exists(self.LOCK)
        self.lock_consistent = False
        self.runner_revision = ""
        self.runner_url = ""
        self.runner_extras = []
        self.extras = ()

    def add(self, code, message, needle=""):
        self.findings.add(code, self.FILE, self.line_of(needle), message)

    def line_of(self, needle):
        """The first line that holds the text, as TOML's reader keeps no places."""
        if not needle or not self.text:
            return 0
        lines = self.text.splitlines()
        return next((number for number, line in enumerate(lines, 1) if needle in line.split("#")[0]), 0)

    @property
    def table(self):
        return _table(self.document, "project")

    @property
    def name(self):
        return self._string("name")

    @property
    def version(self):
        return self._string("version")

    @property
    def python(self):
        return self._string("requires-python")

    @property
    def scripts(self):
        return {name: target for name, target in _table(self.table, "scripts").items() if isinstance(target, str)}

    @property
    def dependencies(self):
        return self._requirements(self.table.get("dependencies"))

    @property
    def installed(self):
        """What the image gets: the dependencies, and those of the extras that the Dockerfile chooses."""
        optional = _table(self.table, "optional-dependencies")
        chosen = [found for extra in self.extras for found in self._requirements(optional.get(extra))]
        return [*self.dependencies, *chosen]

    @staticmethod
    def _requirements(listed):
        texts = listed if isinstance(listed, list) else []
        return [requirement(text) for text in texts if isinstance(text, str) and REQUIREMENT.match(text)]

    def _string(self, key):
        value = self.table.get(key)
        return value if isinstance(value, str) else ""

    def check(self, modules, extras=()):
        """Everything that needs no source file but the names of the modules; extras are those in the image."""
        self.extras = extras
        if self.text is None:
            if not self.files.exists(self.FILE):
                self.add("pyproject_missing", "is missing: this folder holds no Python package.")
            return
        self.document, problem = read_toml(self.text)
        if problem:
            self.document = {}
            self.findings.add("pyproject_invalid", self.FILE, problem[0], f"is not valid TOML: {problem[1]}.")
            return
        self._check_project()
        self._check_names(modules)
        self._check_python()
        self._check_runner()
        self._check_lock()

    def _check_project(self):
        dynamic = self.table.get("dynamic")
        versioned = self.version or (isinstance(dynamic, list) and "version" in dynamic)
        missing = [key for key, value in (("name", self.name), ("version", versioned)) if not value]
        if missing:
            self.add("project_table", f"[project] has no {' and no '.join(missing)}.", "[project]")
        packaged = _table(self.document, "tool", "uv").get("package")
        if packaged is False or (packaged is None and "build-system" not in self.document):
            self.add(
                "not_packaged", "uv would not install the package itself, so its script would not exist.", "tool.uv"
            )

    def _check_names(self, modules):
        # sys.stdlib_module_names came with Python 3.10, and tomllib with 3.11 is needed anyway.
        taken = TAKEN | set(sys.stdlib_module_names)
        for name in sorted({module.partition(".")[0] for module in modules} & taken):
            path = next(modules[module] for module in modules if module.partition(".")[0] == name)
            self.findings.add("package_name", path, 0, f"the name {name} hides the module {name} that is needed.")

    def _check_python(self):
        if not self.python:
            self.add("python_bounds", f"requires-python is missing; ai-runner needs {RUNNER_PYTHON}.", "[project]")
            return
        wanted = [version for version in PYTHONS if admits(RUNNER_PYTHON, version)]
        others = [version for version in PYTHONS if not admits(RUNNER_PYTHON, version)]
        if admits(self.python, (3, 10, 12)) is None:
            self.add("python_bounds", f"requires-python {self.python!r} cannot be read.", "requires-python")
        elif not any(admits(self.python, version) for version in wanted):
            sentence = f"requires-python {self.python!r} leaves no Python that ai-runner runs on ({RUNNER_PYTHON})."
            self.add("python_bounds", sentence, "requires-python")
        else:
            wrong = [version for version in others if admits(self.python, version)]
            if wrong:
                example = ".".join(str(part) for part in wrong[0][:2])
                sentence = f"requires-python {self.python!r} admits Python {example}, which ai-runner excludes"
                self.add("python_bounds", f"{sentence} ({RUNNER_PYTHON}).", "requires-python")

    def _check_runner(self):
        runner = [found for found in self.installed if found[0] == "ai-runner"]
        if not runner:
            old = any(found[0] == "ai-worker" for found in self.installed)
            detail = "name ai-worker, which is now called ai-runner" if old else "do not name ai-runner"
            self.add("runner_missing", f"[project] dependencies {detail}.", "dependencies")
            return
        self.runner_extras = sorted({extra for _name, extras, _url in runner for extra in extras})
        chosen = [extra for extra in self.runner_extras if extra in RUNNER_EXTRAS]
        if len(chosen) != 1:
            told = (
                "without an extra" if not chosen else f"with the extras {' and '.join(chosen)}, which exclude another"
            )
            self.add("runner_extra", f"ai-runner is named {told}.", "ai-runner")
        elif chosen == ["realtime-dev"]:
            self.add("runner_extra_cpu", "ai-runner[realtime-dev] brings a torch that uses no GPU.", "ai-runner")
        self._check_source(next((url for _name, _extras, url in runner if url), None))

    def _check_source(self, url):
        source = self._direct(url) if url else self._uv_source()
        if source is None:
            self.add("runner_source", "ai-runner has no git source, and it is not on PyPI.", "ai-runner")
            return
        git = source.get("git")
        if not isinstance(git, str):
            self._check_folder(source)
            return
        self.runner_url = git
        repository = git.rstrip("/").rpartition("/")[2]
        if repository.partition(".git")[0] == "ai-worker":
            self.add(
                "runner_source", "ai-worker.git holds no Python package any more: it is in ai-runner.git.", "ai-worker"
            )
        if source.get("subdirectory") != "runner":
            self.add("runner_source", "the Python package lies in the subdirectory runner.", "ai-runner =")
        self.runner_revision = str(source.get("rev") or source.get("tag") or "")
        if not self.runner_revision:
            self.add(
                "runner_unpinned", "ai-runner follows a branch: the next uv lock may bring another one.", "ai-runner ="
            )
        elif re.fullmatch(r"v\d+\.\d+\.\d+", self.runner_revision) and self.runner_revision != f"v{RUNNER_VERSION}":
            sentence = f"ai-runner {self.runner_revision} is not the release that this check knows (v{RUNNER_VERSION})."
            self.add("runner_version", sentence, "ai-runner =")

    def _check_folder(self, source):
        """A copy of ai-runner inside the package can be built; any other place is not in the build context."""
        folder = source.get("path")
        if isinstance(folder, str) and self.files.holds(folder):
            return
        told = f"the path {folder}, which is no folder of this package" if folder else "no git repository"
        self.add("runner_source", f"ai-runner comes from {told}, so the image cannot be built with it.", "ai-runner =")

    def _uv_source(self):
        sources = _table(self.document, "tool", "uv", "sources")
        told = next((value for name, value in sources.items() if normal(name) == "ai-runner"), None)
        # Several sources, one for each marker or extra: the first is as good as any to read the release from.
        if isinstance(told, list):
            told = next((value for value in told if isinstance(value, dict) and "git" in value), None)
        return told if isinstance(told, dict) else None

    @staticmethod
    def _direct(url):
        """A source out of "ai-runner @ git+https://host/ai-runner.git@v0.14.1#subdirectory=runner"."""
        if not url.startswith("git+"):
            return {"url": url}
        address, _hash, fragment = url[len("git+") :].partition("#")
        address, _at, revision = address.rpartition("@") if "@" in address.rpartition("/")[2] else (address, "", "")
        found = re.search(r"subdirectory=([^&]+)", fragment)
        return {"git": address, "rev": revision, "subdirectory": found.group(1) if found else ""}

    def _check_lock(self):
        if not self.has_lock:
            self.findings.add("lock_missing", self.LOCK, 0, "is missing: uv sync --locked refuses to build the image.")
            return
        text = self.files.text(self.LOCK)
        lock, problem = read_toml(text) if text is not None else (None, (0, "it cannot be read"))
        if problem:
            self.findings.add("lock_invalid", self.LOCK, problem[0], f"is not a lock file: {problem[1]}.")
            return
        listed = lock.get("package")
        packages = [entry for entry in listed if isinstance(entry, dict)] if isinstance(listed, list) else []
        reasons = list(self._differences(lock, packages))
        self.lock_consistent = not reasons
        for reason in reasons:
            self.findings.add("lock_stale", self.LOCK, 0, f"does not fit pyproject.toml: {reason}.")
        self._check_libraries({entry.get("name") for entry in packages})

    def _differences(self, lock, packages):
        """Why uv would call the lock outdated; only what can be told without resolving."""
        if not same_pythons(str(lock.get("requires-python") or ""), self.python or ""):
            yield f"it was made for Python {lock.get('requires-python')!r} instead of {self.python!r}"
        own = next((entry for entry in packages if entry.get("name") == normal(self.name)), None)
        if own is None:
            yield f"it has no package {self.name}"
            return
        if self.version and own.get("version") and own["version"] != self.version:
            yield f"it has version {own['version']} instead of {self.version}"
        metadata = _table(own, "metadata").get("requires-dist")
        required = metadata if isinstance(metadata, list) else []
        locked = {(normal(str(entry.get("name"))), _extras(entry)) for entry in required if not _optional(entry)}
        declared = {(name, tuple(extras)) for name, extras, _url in self.dependencies}
        for name, extras in sorted(declared - locked):
            yield f"it does not know the dependency {_written(name, extras)}"
        for name, extras in sorted(locked - declared):
            yield f"it still has the dependency {_written(name, extras)}"
        yield from self._other_revision(packages)

    def _other_revision(self, packages):
        runner = next((entry for entry in packages if entry.get("name") == "ai-runner"), None)
        git = str(_table(runner or {}, "source").get("git") or "")
        match = re.search(r"[?&](?:rev|tag)=([^&#]+)", git)
        if self.runner_revision and match and match.group(1) != self.runner_revision:
            yield f"it has ai-runner {match.group(1)} instead of {self.runner_revision}"

    def _check_libraries(self, locked):
        if "realtime" not in self.runner_extras:
            return
        missing = [name for name in UNBUNDLED if name not in locked]
        if missing:
            sentence = f"the live runner imports {', '.join(missing)}, which ai-runner[realtime] does not bring."
            self.add("libraries_missing", sentence, "dependencies")


def _extras(entry):
    listed = entry.get("extras")
    return tuple(sorted(normal(str(extra)) for extra in listed)) if isinstance(listed, list) else ()


def _optional(entry):
    """Whether the requirement belongs to an extra of the package."""
    return "extra ==" in str(entry.get("marker", ""))


def _written(name, extras):
    return f"{name}[{','.join(extras)}]" if extras else name
