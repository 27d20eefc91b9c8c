#!/usr/bin/env python3
"""The lab: Debian hosts with their own Docker Engine, and the services they talk to, on this machine.

lab/lab.py up --lab demo            everything there and answering (idempotent; seconds when it already is)
lab/lab.py up --lab test --fresh    the same with new, bare hosts
lab/lab.py status --lab demo
lab/lab.py ssh --lab demo orch-trixie [COMMAND...]
lab/lab.py down --lab demo          remove its containers, volumes and network
"""

from __future__ import annotations

import argparse
import os
import sys

from labkit import fleet, identity, topology
from labkit.errors import LabError


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    for name, help_text in (
        ("up", "bring everything up"),
        ("down", "remove everything"),
        ("status", "say what is up (exit status 1 if something is not)"),
        ("ssh", "open a shell on a host"),
    ):
        command = commands.add_parser(name, help=help_text)
        command.add_argument("--lab", choices=sorted(topology.SUBNETS), default="demo")
        if name == "up":
            command.add_argument("--fresh", action="store_true", help="throw the hosts away first")
        if name == "ssh":
            command.add_argument("host", metavar="HOST")
            command.add_argument("remote", nargs=argparse.REMAINDER, metavar="COMMAND")
    return parser.parse_args()


def ssh(lab: topology.Lab, name: str, remote: list[str]) -> None:
    """Become an ssh client logged in to the host."""
    host = next((host for host in lab.hosts if host.name == name), None)
    if not host:
        raise LabError(f"The lab {lab.name} has no host '{name}'; it has {', '.join(host.name for host in lab.hosts)}.")
    argv = [
        "ssh",
        "-i",
        str(identity.person_key(lab)),
        "-o",
        "IdentitiesOnly=yes",
        "-o",
        f"UserKnownHostsFile={lab.directory / 'known_hosts'}",
        "-o",
        "StrictHostKeyChecking=yes",
        f"ops@{lab.address(host)}",
        *remote,
    ]
    os.execvp(argv[0], argv)


def main() -> int:
    chosen = arguments()
    lab = topology.lab(chosen.lab)
    try:
        if chosen.command == "up":
            fleet.up(lab, chosen.fresh)
        elif chosen.command == "down":
            fleet.down(lab)
        elif chosen.command == "status":
            return 0 if fleet.status(lab) else 1
        else:
            ssh(lab, chosen.host, chosen.remote)
    except LabError as error:
        print(f"lab: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
