# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to the collection: may change in any release.

"""The cache layout that runners read, and our record of what was verified in it.

    <models>/models--org--name/refs/main               the commit: 40 hex digits and nothing else
    <models>/models--org--name/blobs/<digest>          the files
    <models>/models--org--name/snapshots/<commit>/...  relative links to the blobs
    <models>/.livepeer/                                records, partial files and locks

Ours lie outside the repository's folder: a runner decides by walking that folder (is there a *.fp16.safetensors in it?
which directory holds a *.bin?), so nothing but the model may be in it.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import stat
import time
from concurrent.futures import ThreadPoolExecutor

RECORD_FORMAT = 1
CHUNK = 1 << 20
# A runner with network writes *.incomplete files here too; one that has not grown for this long belongs to nobody.
STALE_SECONDS = 600


class Ownership:
    """Who owns what we write. Directories get the search bit wherever files can be read."""

    def __init__(self, uid=-1, gid=-1, mode=0o644):
        self.uid = uid
        self.gid = gid
        self.file_mode = mode
        self.directory_mode = mode | (mode & 0o444) >> 2

    def differs(self, path):
        found = os.lstat(path)
        if self.uid not in (-1, found.st_uid) or self.gid not in (-1, found.st_gid):
            return True
        return not stat.S_ISLNK(found.st_mode) and stat.S_IMODE(found.st_mode) != self._mode(found)

    def apply(self, path):
        found = os.lstat(path)
        os.chown(path, self.uid, self.gid, follow_symlinks=False)
        if not stat.S_ISLNK(found.st_mode):
            os.chmod(path, self._mode(found))

    def _mode(self, found):
        return self.directory_mode if stat.S_ISDIR(found.st_mode) else self.file_mode


class Repository:
    """The folders of one repository on this host and the record of it."""

    def __init__(self, models_dir, model_id):
        self.models_dir = models_dir
        self.model_id = model_id
        self.folder = "models--" + model_id.replace("/", "--")
        self.root = os.path.join(models_dir, self.folder)
        self.blobs = os.path.join(self.root, "blobs")
        self.snapshots = os.path.join(self.root, "snapshots")
        self.main = os.path.join(self.root, "refs", "main")
        state = os.path.join(models_dir, ".livepeer")
        self.record_path = os.path.join(state, "records", self.folder + ".json")
        self.partials = os.path.join(state, "partial", self.folder)
        self.staging = os.path.join(state, "staging", self.folder)
        self.lock_path = os.path.join(state, "locks", self.folder)
        record = read_json(self.record_path)
        usable = record.get("format") == RECORD_FORMAT
        self.manifests = record["manifests"] if usable else []
        self.verified = record["verified"] if usable else {}

    def blob(self, digest):
        return os.path.join(self.blobs, digest)

    def partial(self, digest):
        return os.path.join(self.partials, digest)

    def snapshot(self, commit):
        return os.path.join(self.snapshots, commit)

    def link(self, commit, path):
        return os.path.join(self.snapshots, commit, path)

    def recorded(self, revision, selection):
        """The manifest that answered this request before, or None."""
        for manifest in self.manifests:
            if manifest["revision"] == revision and manifest["selection"] == selection:
                return manifest
        return None

    def remember(self, manifest):
        same = (manifest["revision"], manifest["selection"])
        self.manifests = [m for m in self.manifests if (m["revision"], m["selection"]) != same] + [manifest]

    def commit(self):
        """What refs/main says, as bytes; empty if there is none."""
        try:
            with open(self.main, "rb") as ref:
                return ref.read(256)
        except OSError:
            return b""

    def save(self, ownership):
        record = {
            "format": RECORD_FORMAT,
            "model_id": self.model_id,
            "manifests": self.manifests,
            "verified": {digest: told for digest, told in self.verified.items() if os.path.exists(self.blob(digest))},
        }
        text = json.dumps(record, indent=1, sort_keys=True) + "\n"
        if read_text(self.record_path) != text:
            write_file(self.record_path, text, ownership)

    # What is there

    def is_verified(self, digest):
        """True if the blob is the very file whose digest was checked."""
        told = self.verified.get(digest)
        return told is not None and told == fingerprint(self.blob(digest))

    def mark_verified(self, digest):
        self.verified[digest] = fingerprint(self.blob(digest))

    def source_of(self, commit, file):
        """A file on this host that may hold the content: the blob itself, or what another tool left in its place."""
        for path in (self.blob(file["digest"]), self.link(commit, file["path"])):
            real = os.path.realpath(path)
            inside = real.startswith(os.path.realpath(self.models_dir) + os.sep)
            if inside and os.path.isfile(real) and os.path.getsize(real) == file["size"]:
                return real
        return None

    def adopt(self, source, digest, ownership):
        """Make a verified file the blob, if it is not: no shared store, nothing outside this repository."""
        blob = self.blob(digest)
        if os.path.islink(blob) or not os.path.exists(blob):
            make_directory(self.blobs, ownership)
            make_directory(self.staging, ownership)
            copy = os.path.join(self.staging, digest)
            remove_file(copy)
            os.link(source, copy)
            os.replace(copy, blob)
            ownership.apply(blob)
        self.mark_verified(digest)

    def link_is_right(self, commit, file):
        try:
            return os.readlink(self.link(commit, file["path"])) == link_text(file)
        except OSError:
            return False

    def paths_of(self, manifest):
        """Everything that a manifest puts below the repository's folder, and that exists."""
        commit = manifest["commit"]
        found = [self.root, self.blobs, self.snapshots, os.path.dirname(self.main), self.main, self.snapshot(commit)]
        for file in manifest["files"]:
            found.append(self.blob(file["digest"]))
            path = self.link(commit, file["path"])
            while path not in found:
                found.append(path)
                path = os.path.dirname(path)
        return [path for path in found if os.path.lexists(path)]

    # What is changed

    def publish(self, manifest, ownership):
        """Show the complete snapshot: a new one appears in one rename; refs/main follows it."""
        commit = manifest["commit"]
        final = self.snapshot(commit)
        missing = [file for file in manifest["files"] if not self.link_is_right(commit, file)]
        if missing and not os.path.isdir(final):
            stage = os.path.join(self.staging, commit)
            shutil.rmtree(stage, ignore_errors=True)
            make_directory(stage, ownership)
            for file in missing:
                self._place_link(stage, file, ownership)
            make_directory(self.snapshots, ownership)
            os.rename(stage, final)
            sync_directory(self.snapshots)
        else:
            # A selection that grew, or a link that was damaged: every blob is already there, so each link is complete.
            for file in missing:
                self._place_link(final, file, ownership)
        if self.commit() != commit.encode():
            # By way of the staging folder: a leftover must not lie where a runner takes every file for a reference.
            write_file(self.main, commit, ownership, fresh=os.path.join(self.staging, "main"))
        self.remember(manifest)
        self.save(ownership)
        shutil.rmtree(self.staging, ignore_errors=True)

    def _place_link(self, base, file, ownership):
        path = os.path.join(base, file["path"])
        make_directory(os.path.dirname(path), ownership)
        make_directory(self.staging, ownership)
        fresh = os.path.join(self.staging, "link")
        remove_file(fresh)
        os.symlink(link_text(file), fresh)
        if os.path.isdir(path) and not os.path.islink(path):
            shutil.rmtree(path)
        os.replace(fresh, path)
        ownership.apply(path)

    def orphans(self, keep=()):
        """Partial files that no download will ever finish: ours for other digests, other tools' when they are stale."""
        found = [os.path.join(self.partials, n) for n in listing(self.partials) if n not in keep]
        for name in listing(self.blobs):
            path = os.path.join(self.blobs, name)
            if name.endswith(".incomplete") and time.time() - os.lstat(path).st_mtime > STALE_SECONDS:
                found.append(path)
        return found

    def unused(self, manifest):
        """Snapshots, refs and blobs that nothing in the snapshot of the manifest's commit uses."""
        commit = manifest["commit"]
        found = [self.snapshot(name) for name in listing(self.snapshots) if name != commit]
        refs = os.path.dirname(self.main)
        found += [os.path.join(refs, name) for name in listing(refs) if read_text(os.path.join(refs, name)) != commit]
        kept = [m for m in self.manifests if m["commit"] == commit] + [manifest]
        used = {file["digest"] for m in kept for file in m["files"]}
        for base, _dirs, names in os.walk(self.snapshot(commit)):
            for path in (os.path.join(base, name) for name in names):
                if os.path.islink(path):
                    used.add(os.path.basename(os.readlink(path)))
        blobs = [n for n in listing(self.blobs) if n not in used and not n.endswith(".incomplete")]
        return found + [self.blob(name) for name in blobs]

    def prune(self, manifest, ownership):
        for path in self.unused(manifest):
            remove_tree(path)
        self.manifests = [m for m in self.manifests if m["commit"] == manifest["commit"]]
        self.save(ownership)

    def remove(self):
        """Take the repository away: out of sight in one rename, then from the disk."""
        if os.path.lexists(self.root):
            gone = self.staging + ".removed"
            os.makedirs(os.path.dirname(gone), exist_ok=True)
            remove_tree(gone)
            os.rename(self.root, gone)
            remove_tree(gone)
        for path in (self.record_path, self.partials, self.staging):
            remove_tree(path)

    def traces(self):
        """What `remove` would take away."""
        return [p for p in (self.root, self.record_path, self.partials, self.staging) if os.path.lexists(p)]


