#!/usr/bin/python
# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: node_host_info
short_description: What a go-livepeer node would meet on a host
version_added: "1.0.0"
author: "livepeer.ai contributors (@livepeer-ai)"
description:
  - Tells who listens on ports, whether the Docker Engine answers, which runners exist, which names resolve, and what
    other nodes on the host are configured for.
  - Needs nothing but Python's standard library, so it can be asked before anything is installed.
extends_documentation_fragment:
  - livepeer.ai._attributes
  - livepeer.ai._attributes.info_module
options:
  ports:
    description:
      - The TCP ports to look up.
      - A listener is named with its process, its systemd unit and, if Docker publishes the port, its container.
    type: list
    elements: int
    default: []
  names:
    description: Host names to resolve, as the host does it.
    type: list
    elements: str
    default: []
  docker:
    description: Whether to ask the Docker Engine.
    type: bool
    default: false
  docker_socket:
    description: The socket of the Docker Engine.
    type: path
    default: /var/run/docker.sock
  node_configs:
    description: Patterns of go-livepeer config files of nodes on this host.
    type: list
    elements: str
    default: []
"""

EXAMPLES = r"""
- name: Learn who is on the ports of an orchestrator
  livepeer.ai.node_host_info:
    ports: [8935, 7935]
    docker: true
  register: host_info
"""

RETURN = r"""
listeners:
  description: Every listener on one of the O(ports).
  returned: always
  type: list
  elements: dict
  contains:
    port: {description: The port., type: int}
    address: {description: The address it is bound to., type: str}
    process: {description: "Name and pid of the process, or empty if it cannot be told.", type: str}
    unit: {description: "The systemd unit of the process, or empty.", type: str}
    container: {description: "The container that publishes the port, or empty.", type: str}
    creator_id: {description: "The node that started the container, if it is a runner.", type: str}
docker:
  description: The Docker Engine, if asked for.
  returned: when O(docker=true)
  type: dict
  contains:
    reachable: {description: Whether it answers., type: bool}
    version: {description: "Its version, or empty.", type: str}
    error: {description: "Why it does not answer, or empty.", type: str}
runners:
  description:
    - The containers that go-livepeer nodes started, with id, name, creator_id, pipeline, model_id, image and state.
  returned: when O(docker=true)
  type: list
  elements: dict
addresses:
  description: For each of the O(names) the addresses it resolves to, none if it does not.
  returned: always
  type: dict
nodes:
  description: The config files found, with the flags that two nodes on a host must not share.
  returned: always
  type: list
  elements: dict
  contains:
    path: {description: The config file., type: str}
    settings: {description: The flags it sets of those two nodes must not share., type: dict}
