# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documented in node_release.yml."""

from __future__ import annotations

from ansible.errors import AnsibleFilterError

from ansible_collections.livepeer.ai.plugins.module_utils._go_livepeer import UnsupportedError, nearest, release

ARCHITECTURES = {"x86_64": "amd64", "amd64": "amd64", "aarch64": "arm64", "arm64": "arm64"}


def node_release(version, architecture="x86_64", path=None, network=None, controller=None):
    """What the roles need to know about a go-livepeer version; what it does not know is refused by name."""
    try:
        known = release(version)
        if path is not None:
            known.require_path(path)
    except UnsupportedError as error:
        raise AnsibleFilterError(str(error)) from error
    if architecture not in ARCHITECTURES:
        raise AnsibleFilterError(f"go-livepeer is released for amd64 and arm64, not for {architecture}")
    if network is not None and network not in known.networks and not controller:
        hint = nearest(network, known.networks) or f"; it knows {', '.join(sorted(known.networks))}"
        raise AnsibleFilterError(
            f"go-livepeer {known.version} does not know the network {network!r}{hint}, and would take it for a private"
            " one: correct the name, or give the address of its controller"
        )
    return {
        "version": known.version,
        "archive_url": known.archive_url.format(version=known.version, architecture=ARCHITECTURES[architecture]),
        "networks": sorted(known.networks),
        "paths": sorted(known.paths),
        "pipelines": sorted(known.pipelines),
        "secret_flags": known.secret_flags(),
    }


class FilterModule:
    def filters(self):
        return {"node_release": node_release}
