"""The one exception of the lab: a sentence for a person, without a traceback."""

from __future__ import annotations


class LabError(Exception):
    """Something the person at the terminal can act on; the message says what and how."""
