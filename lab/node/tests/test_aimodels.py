# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""aiModels.json, its inline form, and on-chain prices (facts 1.9, 2.1, 2.2, 2.6)."""

from __future__ import annotations

import json
from fractions import Fraction

import pytest
from livepeer_node import aimodels
from livepeer_node.aimodels import Entry, ModelsError, PriceError, entry_price, parse, parse_json


def one(**keys):
    (entry,) = parse_json(json.dumps([{"pipeline": "upscale", "model_id": "a/b", **keys}]).encode())
    return entry


def refusal(text):
    with pytest.raises(ModelsError) as caught:
        parse_json(text.encode())
    return str(caught.value)


def test_every_key():
    entry = one(
        url="http://h:8000",
        token="t",
        warm=True,
        capacity=3,
        gateway="0xAb",
        currency="USD",
        price_per_unit=0.18,
        pixels_per_unit=1000,
        optimization_flags={"SFAST": True, "X": "y", "N": None},
    )
    assert entry == Entry(
        "upscale",
        "a/b",
        "http://h:8000",
        "t",
        True,
        3,
        {"SFAST": "true", "X": "y", "N": "false"},
        "0xAb",
        Fraction("0.18"),
        Fraction(1000),
        "USD",
    )


def test_defaults():
    assert one() == Entry("upscale", "a/b")


@pytest.mark.parametrize("text", ['{"pipeline": "upscale"}', '"text"', "1", "true"])
def test_the_top_level_must_be_an_array(text):
    assert "of type []core.AIModelConfig" in refusal(text)


def test_null_is_an_empty_list():
    assert parse_json(b"null") == []


@pytest.mark.parametrize(
    ("keys", "text"),
    [
        ('"warm": "true"', "cannot unmarshal string into Go struct field AIModelConfig.warm of type bool"),
        ('"warm": 1', "cannot unmarshal number into Go struct field AIModelConfig.warm of type bool"),
        ('"capacity": "2"', "cannot unmarshal string into Go struct field AIModelConfig.capacity of type int"),
        ('"capacity": 2.0', "cannot unmarshal number 2.0 into Go struct field AIModelConfig.capacity of type int"),
        ('"model_id": 1', "cannot unmarshal number into Go struct field AIModelConfig.model_id of type string"),
        ('"price_per_unit": "100"', 'value is not a number: "100"'),
        ('"price_per_unit": null', "value is not a number: null"),
        ('"pixels_per_unit": true', "value is not a number: true"),
        ('"optimization_flags": {"A": 1}', "cannot unmarshal number into Go value of type string"),
        ('"optimization_flags": {"A": []}', "cannot unmarshal array into Go value of type string"),
        ('"optimization_flags": ["A"]', "AIModelConfig.optimization_flags"),
    ],
)
def test_a_wrong_type_anywhere_refuses_the_whole_file(keys, text):
    good = '{"pipeline": "upscale", "model_id": "good", "warm": true}'
    assert text in refusal(f'[{good}, {{"pipeline": "upscale", {keys}}}]')


@pytest.mark.parametrize("text", ["[", "[{}],", '[{"warm": true,}]', "[{'warm': true}]", "// no\n[]", "", "[NaN]"])
def test_what_is_no_json_is_refused(text):
    refusal(text)


@pytest.mark.parametrize("written", ["1", "0.18", "1e-6", "-1", "0"])
def test_prices_are_exact_rationals(written):
    (entry,) = parse_json(f'[{{"price_per_unit": {written}}}]'.encode())
    assert entry.price_per_unit == Fraction(written)


def test_an_absurd_exponent_is_no_number():
    assert "value is not a number" in refusal('[{"price_per_unit": 1e99999999}]')


def test_unknown_keys_are_ignored_case_does_not_matter_and_the_last_duplicate_wins():
    (entry,) = parse_json(b'[{"Pipeline": "x", "PIPELINE": "upscale", "revision": 1, "warm": true, "warm": false}]')
    assert (entry.pipeline, entry.warm) == ("upscale", False)


