# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Your service with its weights: `SERVICE_DIR=... MODEL_DIR=... MODEL_ID=... pytest tests`. Add your own claims."""

from __future__ import annotations

import os
from pathlib import Path

TEMPLATE = Path(__file__).resolve().parents[1]
# What the container would be started with.
ENVIRONMENT = {name: os.environ[name] for name in ("MODEL_DIR", "MODEL_ID", "MODEL_REVISION") if name in os.environ}


def test_the_example_counts_words(start) -> None:
    service = start(TEMPLATE / "service")
    assert service.ask("POST", "/v1/infer", {"text": "To be or not to be"}) == (200, {"words": 6, "distinct": 4})
    assert service.ask("POST", "/v1/infer", {"text": 6}) == (400, {"error": "`text` must be a string"})


def test_your_service_loads(start) -> None:
    service = start(Path(os.environ.get("SERVICE_DIR") or TEMPLATE / "service").resolve(), **ENVIRONMENT)
    assert service.health()[1]["status"] == "ready"
