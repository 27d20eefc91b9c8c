# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The command line: the service itself, and a way to wait for it."""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import sys
import time

from byoc_registrar import settings
from byoc_registrar.service import EXIT_SETTINGS, Service
from byoc_registrar.settings import SettingsError
from byoc_registrar.systemd import ERROR, log

CONFIG = "/etc/livepeer/byoc/registrar.json"
RUNTIME = "/run/livepeer-byoc"


def main(arguments=None):
    parser = argparse.ArgumentParser(prog="byoc_registrar", description="Keeps BYOC capabilities registered.")
    parser.add_argument("--config", default=CONFIG)
    parser.add_argument("--runtime", default=os.environ.get("RUNTIME_DIRECTORY", RUNTIME))
    parser.add_argument("--state", default=os.environ.get("STATE_DIRECTORY", "/var/lib/livepeer-byoc"))
    parser.add_argument("--wait", choices=("registered", "retired"), help="wait for the running registrar, then end")
    parser.add_argument("--timeout", type=float, default=60.0)
    options = parser.parse_args(arguments)
    if options.wait:
        return wait(options)
    try:
        credentials = settings.read_credentials(os.environ.get("CREDENTIALS_DIRECTORY"))
        return Service(options.config, credentials, options.runtime, options.state).run()
    except SettingsError as error:
        log(ERROR, f"registrar: {error}")
        return EXIT_SETTINGS


def wait(options):
    """Until the registrar runs with the configuration on disk and has done what it says; why not, if not."""
    deadline = time.monotonic() + options.timeout
    while True:
        status, problem = judge(options)
        if not problem:
            print(json.dumps(status))
            return 0
        if time.monotonic() > deadline:
            print(f"Not done after {options.timeout:.0f} s: {problem}", file=sys.stderr)
            return 1
        time.sleep(0.25)


def judge(options):
    """The status, and what is missing in it."""
    try:
        with open(options.config, "rb") as file:
            digest = hashlib.sha256(file.read()).hexdigest()
        with open(os.path.join(options.runtime, "status.json"), encoding="utf-8") as file:
            status = json.load(file)
    except (OSError, ValueError) as error:
        return None, f"the registrar shows no status ({error})."
    if status["config_error"]:
        return status, f"{status['config_error']}."
    if status["config"] != digest:
        return status, "the registrar has not taken over its configuration."
    if options.wait == "retired":
        # An orchestrator that is away has most likely forgotten it; the registrar goes on trying.
        there = [
            f"{name} ({one['reason']})" for name, one in status["leaving"].items() if one["failure"] != "unreachable"
        ]
        return status, f"still to be unregistered: {', '.join(there)}." if there else ""
    missing = [
        f"{name} is {one['state']} ({one['reason'].rstrip('.')})"
        for name, one in status["capabilities"].items()
        if not one["registered"]
    ]
    return status, f"{'; '.join(missing)}." if missing else ""
