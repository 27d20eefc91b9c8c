# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The files that an image is built of, and a digest that changes when one of them does. Private to the collection."""

from __future__ import annotations

import fnmatch
import hashlib
import json
import os

from ansible_collections.livepeer.ai.plugins.plugin_utils._services import ServicesError

# What tools leave in a working directory. None of it belongs in an image, and none of it may rebuild one.
LEFTOVERS = (
    ".git",
    ".venv",
    "__pycache__",
    "*.pyc",
    ".pytest_cache",
    ".mypy_cache",
    ".ruff_cache",
    ".ipynb_checkpoints",
    ".DS_Store",
    "*.swp",
    "*~",
)
# Read in pieces: an engineer may have put weights beside the code.
PIECE = 1024 * 1024
TAG_LENGTH = 12
# The engineer's part of a template's context.
SERVICE = "service"
# Parts of the template that are for engineers: an example in that place, and tests.
OF_THE_TEMPLATE = (SERVICE, "tests")


class ContextError(ValueError):
    """Why a directory cannot be sent, as the end of a sentence."""


def service_context(entry, variable, wrapper, base):
    """Tag and files of the context that an entry of source template or build is built from."""
    path = os.path.normpath(os.path.join(base, entry["path"]))
    template = entry["source"] == "template"
    needed = "service.py" if template else "Dockerfile"
    if not os.path.isfile(os.path.join(path, needed)):
        raise ServicesError(
            f"{variable}, {entry['name']}, path: there is no {needed} in {path} on the controller;"
            f" source {entry['source']} needs one."
        )
    parts = [(wrapper, "", OF_THE_TEMPLATE), (path, SERVICE, ())] if template else [(path, "", ())]
    try:
        return context_of(parts, entry["build_args"])
    except ContextError as error:
        raise ServicesError(f"{variable}, {entry['name']}, path: {error}.") from error


def context_of(parts, build_args):
    """The context of directories, each given with its place in it and names that it leaves out."""
    try:
        files = [file for part in parts for file in _files(*part)]
    except OSError as error:
        raise ContextError(f"{error.filename} cannot be read ({error.strerror})") from error
    files.sort(key=lambda file: file["dest"])
    return {
        "tag": _tag(files, build_args),
        "files": [{key: file[key] for key in ("src", "dest", "mode")} for file in files],
    }


def _files(root, below, without):
    for directory, names, files in os.walk(root, onerror=_raise):
        names[:] = [name for name in names if not _is_leftover(name) and not (directory == root and name in without)]
        for name in [*names, *files]:
            path = os.path.join(directory, name)
            if os.path.islink(path) and not _is_leftover(name):
                raise ContextError(f"{path} is a symbolic link, put what it points to in its place")
        for name in files:
            if not _is_leftover(name):
                yield _file(os.path.join(directory, name), root, below)


def _raise(error):
    raise error


def _is_leftover(name):
    return any(fnmatch.fnmatchcase(name, pattern) for pattern in LEFTOVERS)


def _file(path, root, below):
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while piece := file.read(PIECE):
            digest.update(piece)
    # Git keeps no more of the mode than this; a checkout with another umask is the same context.
    mode = "0755" if os.access(path, os.X_OK) and os.stat(path).st_mode & 0o100 else "0644"
    dest = os.path.join(below, os.path.relpath(path, root))
    return {"src": path, "dest": dest, "mode": mode, "digest": digest.hexdigest()}


def _tag(files, build_args):
    parts = [[file["dest"], file["mode"], file["digest"]] for file in files]
    return hashlib.sha256(json.dumps([parts, build_args], sort_keys=True).encode()).hexdigest()[:TAG_LENGTH]
