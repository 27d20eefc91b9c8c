# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A folder of files seen as the Hub sees a model repository: git objects, Git LFS pointers, commits and refs.

Every identifier is computed as git and Git LFS compute it, so a client that verifies what it downloaded meets the
same numbers as on the true Hub: the etag of a small file is its git blob id, that of a large file its sha256.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from datetime import datetime, timezone
from fnmatch import fnmatchcase
from pathlib import Path

AUTHOR = "livepeer-lab <lab@example.org>"
COMMIT_HASH_PREFIX = 7  # the shortest abbreviation of a commit that the Hub resolves


def git_oid(kind: str, payload: bytes) -> str:
    """The id git gives to an object: sha1 over "<kind> <size>", a zero byte and the payload."""
    return hashlib.sha1(b"%s %d\0" % (kind.encode(), len(payload)) + payload, usedforsecurity=False).hexdigest()


def lfs_pointer(sha256: str, size: int) -> bytes:
    """The text that git keeps in place of a file stored by Git LFS."""
    return f"version https://git-lfs.github.com/spec/v1\noid sha256:{sha256}\nsize {size}\n".encode()


@dataclass(frozen=True)
class Blob:
    """One file of one revision. `source` is where its bytes are: a path, or the bytes themselves."""

    path: str
    size: int
    oid: str
    sha256: str
    lfs: bool
    source: Path | bytes

    @classmethod
    def of(cls, path: str, source: Path | bytes, lfs: bool) -> Blob:
        payload = source if isinstance(source, bytes) else source.read_bytes()
        sha256 = hashlib.sha256(payload).hexdigest()
        oid = git_oid("blob", lfs_pointer(sha256, len(payload)) if lfs else payload)
        return cls(path, len(payload), oid, sha256, lfs, source)

    @property
    def etag(self) -> str:
        return self.sha256 if self.lfs else self.oid

    @property
    def pointer_size(self) -> int:
        return len(lfs_pointer(self.sha256, self.size))

    def read(self, start: int, length: int, chunk: int = 65536):
        """Yield `length` bytes from `start` on."""
        if isinstance(self.source, bytes):
            yield self.source[start : start + length]
            return
        with self.source.open("rb") as stream:
            stream.seek(start)
            while length > 0:
                piece = stream.read(min(chunk, length))
                if not piece:
                    return
                length -= len(piece)
                yield piece


class LfsRules:
    """Which paths `.gitattributes` sends to Git LFS."""

    def __init__(self, text: str) -> None:
        lines = (line.split() for line in text.splitlines())
        self._patterns = [words[0] for words in lines if "filter=lfs" in words[1:]]

    def covers(self, path: str) -> bool:
        # git matches a pattern without a slash against the file's name alone
        name = path.rsplit("/", 1)[-1]
        return any(fnmatchcase(path if "/" in pattern else name, pattern) for pattern in self._patterns)


@dataclass(frozen=True)
class Snapshot:
    """One commit: its files by path and its folders' tree ids by path."""

    sha: str
    title: str
    date: str
    files: dict[str, Blob]
    folders: dict[str, str]
    parent: str | None = None

    @classmethod
    def commit(cls, files: dict[str, Blob], date: str, title: str, parent: str | None = None) -> Snapshot:
        folders = tree_oids(files)
        seconds = int(datetime.strptime(date, "%Y-%m-%dT%H:%M:%S.000Z").replace(tzinfo=timezone.utc).timestamp())
        lines = [f"tree {folders['']}"]
        lines += [f"parent {parent}"] if parent else []
        lines += [f"author {AUTHOR} {seconds} +0000", f"committer {AUTHOR} {seconds} +0000", "", title, ""]
        sha = git_oid("commit", "\n".join(lines).encode())
        return cls(sha, title, date, dict(sorted(files.items())), folders, parent)