def known_repositories(models_dir):
    """Names of the repositories in the models directory, whoever put them there."""
    names = []
    for folder in listing(models_dir):
        if folder.startswith("models--") and os.path.isdir(os.path.join(models_dir, folder)):
            names.append(folder[len("models--") :].replace("--", "/", 1))
    return names


def link_text(file):
    depth = file["path"].count("/") + 2
    return "/".join([".."] * depth + ["blobs", file["digest"]])


def fingerprint(path):
    """Size, time and number of a regular file; None if it is anything else. Cheap, and changes with every write."""
    try:
        found = os.lstat(path)
    except OSError:
        return None
    if not stat.S_ISREG(found.st_mode):
        return None
    return [found.st_size, found.st_mtime_ns, found.st_ino]


def new_hash(algorithm, size):
    """The hash in which the Hub names files: sha256 of large ones, git's object name of the others."""
    if algorithm == "sha256":
        return hashlib.sha256()
    # Not for security: it is how git names a file, and the only digest the Hub gives for small ones.
    state = hashlib.sha1(usedforsecurity=False)
    state.update(b"blob %d\0" % size)
    return state


def digest_of(path, algorithm):
    buffer = bytearray(CHUNK)
    view = memoryview(buffer)
    with open(path, "rb", buffering=0) as source:
        state = new_hash(algorithm, os.fstat(source.fileno()).st_size)
        while True:
            length = source.readinto(buffer)
            if not length:
                return state.hexdigest()
            state.update(view[:length])


