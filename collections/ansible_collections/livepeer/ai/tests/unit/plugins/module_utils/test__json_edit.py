# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Editing JSON by spans: the right value, and not a byte more than that."""

from __future__ import annotations

import copy
import json
import random

import pytest

from ansible_collections.livepeer.ai.plugins.module_utils._json_edit import Document, EditError, dotted, same

NAMES = ("debug", "log-opts", "runtimes", "a.b", "ünï", 'q"uote', "", "x", "y", "z")


def merge(text, wanted):
    return Document(text).merged(wanted).text


def drop(text, *paths):
    return Document(text).without(paths).text


# What exactly is written


@pytest.mark.parametrize(
    ("before", "wanted", "after"),
    [
        ("", {"debug": True}, '{\n  "debug": true\n}\n'),
        (" \n\t", {"debug": True}, '{\n  "debug": true\n}\n'),
        ("{}", {"debug": True}, '{\n  "debug": true\n}'),
        ("{}\n", {"a": {"b": [1, {}]}}, '{\n  "a": {\n    "b": [\n      1,\n      {}\n    ]\n  }\n}\n'),
        ("{ \n }\n", {"debug": True}, '{\n  "debug": true\n}\n'),
        # In the way of the object that it comes to.
        ('{"a": 1}', {"b": {"c": 2, "d": 3}}, '{"a": 1, "b": {"c": 2, "d": 3}}'),
        ('{"a":1}', {"b": {"c": 2, "d": 3}}, '{"a":1,"b":{"c":2,"d":3}}'),
        ('{ "a" : 1 , "z" : 2 }', {"b": 2}, '{ "a" : 1 , "z" : 2, "b" : 2 }'),
        ('{\n\t"a": 1\n}\n', {"b": {"c": 2}}, '{\n\t"a": 1,\n\t"b": {\n\t\t"c": 2\n\t}\n}\n'),
        (
            '{\r\n    "a": 1\r\n}\r\n',
            {"b": {"c": 2}},
            '{\r\n    "a": 1,\r\n    "b": {\r\n        "c": 2\r\n    }\r\n}\r\n',
        ),
        ('{\n  "a": 1,\n\n\n  "b": 2\n}', {"c": 3}, '{\n  "a": 1,\n\n\n  "b": 2,\n  "c": 3\n}'),
        ('{\n    "a": {}\n}', {"a": {"b": 1}}, '{\n    "a": {\n        "b": 1\n    }\n}'),
        ('{\n    "a": {"x": 1}\n}', {"a": {"b": [1, 2]}}, '{\n    "a": {"x": 1, "b": [1, 2]}\n}'),
        (
            '{\n  "a": {\n   "x": 1\n  }\n}',
            {"a": {"b": {"c": 1}}},
            '{\n  "a": {\n   "x": 1,\n   "b": {\n    "c": 1\n   }\n  }\n}',
        ),
        ('{\n"a": 1\n}', {"b": {"c": 1}}, '{\n"a": 1,\n"b": {\n  "c": 1\n}\n}'),
        ('{"a": {}}', {"a": {"b": 1}}, '{"a": {"b": 1}}'),
        # A value is replaced where it stands.
        ('{"a":   [1,\n2], "b": 1.50}', {"a": "é"}, '{"a":   "é", "b": 1.50}'),
        # What is equal stays as it is spelt.
        (
            '{"a": 1.00, "b": 1e3, "c": "\\u00e9"}',
            {"a": 1, "b": 1000, "c": "é"},
            '{"a": 1.00, "b": 1e3, "c": "\\u00e9"}',
        ),
        ('{"a": 1}', {"a": True}, '{"a": true}'),
        ('{"a": [0]}', {"a": [False]}, '{"a": [false]}'),
        ('{"a": {"b": 1}}', {"a": {}}, '{"a": {"b": 1}}'),
        ('\ufeff{"a": 1}', {"b": 2}, '\ufeff{"a": 1, "b": 2}'),
    ],
)
def test_merge(before, wanted, after):
    assert merge(before, wanted) == after
    assert merge(after, wanted) == after


