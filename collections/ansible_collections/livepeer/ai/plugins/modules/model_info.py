#!/usr/bin/python
# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: model_info
short_description: Which path to the network fits a Hugging Face model, and what it needs
version_added: "1.0.0"
author: "livepeer.ai contributors (@livepeer-ai)"
description:
  - Decides from a repository's list of files and its small configuration files whether one of go-livepeer's built-in
    pipelines serves the model, and which, or whether it needs code of your own. Says why at each question.
  - Tells the bytes to download, an estimate of GPU memory with the source of each part, licence and gate, and
    gives lines for an inventory.
  - Runs on the controller only and never fetches weights.
notes:
  - The rules are those of the batch images of ai-runner v0.14.1, and the files are selected as
    M(livepeer.ai.hf_snapshot) selects them.
  - Asking the Hub needs the Python package C(huggingface_hub) on the controller. With a metadata file nobody is asked.
  - Nothing in a repository tells whether a model works on frames in real time, so O(frames) is a question for you.
  - The estimate of GPU memory is no measurement. What is counted beside the weights is an assumption.
extends_documentation_fragment:
  - livepeer.ai._attributes
  - livepeer.ai._attributes.info_module
options:
  model_id:
    description: Name of the model, or of one of go-livepeer's live pipelines such as V(streamdiffusion).
    type: str
    required: true
  revision:
    description: Branch, tag or commit to ask the Hub for. Companions are looked up on their main branch.
    type: str
    default: main
  pipeline:
    description:
      - Judge this pipeline only. Empty, all of them, and the first that fits is taken, that of the Hub's tag first.
    type: str
    choices:
      - ""
      - text-to-image
      - image-to-image
      - image-to-video
      - upscale
      - audio-to-text
      - image-to-text
      - segment-anything-2
      - text-to-speech
      - llm
    default: ""
  frames:
    description:
      - Say that the model is to take frames and give frames in real time. Then the answer is a custom pipeline.
    type: bool
    default: false
  route:
    description: How a container of your own is to be reached if no pipeline fits.
    type: str
    choices: [byoc, live_runner]
    default: byoc
  gpu_memory:
    description: Memory of the card that is to serve it, such as V(24GiB). A model that needs more gets a warning.
    type: raw
    default: 0
  version:
    description: The go-livepeer version whose paths and pipelines apply.
    type: str
    default: 0.9.1
  metadata:
    description:
      - A metadata file, or a directory of such files named C(org--name.json), on the controller. Neighbours of a file
        are read for companions.
      - What is not in them is asked of the Hub, unless O(offline=true).
    type: path
    default: ""
  save_to:
    description: Directory on the controller to write what the Hub said to, for O(metadata) of a later run.
    type: path
    default: ""
  offline:
    description: Ask nobody. A model without a metadata file is an error, a companion without one is not counted.
    type: bool
    default: false
  endpoint:
    description: The Hub to ask.
    type: str
    default: https://huggingface.co
  token:
    description: Access token for gated and private models.
    type: str
    default: ""
  token_file:
    description: File on the controller with the access token.
    type: path
    default: ""
  show:
    description: Print the report on the terminal.
    type: bool
    default: false
"""

EXAMPLES = r"""
- name: Ask the Hub, and keep the answer
  livepeer.ai.model_info:
    model_id: SG161222/RealVisXL_V4.0_Lightning
    save_to: "{{ playbook_dir }}/metadata"
    show: true

- name: Decide again without a network
  livepeer.ai.model_info:
    model_id: SG161222/RealVisXL_V4.0_Lightning
    metadata: "{{ playbook_dir }}/metadata"
    offline: true
    gpu_memory: 12GiB
  register: found

- name: Refuse what needs code of our own
  ansible.builtin.assert:
    that: found.advice.decision in ['builtin', 'builtin_with_warnings']
    fail_msg: "{{ found.advice.reason }}"
"""

RETURN = r"""
advice:
  description: The decision and its reasons.
  returned: success
  type: dict
  contains:
    model_id:
      description: The model that was asked about.
      type: str
    decision:
      description:
        - One of V(builtin), V(builtin_with_warnings), V(custom_pipeline), V(byoc), V(live_runner).
      type: str
      sample: builtin
    pipeline:
      description: The pipeline, or null for a container of your own.
      type: str
      sample: text-to-image
    also:
      description: Further built-in pipelines that fit.
      type: list
      elements: str
    reason:
      description: Why, in one sentence.
      type: str
    questions:
      description: Each C(question) with its C(answer) (V(yes) or V(no)) and C(reason).
      type: list
      elements: dict
    warnings:
      description:
        - What to know before, each with C(code) and C(sentence). Codes are V(gated), V(licence), V(float32),
          V(negative_prompt), V(connected), V(companion), V(slow), V(max_model_len), V(chat_template), V(memory),
          V(builtin_too), V(external_llm) and V(route).
      type: list
      elements: dict
    download:
      description:
        - C(bytes), C(repositories) with C(files) and C(bytes) of each, whether it is C(complete), and C(source).
      type: dict
    vram:
      description:
        - C(bytes) of an estimate with its C(parts) and their sources, C(card) to plan with, and what is C(documented).
      type: dict
    licence:
      description: The licence that the repository names.
      type: str
    gated:
      description: V(false), V(auto) or V(manual).
      type: raw
    metadata:
      description: C(source), C(date), C(revision) and C(commit) of what is known.
      type: dict
    inventory:
      description: Lines for an inventory.
      type: str
    report:
      description: The lines of the report.
      type: list
      elements: str
"""

# The work is done by the action plugin of the same name.
