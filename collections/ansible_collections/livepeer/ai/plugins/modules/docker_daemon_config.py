#!/usr/bin/python

# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: docker_daemon_config
short_description: Set and remove keys of Docker's daemon.json, and leave the rest of it alone
version_added: "1.0.0"
author: "livepeer.ai contributors (@livepeer-ai)"
description:
  - Merges keys into the configuration file of the Docker Engine. What others wrote into the file stays as it is, byte
    for byte, with its order, its indentation and the spelling of its numbers.
  - A file that cannot be understood is refused with its line and column, and nothing is changed. This covers invalid
    JSON, a key that is there twice, a text that is not UTF-8, and a value where O(config) has an object.
  - The result is proven with C(dockerd --validate) before it takes the place of the file, if the engine is installed
    and can do that (Docker 23 and later).
  - The engine is neither restarted nor reloaded. RV(reload_enough) says which of the two makes the change effective.
extends_documentation_fragment:
  - ansible.builtin.files
  - livepeer.ai._attributes
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
  idempotent:
    support: full
options:
  path:
    description:
      - The file.
      - One that is missing or empty counts as an empty object. Missing directories above it are made.
      - If it is a link, the file that it leads to is changed.
    type: path
    default: /etc/docker/daemon.json
  config:
    description:
      - The keys to set.
      - An object is merged into the one that is there, member by member. Any other value, lists included, replaces what
        is there.
    type: dict
    default: {}
  absent:
    description:
      - Keys to remove, each as a text or as a list of texts.
      - In a text, dots lead into objects, so V(runtimes.nvidia) is the key C(nvidia) in C(runtimes). A list does the
        same for keys that have dots themselves, for example V([runtimes, io.containerd.runsc.v1]).
      - An object that becomes empty stays.
    type: list
    elements: raw
    default: []
  backup:
    description: Keep a copy of the file, with the time in its name, before it is changed.
    type: bool
    default: true