def digests_of(jobs):
    """Digest of each (path, algorithm), on all cores: hashing releases the interpreter's lock."""
    jobs = list(jobs)
    by_size = sorted(range(len(jobs)), key=lambda i: -os.path.getsize(jobs[i][0]))
    result = [None] * len(jobs)
    with ThreadPoolExecutor(max_workers=os.cpu_count() or 1) as pool:
        futures = [(i, pool.submit(digest_of, *jobs[i])) for i in by_size]
        for i, future in futures:
            result[i] = future.result()
    return result


def free_bytes(path):
    """Free space on the filesystem that will hold `path`, which need not exist yet."""
    while not os.path.exists(path):
        path = os.path.dirname(path)
    found = os.statvfs(path)
    return found.f_bavail * found.f_frsize


def size_of(paths):
    """Bytes in regular files, each file once however many links it has."""
    seen = {}
    for top in paths:
        below = [os.path.join(base, name) for base, _dirs, names in os.walk(top) for name in names]
        for path in below if os.path.isdir(top) else [top]:
            found = os.lstat(path)
            if stat.S_ISREG(found.st_mode):
                seen[found.st_ino] = found.st_size
    return sum(seen.values())


def listing(path):
    try:
        return sorted(os.listdir(path))
    except (FileNotFoundError, NotADirectoryError):
        return []


def read_text(path):
    try:
        with open(path, encoding="utf-8") as source:
            return source.read()
    except (OSError, ValueError):
        return ""


def read_json(path):
    try:
        found = json.loads(read_text(path))
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def make_directory(path, ownership):
    """Make a directory and those above it; only the ones that are new get our ownership."""
    if os.path.isdir(path):
        return
    make_directory(os.path.dirname(path), ownership)
    try:
        os.mkdir(path)
    except FileExistsError:
        return
    ownership.apply(path)


def write_file(path, text, ownership, fresh=None):
    """Replace a small file so that a reader sees the old text or the new one."""
    fresh = fresh or path + ".new"
    for directory in (os.path.dirname(path), os.path.dirname(fresh)):
        make_directory(directory, ownership)
    with open(fresh, "w", encoding="utf-8") as target:
        target.write(text)
        target.flush()
        os.fsync(target.fileno())
    ownership.apply(fresh)
    os.replace(fresh, path)
    sync_directory(os.path.dirname(path))


def sync_directory(path):
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def remove_file(path):
    if os.path.lexists(path):
        os.unlink(path)


def remove_tree(path):
    if os.path.isdir(path) and not os.path.islink(path):
        shutil.rmtree(path)
    else:
        remove_file(path)