def test_null_leaves_the_default_where_it_is_allowed():
    assert one(warm=None, capacity=None, url=None, optimization_flags=None) == Entry("upscale", "a/b")


def test_the_inline_form():
    assert parse("upscale:a/b:true,llm:c/d:0:more") == [Entry("upscale", "a/b", warm=True), Entry("llm", "c/d")]


def test_a_wrong_path_gives_the_misleading_message(tmp_path):
    with pytest.raises(ModelsError, match="invalid AI model config expected <pipeline>:<model_id>:<warm>"):
        parse(str(tmp_path / "aiModels.json"))


def test_the_inline_warm_is_a_go_bool():
    with pytest.raises(ModelsError, match='parsing "yes": invalid syntax'):
        parse("upscale:a/b:yes")


def test_a_file_is_read(tmp_path):
    file = tmp_path / "aiModels.json"
    file.write_text('[{"pipeline": "upscale", "model_id": "a/b"}]')
    assert parse(str(file)) == [Entry("upscale", "a/b")]


@pytest.mark.parametrize(
    ("name", "capability"),
    [
        ("text-to-image", 27),
        ("image-to-image", 28),
        ("image-to-video", 29),
        ("upscale", 30),
        ("audio-to-text", 31),
        ("segment-anything-2", 32),
        ("llm", 33),
        ("image-to-text", 34),
        ("live-video-to-video", 35),
        ("text-to-speech", 36),
        ("Text-to-image", 27),
        ("text to image", 27),
        ("H.264", 0),
        ("", None),
        ("byoc", None),
        ("TEXT-TO-IMAGE", None),
        ("text_to_image", None),
    ],
)
def test_pipeline_names(name, capability):
    assert aimodels.capability_of(name) == capability


# --- prices ----------------------------------------------------------------------------------------------------
def test_an_entrys_own_price_counts_even_when_it_is_zero():
    assert entry_price(Entry(price_per_unit=Fraction(0)), "5", "1") == 0
    assert entry_price(Entry(price_per_unit=Fraction(10), pixels_per_unit=Fraction(4)), None, "1") == Fraction(5, 2)


def test_the_base_price_stands_in_unless_it_is_zero_or_unset():
    assert entry_price(Entry(), "6wei", "2") == 3
    for base in ("0", None):
        with pytest.raises(PriceError, match="'pricePerUnit' must be set for model"):
            entry_price(Entry(model_id="a/b"), base, "1")


@pytest.mark.parametrize(("currency", "wei"), [("", 1), ("WEI", 1), ("eth", 10**18), ("USD", Fraction(10**18, 3000))])
def test_currencies(currency, wei):
    assert entry_price(Entry(price_per_unit=Fraction(1), currency=currency), None, "1") == wei


def test_a_currency_without_a_feed_panics():
    with pytest.raises(PriceError, match="price feed does not have EUR as a currency"):
        entry_price(Entry(price_per_unit=Fraction(1), currency="eur"), None, "1")


@pytest.mark.parametrize("pixels", [Fraction(0), Fraction(-1), Fraction(1, 2)])
def test_pixels_per_unit_must_be_a_positive_integer(pixels):
    with pytest.raises(PriceError, match="must be a valid positive integer"):
        entry_price(Entry(price_per_unit=Fraction(1), pixels_per_unit=pixels), None, "1")


def test_a_negative_price_panics():
    with pytest.raises(PriceError, match="must be a valid positive number"):
        entry_price(Entry(price_per_unit=Fraction(-1)), None, "1")


@pytest.mark.parametrize("text", ["", "-1", "1 wei", ".5", "1.", "0.5e-2USD", "USD"])
def test_price_grammar(text):
    with pytest.raises(PriceError):
        aimodels.parse_price(text)


@pytest.mark.parametrize("text", ["x", "1.5", "0", "-1"])
def test_pixels_grammar(text):
    with pytest.raises(PriceError):
        aimodels.parse_pixels(text)
