# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documented in build_failure.yml."""

from __future__ import annotations

import ast
import re

# How community.docker.docker_image reports a build: what went wrong, then every line of it as one Python list.
REPORT = re.compile(r"Error building \S+ - (?:code: \S+, )?message: (?P<message>.*?), logs: (?P<log>\[.*\])", re.DOTALL)

COLOURS = re.compile(r"\x1b\[[0-9;]*m")
# Which layer a step began or ended with tells nobody anything.
LAYER = " ---> "


def build_failure(message, lines=20):
    """What the builder said last, for people."""
    report = REPORT.fullmatch(str(message).strip())
    if not report:
        return str(message)
    try:
        log = COLOURS.sub("", "\n".join(ast.literal_eval(report.group("log"))))
    except (SyntaxError, ValueError):
        return str(message)
    last = [line for line in log.splitlines() if line.strip() and not line.startswith(LAYER)][-lines:]
    return "\n".join([f"{report.group('message').rstrip('.')}. The builder's last lines:", *last])


class FilterModule:
    def filters(self):
        return {"build_failure": build_failure}
