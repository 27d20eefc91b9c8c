# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Errors, under the names the real libraries give them.

The last line of a container's log is what an operator (and our runner check) judges by, so an exception prints the
module and class that the real image would print.
"""

from __future__ import annotations


class LocalEntryNotFoundError(FileNotFoundError):
    """huggingface_hub found no usable snapshot or file in the cache."""


class SafetensorError(Exception):
    """A safetensors file whose header and size do not agree."""


class OutOfMemoryError(RuntimeError):
    """torch's CUDA allocator gave up."""


class InferenceError(Exception):
    """A model refused or failed; reported with its own text as HTTP 400."""

    def __init__(self, original: BaseException | str) -> None:
        text = "Error during model execution" if isinstance(original, BaseException) else original
        super().__init__(f"{text}: {original}" if isinstance(original, BaseException) else text)


class LoraLoadingError(Exception):
    """A LoRA was asked for that cannot be used."""


class AudioConversionError(Exception):
    """A container was opened, but holds no audio that can be decoded."""


class Refusal(Exception):
    """A route's own answer, decided before the model is asked."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


LocalEntryNotFoundError.__module__ = "huggingface_hub.utils._errors"
SafetensorError.__module__ = "safetensors_rust"
OutOfMemoryError.__module__ = "torch.cuda"
