# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The Dockerfile of a pipeline's package. Private to the collection."""

from __future__ import annotations

import json
import re
import shlex

NAME = "Dockerfile"
LIVE_RELEASE = re.compile(r"^live-base-v(\d+\.\d+\.\d+)$")
LIVE_COMMIT = re.compile(r"^live-base-sha-(?:[0-9a-f]{7}|[0-9a-f]{40})$")
LIVE_PULL = re.compile(r"^live-base-pr-\d+$")
MOVING = frozenset({"live-base", "live-base-latest", "live-base-main"})
VARIABLE = re.compile(r"\$\{(\w+)(?::-([^}]*))?\}|\$(\w+)")
EXTRA = re.compile(r"--extra[= ]([A-Za-z0-9._-]+)")
HEREDOC = re.compile(r"<<-?\s*[\"']?(\w+)[\"']?")


def instructions(text):
    """(line, WORD, rest) of each instruction, continuation lines joined and here-documents skipped."""
    lines = text.splitlines()
    number = 0
    while number < len(lines):
        start, words = number + 1, []
        while number < len(lines):
            line = lines[number].strip()
            number += 1
            if not line or line.startswith("#"):
                if words:
                    continue
                break
            words.append(line[:-1].strip() if line.endswith("\\") else line)
            if not line.endswith("\\"):
                break
        joined = " ".join(words)
        for marker in HEREDOC.findall(joined) if joined[:4].upper() in ("RUN ", "COPY") else ():
            end = next((at for at in range(number, len(lines)) if lines[at].strip() == marker), len(lines) - 1)
            number = end + 1
        if joined:
            word, _space, rest = joined.partition(" ")
            yield start, word.upper(), rest.strip()


def substitute(text, values):
    """The text with the ARGs that are known put in."""
    return VARIABLE.sub(lambda m: values.get(m[1] or m[3], m[2] or ""), text)


def assignments(rest):
    """Names and values of an ENV or ARG instruction, in both of ENV's forms."""
    try:
        words = shlex.split(rest)
    except ValueError:
        words = rest.split()
    if words and "=" not in words[0]:
        return {words[0]: " ".join(words[1:])}
    return dict(word.partition("=")[::2] for word in words)


def command_words(rest):
    """The words of CMD or ENTRYPOINT in both of its forms."""
    try:
        listed = json.loads(rest)
    except ValueError:
        listed = None
    if isinstance(listed, list):
        return [str(word) for word in listed]
    try:
        return shlex.split(rest)
    except ValueError:
        return rest.split()


class Stage:
    """What one FROM leads to; a stage that is built on another begins with what that one has."""

    def __init__(self, line, base, parent=None):
        self.line = line
        self.base = parent.base if parent else base
        self.env = dict(parent.env) if parent else {}
        self.command = parent.command if parent else None
        self.entrypoint = parent.entrypoint if parent else None
        self.copied = list(parent.copied) if parent else []
        self.runs = list(parent.runs) if parent else []