@pytest.mark.parametrize(
    ("before", "path", "after"),
    [
        ('{"a": 1}', ["a"], "{}"),
        ('{\n  "a": 1\n}\n', ["a"], "{}\n"),
        ('{"a": 1, "b": 2}', ["a"], '{"b": 2}'),
        ('{"a": 1, "b": 2}', ["b"], '{"a": 1}'),
        ('{\n  "a": 1,\n  "b": 2.0 ,\n  "c": 3\n}', ["b"], '{\n  "a": 1,\n  "c": 3\n}'),
        ('{\n  "a": 1,\n  "b": 2\n}', ["b"], '{\n  "a": 1\n}'),
        ('{"a": {"b": 1, "c": 2}}', ["a", "b"], '{"a": {"c": 2}}'),
        ('{"a": {"b": 1}}', ["a", "b"], '{"a": {}}'),
        # Not there, in whatever way.
        ('{"a": 1}', ["b"], '{"a": 1}'),
        ('{"a": 1}', ["a", "b"], '{"a": 1}'),
        ('{"a": [1]}', ["a", "b", "c"], '{"a": [1]}'),
        ("", ["a"], ""),
    ],
)
def test_without(before, path, after):
    assert drop(before, path) == after


# What is refused


@pytest.mark.parametrize(
    ("text", "why", "line", "column"),
    [
        ('{\n  "a": 1\n  "b": 2\n}', "is not valid JSON (Expecting ',' delimiter)", 3, 3),
        ("{", "is not valid JSON (Expecting property name enclosed in double quotes)", 1, 2),
        ('{"a": 1} x', "is not valid JSON (Extra data)", 1, 10),
        ("\ufeff{'a': 1}", "is not valid JSON (Expecting property name enclosed in double quotes)", 1, 3),
        ('{"a": 1,\n "a": 2}', "has the key a twice", 2, 2),
        ('{"a": [{"b.c": 1, "b.c": 1}]}', 'has the key a."b.c" twice', 1, 19),
        ('{"a":\n NaN}', "holds NaN, which JSON does not have", 2, 2),
        ("[1]", "holds a list instead of an object", 1, 1),
        ('\n"x"', "holds a text instead of an object", 2, 1),
        ("null", "holds null instead of an object", 1, 1),
        ("1", "holds a number instead of an object", 1, 1),
        ("true", "holds a boolean instead of an object", 1, 1),
        ('{"a":' * 100000, "is nested too deeply", None, None),
    ],
)
def test_refused_texts(text, why, line, column):
    with pytest.raises(EditError) as caught:
        Document(text)
    assert (str(caught.value), caught.value.line, caught.value.column) == (why, line, column)


@pytest.mark.parametrize(
    ("text", "wanted", "why"),
    [
        ('{"a": [1]}', {"a": {"b": 1}}, "has a list as a, where an object is wanted"),
        ('{"a": {"b": {"c": 1}}}', {"a": {"b": "x"}}, "has an object as a.b, where a text is wanted"),
        ('{"a": null}', {"a": {}}, "has null as a, where an object is wanted"),
    ],
)
def test_a_value_in_the_way(text, wanted, why):
    with pytest.raises(EditError) as caught:
        merge(text, wanted)
    assert str(caught.value) == why


def test_paths_for_people():
    assert dotted(["runtimes", "io.containerd.runc.v2", "path"]) == 'runtimes."io.containerd.runc.v2".path'


def test_equality_is_that_of_json():
    assert same({"a": [1, {"b": None}]}, {"a": [1.0, {"b": None}]})
    for one, other in ((1, True), ([0], [False]), ({"a": 1}, {"a": 1, "b": 1}), ([1], [1, 1]), ("1", 1)):
        assert not same(one, other)


# Any document, any change


def scalar(chance):
    return chance.choice([True, False, None, 0, -1, 10**20, 1.5, "", "text", 'qu"ote\n', "é\u2028"])


def anything(chance, depth):
    shape = chance.random()
    if depth and shape < 0.35:
        return obj(chance, depth - 1)
    if depth and shape < 0.5:
        return [anything(chance, depth - 1) for _number in range(chance.randint(0, 3))]
    return scalar(chance)


def obj(chance, depth):
    return {name: anything(chance, depth) for name in chance.sample(NAMES, chance.randint(0, 5))}


def space(chance, newline):
    return chance.choice(["", "", " ", "  ", "\t", newline, newline + "  ", newline * 2 + "\t"])


