# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The environment, read once.

The first group exists in the real images too (ai-runner.md 4.4); the second is the stand-in's own and drives tests.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Settings:
    pipeline: str = ""
    model_id: str = ""
    model_dir: Path = Path("/models")
    hub_cache: Path = Path("/models")
    host: str = "0.0.0.0"
    port: int = 8000
    version: str = "undefined"
    verbose: bool = False
    auth_token: str = ""
    hub_offline: bool = False
    bfloat16: bool = False
    backend: str = "transformers"
    max_model_len: int = 8192
    tensor_parallel_size: int = 1
    pipeline_parallel_size: int = 1

    device: str = "cuda"
    gpus: dict[str, dict] = field(default_factory=dict)
    block_event_loop: bool = True
    load_seconds: float = 0.0
    inference_seconds: float = 0.0
    health_status: str = "OK"
    out_of_memory_after: int | None = None

    @classmethod
    def from_environment(cls, env: Mapping[str, str] = os.environ) -> Settings:
        model_dir = Path(env.get("MODEL_DIR") or Path.home() / ".lpData" / "models")
        out_of_memory_after = env.get("OOM_AFTER", "")
        return cls(
            pipeline=env.get("PIPELINE", ""),
            model_id=env.get("MODEL_ID", ""),
            model_dir=model_dir,
            # The images set both to /models; a bare process started for a test may set only MODEL_DIR.
            hub_cache=Path(env.get("HUGGINGFACE_HUB_CACHE") or model_dir),
            host=env.get("HOST") or "0.0.0.0",
            port=int(env.get("PORT") or 8000),
            version=env.get("VERSION", "undefined"),
            verbose=env.get("VERBOSE_LOGGING") == "1",
            auth_token=env.get("AUTH_TOKEN", ""),
            hub_offline=env.get("HF_HUB_OFFLINE", "").upper() in {"1", "ON", "YES", "TRUE"},
            bfloat16=bool(env.get("BFLOAT16")),
            backend=env.get("BACKEND", "transformers"),
            max_model_len=int(env.get("MAX_MODEL_LEN", "8192")),
            tensor_parallel_size=int(env.get("TENSOR_PARALLEL_SIZE", "1")),
            pipeline_parallel_size=int(env.get("PIPELINE_PARALLEL_SIZE", "1")),
            device=env.get("DEVICE", "cuda"),
            gpus=json.loads(env.get("GPU_INFO", "{}")),
            block_event_loop=env.get("BLOCK_EVENT_LOOP", "1") != "0",
            load_seconds=float(env.get("LOAD_SECONDS", "0")),
            inference_seconds=float(env.get("INFERENCE_SECONDS", "0")),
            health_status=env.get("HEALTH_STATUS", "OK"),
            out_of_memory_after=int(out_of_memory_after) if out_of_memory_after else None,
        )
