# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Errors that have a meaning beyond "it failed"."""

from __future__ import annotations


class BadRequest(Exception):
    """The request cannot be served as it is: the client gets 400 and this text."""


class Overloaded(Exception):
    """Everything runs and waits that may: the client gets 503 and may try elsewhere."""


class ClientGone(Exception):
    """Nobody waits for the answer any more."""


class SettingsError(Exception):
    """The container was started with something that cannot be right: one sentence, and it ends."""