def tree_oids(files: dict[str, Blob]) -> dict[str, str]:
    """The git tree id of every folder that holds a file; the root's is under the empty path."""
    children: dict[str, dict[str, tuple[str, str]]] = {"": {}}
    for path, blob in files.items():
        parent, _, name = path.rpartition("/")
        children.setdefault(parent, {})[name] = ("100644", blob.oid)
        while parent:
            parent = parent.rpartition("/")[0]
            children.setdefault(parent, {})
    oids: dict[str, str] = {}
    # the deepest folders first, so that each is known when its parent is written
    for folder in sorted(children, key=lambda path: path.count("/") + bool(path), reverse=True):
        entries = children[folder]
        payload = b"".join(
            f"{mode} {name}".encode() + b"\0" + bytes.fromhex(oid)
            for name, (mode, oid) in sorted(entries.items(), key=lambda item: item[0] + "/" * (item[1][0] == "40000"))
        )
        oids[folder] = git_oid("tree", payload)
        if folder:
            parent, _, name = folder.rpartition("/")
            children[parent][name] = ("40000", oids[folder])
    return oids


@dataclass
class Repository:
    """A model repository: what its meta file says, its commits, and where its branches point."""

    id: str
    meta: dict
    revisions: dict[str, Snapshot] = field(default_factory=dict)
    branches: dict[str, str] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)

    @classmethod
    def load(cls, folder: Path, repo_id: str, meta: dict) -> Repository:
        attributes = folder / ".gitattributes"
        rules = LfsRules(attributes.read_text() if attributes.exists() else "")
        files = {}
        for source in sorted(path for path in folder.rglob("*") if path.is_file()):
            path = source.relative_to(folder).as_posix()
            files[path] = Blob.of(path, source, rules.covers(path))
        snapshot = Snapshot.commit(files, meta["lastModified"], "Upload model")
        return cls(repo_id, meta, {snapshot.sha: snapshot}, {"main": snapshot.sha})

    @property
    def name(self) -> str:
        """The id the Hub answers with: a renamed repository answers to its old name with its new one."""
        return self.meta.get("renamed_to", self.id)

    def resolve(self, revision: str) -> Snapshot | None:
        """The commit that a branch, tag, commit or abbreviated commit names."""
        for prefix in ("refs/heads/", "refs/tags/"):
            revision = revision[len(prefix) :] if revision.startswith(prefix) else revision
        sha = self.branches.get(revision) or self.tags.get(revision) or revision
        if sha in self.revisions:
            return self.revisions[sha]
        matches = [known for known in self.revisions if len(sha) >= COMMIT_HASH_PREFIX and known.startswith(sha)]
        return self.revisions[matches[0]] if len(matches) == 1 else None

    def add_commit(self, changes: dict[str, bytes | None], title: str) -> Snapshot:
        """Move `main` on: the old commit stays reachable by its hash. A change to None deletes the file."""
        head = self.revisions[self.branches["main"]]
        files = dict(head.files)
        rules = LfsRules(b"".join(head.files[".gitattributes"].read(0, 1 << 20)).decode())
        for path, payload in changes.items():
            files.pop(path, None)
            if payload is not None:
                files[path] = Blob.of(path, payload, rules.covers(path))
        snapshot = Snapshot.commit(files, head.date, title, head.sha)
        self.revisions[snapshot.sha] = snapshot
        self.branches["main"] = snapshot.sha
        return snapshot


class Catalogue:
    """All repositories below a folder: each `<org>/<name>.meta.json` with its `<org>/<name>/`."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.repositories: dict[str, Repository] = {}
        self._originals: dict[str, str] = {}
        for meta in sorted(root.glob("*/*.meta.json")):
            repo_id = f"{meta.parent.name}/{meta.name[: -len('.meta.json')]}"
            repository = Repository.load(root / repo_id, repo_id, json.loads(meta.read_text()))
            self.repositories[repo_id] = repository
            self._originals[repo_id] = repository.branches["main"]
        self._by_name = {key.lower(): key for key in self.repositories}
        self._by_name.update({repo.name.lower(): key for key, repo in self.repositories.items()})

    def find(self, repo_id: str) -> Repository | None:
        """A repository by its name, its old name, or either in other letter case."""
        return self.repositories.get(self._by_name.get(repo_id.lower(), ""))

    def restore(self) -> None:
        """Forget commits that were added while running."""
        for repo_id, sha in self._originals.items():
            repository = self.repositories[repo_id]
            repository.revisions = {sha: repository.revisions[sha]}
            repository.branches = {"main": sha}
            repository.tags = {}
