# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a plan must never do, over random hosts and models, and each sentence of a refusal.

The judge below knows nothing of the planner: it starts the runners one by one as go-livepeer does.
"""

from __future__ import annotations

import itertools
import random

import pytest
from ansible.errors import AnsibleFilterError

from ansible_collections.livepeer.ai.plugins.filter.gpu_plan import gpu_plan
from ansible_collections.livepeer.ai.plugins.filter.runner_ports import runner_ports
from ansible_collections.livepeer.ai.plugins.plugin_utils import _gpu_plan

GIB = 1024**3
VERSION = "0.9.1"
PIPELINES = ("text-to-image", "image-to-image", "llm", "live-video-to-video", "text-to-speech")
ROUNDS = range(400)


def model(number, vram=None, warm=True, capacity=None, pipeline="text-to-image", url=None):
    made = {"pipeline": pipeline, "model_id": f"org/model-{number}", "warm": warm}
    made.update({} if vram is None else {"vram": f"{vram}GiB"})
    made.update({} if capacity is None else {"capacity": capacity})
    made.update({} if url is None else {"url": url})
    return made


def cards(*memories, **more):
    return [{"index": index, "memory": f"{memory}GiB", **more} for index, memory in enumerate(memories)]


def node(models, gpus, places):
    """The slots of a node after its start, in go-livepeer's order, each with the model that holds it or None."""
    taken = {(place, gpu): None for place in range(places) for gpu in gpus}
    for one in models:
        if one.get("url") or not one.get("warm"):
            continue
        for _number in range(one.get("capacity") or 1):
            free = next((slot for slot, holder in taken.items() if holder is None), None)
            assert free is not None, "insufficient capacity: the node ends"
            taken[free] = one
    return taken


def gib(one):
    return int(one["vram"].removesuffix("GiB"))


def overcommits(models, gpus, places, rooms):
    """Whether a GPU may come to hold more than it has, whatever is asked for; a model without vram wants it alone."""
    taken = node(models, gpus, places)
    own = [one for one in models if not one.get("url")]
    for gpu in gpus:
        mine = [holder for (_place, index), holder in taken.items() if index == gpu]
        # The worst that may come into a slot without a warm runner is any managed model.
        for worst in itertools.product(*([holder] if holder else own for holder in mine)):
            if any("vram" not in one for one in worst):
                if len(worst) > 1:
                    return True
            elif sum(map(gib, worst)) > rooms[gpu]:
                return True
    return False


def random_case(seed, unknown=True, most_models=5, most_cards=4):
    dice = random.Random(seed)
    memories = [dice.choice([8, 12, 24, 24, 48, 80]) for _number in range(dice.randint(1, most_cards))]
    models = []
    for number in range(dice.randint(0, most_models)):
        models.append(
            model(
                number,
                vram=None if unknown and dice.random() < 0.1 else dice.choice([2, 4, 6, 10, 11, 16, 20, 40]),
                warm=dice.random() < 0.75,
                capacity=dice.choice([None, None, None, 1, 2, 3]),
                pipeline=dice.choice(PIPELINES),
                url="http://127.0.0.1:9000" if dice.random() < 0.1 else None,
            )
        )
    options = {
        "containers_per_gpu": dice.choice([0, 0, 0, 1, 2]),
        "reserved": dice.choice([0, "1GiB", "2GiB"]),
        "keep_order": dice.random() < 0.2,
    }
    return models, memories, options


def rooms_of(memories, options):
    reserved = int(str(options.get("reserved", 0)).removesuffix("GiB"))
    return [memory - reserved for memory in memories]


def planned(models, memories, **options):
    try:
        return gpu_plan(models, cards(*memories), VERSION, **options)
    except AnsibleFilterError:
        return None


# Properties


