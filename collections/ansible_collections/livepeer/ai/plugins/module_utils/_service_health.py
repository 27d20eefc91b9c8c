# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One look at the health address of a service. Private to the collection."""

from __future__ import annotations

from ansible_collections.livepeer.ai.plugins.module_utils._http import HttpFailure, clause, shorten


def look_at_health(client, url, healthy_status):
    """(whether it is healthy, what it says, what to do about it)"""
    try:
        answer = client.get(url)
    except HttpFailure as failure:
        return False, clause(failure.sentence), failure.remedy
    if answer.status == healthy_status:
        return True, "", ""
    status, reason = own_words(answer)
    said = f"it answers {answer.status}" + (f" ({reason})" if reason else "")
    if status == "loading":
        return False, said, "Allow more time: it is still loading."
    return False, said, "Read the log of its container."


def own_words(answer):
    """(status, reason) as the contract of a service has them, empty where it says nothing of the kind."""
    try:
        document = answer.json()
    except ValueError:
        document = None
    if not isinstance(document, dict):
        return "", shorten(answer.text, 80)
    status, reason = str(document.get("status") or ""), str(document.get("reason") or "")
    return status, shorten(", ".join(word for word in (status, reason) if word), 160)