class Dockerfile:
    """The stage that becomes the image, held against the runner's conventions."""

    def __init__(self, files, findings):
        self.files = files
        self.findings = findings
        self.text = files.text(NAME)
        self.stage = None

    @property
    def base_image(self):
        return self.stage.base if self.stage else ""

    @property
    def extras(self):
        """The package's own extras that uv sync installs into the image."""
        runs = [text for _line, text in self.stage.runs] if self.stage else []
        return sorted({name for text in runs for name in EXTRA.findall(text)})

    def add(self, code, line, message):
        self.findings.add(code, NAME, line, message)

    def check(self, project, kind):
        if self.text is None:
            if not self.files.exists(NAME):
                self.add("dockerfile_missing", 0, "is missing: there is nothing to build the image from.")
            return
        if self.stage is None:
            self.add("base_missing", 0, "has no FROM.")
            return
        self._check_base(project, kind)
        self._check_sync()
        self._check_environment()
        self._check_command(project)

    def read(self):
        """Follow the instructions up to the stage that becomes the image."""
        stages, arguments = {}, {}
        for line, word, rest in instructions(self.text or ""):
            if word == "FROM":
                words = [part for part in substitute(rest, arguments).split() if not part.startswith("--")]
                base = words[0] if words else ""
                self.stage = Stage(line, base, stages.get(base.lower()))
                if len(words) == 3 and words[1].upper() == "AS":
                    stages[words[2].lower()] = self.stage
            elif word == "ARG" and self.stage is None:
                arguments.update(assignments(rest) if "=" in rest else {})
            elif self.stage is not None:
                self._follow(line, word, rest)

    def _follow(self, line, word, rest):
        stage = self.stage
        if word == "ENV":
            stage.env.update(assignments(rest))
        elif word in ("COPY", "ADD"):
            words = command_words(rest)
            # What comes out of another stage is no file of the package.
            if not any(part.startswith("--from") for part in words):
                stage.copied.extend((line, part) for part in words[:-1] if not part.startswith("--"))
        elif word == "RUN":
            stage.runs.append((line, rest))
        elif word == "CMD":
            stage.command = (line, command_words(rest))
        elif word == "ENTRYPOINT":
            stage.entrypoint = (line, command_words(rest))
            stage.command = None

    def _check_base(self, project, kind):
        line, base = self.stage.line, self.stage.base
        repository, _at, digest = base.partition("@")
        repository, _colon, tag = (
            repository.rpartition(":") if ":" in repository.rpartition("/")[2] else (repository, "", "")
        )
        # Another base is the engineer's choice: nothing is known about it.
        if repository.rpartition("/")[2] != "ai-runner" or kind == "batch" or (digest and not tag):
            return
        release = LIVE_RELEASE.match(tag)
        if tag in MOVING and not digest:
            self.add("base_unpinned", line, f"the tag {tag} moves: the same sources build another image later.")
        elif release:
            wanted = project.runner_revision
            if re.fullmatch(r"v\d+\.\d+\.\d+", wanted) and wanted != f"v{release.group(1)}":
                self.add(
                    "base_version", line, f"the base image is v{release.group(1)}, the ai-runner package {wanted}."
                )
        elif tag not in MOVING and not LIVE_COMMIT.match(tag) and not LIVE_PULL.match(tag):
            told = f"the tag {tag} is none that live base images have" if tag else "without a tag it is no live base"
            self.add("base_image", line, f"{base}: {told} (live-base-vX.Y.Z, live-base-sha-<commit>).")

    def _check_sync(self):
        syncs = [(line, text) for line, text in self.stage.runs if re.search(r"\buv\s+sync\b", text)]
        for line, text in syncs:
            if not re.search(r"--locked|--frozen", text):
                self.add(
                    "sync_unlocked", line, "uv sync without --locked may install other versions than uv.lock names."
                )
        sources = [source.rstrip("/") for _line, source in self.stage.copied]
        mounted = any("uv.lock" in text for _line, text in syncs)
        everything = {".", "*", "*.lock", "uv.*", "./*"}
        has = mounted or any(source in everything or source.endswith("uv.lock") for source in sources)
        if syncs and not has:
            self.add("lock_not_copied", syncs[0][0], "uv.lock is not in the image when uv sync runs.")
        for number, ignored in enumerate((self.files.text(".dockerignore") or "").splitlines(), 1):
            if ignored.strip().lstrip("/") in ("uv.lock", "*.lock", "**/*.lock", "**/uv.lock"):
                self.findings.add("lock_ignored", ".dockerignore", number, "keeps uv.lock out of the build.")

    def _check_environment(self):
        offline = self.stage.env.get("HF_HUB_OFFLINE", "")
        if offline.upper() not in ("1", "ON", "YES", "TRUE"):
            self.add("offline_missing", self.stage.line, "HF_HUB_OFFLINE is not 1, so a start may wait for the Hub.")
        if "VERSION" not in self.stage.env:
            self.add("version_missing", self.stage.line, 'VERSION is not set, so GET /version answers "undefined".')

    def _check_command(self, project):
        parts = [part for part in (self.stage.entrypoint, self.stage.command) if part]
        if not parts:
            self.add("command_missing", self.stage.line, "has no CMD: the image would not start the pipeline.")
            return
        line, words = parts[0][0], [word for part in parts for word in part[1]]
        if words[:2] != ["uv", "run"]:
            return
        flags = [word for word in words[2:] if word.startswith("-")]
        started = next((word for word in words[2:] if not word.startswith("-")), "")
        if not {"--frozen", "--locked", "--no-sync"} & set(flags):
            self.add("command_unfrozen", line, "uv run without --frozen may install packages at every start.")
        valued = any(flag in ("-m", "--module", "--python", "-p", "--with", "--extra", "--group") for flag in flags)
        # An interpreter or a file needs no script of the package.
        if valued or started in ("python", "python3", "uvicorn", *project.scripts) or started.endswith(".py"):
            return
        if project.scripts:
            names = ", ".join(sorted(project.scripts))
            self.add("command_script", line, f"CMD starts {started!r}, but the package's scripts are: {names}.")
        elif project.document:
            message = f"CMD starts {started!r}, but [project.scripts] of pyproject.toml is empty."
            self.add("script_missing", line, message)
