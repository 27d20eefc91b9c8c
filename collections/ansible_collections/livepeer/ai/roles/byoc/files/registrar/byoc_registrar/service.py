# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The process: keepers by name, signals, watchdog, and what is shown."""

from __future__ import annotations

import json
import os
import signal
import threading
import time

from byoc_registrar import files, report, settings
from byoc_registrar.keeper import Door, Keeper
from byoc_registrar.settings import SettingsError
from byoc_registrar.systemd import ERROR, INFO, log, notify, reloading

# A keeper that has not come round for so long hangs.
STUCK_SECONDS = 60.0
# A secret that was refused so often is old: systemd hands over the current one at the next start.
REFUSED_SECRETS = 2
SHOWN_SECONDS = 10.0

EXIT_OK, EXIT_SETTINGS, EXIT_SECRET, EXIT_CRASH = 0, 78, 77, 70


class Service:
    """Holds all keepers. A stopped registrar leaves registrations in place."""

    def __init__(self, config, credentials, runtime, state):
        self.config = config
        self.credentials = credentials
        self.runtime = runtime
        self.settings = settings.read(config, credentials)
        self.records = files.Records(os.path.join(state, "registrations.json"))
        self.door = Door()
        self.keepers = {}
        self.config_error = ""
        self.started = round(time.time(), 3)
        self.lock = threading.Lock()
        self.refused = 0
        self.code = None
        self.reload_wanted = False
        self.news = threading.Event()
        self.shown = ("", 0.0)

    def run(self):
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._stop)
        signal.signal(signal.SIGHUP, self._reload)
        self.adopt()
        self.show()
        notify("READY=1", f"STATUS={report.summary(self.status())}")
        log(INFO, f"registrar: started for {len(self.settings.capabilities)} capabilities")
        while self.code is None:
            self.news.wait(1.0)
            self.news.clear()
            if self.reload_wanted:
                self.reload_wanted = False
                self.reload()
            self.sweep()
            self.show()
            if not self.stuck():
                notify("WATCHDOG=1")
        notify("STOPPING=1")
        for keeper in self.keepers.values():
            keeper.end()
        # A request that is under way is worth a moment: its result is then remembered.
        deadline = time.monotonic() + 3
        for keeper in self.keepers.values():
            keeper.join(max(0.0, deadline - time.monotonic()))
        self.show()
        return self.code

    def _stop(self, _number, _frame):
        self.code = EXIT_OK if self.code is None else self.code
        self.news.set()

    def _reload(self, _number, _frame):
        self.reload_wanted = True
        self.news.set()

    def reload(self):
        reloading()
        try:
            self.settings = settings.read(self.config, self.credentials)
            self.config_error = ""
            self.adopt()
            log(INFO, f"registrar: reloaded for {len(self.settings.capabilities)} capabilities")
        except SettingsError as error:
            self.config_error = str(error)
            log(ERROR, f"registrar: goes on with the configuration it has, because {error}")
        notify("READY=1")

    def adopt(self):
        """Have a keeper for all that is declared, and for all that is registered and no longer declared."""
        url = self.settings.orchestrator
        wanted = {(url, name): one for name, one in self.settings.capabilities.items()}
        for key in [*wanted, *self.records.keys(), *self.keepers]:
            keeper = self.keepers.get(key)
            if keeper is None:
                keeper = Keeper(key[1], key[0], self.credentials, self.settings.rules, self.records, self.door, self)
                self.keepers[key] = keeper
            keeper.declare(wanted.get(key), self.settings.rules)
            if keeper.ident is None:
                keeper.start()

    def sweep(self):
        """Let go of keepers whose capability is gone; one that was declared again meanwhile gets a new keeper."""
        for key in [key for key, keeper in self.keepers.items() if not keeper.is_alive()]:
            del self.keepers[key]
            if key[0] == self.settings.orchestrator and key[1] in self.settings.capabilities:
                self.adopt()

    def stuck(self):
        now = time.monotonic()
        return any(now - keeper.beat > STUCK_SECONDS for keeper in self.keepers.values())

    def is_current(self, url):
        return url == self.settings.orchestrator

    def secret_accepted(self):
        with self.lock:
            self.refused = 0

    def secret_refused(self):
        with self.lock:
            self.refused += 1
            if self.refused >= REFUSED_SECRETS and self.code is None:
                log(ERROR, "registrar: the orchestrator refuses the secret; ends, to be handed the current one")
                self.code = EXIT_SECRET
                self.news.set()

    def crashed(self, name, error):
        log(ERROR, f"registrar: the keeper of {name} ended with {type(error).__name__}: {error}")
        self.code = EXIT_CRASH
        self.news.set()

    def status(self):
        url = self.settings.orchestrator
        keepers = dict(self.keepers)
        return {
            "version": 1,
            "process": os.getpid(),
            "started": self.started,
            "updated": round(time.time(), 3),
            "config": self.settings.digest,
            "config_error": self.config_error,
            "orchestrator": url,
            "capabilities": {
                name: keepers[(url, name)].describe()
                for name in sorted(self.settings.capabilities)
                if (url, name) in keepers
            },
            "leaving": {
                f"{name} at {where}": {"reason": keeper.memory.reason, "failure": keeper.memory.failure}
                for (where, name), keeper in sorted(keepers.items())
                if keeper.capability is None and keeper.is_alive()
            },
        }

    def show(self):
        """Write what is news at once, and that we are alive from time to time."""
        status = self.status()
        content = json.dumps({key: value for key, value in status.items() if key != "updated"})
        old, at = self.shown
        if content == old and time.monotonic() - at < SHOWN_SECONDS:
            return
        files.write(os.path.join(self.runtime, "status.json"), json.dumps(status, indent=2) + "\n")
        files.write(os.path.join(self.runtime, "metrics.prom"), report.metrics(status))
        notify(f"STATUS={report.summary(status)}")
        self.shown = (content, time.monotonic())
