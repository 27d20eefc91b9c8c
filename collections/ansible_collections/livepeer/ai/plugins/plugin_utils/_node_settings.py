# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From a mapping of flags to the lines go-livepeer reads, or to what is wrong with it. Private to the collection."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from decimal import Decimal

from ansible_collections.livepeer.ai.plugins.module_utils._go_livepeer import (
    ONLY_COMMAND_LINE,
    SECRET,
    SECRET_FILE,
    UnsupportedError,
    release,
)
from ansible_collections.livepeer.ai.plugins.plugin_utils._values import ProblemsError, type_name

# Go's time.ParseDuration.
DURATION = re.compile(r"[+-]?(0|((\d+(\.\d*)?|\.\d+)(ns|us|µs|ms|s|m|h))+)")
# The node reads its file with a scanner that gives up on longer lines.
LONGEST_LINE = 65535


class SettingsError(ProblemsError):
    """All problems of a node's settings, in one sentence for the person who wrote them."""


class FlagValue:
    """One flag and the text that stands for its value."""

    def __init__(self, name, value, flag):
        self.name = name
        self.value = value
        self.flag = flag

    def text(self):
        text = getattr(self, f"_{self.flag.type}")()
        if self.flag.holds == SECRET_FILE and not text.startswith("/"):
            # Its value is not shown: it may be the secret itself.
            raise ValueError("must be the absolute path of a file that holds the secret")
        if text == "":
            raise ValueError("is empty, which the node takes for true or for unset: leave it out to keep the default")
        if "\n" in text or "\r" in text:
            raise ValueError("holds a line break: there is one flag a line")
        if self.flag.holds != SECRET:
            self._refuse_what_the_config_file_cannot_hold(text)
        return text

    def _refuse_what_the_config_file_cannot_hold(self, text):
        if text != text.strip():
            raise ValueError("begins or ends with white space, which the node would cut off")
        if " #" in text:
            raise ValueError("holds ' #', from where on the node would take it for a comment")
        if len(f"{self.name} {text}".encode()) > LONGEST_LINE:
            raise ValueError(f"is longer than the {LONGEST_LINE} bytes a line of the config file can have")

    def _bool(self):
        if isinstance(self.value, bool):
            return str(self.value).lower()
        if isinstance(self.value, str) and self.value.lower() in ("true", "false"):
            return self.value.lower()
        raise self._ill_typed("must be true or false")

    def _int(self):
        if isinstance(self.value, int) and not isinstance(self.value, bool):
            return str(self.value)
        if isinstance(self.value, str) and re.fullmatch(r"[+-]?\d+", self.value):
            return str(int(self.value))
        raise self._ill_typed("must be a whole number")

    def _float(self):
        if isinstance(self.value, (int, float)) and not isinstance(self.value, bool):
            return repr(self.value)
        if isinstance(self.value, str) and re.fullmatch(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", self.value):
            return str(self.value)
        raise self._ill_typed("must be a number")

    def _duration(self):
        if isinstance(self.value, str) and DURATION.fullmatch(self.value):
            return str(self.value)
        raise self._ill_typed("must be a duration with a unit, such as 500ms, 10s or 25m")

    def _string(self):
        if isinstance(self.value, str):
            return str(self.value)
        if isinstance(self.value, (int, float)) and not isinstance(self.value, bool):
            # Go's price grammar knows no exponents: 1e-07 must become 0.0000001.
            return format(Decimal(repr(self.value)), "f")
        raise self._ill_typed("must be text")

    def _json(self):
        if isinstance(self.value, str):
            try:
                json.loads(self.value)
            except ValueError as error:
                raise ValueError(f"is not valid JSON: {error}") from None
            return str(self.value)
        if isinstance(self.value, (Mapping, list)):
            return json.dumps(self.value, sort_keys=True)
        raise self._ill_typed("must be JSON")

    def _ill_typed(self, rule):
        shown = "" if self.flag.holds in (SECRET, SECRET_FILE) else f" ({self.value!r})"
        return ValueError(f"is {type_name(self.value)}{shown}, {rule}")


def pairs(settings, version, secret, others):
    """The (name, text) pairs of all flags that have a value, sorted; every problem of the mapping in one error."""
    known = release(version)
    if others not in ("refuse", "skip"):
        raise SettingsError(f"others is {others!r}, must be refuse or skip")
    if not isinstance(settings, Mapping):
        raise SettingsError(f"the settings of a node are {type_name(settings)}, must map flag names to values")
    found, problems = [], []
    for name, value in sorted(settings.items(), key=lambda item: str(item[0])):
        try:
            flag = known.flag(name)
            if others == "skip" and secret != (flag.holds == SECRET):
                continue
            _require_place(flag, secret)
            if value is not None:
                found.append((name, FlagValue(name, value, flag).text()))
        except UnsupportedError as error:
            problems.append(str(error))
        except ValueError as error:
            problems.append(f"{name} {error}")
    if problems:
        text = f"the settings of the node are wrong: {'; '.join(problems)}."
        raise SettingsError(text, [f"the settings of the node are wrong: {problem}." for problem in problems])
    return found


def _require_place(flag, secret):
    """Refuse a flag that belongs elsewhere than where it is about to be written."""
    if flag.holds == ONLY_COMMAND_LINE:
        raise ValueError("has no meaning outside the command line: leave it out")
    if secret and flag.holds != SECRET:
        raise ValueError("is no credential: write it to the config file")
    if not secret and flag.holds == SECRET:
        raise ValueError("may hold a credential: write it to the environment file, not to the config file")
