# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The config and environment files: what is written, and every sentence with which a setting is refused."""

from __future__ import annotations

import pytest
from ansible.errors import AnsibleFilterError

from ansible_collections.livepeer.ai.plugins.filter.node_config import node_config
from ansible_collections.livepeer.ai.plugins.filter.node_environment import node_environment


def refused(settings, convert=node_config):
    with pytest.raises(AnsibleFilterError) as caught:
        convert(settings, "0.9.1")
    return str(caught.value)


def test_one_flag_a_line_sorted_and_null_left_out():
    settings = {
        "serviceAddr": "gpu1.example.com:8935",
        "orchestrator": True,
        "aiWorker": False,
        "httpAddr": None,
        "aiRunnerContainersPerGPU": 2,
        "minPerfScore": 0.5,
        "discoveryTimeout": "1m30s",
        "orchSecret": "/etc/livepeer/orch_secret",
        "aiRunnerImageOverrides": {"live": {"noop": "x"}, "batch": {}},
        "maxSessions": 10,
        "pricePerUnit": 1e-07,
    }
    assert node_config(settings, "0.9.1") == (
        "aiRunnerContainersPerGPU 2\n"
        'aiRunnerImageOverrides {"batch": {}, "live": {"noop": "x"}}\n'
        "aiWorker false\n"
        "discoveryTimeout 1m30s\n"
        "maxSessions 10\n"
        "minPerfScore 0.5\n"
        "orchSecret /etc/livepeer/orch_secret\n"
        "orchestrator true\n"
        "pricePerUnit 0.0000001\n"
        "serviceAddr gpu1.example.com:8935\n"
    )


def test_nothing_set_is_an_empty_file():
    assert node_config({}, "0.9.1") == ""


@pytest.mark.parametrize(
    ("name", "value", "why"),
    [
        ("serviceAdr", "x", "go-livepeer 0.9.1 has no flag 'serviceAdr' (did you mean serviceAddr?)"),
        ("byocContainerURL", "x", "go-livepeer 0.9.1 has no flag 'byocContainerURL'"),
        ("config", "/x", "config has no meaning outside the command line: leave it out"),
        ("aiWorker", "yes", "aiWorker is text ('yes'), must be true or false"),
        ("aiWorker", 1, "aiWorker is a number (1), must be true or false"),
        ("maxAttempts", "three", "maxAttempts is text ('three'), must be a whole number"),
        ("maxAttempts", True, "maxAttempts is a boolean (True), must be a whole number"),
        ("maxAttempts", 1.5, "maxAttempts is a number (1.5), must be a whole number"),
        ("minPerfScore", "high", "minPerfScore is text ('high'), must be a number"),
        (
            "discoveryTimeout",
            5,
            "discoveryTimeout is a number (5), must be a duration with a unit, such as 500ms, 10s or 25m",
        ),
        (
            "discoveryTimeout",
            "5 s",
            "discoveryTimeout is text ('5 s'), must be a duration with a unit, such as 500ms, 10s or 25m",
        ),
        ("network", True, "network is a boolean (True), must be text"),
        ("orchAddr", ["a:1"], "orchAddr is a list (['a:1']), must be text"),
        (
            "network",
            "",
            "network is empty, which the node takes for true or for unset: leave it out to keep the default",
        ),
        ("region", "a #b", "region holds ' #', from where on the node would take it for a comment"),
        ("region", " a", "region begins or ends with white space, which the node would cut off"),
        ("region", "a\nb", "region holds a line break: there is one flag a line"),
        ("region", "x" * 65535, "region is longer than the 65535 bytes a line of the config file can have"),
        ("orchSecret", "hunter2", "orchSecret must be the absolute path of a file that holds the secret"),
        ("ethPassword", "etc/pw", "ethPassword must be the absolute path of a file that holds the secret"),
        (
            "ethUrl",
            "https://x",
            "ethUrl may hold a credential: write it to the environment file, not to the config file",
        ),
    ],
)
def test_refusals(name, value, why):
    assert refused({name: value}) == f"the settings of the node are wrong: {why}."


def test_broken_json():
    assert "aiRunnerImageOverrides is not valid JSON: " in refused({"aiRunnerImageOverrides": "{'live': 1}"})


def test_all_problems_at_once_and_secrets_hidden():
    message = refused({"aiWorker": 7, "orchSecret": "hunter2", "nope!": 1})
    assert "aiWorker is a number" in message and "orchSecret must be" in message and "no flag 'nope!'" in message
    assert "hunter2" not in message


def test_not_a_mapping():
    assert refused(["network"]) == "the settings of a node are a list, must map flag names to values"


def test_unknown_version():
    with pytest.raises(AnsibleFilterError, match="'0.8.0' is not supported"):
        node_config({}, "0.8.0")
    with pytest.raises(AnsibleFilterError, match="'0.8.0' is not supported"):
        node_environment({}, "0.8.0")


def test_environment_is_quoted_for_systemd():
    settings = {"ethUrl": 'https://x/?k="a\\b"&c=$d`', "kafkaPassword": "p #q", "objectStore": None}
    assert node_environment(settings, "0.9.1") == (
        'LP_ETHURL="https://x/?k=\\"a\\\\b\\"&c=\\$d\\`"\nLP_KAFKAPASSWORD="p #q"\n'
    )


def test_environment_refuses_what_belongs_in_the_config_file():
    assert refused({"network": "offchain"}, node_environment) == (
        "the settings of the node are wrong: network is no credential: write it to the config file."
    )


def test_environment_never_shows_a_value():
    assert "hunter2" not in refused({"ethUrl": ["hunter2"]}, node_environment)
    assert "hunter2" not in refused({"ethUrl": "hunter2\n"}, node_environment)


def test_one_mapping_feeds_both_files():
    settings = {"network": "offchain", "ethUrl": "https://x"}
    assert node_config(settings, "0.9.1", others="skip") == "network offchain\n"
    assert node_environment(settings, "0.9.1", others="skip") == 'LP_ETHURL="https://x"\n'
    with pytest.raises(AnsibleFilterError, match="others is 'ignore', must be refuse or skip"):
        node_config(settings, "0.9.1", others="ignore")


def test_unknown_flags_are_refused_in_either_file():
    for convert in (node_config, node_environment):
        with pytest.raises(AnsibleFilterError, match="no flag 'netwrk'"):
            convert({"netwrk": "x"}, "0.9.1", others="skip")
