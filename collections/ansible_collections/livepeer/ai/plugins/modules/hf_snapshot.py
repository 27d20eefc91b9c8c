#!/usr/bin/python

# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: hf_snapshot
short_description: Keep a Hugging Face model complete and verified on a host
version_added: "1.0.0"
author: "livepeer.ai contributors (@livepeer-ai)"
description:
  - Puts the files that a Livepeer AI runner needs of a model, and of the companion repositories its pipeline needs,
    into the cache layout that the runner reads.
  - The Hub is asked on the controller, once per model for all hosts of a run. Hosts receive an exact list (commit,
    files, sizes, digests), fetch the files themselves, and check the digest of each.
  - What was fetched is recorded on the host. A later run that finds the record and the files in order asks nobody.
  - A new snapshot appears in one step when all its files are there and verified, so an interrupted run leaves nothing
    that looks complete. What had arrived is kept, and the next run resumes there.
notes:
  - The controller needs the Python package C(huggingface_hub). Hosts need only Python 3.9.
  - The Hub gets one request per repository for the file list, one more for C(model_index.json) if the model is a
    diffusers model, or for access to a gated model of another kind. Both are shared by all hosts of a run.
  - While it downloads, a line with host, model, amount, rate and time left appears every O(progress_interval) seconds.
  - The token is passed to the host as a module argument, is used in the memory of that module only, and is sent to no
    authority but that of O(endpoint).
extends_documentation_fragment:
  - livepeer.ai._attributes
attributes:
  check_mode:
    support: full
    details:
      - Says how many files and bytes would be fetched. Asks the Hub if the host has no record of the model.
  diff_mode:
    support: full
  idempotent:
    support: full
    details:
      - A branch or tag is looked up again only with O(refresh=true).
options:
  model_id:
    description:
      - Name of the model, such as V(SG161222/RealVisXL_V4.0_Lightning).
    type: str
    required: true
  pipeline:
    description:
      - The go-livepeer pipeline that will serve the model. It decides which files are needed and which companion
        repositories.
      - One of V(audio-to-text), V(image-to-image), V(image-to-text), V(image-to-video), V(llm), V(segment-anything-2),
        V(text-to-image), V(text-to-speech), V(upscale).
      - Without it, O(allow_patterns) is required and no companion is fetched.
    type: str
  state:
    description:
      - With V(present), the snapshot is complete and is the one that C(refs/main) names.
      - With V(absent), the repository O(model_id) is removed from O(models_dir). Companions stay.
    type: str
    choices: [present, absent]
    default: present
  revision:
    description:
      - Branch, tag or full commit of O(model_id). Companions are taken from their main branch.
      - The runner always looks for C(refs/main), so that is where the commit is written whatever this names.
    type: str
    default: main
  allow_patterns:
    description:
      - Files of O(model_id) to fetch instead of those that O(pipeline) implies. Shell patterns over the whole path.
    type: list
    elements: str
    default: []
  ignore_patterns:
    description:
      - Files of O(model_id) to leave out of the selection.
    type: list
    elements: str
    default: []
  companions:
    description:
      - Whether to fetch the further repositories that O(pipeline) needs, such as the safety checker.
    type: bool
    default: true
  models_dir:
    description:
      - Directory of the models on the host, C(-aiModelsDir) of the orchestrator.
    type: path
    default: /var/lib/livepeer/models
  endpoint:
    description:
      - Address of the Hub or of a mirror.
    type: str
    default: https://huggingface.co
  token:
    description:
      - Access token for gated and private models.
    type: str
  token_file:
    description:
      - File on the controller that holds the access token. It may be encrypted with Ansible Vault.
    type: str
  refresh:
    description:
      - Ask the Hub what O(revision) is now, even if the host has a record of it.
    type: bool
    default: false
  verify:
    description:
      - How to check files that are already there.
      - With V(quick), size, time and inode must be as recorded; a file that differs is read in full.
      - With V(full), every file is read and its digest compared.
      - With V(none), the record is believed as long as the files exist.
    type: str
    choices: [none, quick, full]
    default: quick
  prune:
    description:
      - Whether to remove other snapshots of the same repositories, and what only they used.
    type: bool
    default: false
  owner:
    description:
      - User name or number that owns what is written. By default the user that runs the module.
    type: str
  group:
    description:
      - Group name or number of what is written.
    type: str
  mode:
    description:
      - Permissions of files as an octal string. Directories also get the search bit for everyone who can read.
    type: str
    default: "0644"
  parallel:
    description:
      - Number of files to fetch at once.
    type: int
    default: 4
  stall_timeout:
    description:
      - Seconds without data after which a connection is given up and resumed by another.
    type: int
    default: 30
  retries:
    description:
      - Number of further attempts at a file that does not get a single byte.
    type: int
    default: 5
  max_wait:
    description:
      - The longest time in seconds that the Hub may ask to wait when it limits the rate of requests.
    type: int
    default: 600
  disk_margin:
    description:
      - Free space to keep beyond the bytes to fetch, in percent of them.
    type: int
    default: 10
  progress_interval:
    description:
      - Seconds between two progress lines. The host works for this long at a time.
    type: int
    default: 20
  _controller:
    description:
      - What the action on the controller tells the module (resolved file lists, the name of the run, what earlier
        calls learnt).
      - Not for playbooks.
    type: dict