@pytest.mark.parametrize("seed", ROUNDS)
def test_a_plan_never_overcommits_and_leaves_no_model_out(seed):
    models, memories, options = random_case(seed)
    plan = planned(models, memories, **options)
    if plan is None:
        return
    assert not overcommits(plan["models"], plan["gpus"], plan["containers_per_gpu"], rooms_of(memories, options))
    # All declared models are listed, once, and are the same.
    assert sorted(map(repr, plan["models"])) == sorted(map(repr, models))
    warm = [one for one in models if one["warm"] and not one.get("url")]
    declared = sorted(one["model_id"] for one in warm for _number in range(one.get("capacity") or 1))
    assert sorted(one["model_id"] for one in plan["runners"]) == declared
    told = " ".join(plan["warnings"])
    for cold in plan["cold"]:
        assert cold["has_slot"] or cold["model_id"] in told
    for one in models:
        if not one.get("url") and "vram" not in one:
            assert f"{one['model_id']} declares no vram" in told


@pytest.mark.parametrize("seed", ROUNDS)
def test_a_plan_says_where_go_livepeer_will_put_each_runner(seed):
    models, memories, options = random_case(seed)
    plan = planned(models, memories, **options)
    if plan is None:
        return
    taken = node(plan["models"], plan["gpus"], plan["containers_per_gpu"])
    assert {(one["place"], one["gpu"]): one["model_id"] for one in plan["runners"]} == {
        slot: holder["model_id"] for slot, holder in taken.items() if holder
    }
    assert plan["nvidia"] == ",".join(map(str, plan["gpus"]))
    assert len({one["port"] for one in plan["runners"]}) == len(plan["runners"])
    ports = runner_ports(models, VERSION, plan["gpus"], plan["containers_per_gpu"])
    assert {one["port"] for one in plan["runners"]} <= set(ports)
    assert sum(card["free_slots"] for card in plan["cards"]) == list(taken.values()).count(None)
    assert {*plan["gpus"], *plan["unused_gpus"]} == set(range(len(memories))) or not plan["gpus"]


@pytest.mark.parametrize("seed", ROUNDS)
def test_what_is_refused_cannot_be_done_at_all(seed):
    models, memories, options = random_case(seed, most_models=4, most_cards=3)
    options["keep_order"] = False
    if planned(models, memories, **options) is not None:
        return
    own = [one for one in models if not one.get("url")]
    warm = sum(one.get("capacity") or 1 for one in own if one["warm"])
    rooms = rooms_of(memories, options)
    places = [options["containers_per_gpu"]] if options["containers_per_gpu"] else range(1, 11)
    for number in range(1, len(memories) + 1):
        for gpus in itertools.permutations(range(len(memories)), number):
            for place in places:
                if number * place < max(warm, 1):
                    continue
                for order in itertools.permutations(own):
                    assert not own or overcommits(order, gpus, place, rooms)


@pytest.mark.parametrize("seed", ROUNDS)
def test_more_memory_never_turns_a_plan_into_a_refusal(seed):
    models, memories, options = random_case(seed)
    if planned(models, memories, **options) is not None:
        assert planned(models, [memory + 8 for memory in memories], **options) is not None


@pytest.mark.parametrize("seed", range(150))
def test_over_several_hosts_each_model_has_one(seed):
    models, memories, _options = random_case(seed)
    dice = random.Random(seed)
    hosts = {
        f"host-{number}": cards(*(dice.choice([12, 24, 48]) for _card in range(dice.randint(1, 2))))
        for number in range(dice.randint(1, 3))
    }
    try:
        plans = gpu_plan(models, hosts, VERSION)["hosts"]
    except AnsibleFilterError:
        return
    assert set(plans) == set(hosts)
    assert sorted(repr(one) for plan in plans.values() for one in plan["models"]) == sorted(map(repr, models))
    for host, plan in plans.items():
        rooms = {card["index"]: gib({"vram": card["memory"]}) for card in hosts[host]}
        assert not overcommits(plan["models"], plan["gpus"], plan["containers_per_gpu"], rooms)
        assert all(one["has_slot"] for one in plan["cold"])


def test_the_random_cases_are_worth_something():
    """Both answers come often enough that the properties above say something."""
    plans = [planned(models, memories, **options) for models, memories, options in map(random_case, ROUNDS)]
    assert 80 < sum(plan is not None for plan in plans) < 350
    assert sum(bool(plan and plan["containers_per_gpu"] > 1) for plan in plans) > 20
    assert sum(bool(plan and plan["unused_gpus"]) for plan in plans) > 10


