# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The stand-in for torch does with pictures what torch does."""

from __future__ import annotations

import importlib

import numpy as np
import pytest


@pytest.fixture
def torch(packages):
    return importlib.import_module("torch")


def test_arithmetic_with_numbers_keeps_the_kind(torch) -> None:
    picture = torch.rand(1, 4, 4, 3)
    for other in (1.0 - picture, picture * 0.5, picture / 2, picture + np.float64(0.1)):
        assert other.dtype == torch.float32
        assert isinstance(other, torch.Tensor)
    assert torch.allclose(1.0 - (1.0 - picture), picture, atol=1e-6)


def test_numbers_become_float32(torch) -> None:
    assert torch.tensor([0.5]).dtype == torch.float32
    assert torch.tensor(np.array([0.5])).dtype == torch.float64
    assert torch.zeros(2, 3).shape == (2, 3)
    assert torch.full((1, 2), 0.5).dtype == torch.float32


def test_a_mix_of_channels(torch) -> None:
    picture = torch.tensor([[[[0.2, 0.4, 0.6]]]])
    weights = torch.tensor([[0.0, 1.0, 0.0]] * 3)
    assert torch.allclose((picture @ weights.permute(1, 0)).clamp(0.0, 1.0), torch.full((1, 1, 1, 3), 0.4))
    assert torch.equal(picture.squeeze(0).unsqueeze(0), picture)


def test_bytes_wrap_around(torch) -> None:
    assert (torch.tensor([-0.5, -1.0, 256.0, 254.9])).byte().tolist() == [0, 255, 0, 254]


def test_there_is_no_gpu(torch) -> None:
    assert not torch.cuda.is_available()
    with pytest.raises(RuntimeError, match="No CUDA GPUs"):
        torch.zeros(1).to("cuda")
    with pytest.raises(RuntimeError, match="No CUDA GPUs"):
        torch.zeros(1).cuda()


def test_no_grad_is_a_decorator_and_a_context(torch) -> None:
    @torch.no_grad()
    def plain() -> int:
        return 1

    @torch.inference_mode
    def other() -> int:
        return 2

    with torch.inference_mode():
        assert (plain(), other()) == (1, 2)
