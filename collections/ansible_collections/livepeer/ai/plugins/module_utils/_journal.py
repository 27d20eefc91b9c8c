# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From a go-livepeer journal to the reason why the node does not run. Private to the collection."""

from __future__ import annotations

import re

# What go-livepeer says on its way out, often with exit status 0, and what it means. The groups fill the sentence.
_REASONS = [
    (r"Error parsing config: (.*)", "it refuses its config file: {0}"),
    (r"(flag provided but not defined: .*)", "it does not know a flag: {0}"),
    (
        r"invalid AI model config expected <pipeline>:<model_id>:<warm>",
        "the file that -aiModels names does not exist or is not readable for the service user",
    ),
    (r"Error parsing -aiModels: (.*)", "it cannot read aiModels.json: {0}"),
    (r"panic: Pipeline is not valid capability: (\S+)", "it does not know the pipeline {0}"),
    (r"Cannot have same model_id \(?([^)\s]+)\)?", "aiModels.json has the model {0} once warm and once cold"),
    (r"'pricePerUnit' must be set for model '([^']+)'", "the model {0} has no price and the node has none either"),
    (r"Error unmarshaling image overrides: (.*)", "it cannot read the image overrides: {0}"),
    (r"Error parsing -nvidia for devices: (.*)", "it finds no GPU: {0}"),
    (
        r"could not select device driver.*",
        "Docker cannot give a container the GPU: the NVIDIA container toolkit is missing or not configured",
    ),
    (r".*CUDA out of memory.*", "a runner does not fit its GPU's memory (CUDA out of memory)"),
    (
        r"Error AI worker warming (\S+) container:.*insufficient capacity.*",
        "there is no free GPU slot for a warm runner of {0}",
    ),
    (
        r"Error AI worker warming (\S+) container: (.*)",
        "a warm runner of {0} does not start: {1}; its log says more (docker logs)",
    ),
    (r"Cannot connect to the Docker daemon.*", "it cannot reach the Docker Engine"),
    (r"permission denied while trying to connect to the [Dd]ocker.*", "its user may not use the Docker socket"),
    (r"Error starting AI worker: (.*)", "its AI worker does not start: {0}"),
    (r"Error creating models dir (\S+)", "it cannot create the models directory {0}"),
    (
        r"Orchestrator not available at (\S+)",
        "it cannot reach itself at its service address {0}: open the firewall, let NAT loop back, or switch the"
        " start-up availability check off",
    ),
    (r"listen tcp (\S+): bind: address already in use", "another process listens on {0}"),
    (r"(?:bind: )?address already in use", "another process listens on one of its ports"),
    (r"Missing -orchSecret", "it has no orchSecret"),
    (r"Need to specify an Ethereum node JSON-RPC URL", "an on-chain network needs an Ethereum node's URL"),
    (r"expecting chainID of (\d+)", "its data directory belongs to another network (chain {0}): give it a new one"),
    (r"Failed to connect to Ethereum client: (.*)", "it cannot reach the Ethereum node: {0}"),
    (r"could not decrypt key with given (?:password|passphrase)", "the password does not open the Ethereum key"),
    (r"Error creating Ethereum account manager: (.*)", "it cannot use the Ethereum account: {0}"),
    (r"Error unlocking Ethereum account: (.*)", "it cannot unlock the Ethereum account: {0}"),
]
REASONS = [(re.compile(pattern), sentence) for pattern, sentence in _REASONS]
# glog: a letter for the severity, month and day, time, thread, file and line, then the text.
GLOG = re.compile(r"^[IWEF]\d{4} \S+ +\d+ (\S+?:\d+)\] ?")
LAST_WORDS = re.compile(r"^(?:[EF]\d{4} .*?\] |panic: )(.*)")
# At every start the node prints its settings as a table, API keys of URLs included.
SETTINGS_TABLE = re.compile(r"^\s*([|+*]|LIVEPEER_SETTING)")


def readable(lines, secrets=()):
    """The lines without the settings table and with every secret hidden."""
    kept = [line for line in lines if line.strip() and not SETTINGS_TABLE.match(line)]
    for secret in sorted((secret for secret in secrets if secret), key=len, reverse=True):
        kept = [line.replace(secret, "(hidden)") for line in kept]
    return kept


def reason(lines):
    """Why the node ended, in a sentence's second half; empty if the journal does not say."""
    for line in reversed(lines):
        for pattern, sentence in REASONS:
            match = pattern.search(line)
            if match:
                return sentence.format(*(group.strip() for group in match.groups()))
    for line in reversed(lines):
        match = LAST_WORDS.match(line)
        if match:
            return f"its last error is: {match.group(1).strip()}"
    return ""
