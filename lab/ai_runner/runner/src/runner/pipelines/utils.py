# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where models lie. The imports are those of the real module: a package that lacks one of them fails here too."""

from __future__ import annotations

import os
from pathlib import Path

import diffusers
import torch
import transformers

# What a package that uses the live wrapper must bring itself.
REQUIRED = (diffusers, torch, transformers)


def get_model_dir() -> Path:
    return Path(os.environ["MODEL_DIR"])


def get_torch_device() -> torch.device:
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")