def write(chance, value, newline):
    """A value in one of the many ways to write it."""
    if isinstance(value, (dict, list)):
        members = [
            (
                json.dumps(name, ensure_ascii=chance.random() < 0.5)
                + space(chance, newline)
                + ":"
                + space(chance, newline)
            )
            + write(chance, item, newline)
            if isinstance(value, dict)
            else write(chance, item, newline)
            for name, item in (value.items() if isinstance(value, dict) else enumerate(value))
        ]
        inside = ",".join(space(chance, newline) + member + space(chance, newline) for member in members)
        return ("{%s}" if isinstance(value, dict) else "[%s]") % (inside or space(chance, newline))
    if isinstance(value, int) and not isinstance(value, bool) and chance.random() < 0.5:
        return f"{value}.0" if abs(value) < 10**15 else f"{value}"
    return json.dumps(value, ensure_ascii=chance.random() < 0.5)


def merged_value(current, wanted):
    """The same by the plainest of means; None if a value is in the way."""
    for name, value in wanted.items():
        if name in current and isinstance(current[name], dict) != isinstance(value, dict):
            return None
        if isinstance(value, dict) and name in current:
            if merged_value(current[name], value) is None:
                return None
        else:
            current[name] = value
    return current


def removed(current, path):
    for name in path[:-1]:
        current = current.get(name) if isinstance(current, dict) else None
    if isinstance(current, dict):
        current.pop(path[-1], None)


def pieces(text):
    """The text of every member of the outermost object, by the decoder that is not under test."""
    decoder, found = json.JSONDecoder(), {}
    position = text.index("{") + 1
    while True:
        while text[position] in " \t\r\n,":
            position += 1
        if text[position] == "}":
            return found
        start = position
        name, position = decoder.raw_decode(text, position)
        while text[position] in " \t\r\n:":
            position += 1
        _value, position = decoder.raw_decode(text, position)
        found[name] = text[start:position]


def case(seed):
    chance = random.Random(seed)
    newline = chance.choice(["\n", "\n", "\r\n"])
    value = obj(chance, 3)
    return chance, value, write(chance, value, newline) + chance.choice(["", newline])


@pytest.mark.parametrize("block", range(10))
def test_any_merge(block):
    for seed in range(block * 200, (block + 1) * 200):
        chance, value, text = case(seed)
        wanted = obj(chance, 3)
        if chance.random() < 0.5:
            # Mostly what is there already.
            wanted = {**copy.deepcopy(value), **{name: anything(chance, 2) for name in chance.sample(NAMES, 1)}}
        expected = merged_value(copy.deepcopy(value), wanted)
        if expected is None:
            with pytest.raises(EditError, match="is wanted"):
                merge(text, wanted)
            continue
        after = merge(text, wanted)
        told = json.loads(after)
        assert same(told, expected), seed
        assert list(told)[: len(value)] == list(value), seed
        kept, now = pieces(text), pieces(after)
        for name in value:
            if name not in wanted or same(expected[name], value[name]):
                assert now[name] == kept[name], seed
        if same(expected, value):
            assert after == text, seed
        assert merge(after, wanted) == after, seed


@pytest.mark.parametrize("block", range(5))
def test_any_removal(block):
    for seed in range(block * 200, (block + 1) * 200):
        chance, value, text = case(seed)
        paths = [[chance.choice(NAMES) for _step in range(chance.randint(1, 3))] for _number in range(3)]
        paths += [[name] for name in list(value)[:1]]
        expected = copy.deepcopy(value)
        for path in paths:
            removed(expected, path)
        after = drop(text, *paths)
        assert same(json.loads(after), expected), seed
        assert list(json.loads(after)) == list(expected), seed
        kept, now = pieces(text), pieces(after)
        for name in expected:
            if same(expected[name], value[name]):
                assert now[name] == kept[name], seed
        assert drop(after, *paths) == after, seed


def test_merge_and_removal_undo_each_other():
    text = '{\n  "a": 1.0,\n  "b": {\n    "c": [ ]\n  }\n}\n'
    assert drop(merge(text, {"x": {"y": 1}, "b": {"d": 2}}), ["x"], ["b", "d"]) == text
