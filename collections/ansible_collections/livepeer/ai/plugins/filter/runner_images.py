# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documented in runner_images.yml."""

from __future__ import annotations

from ansible.errors import AnsibleFilterError

from ansible_collections.livepeer.ai.plugins.module_utils._go_livepeer import UnsupportedError, release


def runner_images(models, version, overrides=None):
    """The images go-livepeer starts for these models: sorted, each once. External runners need none."""
    try:
        known = release(version)
        return sorted({known.image(m["pipeline"], m["model_id"], overrides) for m in models if not m.get("url")})
    except UnsupportedError as error:
        raise AnsibleFilterError(str(error)) from error


class FilterModule:
    def filters(self):
        return {"runner_images": runner_images}
