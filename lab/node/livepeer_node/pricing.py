# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an on-chain node asks and pays: the price flags and what they panic at (facts 1.9)."""

from __future__ import annotations

import json
from fractions import Fraction

from . import aimodels, log
from .aimodels import PriceError
from .node import Node
from .settings import Settings, read_value_or_file


def _converted(price: Fraction, currency: str, what: str = "price") -> Fraction:
    try:
        return aimodels.to_wei(price, currency)
    except PriceError as error:
        raise PriceError(f"Error converting {what}: {error}") from error


def set_orchestrator_prices(node: Node) -> None:
    """-pricePerUnit, which only an AI worker may leave out, and -pricePerGateway."""
    settings = node.settings
    pixels = aimodels.parse_pixels(settings["pixelsPerUnit"])
    if settings.given("pricePerUnit"):
        node.base_prices["default"] = _base_price(settings, pixels)
    elif not settings["aiWorker"]:
        raise PriceError("-pricePerUnit must be set")
    per_gateway = settings["pricePerBroadcaster"] or settings["pricePerGateway"]
    for item in _listed(per_gateway, "gateway", "broadcasters", "gateways"):
        price, per = _number(item, "priceperunit"), _number(item, "pixelsperunit")
        if price is None or not per:
            raise PriceError("runtime error: invalid memory address or nil pointer dereference")
        address = str(item.get("ethaddress", ""))
        wei = _converted(price / per, str(item.get("currency", "")), f"price for gateway {address}")
        node.base_prices[address.lower()] = wei


def _base_price(settings: Settings, pixels: Fraction) -> Fraction:
    text = settings["pricePerUnit"]
    try:
        price, currency = aimodels.parse_price(text)
    except PriceError as error:
        raise PriceError(f"-pricePerUnit must be a valid integer with an optional currency, provided {text}") from error
    wei = _converted(price / pixels, currency)
    log.info(f"Price: {float(wei):.3f} wei per {'compute unit' if settings['aiWorker'] else 'pixel'}")
    return wei


def set_model_price(node: Node, entry: aimodels.Entry) -> None:
    """The price of one entry of -aiModels, by gateway, capability and model."""
    settings = node.settings
    base = settings["pricePerUnit"] if settings.given("pricePerUnit") else None
    key = ((entry.gateway or "default").lower(), aimodels.capability_of(entry.pipeline), entry.model_id)
    node.prices[key] = aimodels.entry_price(entry, base, settings["pixelsPerUnit"])


def set_gateway_limits(node: Node) -> None:
    """-maxPricePerUnit and -maxPricePerCapability, with -pixelsPerUnit."""
    settings = node.settings
    pixels = aimodels.parse_pixels(settings["pixelsPerUnit"])
    try:
        limit, currency = aimodels.parse_price(settings["maxPricePerUnit"])
    except PriceError as error:
        raise PriceError(
            "The maximum price per unit must be a valid integer with an optional currency, "
            f"provided {settings['maxPricePerUnit']} instead"
        ) from error
    if limit > 0:
        node.max_price = _converted(limit / pixels, currency)
    for item in _listed(settings["maxPricePerCapability"], "model", "capabilities_prices"):
        _set_capability_limit(node, item, limit, pixels)


def _set_capability_limit(node: Node, item: dict, limit: Fraction, pixels: Fraction) -> None:
    pipeline, model = str(item.get("pipeline", "")), str(item.get("model_id", "")) or "default"
    price, per = _number(item, "price_per_unit"), _number(item, "pixels_per_unit")
    price = price if price and price > 0 else limit
    if price <= 0:
        log.warning(
            f"Maximum price per unit for capability={pipeline} model_id={model} in 'maxPricePerCapability' config "
            "is not greater than 0, and 'maxPricePerUnit' not set, gateway is currently set to accept ANY price."
        )
        return
    capability = aimodels.capability_of(pipeline)
    if capability is None:
        raise PriceError(f"Pipeline in 'maxPricePerCapability' config is not valid capability: {pipeline}")
    wei = _converted(price / (per if per and per > 0 else pixels), str(item.get("currency", "")))
    node.max_prices[capability, model] = wei


def _listed(text: str, what: str, *keys: str) -> list[dict]:
    """The items under `keys` of a JSON text or file; what cannot be parsed is only logged, as upstream does."""
    if not text:
        return []
    from_file = read_value_or_file(text)
    try:
        document = json.loads(from_file, parse_float=Fraction, parse_int=Fraction)
        items = [item for key in keys for item in (document.get(key) or [])]
        if not all(isinstance(item, dict) for item in items):
            raise ValueError("json: cannot unmarshal into Go struct")
    except (ValueError, AttributeError, TypeError) as error:
        log.error(f"{what} prices could not be parsed: {error}")
        return []
    return items


def _number(item: dict, key: str) -> Fraction | None:
    value = item.get(key)
    return value if isinstance(value, Fraction) else None
