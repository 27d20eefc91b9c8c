# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is told of several hosts at once. tests/test_preflight.py judges whole inventories."""

from __future__ import annotations

import pytest
from ansible.errors import AnsibleFilterError

from ansible_collections.livepeer.ai.plugins.filter.fleet_conflicts import fleet_conflicts
from ansible_collections.livepeer.ai.plugins.filter.refusal import refusal
from ansible_collections.livepeer.ai.plugins.filter.refusals import refusals

ORCHESTRATOR = {
    "orchestrator_service_addr": "orch-1.example.org:8935",
    "orchestrator_network": "offchain",
    "orchestrator_models": [{"pipeline": "llm", "model_id": "a/b", "warm": True}],
}
GATEWAY = {"gateway_orchestrators": ["orch-1.example.org:8935"], "gateway_network": "offchain"}


def told(**hosts):
    return [(one["host"], one["subject"], one["status"], one["sentence"]) for one in fleet_conflicts(hosts)]


def test_hosts_that_agree():
    asked = {"verification_requests": [{"pipeline": "llm", "model_id": "a/b"}]}
    assert told(orch=ORCHESTRATOR, gateway={**GATEWAY, **asked}) == []
    assert told() == [] and told(other={}) == []


def test_an_address_is_the_same_in_any_spelling():
    other = {"orchestrator_service_addr": "https://ORCH-1.example.org:8935/"}
    (row,) = told(orch=ORCHESTRATOR, other=other)
    assert row[:3] == ("other", "orchestrator_service_addr", "failed") and "that of orch as well" in row[3]


def test_a_gateway_may_send_to_others_and_is_asked_whether_it_means_to():
    (row,) = told(orch=ORCHESTRATOR, gateway={**GATEWAY, "gateway_orchestrators": ["elsewhere.example.com:8935"]})
    assert row[1:3] == ("gateway_orchestrators", "unknown")
    # Without orchestrators of its own an inventory says nothing about them.
    assert told(gateway=GATEWAY) == []


def test_a_wrong_port_is_told_from_a_foreign_orchestrator():
    (row,) = told(orch=ORCHESTRATOR, gateway={**GATEWAY, "gateway_orchestrators": ["orch-1.example.org:8936"]})
    assert row[1:3] == ("gateway_orchestrators", "failed") and "orch is served at orch-1.example.org:8935" in row[3]


def test_networks_differ():
    (row,) = told(orch=ORCHESTRATOR, gateway={**GATEWAY, "gateway_network": "arbitrum-one-mainnet"})
    assert row[:3] == ("gateway", "gateway_network", "failed")


def test_requests_are_judged_where_all_orchestrators_are_known():
    asked = {**GATEWAY, "verification_requests": [{"pipeline": "llm", "model_id": "a/c"}]}
    (row,) = told(orch=ORCHESTRATOR, gateway=asked)
    assert row[1:3] == ("verification_requests", "failed") and "asks for llm a/c" in row[3]
    foreign = {**asked, "gateway_orchestrators": ["orch-1.example.org:8935", "elsewhere.example.com:8935"]}
    assert [row[1] for row in told(orch=ORCHESTRATOR, gateway=foreign)] == ["gateway_orchestrators"]


@pytest.mark.parametrize("models", ["llm", [{"pipeline": "llm"}], [7]])
def test_models_that_are_no_models_are_the_hosts_own_matter(models):
    asked = {**GATEWAY, "verification_requests": [{"pipeline": "llm", "model_id": "a/c"}, 7]}
    assert told(orch={**ORCHESTRATOR, "orchestrator_models": models}, gateway=asked) == []


def test_each_problem_is_a_sentence_of_its_own():
    models = [{"pipeline": "llm", "model_id": "a/b", "warm": "true"}, {"pipeline": "lm", "model_id": "a/c"}]
    sentences = refusals(models, "ai_models", "0.9.1", name="orchestrator_models")
    assert sentences == [
        "orchestrator_models, entry 0 (a/b), warm: is text, must be true or false without quotes.",
        "orchestrator_models, entry 1 (a/c), pipeline: go-livepeer 0.9.1 has no pipeline 'lm' (did you mean llm?).",
    ]
    # The whole in one sentence is what a role fails with.
    assert refusal(models, "ai_models", "0.9.1", name="orchestrator_models").startswith(
        "orchestrator_models has 2 problems"
    )
    assert refusals([{"name": "x"}, {}], "service_declarations", "byoc_services")[-1] == (
        "byoc_services, entry 1, source: is missing: use one of template, build, image, external."
    )
    assert refusals({"nvida": "0", "v": [1]}, "node_config", "0.9.1") == [
        "the settings of the node are wrong: go-livepeer 0.9.1 has no flag 'nvida' (did you mean nvidia?).",
        "the settings of the node are wrong: v is a list ([1]), must be text.",
    ]
    assert refusals("0.1.0", "node_release") == [f"{refusal('0.1.0', 'node_release').rstrip('.')}."]
    assert refusals([], "ai_models", "0.9.1") == []


def test_a_filter_that_does_not_refuse():
    with pytest.raises(AnsibleFilterError, match="knows no filter 'warm_runners', only ai_models"):
        refusals([], "warm_runners")
