# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Settings from the command line, the LP_ environment and the -config file, in that order (facts 1.2, 1.4)."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence

from . import flags
from .flags import Flag, go_quote

ENVIRONMENT_PREFIX = "LP_"
_TO_UNDERSCORE = str.maketrans("-./", "___")
# The table wraps cells at this width, between words only.
_CELL_WIDTH = 30


class ConfigError(Exception):
    """The environment or the config file cannot be taken: "Error parsing config: …", status 1."""


def environment_name(flag: Flag) -> str:
    return ENVIRONMENT_PREFIX + flag.name.upper().translate(_TO_UNDERSCORE)


# dataDir and datadir share one name; upstream keeps the last in sorted order.
_BY_ENVIRONMENT: dict[str, Flag] = {environment_name(flag): flag for flag in sorted(flags.FLAGS, key=lambda f: f.name)}


def read_value_or_file(text: str) -> str:
    """The trimmed content of the file `text` names; `text` itself if that is no readable, non-empty file."""
    try:
        with open(text, encoding="utf-8", errors="replace") as file:
            return file.read().strip() or text
    except (OSError, ValueError):
        return text


class Settings:
    """What the node was told: settings["orchSecret"] is the value, settings.given(name) whether anybody gave it.

    Durations are seconds (float). The start-up writes back what it worked out (httpAddr, cliAddr, dataDir …), as the
    real node does.
    """

    def __init__(self) -> None:
        self._values: dict[str, object] = {flag.name: _initial(flag) for flag in flags.FLAGS}
        self._given: set[str] = set()

    def __getitem__(self, name: str):
        return self._values[flags.TWINS.get(name, name)]

    def __setitem__(self, name: str, value: object) -> None:
        self._values[flags.TWINS.get(name, name)] = value

    def given(self, name: str) -> bool:
        return name in self._given

    def give(self, name: str, value: object) -> None:
        self[name] = value
        self._given.add(name)

    def value_or_file(self, name: str) -> str:
        """The text of a flag that may also be the path of a file holding it (facts 1.4)."""
        return read_value_or_file(self[name]) if self[name] else ""

    @classmethod
    def parse(cls, arguments: Sequence[str], environment: Mapping[str, str]) -> Settings:
        """Raises flags.UsageError for the command line, ConfigError for the rest."""
        settings = cls()
        for flag, value in flags.parse_arguments(arguments):
            settings.give(flag.name, value)
        settings._take_environment(environment)
        if settings["config"]:
            settings._take_file(settings["config"])
        return settings

    def _take_environment(self, environment: Mapping[str, str]) -> None:
        on_command_line = set(self._given)
        for flag in sorted(flags.FLAGS, key=lambda f: f.name):
            text = environment.get(environment_name(flag), "")
            if flag.name in on_command_line or not text:
                continue
            try:
                self.give(flag.name, flags.parse_value(flag, text))
            except flags.ParseError as error:
                raise ConfigError(
                    f"error parsing environment variables: error setting flag {go_quote(flag.name)} "
                    f"from environment variable {go_quote(environment_name(flag))}: {error}"
                ) from error

    def _take_file(self, path: str) -> None:
        given_before = set(self._given)
        try:
            with open(path, encoding="utf-8", errors="surrogateescape", newline="\n") as file:
                lines = list(plain_lines(file.read()))
        except IsADirectoryError:
            lines = []  # Go opens a directory, reads nothing and does not look at the error.
        except OSError as error:
            raise ConfigError(f"open {path}: {(error.strerror or str(error)).lower()}") from error
        for name, text in lines:
            flag = _flag_for_key(name)
            if name in given_before or flag.name in given_before:
                continue
            try:
                self.give(flag.name, flags.parse_value(flag, text))
            except flags.ParseError as error:
                raise ConfigError(f"error setting flag {go_quote(name)} from config file: {error}") from error

    # --- the table of non-default settings -----------------------------------------------------------------------
    def table(self) -> str:
        return _render(list(self._changed()))

    def _changed(self) -> Iterator[tuple[str, str]]:
        for flag in flags.FLAGS:
            nil = flag.name in flags.NIL_UNLESS_GIVEN and not self.given(flag.name)
            if not flag.listed or nil or self[flag.name] == _initial(flag):
                continue
            yield flag.field, "***" if flag.field in flags.REDACTED_FIELDS else _shown(flag, self[flag.name])


def plain_lines(text: str) -> Iterator[tuple[str, str]]:
    """(name, value) of each line of ff's plain format; a name alone means "true"."""
    for raw in text.split("\n"):
        line = raw.strip()
        if not line or line[0] == "#":
            continue
        name, space, value = line.partition(" ")
        value = value.strip() if space else "true"
        yield name, value.partition(" #")[0].strip()


def _flag_for_key(name: str) -> Flag:
    flag = flags.BY_NAME.get(name) or _BY_ENVIRONMENT.get(name)
    if flag is None:
        raise ConfigError(f"config file flag {go_quote(name)} not defined in flag set")
    return flag


def _initial(flag: Flag) -> object:
    return flags.parse_duration(str(flag.default)) if flag.kind == flags.DURATION else flag.default


def _shown(flag: Flag, value: object) -> str:
    if flag.kind == flags.DURATION:
        return flags.format_duration(float(value))
    if flag.kind == flags.BOOL:
        return "true" if value else "false"
    return f"{value:g}" if flag.kind == flags.FLOAT else str(value)


def _render(rows: list[tuple[str, str]]) -> str:
    """The rows between two rules, as the real table looks; no rows: two bare corners."""
    cells = [(_wrapped(field), _wrapped(value)) for field, value in rows]
    widths = [max((len(line) for row in cells for line in row[i]), default=0) for i in (0, 1)]
    rule = "*" + "".join("-" * (width + 2) + "*" for width in widths) if rows else "*"
    lines = [rule]
    for field, value in cells:
        for n in range(max(len(field), len(value))):
            left, right = (cell[n] if n < len(cell) else "" for cell in (field, value))
            lines.append(f"| {left:<{widths[0]}} | {right:<{widths[1]}} |")
    return "\n".join([*lines, rule])


def _wrapped(text: str) -> list[str]:
    lines: list[str] = []
    for word in text.split(" "):
        if lines and len(lines[-1]) + 1 + len(word) <= _CELL_WIDTH:
            lines[-1] += f" {word}"
        else:
            lines.append(word)
    return lines


def home_directory(environment: Mapping[str, str]) -> str:
    return environment.get("HOME") or os.path.expanduser("~")