seealso:
  - module: livepeer.ai.hf_snapshot_info
"""

EXAMPLES = r"""
- name: Weights for text-to-image, with the safety checker that its runner insists on
  livepeer.ai.hf_snapshot:
    model_id: SG161222/RealVisXL_V4.0_Lightning
    pipeline: text-to-image

- name: A gated model at a fixed commit
  livepeer.ai.hf_snapshot:
    model_id: stabilityai/stable-video-diffusion-img2vid-xt-1-1
    pipeline: image-to-video
    revision: 043843887ccd51926e3efed36270444a838e7861
    token_file: ~/.config/livepeer/hf_token

- name: Chosen files only
  livepeer.ai.hf_snapshot:
    model_id: Systran/faster-whisper-large-v3
    pipeline: audio-to-text
    allow_patterns: [config.json, preprocessor_config.json, model.bin, tokenizer.json, "vocabulary.*"]

- name: Move to the newest commit and drop the one before
  livepeer.ai.hf_snapshot:
    model_id: openai/whisper-large-v3
    pipeline: audio-to-text
    refresh: true
    prune: true

- name: Remove a model
  livepeer.ai.hf_snapshot:
    model_id: stabilityai/sd-turbo
    state: absent
"""

RETURN = r"""
actions:
  description: What was done, or would be done in check mode, in sentences.
  returned: success
  type: list
  elements: str
  sample: ["fetch 1 files (518 bytes) of openai/clip-vit-base-patch32 at 3d74acf9a28c67741b2f4f2ea7635f0aaf6f0268"]
bytes_fetched:
  description: Bytes that came over the network in this run. Retried bytes count.
  returned: success
  type: int
  sample: 6941210042
bytes_to_fetch:
  description: Bytes that were missing on the host when the task began.
  returned: success
  type: int
  sample: 6941210042
commit:
  description: Commit of O(model_id) on the host.
  returned: O(state=present)
  type: str
  sample: 49740684ab2d8f4f5dcf6c644df2b33388a8ba85
error:
  description:
    - The kind of failure, for programs. RV(ignore:msg) has the sentence for people.
    - One of V(no_token), V(bad_token), V(licence), V(no_repository), V(no_revision), V(no_file), V(rate_limit),
      V(still_limited), V(unreachable), V(server_error), V(transfer), V(digest), V(refused), V(certificate),
      V(plain_redirect), V(unexpected), V(rule), V(disk), V(lock), V(input), V(write).
  returned: failure
  type: str
  sample: licence
path:
  description: Directory of the snapshot.
  returned: O(state=present)
  type: str
  sample: /var/lib/livepeer/models/models--stabilityai--sd-turbo/snapshots/b261bac6fd2cf515557d5d0707481eafa0485ec2
