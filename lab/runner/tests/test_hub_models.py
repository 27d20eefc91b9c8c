# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab's Hub and the runner agree: every repository the Hub serves is one its pipeline starts from."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from runner.pipelines import load_pipeline
from runner.settings import Settings
from runner_fixtures import LIGHTNING, MODEL_OF, NO_VAE, lay_out_folder

MAKE_MODELS = Path(__file__).parents[2] / "hub" / "make_models.py"


@pytest.fixture(scope="module")
def hub_models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    source, models = tmp_path_factory.mktemp("hub"), tmp_path_factory.mktemp("hub-models")
    subprocess.run([sys.executable, str(MAKE_MODELS), str(source)], check=True, capture_output=True)
    for folder in source.glob("*/*/"):
        lay_out_folder(models, f"{folder.parent.name}/{folder.name}", folder)
    return models


@pytest.mark.parametrize(
    ("pipeline", "model_id"),
    [
        *MODEL_OF.items(),
        ("text-to-image", LIGHTNING),
        ("text-to-image", f"{LIGHTNING}-4step"),
        ("text-to-image", NO_VAE),
        ("text-to-image", "black-forest-labs/FLUX.1-schnell"),
        ("text-to-image", "stabilityai/stable-diffusion-3-medium-diffusers"),
        ("audio-to-text", "openai/whisper-medium"),
    ],
)
def test_a_repository_of_the_labs_hub_starts(hub_models: Path, pipeline: str, model_id: str) -> None:
    settings = Settings(pipeline=pipeline, model_id=model_id, model_dir=hub_models, hub_cache=hub_models)
    assert load_pipeline(settings).weights
