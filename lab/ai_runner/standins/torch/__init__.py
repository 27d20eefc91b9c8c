# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A stand-in for PyTorch over numpy: tensors on the CPU, and of their methods what pipelines do with pictures.

No gradients, no modules, no GPU; what is missing raises AttributeError.
"""

from __future__ import annotations

import contextlib
from types import SimpleNamespace
from typing import Any

import numpy as np

__version__ = "2.8.0+standin"

float16, float32, float64 = np.dtype("float16"), np.dtype("float32"), np.dtype("float64")
uint8, int32, int64, bool_ = np.dtype("uint8"), np.dtype("int32"), np.dtype("int64"), np.dtype("bool")
float, half, long = float32, float16, int64


class OutOfMemoryError(RuntimeError):
    """What a full GPU raises."""


cuda = SimpleNamespace(
    is_available=lambda: False,
    device_count=lambda: 0,
    empty_cache=lambda: None,
    synchronize=lambda: None,
    OutOfMemoryError=OutOfMemoryError,
)


class device:
    def __init__(self, name: str) -> None:
        self.type, _, index = str(name).partition(":")
        self.index = int(index) if index else None
        if self.type not in ("cpu", "cuda"):
            raise RuntimeError(f"no device of the type {self.type}")

    def __str__(self) -> str:
        return self.type if self.index is None else f"{self.type}:{self.index}"

    def __eq__(self, other: object) -> bool:
        return str(self) == str(other)

    def __hash__(self) -> int:
        return hash(str(self))


def _raw(value: Any) -> Any:
    return value._values if isinstance(value, Tensor) else value


def _index(key: Any) -> Any:
    return tuple(_raw(part) for part in key) if isinstance(key, tuple) else _raw(key)


class Tensor:
    """An array that answers to a tensor's names."""

    is_cuda = False
    __array_priority__ = 100

    def __init__(self, values: Any) -> None:
        self._values = np.asarray(values)

    @property
    def shape(self) -> tuple[int, ...]:
        return self._values.shape

    @property
    def ndim(self) -> int:
        return self._values.ndim

    @property
    def dtype(self) -> np.dtype:
        return self._values.dtype

    @property
    def device(self) -> device:
        return device("cpu")

    def size(self, dim: int | None = None) -> Any:
        return self.shape if dim is None else self.shape[dim]

    def dim(self) -> int:
        return self.ndim

    def numel(self) -> int:
        return self._values.size

    def is_floating_point(self) -> bool:
        return self.dtype.kind == "f"

    def numpy(self) -> np.ndarray:
        return self._values

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return np.array(self._values, dtype=dtype, copy=True) if copy else np.asarray(self._values, dtype=dtype)

    def cpu(self) -> Tensor:
        return self

    def detach(self) -> Tensor:
        return self

    def contiguous(self) -> Tensor:
        return Tensor(np.ascontiguousarray(self._values))

    def cuda(self, device: Any = None) -> Tensor:
        raise RuntimeError("No CUDA GPUs are available")

    def to(self, *targets: Any, **named: Any) -> Tensor:
        """To a kind of number; of devices there is one."""
        values = self._values
        for target in (*targets, *named.values()):
            if isinstance(target, np.dtype):
                values = values.astype(target)
            elif isinstance(target, Tensor):
                values = values.astype(target.dtype)
            elif not isinstance(target, bool) and device(target).type == "cuda":
                raise RuntimeError("No CUDA GPUs are available")
        return Tensor(values)

    def clone(self) -> Tensor:
        return Tensor(self._values.copy())

    def float(self) -> Tensor:
        return self.to(float32)

    def half(self) -> Tensor:
        return self.to(float16)

    def byte(self) -> Tensor:
        """As the C cast does: the fraction is cut off, the rest wraps around."""
        return Tensor((np.trunc(self._values).astype(np.int64) % 256).astype(np.uint8))

    def clamp(self, min: Any = None, max: Any = None) -> Tensor:
        return Tensor(np.clip(self._values, _raw(min), _raw(max)))

    clip = clamp

    def clamp_(self, min: Any = None, max: Any = None) -> Tensor:
        self._values = np.clip(self._values, _raw(min), _raw(max))
        return self

    def round(self) -> Tensor:
        return Tensor(np.round(self._values))

    def abs(self) -> Tensor:
        return Tensor(np.abs(self._values))

    def squeeze(self, dim: int | None = None) -> Tensor:
        if dim is not None and self.shape[dim] != 1:
            return self
        return Tensor(np.squeeze(self._values, dim))

    def unsqueeze(self, dim: int) -> Tensor:
        return Tensor(np.expand_dims(self._values, dim))

    def permute(self, *dims: Any) -> Tensor:
        return Tensor(np.transpose(self._values, dims[0] if isinstance(dims[0], (tuple, list)) else dims))

    def reshape(self, *shape: Any) -> Tensor:
        return Tensor(self._values.reshape(*shape))

    view = reshape

    def expand(self, *shape: Any) -> Tensor:
        wanted = [have if want == -1 else want for want, have in zip(shape, self.shape)]
        return Tensor(np.broadcast_to(self._values, wanted))

    def flip(self, *dims: Any) -> Tensor:
        return Tensor(np.flip(self._values, dims[0] if isinstance(dims[0], (tuple, list)) else dims))

    def mean(self, dim: Any = None, keepdim: bool = False) -> Tensor:
        return Tensor(self._values.mean(axis=dim, keepdims=keepdim))

    def sum(self, dim: Any = None, keepdim: bool = False) -> Tensor:
        return Tensor(self._values.sum(axis=dim, keepdims=keepdim))

    def min(self) -> Tensor:
        return Tensor(self._values.min())

    def max(self) -> Tensor:
        return Tensor(self._values.max())

    def all(self) -> Tensor:
        return Tensor(self._values.all())

    def any(self) -> Tensor:
        return Tensor(self._values.any())

    def item(self) -> Any:
        return self._values.item()

    def tolist(self) -> Any:
        return self._values.tolist()

    def mul(self, other: Any) -> Tensor:
        return self * other

    def add(self, other: Any) -> Tensor:
        return self + other

    def __getitem__(self, key: Any) -> Tensor:
        return Tensor(self._values[_index(key)])

    def __setitem__(self, key: Any, value: Any) -> None:
        self._values[_index(key)] = _raw(value)

    def __len__(self) -> int:
        return len(self._values)

    def __bool__(self) -> bool:
        return bool(self._values)

    def __float__(self) -> Any:
        return self._values.item() * 1.0

    def __int__(self) -> int:
        return int(self._values)

    def __neg__(self) -> Tensor:
        return Tensor(-self._values)

    def __repr__(self) -> str:
        return f"tensor({self._values!r})"

    __hash__ = object.__hash__


