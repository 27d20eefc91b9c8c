# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an orchestrator says of itself, and whether that suits a gateway's job (facts 5.1, 5.2).

The shapes are those of protobuf messages printed by encoding/json: a zero or empty value is left out.
"""

from __future__ import annotations

from fractions import Fraction

from . import tables
from .aimodels import capability_of

# What every orchestrator and gateway of this version has: plain transcoding.
DEFAULT_CAPABILITIES = (0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 14, 26)


def bitstring(capabilities):
    """One bit per capability, in 64-bit words."""
    words = [0] * (max(capabilities, default=-1) // 64 + 1)
    for capability in capabilities:
        words[capability // 64] |= 1 << capability % 64
    return words


def without_zeros(message):
    return {key: value for key, value in message.items() if value not in (None, "", 0, False, [], {})}


def describe(version, pool):
    """The Capabilities message: `pool` is {(pipeline, model_id): {"warm", "capacity", "in_use", "runner_version"}}."""
    per_capability = {}
    for (pipeline, model_id), state in sorted(pool.items()):
        models = per_capability.setdefault(str(capability_of(pipeline)), {"models": {}})["models"]
        models[model_id] = without_zeros(
            {
                "warm": state["warm"],
                "capacity": state["capacity"],
                "runnerVersion": state["runner_version"],
                # Only live models say how many of their containers are busy.
                "capacityInUse": state["in_use"] if pipeline == tables.LIVE_PIPELINE else 0,
            }
        )
    offered = sorted({*DEFAULT_CAPABILITIES, *map(int, per_capability)})
    return {
        "bitstring": bitstring(offered),
        "capacities": {str(capability): 1 for capability in offered},
        "version": version,
        "constraints": without_zeros({"PerCapability": per_capability}),
    }


def price_info(price):
    """A price to a thousandth of a wei: numerator and denominator of the reduced fraction."""
    rounded = Fraction(int(price * 1000), 1000)
    return without_zeros({"pricePerUnit": rounded.numerator, "pixelsPerUnit": rounded.denominator})


def capability_prices(prices, gateway):
    """One item per priced model; prices are cut to whole wei, and those for one gateway replace the default."""
    chosen = {}
    for owner in ("default", gateway.lower()):
        for (address, capability, model_id), price in prices.items():
            if address.lower() == owner:
                chosen[capability, model_id] = price
    return [
        without_zeros(
            {"pricePerUnit": int(price // 1), "pixelsPerUnit": 1, "capability": capability, "constraint": model_id}
        )
        for (capability, model_id), price in sorted(chosen.items())
    ]


def models_of(info, capability):
    """{model_id: constraint} that an orchestrator offers for a capability."""
    constraints = info["capabilities"].get("constraints", {})
    return constraints.get("PerCapability", {}).get(str(capability), {}).get("models", {})


def suits(info, capability, model_id):
    """Whether a gateway takes this orchestrator for a job: the capability's bit, and the model by its exact name."""
    wanted, offered = bitstring((*DEFAULT_CAPABILITIES, capability)), info["capabilities"]["bitstring"]
    if len(wanted) > len(offered) or any(w & o != w for w, o in zip(wanted, offered, strict=False)):
        return False
    return model_id in models_of(info, capability)


NETWORK_KEYS = (
    "address",
    "local_address",
    "orch_uri",
    "capabilities",
    "price_info",
    "capabilities_prices",
    "hardware",
)


def network_item(info):
    """One element of getNetworkCapabilities.orchestrators: what the orchestrator said, less its secrets."""
    return {key: info[key] for key in NETWORK_KEYS}


def names():
    """capabilities_names; encoding/json sorts the keys of a map as texts."""
    by_text = {str(number): name for number, name in tables.CAPABILITY_NAMES.items()}
    return dict(sorted(by_text.items()))
