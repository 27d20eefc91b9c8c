# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The files of a pipeline's package, read and never run. Private to the collection."""

from __future__ import annotations

import ast
import os

# Folders that hold no source of the package.
SKIPPED = frozenset({"__pycache__", "build", "dist", "node_modules", "site-packages", "tests", "test", "venv"})
LARGEST = 64 * 1024 * 1024


class PackageError(Exception):
    """The folder cannot be read at all."""


class PackageFiles:
    """One folder. Paths are relative to it and use forward slashes; nothing outside is opened."""

    def __init__(self, root, findings):
        self.root = os.path.realpath(root)
        self.findings = findings
        if not os.path.isdir(self.root):
            raise PackageError(f"path: {root} is no folder. Name the folder that holds the pipeline's pyproject.toml.")
        self._trees = {}

    def exists(self, path):
        return os.path.isfile(os.path.join(self.root, path))

    def holds(self, path):
        """Whether the path is there and inside the package."""
        full = os.path.realpath(os.path.join(self.root, path))
        return os.path.exists(full) and os.path.commonpath([self.root, full]) == self.root

    def text(self, path):
        """The file's text, or None if there is none; one that cannot be used is a finding."""
        full = os.path.realpath(os.path.join(self.root, path))
        if not os.path.isfile(full):
            return None
        if os.path.commonpath([self.root, full]) != self.root:
            self.findings.add("outside", path, 0, f"is a link to {full}, outside the package.")
            return None
        if os.path.getsize(full) > LARGEST:
            raise PackageError(f"{path} has more than {LARGEST} bytes. Name the folder of a pipeline's package.")
        try:
            with open(full, encoding="utf-8") as file:
                return file.read()
        except UnicodeDecodeError:
            self.findings.add("not_utf8", path, 0, "is not UTF-8.")
            return None

    def tree(self, path):
        """The module's syntax tree; one that does not parse is a finding and reads as None."""
        if path not in self._trees:
            self._trees[path] = self._parse(path)
        return self._trees[path]

    def _parse(self, path):
        text = self.text(path)
        if text is None:
            return None
        try:
            return ast.parse(text)
        except SyntaxError as exc:
            self.findings.add("syntax", path, exc.lineno, f"Python cannot read it: {exc.msg}.")
        except ValueError as exc:
            self.findings.add("syntax", path, 0, f"Python cannot read it: {exc}.")
        return None

    def modules(self):
        """Dotted name -> path of every module, from src/ if there is one."""
        base = "src" if os.path.isdir(os.path.join(self.root, "src")) else ""
        found = {}
        top = os.path.join(self.root, base)
        for folder, folders, names in os.walk(top):
            folders[:] = sorted(name for name in folders if name not in SKIPPED and name.isidentifier())
            inside = os.path.relpath(folder, top).replace(os.sep, "/")
            parts = [] if inside == "." else inside.split("/")
            for name in sorted(names):
                stem, extension = os.path.splitext(name)
                if extension != ".py" or not stem.isidentifier():
                    continue
                dotted = ".".join(parts if stem == "__init__" else [*parts, stem])
                if dotted:
                    found[dotted] = "/".join([*([base] if base else []), *parts, name])
        return found
