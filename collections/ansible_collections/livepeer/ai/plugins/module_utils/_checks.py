# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The one shape in which every judgement of this collection is reported. Private to the collection."""

from __future__ import annotations

PASSED = "passed"
FAILED = "failed"
UNKNOWN = "unknown"


def make_check(check, subject, status, sentence, seconds=0.0, remedy=""):
    """One line of the report. An unknown is neither a pass nor a failure; only a pass needs no remedy."""
    return {
        "check": check,
        "subject": subject,
        "status": status,
        "sentence": sentence,
        "seconds": round(seconds, 3),
        "remedy": "" if status == PASSED else remedy,
    }


def worst(statuses):
    """The verdict over several: one failure fails, one unknown makes unknown."""
    statuses = list(statuses)
    for status in (FAILED, UNKNOWN):
        if status in statuses:
            return status
    return PASSED


def finish(module, result, checks, changed=False):
    """End the module: fail only for a failed check, and only if the caller wants failures to fail."""
    result["checks"] = checks
    result["verdict"] = worst(check["status"] for check in checks)
    failed = [check for check in checks if check["status"] == FAILED]
    if failed and module.params["fail"]:
        message = " ".join("{} {}".format(check["sentence"], check["remedy"]) for check in failed)
        module.fail_json(msg=message.strip(), changed=changed, **result)
    module.exit_json(changed=changed, **result)
