# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to the collection: may change in any release.

"""Say what is wrong with a repository on this host, without asking anybody."""

from __future__ import annotations

import os
import re

from ansible_collections.livepeer.ai.plugins.module_utils._hf_cache import (
    digests_of,
    fingerprint,
    listing,
)


class Problem:
    """One thing that is wrong: with which file, what kind, and in words."""

    def __init__(self, file, problem, sentence):
        self.file = file
        self.problem = problem
        self.sentence = sentence

    def as_dict(self):
        return {"file": self.file, "problem": self.problem, "sentence": self.sentence}


def examine(repository, full=False):
    """Every problem of the snapshot that refs/main names."""
    found = reference_problems(repository)
    commit = repository.commit().decode("ascii", "replace").strip()
    if commit and not any(p.problem == "refs" and p.file == "refs/main" and not is_commit(commit) for p in found):
        found += snapshot_problems(repository, commit, full)
    return found + leftovers(repository)


def is_commit(text):
    return re.fullmatch("[0-9a-f]{40}", text) is not None


def reference_problems(repository):
    reference = repository.commit().decode("ascii", "replace")
    if not reference:
        return [Problem("refs/main", "refs", "refs/main is missing or empty, so no runner finds the snapshot.")]
    if is_commit(reference):
        return []
    if is_commit(reference.strip()):
        return [Problem("refs/main", "refs", "refs/main has a newline or blanks around the commit; loaders keep them.")]
    return [Problem("refs/main", "refs", "refs/main does not hold a commit of 40 hex digits.")]


def snapshot_problems(repository, commit, full):
    root = repository.snapshot(commit)
    if not os.path.isdir(root):
        return [Problem("refs/main", "missing", f"refs/main names the snapshot {commit}, which does not exist.")]
    files = expected_files(repository, commit)
    found, sound = [], []
    for file in files:
        problem = file_problem(repository, commit, file)
        if problem:
            found.append(problem)
        else:
            sound.append(file)
    if full:
        found += digest_problems(repository, commit, sound)
    if not files:
        found.append(Problem(f"snapshots/{commit}", "missing", f"The snapshot {commit} is empty."))
    return found


def expected_files(repository, commit):
    """What the record says about this commit, and whatever else lies in its folder."""
    files = {file["path"]: file for m in repository.manifests if m["commit"] == commit for file in m["files"]}
    root = repository.snapshot(commit)
    for base, directories, names in os.walk(root):
        # A link to a directory is listed as one, but a loader expects a file there.
        links = [name for name in directories if os.path.islink(os.path.join(base, name))]
        for name in names + links:
            path = os.path.relpath(os.path.join(base, name), root)
            files.setdefault(path, unrecorded(path, os.path.join(base, name)))
    return [files[path] for path in sorted(files)]


def unrecorded(path, link):
    """A file that another tool put there: its blob's name is its digest."""
    name = os.path.basename(os.readlink(link)) if os.path.islink(link) else ""
    algorithm = {64: "sha256", 40: "git-sha1"}.get(len(name)) if re.fullmatch("[0-9a-f]+", name) else None
    return {"path": path, "size": None, "digest": name, "algorithm": algorithm}


def file_problem(repository, commit, file):
    path, link = file["path"], repository.link(commit, file["path"])
    if not os.path.lexists(link):
        return Problem(path, "missing", f"{path} is missing.")
    if not os.path.exists(link):
        return Problem(path, "dangling", f"{path} is a link to {os.readlink(link)}, which does not exist.")
    real = os.path.realpath(link)
    if not real.startswith(os.path.realpath(repository.models_dir) + os.sep):
        return Problem(path, "outside", f"{path} leads to {real}, which no container sees: it has only the models.")
    if not os.path.isfile(real):
        return Problem(path, "missing", f"{path} is not a file.")
    size = os.path.getsize(real)
    if file["size"] is not None and size != file["size"]:
        return Problem(path, "size", f"{path} has {size} bytes instead of {file['size']}.")
    told = repository.verified.get(file["digest"])
    if file["size"] is not None and told != fingerprint(real):
        return Problem(path, "time", f"{path} was written to after it was verified (its size is right).")
    return None


def digest_problems(repository, commit, files):
    checkable = [file for file in files if file["algorithm"]]
    jobs = [(os.path.realpath(repository.link(commit, file["path"])), file["algorithm"]) for file in checkable]
    problems = []
    for file, found in zip(checkable, digests_of(jobs)):
        if found != file["digest"]:
            sentence = f"{file['path']} has the {file['algorithm']} {found} instead of {file['digest']}."
            problems.append(Problem(file["path"], "digest", sentence))
    return problems


def leftovers(repository):
    partial = [f"partial/{name}" for name in listing(repository.partials)]
    partial += [f"blobs/{name}" for name in listing(repository.blobs) if name.endswith(".incomplete")]
    return [Problem(name, "partial", f"{name} is the rest of a download that did not finish.") for name in partial]
