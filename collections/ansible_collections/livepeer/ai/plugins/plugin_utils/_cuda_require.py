# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an image demands of the driver, judged as NVIDIA's container hook does. Private to the collection.

The hook (nvidia-container-toolkit, internal/config/image/cuda_image.go) collects NVIDIA_REQUIRE_* from the container's
environment, and nvidia-container-cli (libnvidia-container, src/cli/dsl.c and configure.c) judges each of them for each
GPU of the container: a space means "or", a comma "and", the first alternative that holds is enough. `cuda` is the CUDA
version of the host's driver. Libraries for forward compatibility inside the image play no part in the judgement: an
image says itself for which brands and driver branches they help, in alternatives like
brand=tesla,driver>=535,driver<536.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

PREFIX = "NVIDIA_REQUIRE_"
# Only judged on Jetson boards.
NOT_JUDGED = "NVIDIA_REQUIRE_JETPACK"
DISABLE = "NVIDIA_DISABLE_REQUIRE"
# What Go's strconv.ParseBool takes for true.
TRUE = ("1", "t", "T", "TRUE", "true", "True")
# libnvidia-container knows these brands; the many that NVML has added since (NVIDIA, NVIDIA RTX, ...) are one to it.
BRANDS = ("quadro", "tesla", "nvs", "grid", "geforce", "titan")
OTHER_BRAND = "unknown"
# In the order in which they are compared: a lone ! is taken for != there.
OPERATORS = ("=", "!=", "<", "<=", ">", ">=")
EXPRESSION = re.compile(r"([^<>=!]+)([<>=!]+)([^<>=!].*)", re.DOTALL)
VERSION = re.compile(r"[0-9.]*")
CUDA_VERSION = re.compile(r"v?(\d+)(?:\.(\d+))?(?:\.\d+)?(?:[-+].*)?")


class RequireError(ValueError):
    """A requirement that the hook cannot read, with which it refuses every container of the image."""


@dataclass
class Facts:
    """What requirements are about, for one GPU; an empty value is one that nobody could tell."""

    cuda: str = ""
    driver: str = ""
    arch: str = ""
    brand: str = ""

    def of(self, name):
        value = getattr(self, name)
        if name == "brand" and value:
            return value.lower() if value.lower() in BRANDS else OTHER_BRAND
        return value


def environment_of(lines):
    """The environment of an image, as a list of NAME=value, as a dictionary."""
    return dict(line.partition("=")[::2] for line in lines or [])


def requirements(environment):
    """(variable, requirement) of everything the hook would judge for a container with this environment."""
    if environment.get(DISABLE) in TRUE:
        return []
    found = [
        (name, value)
        for name, value in sorted(environment.items())
        if name.startswith(PREFIX) and not name.startswith(NOT_JUDGED)
    ]
    # Images from before requirements existed say their CUDA version only.
    version = environment.get("CUDA_VERSION", "")
    if version and not environment.get(f"{PREFIX}CUDA"):
        match = CUDA_VERSION.fullmatch(version)
        if not match:
            raise RequireError(f"CUDA_VERSION is {version!r}, which is no version")
        found.append(("CUDA_VERSION", f"cuda>={match.group(1)}.{match.group(2) or 0}"))
    return found


def unsatisfied(environment, facts):
    """(variable, requirement) of those that this GPU and its driver do not satisfy."""
    return [(name, value) for name, value in requirements(environment) if not holds(value, facts)]


def holds(requirement, facts):
    """Whether a requirement holds for a GPU."""
    verdict = True
    for alternative in requirement.split(" "):
        if not alternative:
            continue
        for expression in filter(None, alternative.split(",")):
            verdict = _evaluate(expression, facts)
            if not verdict:
                break
        else:
            # Every part held, or there was none to change the verdict.
            return verdict
    return verdict


def _evaluate(expression, facts):
    match = EXPRESSION.fullmatch(expression)
    if not match:
        raise RequireError(f"{expression!r} is no condition")
    name, sign, wanted = match.groups()
    operator = next((known for known in OPERATORS if known.startswith(sign)), None)
    if not operator or name.lower() not in ("cuda", "driver", "arch", "brand"):
        raise RequireError(f"{expression!r} is no condition")
    known = facts.of(name.lower())
    if not known:
        return True
    if name.lower() == "brand":
        if operator not in ("=", "!="):
            raise RequireError(f"{expression!r} compares a brand by size")
        return (known == wanted.lower()) == (operator == "=")
    return _compare(known, operator, wanted, expression)


def _compare(known, operator, wanted, expression):
    """Versions number by number; a missing rest counts as zeros."""
    if not (VERSION.fullmatch(known) and VERSION.fullmatch(wanted) and wanted.strip(".")):
        raise RequireError(f"{expression!r} holds no version")
    one, other = ([int(part) for part in text.split(".") if part] for text in (known, wanted))
    length = max(len(one), len(other))
    one, other = (numbers + [0] * (length - len(numbers)) for numbers in (one, other))
    return {
        "=": one == other,
        "!=": one != other,
        "<": one < other,
        "<=": one <= other,
        ">": one > other,
        ">=": one >= other,
    }[operator]