repositories:
  description: The model's own repository and its companions.
  returned: O(state=present)
  type: list
  elements: dict
  contains:
    model_id:
      description: Name of the repository.
      type: str
    revision:
      description: The branch, tag or commit that was asked for.
      type: str
    commit:
      description: The commit that it is.
      type: str
    path:
      description: Directory of the snapshot.
      type: str
    files:
      description: Number of files selected.
      type: int
    bytes:
      description: Size of the files selected.
      type: int
    bytes_to_fetch:
      description: Bytes that were missing on the host when the task began.
      type: int
"""

import grp
import os
import pwd
import re
from urllib.parse import quote

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.livepeer.ai.plugins.module_utils._hf_args import (
    ARGUMENT_SPEC,
    MUTUALLY_EXCLUSIVE,
)
from ansible_collections.livepeer.ai.plugins.module_utils._hf_cache import (
    Ownership,
    Repository,
    digests_of,
    free_bytes,
    make_directory,
    remove_tree,
    size_of,
)
from ansible_collections.livepeer.ai.plugins.module_utils._hf_download import Downloader, Transfer
from ansible_collections.livepeer.ai.plugins.module_utils._hf_errors import HubError, amount
from ansible_collections.livepeer.ai.plugins.module_utils._hf_lock import LockHeld, RepositoryLock
from ansible_collections.livepeer.ai.plugins.module_utils._hf_rules import RuleError, wants


class Refusal(Exception):
    """The request cannot be met as it is: one sentence, and a word for programs."""

    def __init__(self, kind, sentence):
        self.kind = kind
        super().__init__(sentence)


class Task:
    """What one repository needs to become what its manifest says."""

    def __init__(self, repository, manifest):
        self.repository = repository
        self.manifest = manifest
        self.files = {file["digest"]: file for file in manifest["files"]}
        self.missing = []  # files to fetch, one for each digest
        self.adopted = []  # (file, where it lies): right content, to be put in its place
        self.unlinked = []
        self.damaged = []
        self.foreign = []  # paths with another owner or mode
        self.orphans = []
        self.unused = []

    @property
    def model_id(self):
        return self.repository.model_id

    def bytes_missing(self):
        return sum(f["size"] - self.kept(f) for f in self.missing)

    def kept(self, file):
        """Bytes of a partial file that the download will continue."""
        partial = self.repository.partial(file["digest"])
        size = os.path.getsize(partial) if os.path.exists(partial) else 0
        return size if size <= file["size"] else 0

    def reference_is_right(self):
        return self.repository.commit() == self.manifest["commit"].encode()

    def sentences(self):
        where = f"{self.model_id} at {self.manifest['commit']}"
        told = []
        if self.damaged:
            names = ", ".join(sorted(file["path"] for file in self.damaged))
            told.append(f"replace {names} of {where}, damaged on this host")
        if self.missing:
            told.append(f"fetch {len(self.missing)} files ({self.bytes_missing()} bytes) of {where}")
        if self.adopted:
            told.append(f"take over {len(self.adopted)} verified files of {where} that are already on this host")
        if self.unlinked:
            told.append(f"link {len(self.unlinked)} files of {where}")
        if not self.reference_is_right():
            told.append(f"point refs/main of {self.model_id} to {self.manifest['commit']}")
        if self.foreign:
            told.append(f"set owner, group and mode of {len(self.foreign)} files and directories of {self.model_id}")
        if self.orphans:
            told.append(f"remove {len(self.orphans)} partial files of {self.model_id} that belong to no download")
        if self.unused:
            told.append(f"prune {len(self.unused)} unused entries ({size_of(self.unused)} bytes) of {self.model_id}")
        return told


class HfSnapshot:
    """The host's half: from an exact manifest, or its own record of one, to a complete snapshot."""

    def __init__(self, module):
        self.module = module
        self.params = module.params
        self.models_dir = self.params["models_dir"]
        self.ownership = Ownership(
            self.number_of("owner", lambda name: pwd.getpwnam(name).pw_uid),
            self.number_of("group", lambda name: grp.getgrnam(name).gr_gid),
            mode_of(self.params["mode"]),
        )
        # Without the controller's half the module still works from its records.
        told = self.params["_controller"] or {}
        self.manifests = told.get("manifests") or {}
        self.history = told.get("history") or {}
        self.run = told.get("run") or "direct"
        self.holder = told.get("holder") or "another Ansible run"
        self.locks = []

    def number_of(self, option, lookup):
        """User or group number of a name, or of a number as text."""
        name = self.params[option]
        if name is None:
            return -1
        if name.isdigit():
            return int(name)
        try:
            return lookup(name)
        except KeyError:
            # An earlier task of the same check run may have been about to create it.
            if self.module.check_mode:
                return -1
            raise Refusal("input", f"{option} {name} does not exist on this host; create it first.") from None

    # state=present

    def present(self):
        needed = wants(
            self.params["model_id"],
            self.params["pipeline"],
            self.params["revision"],
            self.params["allow_patterns"],
            self.params["ignore_patterns"],
            self.params["companions"],
        )
        tasks, unresolved = self.match_manifests(needed)
        if unresolved:
            return {"changed": False, "unresolved": unresolved}
        unfinished = False
        self.lock([task.repository for task in tasks])
        try:
            for task in tasks:
                self.examine(task)
            result = self.describe(tasks)
            self.refuse_small_disk(tasks)
            unfinished = not self.module.check_mode and not self.realise(tasks, result)
        finally:
            self.unlock(claim=unfinished)
        result["finished"] = not unfinished
        return result

    def match_manifests(self, needed):
        """A task for each repository wanted, from the controller's manifest or from the host's record."""
        tasks, unresolved = [], []
        for want in needed:
            repository = Repository(self.models_dir, want.model_id)
            manifest = self.manifests.get(want.model_id)
            if manifest is None and not self.params["refresh"]:
                manifest = repository.recorded(want.revision, want.selection)
            if manifest is None:
                unresolved.append(want.model_id)
            else:
                check_paths(manifest)
                tasks.append(Task(repository, manifest))
        return tasks, unresolved

    def examine(self, task):
        """Fill the task with what differs between the host and the manifest. Reads only."""
        repository, commit = task.repository, task.manifest["commit"]
        suspects = []
        for digest, file in task.files.items():
            if self.is_trusted(repository, digest):
                continue
            source = repository.source_of(commit, file)
            if source:
                suspects.append((file, source))
            else:
                task.missing.append(file)
        found = digests_of((source, file["algorithm"]) for file, source in suspects)
        for (file, source), digest in zip(suspects, found):
            if digest != file["digest"]:
                repository.verified.pop(file["digest"], None)
                task.missing.append(file)
            elif source == repository.blob(digest):
                repository.mark_verified(digest)
            else:
                task.adopted.append((file, source))
        task.damaged = [f for f in task.missing if os.path.lexists(repository.blob(f["digest"]))]
        task.unlinked = [f for f in task.manifest["files"] if not repository.link_is_right(commit, f)]
        task.foreign = [path for path in repository.paths_of(task.manifest) if self.ownership.differs(path)]
        task.orphans = repository.orphans(keep=[f["digest"] for f in task.missing])
        task.unused = repository.unused(task.manifest) if self.params["prune"] else []

    def is_trusted(self, repository, digest):
        if self.params["verify"] == "full":
            return False
        if self.params["verify"] == "none":
            return digest in repository.verified and os.path.isfile(repository.blob(digest))
        return repository.is_verified(digest)

    def describe(self, tasks):
        actions = [sentence for task in tasks for sentence in task.sentences()]
        first = tasks[0]
        return {
            "changed": bool(actions),
            "actions": actions,
            "commit": first.manifest["commit"],
            "path": first.repository.snapshot(first.manifest["commit"]),
            "repositories": [self.summary(task) for task in tasks],
            "bytes_total": sum(f["size"] for task in tasks for f in task.files.values()),
            "bytes_to_fetch": sum(task.bytes_missing() for task in tasks),
            "files_to_fetch": sum(len(task.missing) for task in tasks),
            "bytes_fetched": 0,
            "diff": {
                "before": "".join(self.portrait(task, before=True) for task in tasks),
                "after": "".join(self.portrait(task, before=False) for task in tasks),
            },
        }

    def summary(self, task):
        return {
            "model_id": task.model_id,
            "revision": task.manifest["revision"],
            "commit": task.manifest["commit"],
            "path": task.repository.snapshot(task.manifest["commit"]),
            "files": len(task.manifest["files"]),
            "bytes": sum(f["size"] for f in task.files.values()),
            "bytes_to_fetch": task.bytes_missing(),
        }

    def portrait(self, task, before):
        """The repository as lines of text, for a diff."""
        absent = {f["digest"] for f in task.missing} if before else set()
        unlinked = {f["path"] for f in task.unlinked} if before else set()
        reference = task.repository.commit().decode("ascii", "replace") if before else task.manifest["commit"]
        lines = [f"{task.repository.folder}/refs/main: {reference or 'absent'}"]
        for file in task.manifest["files"]:
            if file["digest"] not in absent and file["path"] not in unlinked:
                lines.append(f"{task.repository.folder}/{file['path']}: {file['size']} bytes, {file['digest']}")
        if before:
            lines += [f"{path}: unused" for path in task.orphans + task.unused]
            lines += [f"{path}: other owner or mode" for path in task.foreign]
        return "".join(f"{line}\n" for line in lines)

    def refuse_small_disk(self, tasks):
        need = sum(task.bytes_missing() for task in tasks)
        with_margin = need + need * self.params["disk_margin"] // 100
        free = free_bytes(self.models_dir)
        if need and free < with_margin:
            raise Refusal(
                "disk",
                f"{self.models_dir} has {free} bytes ({amount(free)}) free, but {self.params['model_id']} needs "
                f"{with_margin} ({amount(need)} to fetch and {self.params['disk_margin']} % margin); free "
                f"{with_margin - free} bytes ({amount(with_margin - free)}) or set models_dir to a larger disk.",
            )

    def realise(self, tasks, result):
        """Do the work for one progress_interval; True if all of it is done."""
        for task in tasks:
            for path in task.orphans:
                remove_tree(path)
            for file, source in task.adopted:
                task.repository.adopt(source, file["digest"], self.ownership)
            for path in task.foreign:
                self.ownership.apply(path)
        if not self.download(tasks, result):
            return False
        # Companions first: whoever waits for the model may start as soon as its own snapshot appears.
        for task in reversed(tasks):
            task.repository.publish(task.manifest, self.ownership)
            remove_tree(task.repository.partials)
            if self.params["prune"]:
                task.repository.prune(task.manifest, self.ownership)
        return True

    def download(self, tasks, result):
        transfers, owners = [], {}
        for task in tasks:
            for file in task.missing:
                make_directory(task.repository.partials, self.ownership)
                make_directory(task.repository.blobs, self.ownership)
                transfer = self.transfer(task, file)
                transfers.append(transfer)
                owners[transfer] = task.repository

        def done(transfer):
            self.ownership.apply(transfer.final)
            owners[transfer].mark_verified(transfer.digest)
            # At once, so that a run that is killed does not have to read this file again.
            owners[transfer].save(self.ownership)

        downloader = Downloader(
            token=self.params["token"],
            parallel=max(1, self.params["parallel"]),
            stall_timeout=self.params["stall_timeout"],
            retries=self.params["retries"],
            max_wait=self.params["max_wait"],
            seconds=self.params["progress_interval"],
            history=self.history,
        )
        finished = downloader.run(transfers, done)
        result.update(
            bytes_fetched=downloader.received,
            bytes_left=sum(t.size - t.present() for t in transfers if not owners[t].is_verified(t.digest)),
            retry_in=downloader.retry_in(),
            problem=downloader.problem,
            history=downloader.history(),
        )
        return finished

    def transfer(self, task, file):
        manifest, endpoint = task.manifest, self.params["endpoint"].rstrip("/")
        facts = {
            "endpoint": endpoint,
            "model_id": task.model_id,
            "revision": manifest["revision"],
            "path": file["path"],
        }
        return Transfer(
            facts,
            f"{endpoint}/{task.model_id}/resolve/{manifest['commit']}/{quote(file['path'])}",
            task.repository.partial(file["digest"]),
            task.repository.blob(file["digest"]),
            file["size"],
            file["digest"],
            file["algorithm"],
        )

    # state=absent

    def absent(self):
        repository = Repository(self.models_dir, wants(self.params["model_id"])[0].model_id)
        traces = repository.traces()
        result = {"changed": bool(traces), "actions": [], "finished": True, "bytes_fetched": 0, "bytes_to_fetch": 0}
        if not traces:
            return result
        size = size_of(traces)
        result["actions"] = [f"remove {repository.model_id} ({size} bytes)"]
        result["diff"] = {"before": f"{repository.root}: {size} bytes\n", "after": f"{repository.root}: absent\n"}
        if not self.module.check_mode:
            self.lock([repository])
            try:
                repository.remove()
            finally:
                self.unlock()
        return result

    # One writer at a time

    def lock(self, repositories):
        if self.module.check_mode:
            return
        # Always in the same order, so that two runs cannot wait for each other.
        for repository in sorted(repositories, key=lambda r: r.folder):
            make_directory(os.path.dirname(repository.lock_path), self.ownership)
            lock = RepositoryLock(repository.lock_path, repository.model_id, self.run, self.holder)
            try:
                lock.acquire()
            except LockHeld:
                self.unlock()
                raise
            self.locks.append(lock)

    def unlock(self, claim=False):
        while self.locks:
            self.locks.pop().release(claim)


