# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the journal of a node that ended is boiled down to."""

from __future__ import annotations

import pytest

from ansible_collections.livepeer.ai.plugins.module_utils import _journal

STAMP = "E1124 07:03:06.542346   15630 starter.go:539] "


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (
            'F1124 07:00:00.000000 1 livepeer.go:55] Error parsing config: config file flag "x" undefined in flag set',
            'it refuses its config file: config file flag "x" undefined in flag set',
        ),
        ("flag provided but not defined: -byoc", "it does not know a flag: flag provided but not defined: -byoc"),
        (
            STAMP + "Error parsing -aiModels: invalid AI model config expected <pipeline>:<model_id>:<warm>",
            "the file that -aiModels names does not exist or is not readable for the service user",
        ),
        (
            STAMP + "Error parsing -aiModels: invalid character '}' looking for beginning of value",
            "it cannot read aiModels.json: invalid character '}' looking for beginning of value",
        ),
        ("panic: Pipeline is not valid capability: text-to-imag", "it does not know the pipeline text-to-imag"),
        (
            "panic: Cannot have same model_id (a/b) as cold and warm in same AI worker, please fix aiModels json",
            "aiModels.json has the model a/b once warm and once cold",
        ),
        (
            "panic: 'pricePerUnit' must be set for model 'a/b' in pipeline 'llm'",
            "the model a/b has no price and the node has none either",
        ),
        (
            STAMP + "Error unmarshaling image overrides: unexpected end",
            "it cannot read the image overrides: unexpected end",
        ),
        (
            STAMP + "Error parsing -nvidia for devices: no devices found with vendor name 'Nvidia'",
            "it finds no GPU: no devices found with vendor name 'Nvidia'",
        ),
        (
            STAMP + "Error AI worker warming llm container: could not select device driver",
            "Docker cannot give a container the GPU: the NVIDIA container toolkit is missing or not configured",
        ),
        (
            STAMP + "Error AI worker warming llm container: insufficient capacity",
            "there is no free GPU slot for a warm runner of llm",
        ),
        (
            STAMP + "Error AI worker warming llm container: timed out",
            "a warm runner of llm does not start: timed out; its log says more (docker logs)",
        ),
        (
            STAMP + "Error starting AI worker: Cannot connect to the Docker daemon at unix:///var/run/docker.sock.",
            "it cannot reach the Docker Engine",
        ),
        (
            STAMP + "Error: permission denied while trying to connect to the Docker daemon socket",
            "its user may not use the Docker socket",
        ),
        (
            "I1124 07:00:00.000000 1 starter.go:2088] Orchestrator not available at https://h:8935 (:8935) via grpc",
            "it cannot reach itself at its service address https://h:8935: open the firewall, let NAT loop back,"
            " or switch the start-up availability check off",
        ),
        (
            STAMP + "listen tcp 127.0.0.1:7935: bind: address already in use",
            "another process listens on 127.0.0.1:7935",
        ),
        (STAMP + "address already in use", "another process listens on one of its ports"),
        (STAMP + "Missing -orchSecret", "it has no orchSecret"),
        (
            STAMP + "expecting chainID of 42161, but got 1",
            "its data directory belongs to another network (chain 42161): give it a new one",
        ),
        (
            STAMP + "Error unlocking Ethereum account: could not decrypt key with given password",
            "the password does not open the Ethereum key",
        ),
        (STAMP + "something nobody has seen before", "its last error is: something nobody has seen before"),
        ("panic: runtime error: invalid memory address", "its last error is: runtime error: invalid memory address"),
        ("I1124 07:00:00.000000 1 livepeer.go:107] Graceful shutdown complete", ""),
    ],
)
def test_reasons(line, reason):
    assert (
        _journal.reason(["I1124 07:00:00.000000 1 starter.go:1] Livepeer is running", line, "Deactivated."]) == reason
    )


def test_newest_reason_wins():
    lines = [STAMP + "Missing -orchSecret", STAMP + "Error parsing -nvidia for devices: none"]
    assert _journal.reason(lines) == "it finds no GPU: none"


def test_settings_table_and_secrets_are_not_readable():
    lines = [
        "*-----*------*",
        "| EthUrl | https://rpc/v2/KEY |",
        "",
        STAMP + 'Failed to connect to Ethereum client: Post "https://rpc/v2/KEY": refused',
    ]
    assert _journal.readable(lines, ["https://rpc/v2/KEY", ""]) == [
        STAMP + 'Failed to connect to Ethereum client: Post "(hidden)": refused'
    ]
