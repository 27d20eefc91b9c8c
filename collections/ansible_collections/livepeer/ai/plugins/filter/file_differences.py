# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documented in file_differences.yml."""

from __future__ import annotations

import difflib


def file_differences(results):
    """The results of a compared file each, those without a difference left out."""
    texts = [(_path(result), _unified(result)) for result in results]
    return [{"path": path, "text": text} for path, text in texts if text]


def _path(result):
    return str(result.get("dest") or result.get("path") or result["item"]["invocation"]["module_args"]["path"])


def _unified(result):
    diffs = result.get("diff") or []
    lines = []
    for diff in [diffs] if isinstance(diffs, dict) else diffs:
        before, after = diff.get("before"), diff.get("after")
        # Beside contents, a diff may hold attributes of the file as a dictionary.
        if isinstance(before, str) and isinstance(after, str):
            lines += difflib.unified_diff(before.splitlines(), after.splitlines(), "yours", "template", lineterm="")
    return "\n".join(lines)


class FilterModule:
    def filters(self):
        return {"file_differences": file_differences}