def mode_of(text):
    if not re.fullmatch("0?[4-7][0-7]{2}", text):
        raise Refusal("input", f"mode {text!r} is not an octal permission that the owner can read; write it as '0644'.")
    return int(text, 8)


def check_paths(manifest):
    """A file name from the network must not lead out of the snapshot, nor a digest out of blobs."""
    for file in manifest["files"]:
        parts = file["path"].split("/")
        if file["path"].startswith("/") or {"", ".", ".."} & set(parts) or "\0" in file["path"]:
            raise Refusal("unexpected", f"{manifest['model_id']} lists a file with the unsafe name {file['path']!r}.")
        if not re.fullmatch("[0-9a-f]{40}|[0-9a-f]{64}", file["digest"]):
            raise Refusal("unexpected", f"{manifest['model_id']} lists {file['path']} with an odd digest.")
    if not re.fullmatch("[0-9a-f]{40}", manifest["commit"]):
        raise Refusal("unexpected", f"{manifest['model_id']} has the odd commit {manifest['commit']!r}.")


def main():
    module = AnsibleModule(
        argument_spec=ARGUMENT_SPEC,
        mutually_exclusive=MUTUALLY_EXCLUSIVE,
        supports_check_mode=True,
    )
    try:
        snapshot = HfSnapshot(module)
        result = snapshot.present() if module.params["state"] == "present" else snapshot.absent()
    except (HubError, Refusal) as exc:
        module.fail_json(msg=str(exc), error=exc.kind)
    except RuleError as exc:
        module.fail_json(msg=str(exc), error="rule")
    except LockHeld as exc:
        module.fail_json(msg=str(exc), error="lock")
    except OSError as exc:
        where = exc.filename or module.params["models_dir"]
        module.fail_json(
            msg=f"{where} cannot be read or written: {exc.strerror}; check the disk and permissions, then run again.",
            error="write",
        )
    module.exit_json(**result)


if __name__ == "__main__":
    main()
