# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import email.utils
import re
import time

import pytest

from ansible_collections.livepeer.ai.plugins.module_utils._hf_errors import (
    SENTENCES,
    HubError,
    amount,
    wait_asked,
)

FACTS = {
    "endpoint": "https://hub",
    "model_id": "org/name",
    "revision": "main",
    "path": "config.json",
    "detail": "detail",
    "seconds": 700,
    "attempts": 6,
    "algorithm": "sha256",
    "found": "f" * 64,
    "digest": "d" * 64,
}


@pytest.mark.parametrize("kind", SENTENCES)
def test_every_error_is_one_sentence_that_names_the_model_or_the_hub(kind):
    text = str(HubError(kind, **FACTS))
    assert text.endswith(".")
    assert "\n" not in text
    assert "org/name" in text or "https://hub" in text
    assert not re.search(r"[{}]", text)


def test_every_kind_is_documented():
    from ansible_collections.livepeer.ai.plugins.modules.hf_snapshot import RETURN

    assert set(SENTENCES) <= set(re.findall(r"V\((\w+)\)", RETURN))


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"Retry-After": "7"}, 7),
        ({"Retry-After": "soon"}, 3),
        ({"RateLimit": '"api";r=0;t=42'}, 42),
        ({}, 3),
    ],
)
def test_wait_asked(headers, seconds):
    assert wait_asked(headers, 3) == seconds


def test_wait_until_a_date():
    headers = {"Retry-After": email.utils.formatdate(time.time() + 30, usegmt=True)}
    assert 28 <= wait_asked(headers, 0) <= 31


@pytest.mark.parametrize(
    ("number", "text"),
    [(0, "0 bytes"), (999, "999 bytes"), (1000, "1.0 kB"), (6941210042, "6.9 GB"), (26 * 10**12, "26000.0 GB")],
)
def test_amount(number, text):
    assert amount(number) == text