notes:
  - The file may hold credentials, for example in the address of a proxy. Use C(no_log) then, because the difference and
    RV(config) show the whole file.
  - C(dockerd --validate) knows nothing of the options that the unit of the engine passes on its command line. A key
    that is given in both places, C(hosts) most of all, keeps the engine from starting.
  - Which keys a reload is enough for was read in the sources of Docker 20.10 to 29, C(Daemon.Reload) in
    C(daemon/reload.go) and C(reloadPlatform) in C(daemon/reload_unix.go) of U(https://github.com/moby/moby).
  - Setting C(debug), C(default-cgroupns-mode), C(default-ipc-mode), C(default-runtime), C(default-shm-size),
    C(insecure-registries), C(labels), C(live-restore), C(max-concurrent-downloads), C(max-concurrent-uploads),
    C(max-download-attempts), C(network-diagnostic-port), C(registry-mirrors), C(runtimes) and C(shutdown-timeout) needs
    a reload only.
  - For the removal of a key a reload is enough only with C(max-concurrent-downloads), C(max-concurrent-uploads),
    C(max-download-attempts) and C(network-diagnostic-port). The engine goes on with the old value of any other key
    that is no longer there.
  - C(features) is taken over by a reload, but what looks at it (CDI devices, the image store of containerd) does so
    when the engine starts.
seealso:
  - name: The configuration file of the Docker Engine
    description: All keys that the engine knows.
    link: https://docs.docker.com/reference/cli/dockerd/#daemon-configuration-file
"""

EXAMPLES = r"""
- name: Containers live through a restart of the engine, and their logs are bounded
  livepeer.ai.docker_daemon_config:
    config:
      live-restore: true
      log-driver: local
      log-opts:
        max-size: 20m
        max-file: "5"
  register: daemon_config

- name: Make it effective in the gentlest way
  ansible.builtin.systemd_service:
    name: docker.service
    state: "{{ 'reloaded' if daemon_config.reload_enough else 'restarted' }}"
  when: daemon_config is changed

- name: Take a runtime away and leave the other ones
  livepeer.ai.docker_daemon_config:
    absent:
      - runtimes.nvidia
      - default-runtime
"""

RETURN = r"""
config:
  description: The whole configuration as it is now, or would be in check mode.
  returned: success
  type: dict
  sample: {"live-restore": true, "log-driver": "local"}
changed_keys:
  description: The outermost keys whose value was changed, added or removed.
  returned: success
  type: list
  elements: str
  sample: ["live-restore"]
reload_enough:
  description:
    - Whether the engine takes the whole change over on C(systemctl reload docker) (SIGHUP). Else it needs a restart.
    - Also true if nothing was changed.
  returned: success
  type: bool
  sample: true
validated:
  description:
    - Whether C(dockerd) itself accepted the result. False if nothing was changed, or if it is not installed or too old
      to be asked.
  returned: success
  type: bool
  sample: true
backup_file:
  description: The copy of the file before the change.
  returned: when there was a file and it was changed
  type: str
  sample: /etc/docker/daemon.json.4711.2026-11-24@10:00:00~
"""

import json
import os
import tempfile

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.livepeer.ai.plugins.module_utils._json_edit import Document, EditError, dotted, same

# What a running engine takes over on SIGHUP, and whether it returns to its default when the key is gone.
# Not here although a reload touches them: features, because what reads it does so at the start; authorization-plugins,
# because a plugin that cannot be reached ends the engine in the reload; and keys that only some versions have.
RELOADED = {
    "debug": False,
    "default-cgroupns-mode": False,
    "default-ipc-mode": False,
    "default-runtime": False,
    "default-shm-size": False,
    "insecure-registries": False,
    "labels": False,
    "live-restore": False,
    "max-concurrent-downloads": True,
    "max-concurrent-uploads": True,
    "max-download-attempts": True,
    "network-diagnostic-port": True,
    "registry-mirrors": False,
    "runtimes": False,
    "shutdown-timeout": False,
}
UNKNOWN_OPTION = "unknown flag: --validate"


class Refusal(Exception):
    """One sentence for the person who reads it."""


def path_of(entry):
    """An entry of the option absent as keys from the outside in."""
    path = entry.split(".") if isinstance(entry, str) else entry
    if not isinstance(path, list) or not path or not all(isinstance(key, str) and key for key in path):
        shown = json.dumps(entry, default=str)
        raise Refusal(f"absent holds {shown}; give a key as a text such as runtimes.nvidia, or as a list of texts.")
    return tuple(path)


def holds(document, path):
    for key in path[:-1]:
        document = document.get(key) if isinstance(document, dict) else None
    return isinstance(document, dict) and path[-1] in document


class DaemonConfig:
    """The file before and after."""

    def __init__(self, module):
        self.module = module
        # Replacing a link by a file would surprise whoever made it.
        self.path = os.path.realpath(module.params["path"])
        self.config = module.params["config"]
        self.absent = [path_of(entry) for entry in module.params["absent"]]
        self.text = self.read()

    def read(self):
        """The text of the file, None if there is none."""
        try:
            with open(self.path, "rb") as file:
                raw = file.read()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise Refusal(f"{self.path} cannot be read: {error.strerror}.") from None
        try:
            return raw.decode("utf-8")
        except UnicodeDecodeError as error:
            line = raw.count(b"\n", 0, error.start) + 1
            byte = error.start - raw.rfind(b"\n", 0, error.start)
            raise Refusal(
                f"{self.path} is not UTF-8 at line {line}, byte {byte} of it; nothing was changed."
                " Save it as UTF-8, or move it away to begin a new one."
            ) from None

    def work(self):
        self.refuse_nonsense()
        old = self.document()
        new = self.changed(old)
        result = self.describe(old, new)
        if new.text != old.text:
            result["validated"] = self.validate(new.text)
            if not self.module.check_mode:
                result.update(self.write(new.text))
        result["changed"] = self.keep_attributes(new.text != old.text)
        return result

    def refuse_nonsense(self):
        try:
            json.dumps(self.config, allow_nan=False, ensure_ascii=False).encode("utf-8")
        except ValueError as error:
            raise Refusal(f"config holds a value that JSON does not have ({error}); correct it.") from None
        doubles = ", ".join(dotted(path) for path in self.absent if holds(self.config, path))
        if doubles:
            raise Refusal(f"{doubles} is both in config and in absent; leave one of the two out.")

    def document(self):
        try:
            return Document(self.text or "")
        except EditError as error:
            place = f" at line {error.line}, column {error.column}" if error.line else ""
            raise Refusal(
                f"{self.path} {error}{place}; nothing was changed."
                " Correct the file, or move it away to begin a new one."
            ) from None

    def changed(self, document):
        try:
            return document.without(self.absent).merged(self.config)
        except EditError as error:
            raise Refusal(
                f"{self.path} {error}; nothing was changed. Correct config, or remove the key with absent first."
            ) from None

    def describe(self, old, new):
        changed = [key for key in {**old.value, **new.value} if not self.agree(key, old.value, new.value)]
        return {
            "config": new.value,
            "changed_keys": changed,
            "reload_enough": all(key in RELOADED and (key in new.value or RELOADED[key]) for key in changed),
            "validated": False,
            "diff": {
                "before_header": self.path,
                "after_header": self.path,
                "before": old.text,
                "after": new.text,
            },
        }

    @staticmethod
    def agree(key, old, new):
        return key in old and key in new and same(old[key], new[key])

    def validate(self, text):
        """Whether dockerd accepts the result; False if it cannot be asked."""
        dockerd = self.module.get_bin_path("dockerd")
        if not dockerd:
            return False
        candidate = self.candidate(text)
        code, _output, error = self.module.run_command([dockerd, "--validate", "--config-file", candidate])
        if code != 0 and UNKNOWN_OPTION in error:
            return False
        if code != 0:
            words = " ".join(error.replace(candidate, self.path).split()) or f"it ends with {code} without a word"
            raise Refusal(f"Docker refuses the result ({words}); nothing was changed. Correct config or the file.")
        return True

    def candidate(self, text):
        """The result in a file of its own, which Ansible removes with its temporary directory."""
        handle, name = tempfile.mkstemp(prefix="daemon-", suffix=".json", dir=self.module.tmpdir)
        with os.fdopen(handle, "wb") as file:
            file.write(text.encode("utf-8"))
        return name

    def write(self, text):
        """Put the result in place; owner and mode of an older file are kept."""
        kept = {}
        try:
            os.makedirs(os.path.dirname(self.path), mode=0o755, exist_ok=True)
        except OSError as error:
            raise Refusal(f"{self.path} cannot be written: {error.strerror}.") from None
        if self.text is not None and self.module.params["backup"]:
            kept["backup_file"] = self.module.backup_local(self.path)
        self.module.atomic_move(self.candidate(text), self.path, unsafe_writes=self.module.params["unsafe_writes"])
        return kept

    def keep_attributes(self, changed):
        """Owner, group and mode as the task has them."""
        if not os.path.exists(self.path):
            return changed
        wanted = self.module.load_file_common_arguments(self.module.params, path=self.path)
        return self.module.set_fs_attributes_if_different(wanted, changed)


def main():
    module = AnsibleModule(
        argument_spec={
            "path": {"type": "path", "default": "/etc/docker/daemon.json"},
            "config": {"type": "dict", "default": {}},
            "absent": {"type": "list", "elements": "raw", "default": []},
            "backup": {"type": "bool", "default": True},
        },
        add_file_common_args=True,
        supports_check_mode=True,
    )
    try:
        result = DaemonConfig(module).work()
    except Refusal as refusal:
        module.fail_json(msg=str(refusal))
    module.exit_json(**result)


if __name__ == "__main__":
    main()
