# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a service sent the JSON or the events that were asked for. Private to the collection."""

from __future__ import annotations

import json
import time

from ansible_collections.livepeer.ai.plugins.module_utils._http import read_whole, redact, shorten
from ansible_collections.livepeer.ai.plugins.module_utils._request import RequestFailure, counted, quote

DONE = "[DONE]"
LONGEST_TEXT = 2000
# An answer of this size may be handed on to whoever wants to look into it; a larger one is only judged.
LARGEST_ANSWER = 1024 * 1024
# A node that waits for the end of a stream which has ended already sends blank lines, as fast as it can.
MOST_BLANKS = 64 * 1024


class EventReader:
    """Reads server-sent events up to their end, which is a line with [DONE] and not the end of the connection."""

    def __init__(self):
        self.data = b""

    def __call__(self, answer, deadline):
        if answer.status != 200:
            self.data = read_whole(answer, deadline)
            return self.data
        while True:
            piece = answer.read1(65536)
            self.data += piece
            ended = not piece or DONE.encode() in self.data[-len(piece) - len(DONE) :]
            if ended or self.is_flooded() or time.monotonic() > deadline:
                return self.data

    def is_flooded(self):
        tail = self.data[-MOST_BLANKS:]
        return len(tail) == MOST_BLANKS and not tail.strip()

    @property
    def text(self):
        return self.data.decode("utf-8", "replace")


def read_events(text):
    """(events, whether the end was among them): the payload of each data line; a node's note of the balance is none."""
    events = []
    for line in text.splitlines():
        payload = line[5:].strip() if line.startswith("data:") else ""
        if DONE in payload:
            return events, True
        if payload and not is_balance(payload):
            events.append(payload)
    return events, False


def is_balance(payload):
    """An orchestrator puts {"balance": <number>} before the end of a stream that it passes on."""
    value = json_of(payload)
    return isinstance(value, dict) and list(value) == ["balance"]


def json_of(text):
    """The value of a JSON text, None if it is not JSON."""
    try:
        return json.loads(text)
    except ValueError:
        return None


def judge_events(text, expect):
    """(sentence, number of events) of a sound stream; RequestFailure for any other."""
    events, ended = read_events(text)
    if not ended:
        raise RequestFailure("stream_not_ended", f"after {counted(len(events), 'event')} no [DONE] came")
    least = max(1, expect.get("events") or 1)
    if len(events) < least:
        raise RequestFailure("bad_payload", f"the stream has {counted(len(events), 'event')}, expected were {least}")
    values = [json_of(event) for event in events]
    for value in values:
        if isinstance(value, dict) and value.get("error"):
            raise RequestFailure("bad_payload", f"the stream reports an error ({shorten(str(value['error']), 120)})")
    for key in expect.get("keys") or []:
        if not any(find(value, key)[0] for value in values):
            raise RequestFailure("bad_payload", f"no event of the stream holds {key!r}")
    judge_words("".join(events), expect, "the stream")
    return f"A stream of {counted(len(events), 'event')} came back and ended with [DONE].", len(events)


def judge_body(text, expect):
    """(sentence, value) of a sound JSON answer; RequestFailure for any other."""
    value = json_of(text)
    lengths = expect.get("min_items") or {}
    if value is None and (expect.get("keys") or lengths):
        raise RequestFailure("bad_payload", f"the answer is not JSON ({shorten(text, 80)})")
    for key in expect.get("keys") or []:
        if not find(value, key)[0]:
            held = f"it has {', '.join(value) or 'none'}" if isinstance(value, dict) else "it is no JSON object"
            raise RequestFailure("bad_payload", f"the answer has no key {key!r} ({held})")
    for key, least in lengths.items():
        judge_length(value, key, least)
    judge_words(text, expect, "the answer")
    kind = "Text" if value is None else "JSON"
    return f"{kind} of {counted(len(text), 'character')} came back: {quote(text)}", value


def judge_length(value, key, least):
    there, items = find(value, key)
    if not there or not isinstance(items, list):
        raise RequestFailure("bad_payload", f"the answer has no list {key!r}")
    if len(items) < least:
        raise RequestFailure(
            "bad_payload", f"the list {key!r} has {counted(len(items), 'item')}, expected were {least}"
        )


def judge_words(text, expect, what):
    words = expect.get("contains") or ""
    if words.lower() not in text.lower():
        raise RequestFailure("bad_payload", f"{what} does not hold {words!r} (it says: {shorten(text, 80)})")


def find(value, path):
    """(whether it is there, the value) behind a path of keys and indexes such as data.0.vector."""
    for step in path.split("."):
        if isinstance(value, dict) and step in value:
            value = value[step]
        elif isinstance(value, list) and step.isdigit() and int(step) < len(value):
            value = value[int(step)]
        else:
            return False, None
    return True, value


def shown(text):
    """As much of an answer as a result shows."""
    return redact(text[:LONGEST_TEXT])