"""

import glob
import os
import re
import socket
import struct

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.livepeer.ai.plugins.module_utils._runner_container import DockerError, DockerSocket

LISTEN = "0A"
UNIT = re.compile(r"([^/\s]+\.(?:service|scope))")
# Flags that two nodes on a host must not share; none of them holds a credential.
SHARED_FLAGS = ("cliAddr", "dataDir", "datadir", "httpAddr", "network", "rtmpAddr", "serviceAddr")


def decode_address(text):
    """An address as the kernel prints it in /proc/net/tcp: words of four bytes in host order, in hexadecimal."""
    words = [struct.pack("=I", int(text[i : i + 8], 16)) for i in range(0, len(text), 8)]
    return socket.inet_ntop(socket.AF_INET6 if len(words) == 4 else socket.AF_INET, b"".join(words))


def read(path):
    """A file of /proc, empty if it is gone by now."""
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read()
    except OSError:
        return ""


class HostInfo:
    """Answers from /proc, the resolver, the Docker Engine and config files."""

    def __init__(self, params, proc="/proc"):
        self.params = params
        self.proc = proc
        self.engine = DockerSocket(params["docker_socket"])

    def answer(self):
        result = {
            "addresses": {name: self.resolve(name) for name in self.params["names"]},
            "nodes": self.nodes(),
        }
        published = {}
        if self.params["docker"]:
            result["docker"], result["runners"], published = self.docker()
        result["listeners"] = self.listeners(published)
        return result

    @staticmethod
    def resolve(name):
        try:
            return sorted({info[4][0] for info in socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)})
        except (OSError, UnicodeError):
            return []

    def docker(self):
        """The engine's state, the runners on it, and which running container publishes which port."""
        try:
            version = self.engine.version()
            containers = self.engine.all()
        except DockerError as error:
            return {"reachable": False, "version": "", "error": str(error)}, [], {}
        runners = [self.runner(container) for container in containers if container.is_runner]
        published = {
            port: container
            for container in containers
            if container.status == "running"
            for port in container.ports.values()
        }
        return {"reachable": True, "version": version, "error": ""}, runners, published

    @staticmethod
    def runner(container):
        return {
            "id": container.id,
            "name": container.name,
            "creator_id": container.creator_id,
            "pipeline": container.pipeline,
            "model_id": container.model_id,
            "image": container.image,
            "state": container.status,
        }

    def listeners(self, published):
        wanted = set(self.params["ports"])
        sockets = [entry for entry in self.sockets() if entry[0] in wanted]
        owners = self.owners({inode for _port, _address, inode in sockets})
        found = {}
        for port, address, inode in sockets:
            process, unit = owners.get(inode, ("", ""))
            found.setdefault((port, process), self.listener(port, address, process, unit, published))
        # Without its userland proxy Docker publishes a port that nobody listens on.
        for port in wanted & set(published) - {port for port, _process in found}:
            found[(port, "")] = self.listener(port, "", "", "", published)
        return [found[key] for key in sorted(found)]

    @staticmethod
    def listener(port, address, process, unit, published):
        container = published.get(port)
        return {
            "port": port,
            "address": address,
            "process": process,
            "unit": unit,
            "container": container.name if container else "",
            "creator_id": container.creator_id if container else "",
        }

    def sockets(self):
        """(port, address, inode) of every listening TCP socket in this network namespace."""
        for table in ("tcp", "tcp6"):
            for line in read(f"{self.proc}/net/{table}").splitlines()[1:]:
                fields = line.split()
                if len(fields) > 9 and fields[3] == LISTEN:
                    address, port = fields[1].rsplit(":", 1)
                    yield int(port, 16), decode_address(address), fields[9]

    def owners(self, inodes):
        """(process, unit) for each socket inode that a process holds."""
        found = {}
        for path in glob.glob(f"{self.proc}/[0-9]*/fd/*") if inodes else []:
            try:
                target = os.readlink(path)
            except OSError:
                continue
            inode = target[8:-1] if target.startswith("socket:[") else ""
            if inode in inodes and inode not in found:
                pid = path.split("/")[-3]
                name = read(f"{self.proc}/{pid}/comm").strip()
                units = UNIT.findall(read(f"{self.proc}/{pid}/cgroup"))
                found[inode] = (f"{name} (pid {pid})", units[-1] if units else "")
        return found

    def nodes(self):
        found = []
        for path in sorted({path for pattern in self.params["node_configs"] for path in glob.glob(pattern)}):
            lines = (line.split(None, 1) for line in read(path).splitlines())
            pairs = {line[0]: line[1].strip() for line in lines if len(line) == 2}
            settings = {name: pairs[name] for name in SHARED_FLAGS if name in pairs}
            found.append({"path": path, "settings": settings})
        return found


def main():
    module = AnsibleModule(
        argument_spec={
            "ports": {"type": "list", "elements": "int", "default": []},
            "names": {"type": "list", "elements": "str", "default": []},
            "docker": {"type": "bool", "default": False},
            "docker_socket": {"type": "path", "default": "/var/run/docker.sock"},
            "node_configs": {"type": "list", "elements": "str", "default": []},
        },
        supports_check_mode=True,
    )
    module.exit_json(changed=False, **HostInfo(module.params).answer())


if __name__ == "__main__":
    main()