# Examples


def refusal(models, gpus, **options):
    with pytest.raises(AnsibleFilterError) as caught:
        gpu_plan(models, gpus, VERSION, **options)
    return str(caught.value)


def test_the_declared_order_is_kept_where_it_will_do():
    models = [model(1, 10), model(2, 20)]
    plan = gpu_plan(models, cards(24, 24), VERSION)
    assert (plan["nvidia"], plan["containers_per_gpu"], plan["models"]) == ("0,1", 1, models)
    assert [(one["gpu"], one["port"]) for one in plan["runners"]] == [(0, 8000), (1, 8001)]
    assert plan["warnings"] == []


def test_the_small_card_is_left_out_because_the_first_model_would_come_to_it():
    """One model and two GPUs: go-livepeer starts it on the second as well as soon as the first is busy."""
    plan = gpu_plan([model(1, 20)], cards(24, 8), VERSION)
    assert (plan["gpus"], plan["unused_gpus"]) == ([0], [1])
    assert plan["warnings"] == [
        "GPU 1 has 8.0 GiB and is left out: no runner that could come to it fits there for certain."
    ]


def test_models_are_put_into_another_order():
    models = [model(1, 40), model(2, 10), model(3, 10), model(4, 8)]
    plan = gpu_plan(models, cards(48, 24), VERSION)
    assert (plan["gpus"], plan["containers_per_gpu"]) == ([0, 1], 2)
    assert {(one["model_id"], one["gpu"], one["place"]) for one in plan["runners"]} == {
        ("org/model-1", 0, 0),
        ("org/model-2", 1, 0),
        ("org/model-4", 0, 1),
        ("org/model-3", 1, 1),
    }


def test_a_slot_that_is_left_must_stand_the_largest_model():
    """Three runners leave a fourth slot, and neither card can stand another 40 GiB."""
    told = refusal([model(1, 40), model(2, 10), model(3, 10)], cards(48, 24))
    assert "starts any model in a slot that is left" in told


def test_a_cold_model_gets_a_slot_if_there_can_be_one():
    plan = gpu_plan([model(1, 10), model(2, 10, warm=False)], cards(24), VERSION)
    assert plan["containers_per_gpu"] == 2 and plan["cold"][0]["has_slot"]
    plan = gpu_plan([model(1, 20), model(2, 10, warm=False)], cards(24), VERSION)
    assert plan["containers_per_gpu"] == 1 and not plan["cold"][0]["has_slot"]
    assert "org/model-2 can never start: warm runners hold all 1 slots" in plan["warnings"][0]


def test_an_external_runner_needs_no_gpu():
    plan = gpu_plan([model(1, url="http://127.0.0.1:9000")], [], VERSION)
    assert plan["nvidia"] == "" and plan["external"] == [{"pipeline": "text-to-image", "model_id": "org/model-1"}]


def test_the_gpus_of_gpu_info_are_taken_as_they_are():
    found = [{"index": 0, "name": "NVIDIA GeForce RTX 4090", "memory_total": 24 * GIB}]
    assert gpu_plan([model(1, 24)], found, VERSION)["cards"][0]["memory"] == 24 * GIB
    told = refusal([model(1, 24)], found, reserved="1GiB")
    assert "GPU 0 (NVIDIA GeForce RTX 4090) has 23.0 GiB (1.0 GiB reserved)" in told


def test_what_upstream_asks_for_is_a_hint_only():
    (told,) = gpu_plan([model(1)], cards(12), VERSION)["warnings"]
    assert told == (
        "org/model-1 declares no vram, so it has a GPU for itself and nothing says that it fits there; upstream"
        " asks for a card of 24 GB, and GPU 0 has 12.0 GiB: declare vram in orchestrator_models."
    )


