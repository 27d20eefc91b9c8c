# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The price flags of on-chain nodes (facts 1.9)."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path

import pytest
from livepeer_node import pricing
from livepeer_node.aimodels import Entry, PriceError
from livepeer_node.node import GATEWAY, ORCHESTRATOR, Node
from livepeer_node.settings import Settings


def node(kind, *arguments):
    return Node(Settings.parse(["-network", "arbitrum-one-mainnet", *arguments], {}), kind, Path())


def orchestrator(*arguments):
    made = node(ORCHESTRATOR, *arguments)
    pricing.set_orchestrator_prices(made)
    return made


def gateway(*arguments):
    made = node(GATEWAY, *arguments)
    pricing.set_gateway_limits(made)
    return made


def test_an_orchestrator_must_name_a_price_unless_it_has_a_worker():
    with pytest.raises(PriceError, match="-pricePerUnit must be set"):
        orchestrator()
    assert orchestrator("-aiWorker").base_prices == {}
    assert orchestrator("-pricePerUnit", "0").base_prices == {"default": 0}


def test_the_base_price_is_per_pixel_and_may_be_in_dollars():
    assert orchestrator("-pricePerUnit", "10", "-pixelsPerUnit", "4").base_prices["default"] == Fraction(5, 2)
    assert orchestrator("-pricePerUnit", "3USD").base_prices["default"] == 10**15


@pytest.mark.parametrize("price", ["-1", "1 wei", "free", "1EUR"])
def test_a_price_that_panics(price):
    with pytest.raises(PriceError):
        orchestrator(f"-pricePerUnit={price}")


def test_prices_per_gateway_come_from_text_or_file(tmp_path):
    text = json.dumps({"gateways": [{"ethaddress": "0xAB", "priceperunit": 0.5, "currency": "", "pixelsperunit": 2}]})
    file = tmp_path / "prices.json"
    file.write_text(text)
    for given in (text, str(file)):
        assert orchestrator("-aiWorker", "-pricePerGateway", given).base_prices == {"0xab": Fraction(1, 4)}


def test_unreadable_prices_per_gateway_are_only_logged(capsys):
    assert orchestrator("-aiWorker", "-pricePerGateway", "/no/such.json").base_prices == {}
    assert "gateway prices could not be parsed" in capsys.readouterr().err


def test_a_model_is_priced_by_gateway_capability_and_model():
    made = node(ORCHESTRATOR, "-pricePerUnit", "7")
    pricing.set_model_price(made, Entry("upscale", "a/b", gateway="0xAB", price_per_unit=Fraction(2)))
    pricing.set_model_price(made, Entry("llm", "c/d"))
    assert made.prices == {("0xab", 30, "a/b"): 2, ("default", 33, "c/d"): 7}


def test_zero_base_price_and_an_unpriced_model_panic():
    with pytest.raises(PriceError, match="'pricePerUnit' must be set for model 'a/b' in pipeline 'upscale'"):
        pricing.set_model_price(node(ORCHESTRATOR, "-pricePerUnit", "0"), Entry("upscale", "a/b"))


def test_a_gateways_limits():
    limits = json.dumps(
        {
            "capabilities_prices": [
                {"pipeline": "upscale", "model_id": "a/b", "price_per_unit": 1000, "pixels_per_unit": 10},
                {"pipeline": "llm", "price_per_unit": 3, "currency": "wei"},
            ]
        }
    )
    made = gateway("-maxPricePerUnit", "5", "-maxPricePerCapability", limits)
    assert made.max_price == 5
    assert made.max_prices == {(30, "a/b"): 100, (33, "default"): 3}
    assert gateway().max_price is None


def test_an_unknown_pipeline_in_the_limits_panics():
    with pytest.raises(PriceError, match="not valid capability: sculpture"):
        gateway("-maxPricePerCapability", '{"capabilities_prices": [{"pipeline": "sculpture", "price_per_unit": 1}]}')
