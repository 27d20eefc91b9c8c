# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Checks as a table that can be read at night: failures first, each with what to do. Private to the collection."""

from __future__ import annotations

import textwrap

from ansible_collections.livepeer.ai.plugins.module_utils._checks import FAILED, PASSED, UNKNOWN, make_check

ORDER = (FAILED, UNKNOWN, PASSED)
COLOURS = {FAILED: "red", UNKNOWN: "yellow", PASSED: "green"}
# What a reader must not miss is in capitals, for terminals without colours and for logs.
WORDS = {FAILED: "FAILED", UNKNOWN: "unknown", PASSED: "passed"}
GAP = "  "
NARROWEST_TEXT = 40
NO_RESULTS = "The host has no results: it could not be reached, or its verification ended early."


def gather_checks(hosts, hostvars):
    """The checks of all hosts, failures first; a host without any has failed, or it would look well by its absence."""
    checks = []
    for host in hosts:
        found = hostvars[host].get("verification_results") if host in hostvars else None
        if found is None:
            missing = make_check("verification", "the host", FAILED, NO_RESULTS, remedy="See its first error above.")
            found = [dict(missing, host=host)]
        checks.extend(found)
    return sort_checks(checks)


def sort_checks(checks):
    """By urgency; among equals the order in which they were made."""
    return sorted(checks, key=lambda check: ORDER.index(check["status"]))


def count_checks(checks):
    return {status: sum(1 for check in checks if check["status"] == status) for status in ORDER}


def summary(checks):
    """One line: the counts that are not zero, and the hosts."""
    counts = count_checks(checks)
    words = ", ".join(f"{counts[status]} {status}" for status in ORDER if counts[status])
    hosts = len({check.get("host") for check in checks})
    return f"{words or 'no checks'} on {hosts} host{'' if hosts == 1 else 's'}"


def table(checks, width):
    """(line, colour) pairs; the last column wraps, so that no line is wider than the terminal."""
    rows = [_cells(check) for check in sort_checks(checks)]
    head = ("STATUS", "HOST", "CHECK", "SECONDS", "WHAT CAME OF IT")
    sizes = [
        max(len(row[column]) for row in [head, *[cells for cells, _words, _colour in rows]]) for column in range(4)
    ]
    indent = " " * (sum(sizes) + 4 * len(GAP))
    room = max(NARROWEST_TEXT, width - len(indent))
    lines = [(_line(head, sizes), None)]
    for cells, words, colour in rows:
        wrapped = [piece for text in words for piece in textwrap.wrap(text, room, break_on_hyphens=False)]
        lines.append((_line((*cells, wrapped[0]), sizes), colour))
        lines.extend((indent + piece, colour) for piece in wrapped[1:])
    return lines


def _cells(check):
    status = check["status"]
    words = [check["subject"], check["sentence"]]
    if check["remedy"]:
        words.append(f"Remedy: {check['remedy']}")
    cells = (WORDS[status], check.get("host", ""), check["check"], f"{check['seconds']:.1f}")
    return cells, [word for word in words if word], COLOURS[status]


def _line(cells, sizes):
    status, host, check, seconds, text = cells
    return GAP.join(
        (status.ljust(sizes[0]), host.ljust(sizes[1]), check.ljust(sizes[2]), seconds.rjust(sizes[3]), text)
    ).rstrip()