def test_the_declared_order_is_judged_and_a_better_one_named():
    told = refusal([model(1, 10), model(2, 20)], cards(12, 12), keep_order=True)
    assert "org/model-2 needs 20.0 GiB, and no GPU of this host has as much" in told
    told = refusal([model(1, 10), model(2, 20)], cards(24, 12), keep_order=True)
    assert told == (
        "GPU 1 has 12.0 GiB, and go-livepeer puts 20.0 GiB on it (org/model-2 20.0 GiB). It fits with -nvidia 0,1,"
        " 1 container(s) per GPU and the warm models in the order org/model-2, org/model-1."
    )
    told = refusal([model(1, 20)], cards(24, 8), keep_order=True)
    assert told == (
        "GPU 1 has 8.0 GiB, and go-livepeer puts 20.0 GiB on it (20.0 GiB for any model in a slot left). It fits with"
        " -nvidia 0, 1 container(s) per GPU and the warm models in the order org/model-1."
    )


@pytest.mark.parametrize(
    ("models", "gpus", "options", "sentence"),
    [
        (
            [model(1, 30)],
            cards(24),
            {},
            "org/model-1 needs 30.0 GiB, and no GPU of this host has as much: GPU 0 has 24.0 GiB",
        ),
        (
            [model(1, 20, capacity=3)],
            cards(24, 24),
            {},
            "need 60.0 GiB together (org/model-1 (20.0 GiB) x 3), and all GPUs",
        ),
        ([model(1, 2, capacity=3)], cards(24), {"containers_per_gpu": 2}, "3 warm runners have 2 slots"),
        ([model(1, 14), model(2, 14), model(3, 14)], cards(24, 24), {}, "No order of models and GPUs puts org/model-1"),
        (
            [model(1), model(2)],
            cards(24),
            {},
            "org/model-1, org/model-2 declares no vram, and what has none needs a GPU",
        ),
        ([model(1, 4)], [], {}, "the GPUs has no GPU, and orchestrator_models has models that need one"),
        ([model(1, 4)], cards(24) * 2, {}, "the GPUs, entry 1: GPU 0 is there twice"),
        ([model(1, 4)], [{"index": 10, "memory": "24GiB"}], {}, "index is 10, must be a number from 0 to 9"),
        ([model(1, 4)], [{"index": 0, "memory": 24}], {}, "memory is 24, must be a size such as 24GiB"),
        ([model(1, 4)], [{"index": 0, "memory": "24GiB", "reserved": "x"}], {}, "reserved must be a size such as 1GiB"),
        ([model(1, 4)], {"a": [7]}, {}, "the GPUs of a, entry 0: is a number, must be a mapping"),
        ([model(1, 4)], "all", {}, "the GPUs is text, must be a list of GPUs"),
        ([{**model(1), "vram": "much"}], cards(24), {}, "org/model-1: vram is 'much', must be a size such as 12GiB"),
        ([model(1, 4, pipeline="text-to-imag")], cards(24), {}, "did you mean text-to-image?"),
        ([{"pipeline": "llm"}], cards(24), {}, "orchestrator_models has an entry without pipeline and model_id"),
        ("llm", cards(24), {}, "orchestrator_models is text, must be a list of models"),
        ([model(1, 4)], cards(24), {"containers_per_gpu": 11}, "containers per GPU is 11, must be from 1 to 10"),
        ([model(1, 30)], {"a": cards(24), "b": cards(12)}, {}, "org/model-1 fits no host, even alone (a, b)"),
        (
            [model(1, 20), model(2, 20)],
            {"a": cards(24)},
            {},
            "org/model-1, org/model-2 do not fit the GPUs of a together",
        ),
        ([model(1, 20)], {"a": cards(24)}, {"keep_order": True}, "keep_order is for one host"),
    ],
)
def test_sentences(models, gpus, options, sentence):
    assert sentence in refusal(models, gpus, **options)


def test_a_search_that_takes_too_long_says_so(monkeypatch):
    models = [model(1, 13), model(2, 11), model(3, 12), model(4, 12)]
    assert gpu_plan(models, cards(24, 24), VERSION)["models"] == [models[0], models[2], models[1], models[3]]
    monkeypatch.setattr(_gpu_plan, "PATIENCE", 1)
    assert "was found after 1 steps" in refusal(models, cards(24, 24))


def test_a_version_that_is_not_known():
    with pytest.raises(AnsibleFilterError, match="not supported"):
        gpu_plan([], [], "0.1.0")