def _operator(name: str) -> Any:
    def apply(self: Tensor, other: Any) -> Tensor:
        values = getattr(self._values, name)(_raw(other))
        # As torch does: a Python number leaves the kind of floating point as it is.
        keep = self.is_floating_point() and values.dtype.kind == "f" and not isinstance(other, Tensor)
        return Tensor(values.astype(self.dtype) if keep else values)

    return apply


for _name in ("add", "sub", "mul", "truediv", "pow", "mod", "matmul"):
    setattr(Tensor, f"__{_name}__", _operator(f"__{_name}__"))
    setattr(Tensor, f"__r{_name}__", _operator(f"__r{_name}__"))
for _name in ("lt", "le", "gt", "ge", "eq", "ne", "and", "or"):
    setattr(Tensor, f"__{_name}__", _operator(f"__{_name}__"))


def _made(values: np.ndarray, dtype: Any) -> Tensor:
    if dtype is not None:
        return Tensor(values.astype(dtype))
    return Tensor(values.astype(np.float32) if values.dtype == np.float64 else values)


def tensor(values: Any, dtype: Any = None, device: Any = None) -> Tensor:
    source = np.array(_raw(values))
    kept = isinstance(values, (np.ndarray, Tensor))
    return Tensor(source if dtype is None and kept else _made(source, dtype).numpy())


def from_numpy(values: np.ndarray) -> Tensor:
    return Tensor(values)


def as_tensor(values: Any, dtype: Any = None, device: Any = None) -> Tensor:
    return values if isinstance(values, Tensor) and dtype is None else tensor(values, dtype)


def _shape(shape: tuple[Any, ...]) -> tuple[int, ...]:
    return tuple(shape[0]) if shape and isinstance(shape[0], (tuple, list)) else shape


def zeros(*shape: Any, dtype: Any = None, device: Any = None) -> Tensor:
    return _made(np.zeros(_shape(shape)), dtype)


def ones(*shape: Any, dtype: Any = None, device: Any = None) -> Tensor:
    return _made(np.ones(_shape(shape)), dtype)


def rand(*shape: Any, dtype: Any = None, device: Any = None) -> Tensor:
    return _made(np.random.default_rng().random(_shape(shape)), dtype)


def full(shape: Any, value: Any, dtype: Any = None, device: Any = None) -> Tensor:
    return _made(np.full(shape, value), dtype)


def linspace(start: Any, end: Any, steps: int, dtype: Any = None, device: Any = None) -> Tensor:
    return _made(np.linspace(start, end, steps), dtype)


def arange(*bounds: Any, dtype: Any = None, device: Any = None) -> Tensor:
    return _made(np.arange(*bounds), dtype)


def zeros_like(like: Tensor) -> Tensor:
    return Tensor(np.zeros_like(_raw(like)))


def ones_like(like: Tensor) -> Tensor:
    return Tensor(np.ones_like(_raw(like)))


def clamp(source: Tensor, min: Any = None, max: Any = None) -> Tensor:
    return source.clamp(min, max)


def flip(source: Tensor, dims: Any) -> Tensor:
    return source.flip(dims)


def stack(tensors: Any, dim: int = 0) -> Tensor:
    return Tensor(np.stack([_raw(one) for one in tensors], dim))


def cat(tensors: Any, dim: int = 0) -> Tensor:
    return Tensor(np.concatenate([_raw(one) for one in tensors], dim))


def where(condition: Tensor, this: Any, other: Any) -> Tensor:
    return Tensor(np.where(_raw(condition), _raw(this), _raw(other)))


def matmul(left: Tensor, right: Tensor) -> Tensor:
    return Tensor(np.matmul(_raw(left), _raw(right)))


def equal(left: Tensor, right: Tensor) -> bool:
    return bool(np.array_equal(_raw(left), _raw(right)))


def allclose(left: Tensor, right: Tensor, rtol: Any = 1e-05, atol: Any = 1e-08) -> bool:
    return bool(np.allclose(_raw(left), _raw(right), rtol, atol))


def is_tensor(value: Any) -> bool:
    return isinstance(value, Tensor)


def manual_seed(seed: int) -> None:
    np.random.seed(seed)


class _Grad(contextlib.ContextDecorator):
    """no_grad and inference_mode: there are no gradients to keep."""

    def __call__(self, function: Any = None) -> Any:
        return self if function is None else super().__call__(function)

    def __enter__(self) -> _Grad:
        return self

    def __exit__(self, *details: Any) -> None:
        return None


def no_grad(function: Any = None) -> Any:
    return _Grad()(function)


def inference_mode(function: Any = None) -> Any:
    return _Grad()(None if isinstance(function, bool) else function)
