#!/usr/bin/python
# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: gateway_request
short_description: Send an AI request through a Livepeer gateway and judge what comes back
version_added: "1.0.0"
description:
  - Sends one request of any of go-livepeer's nine batch pipelines to a gateway, or directly to a runner, as JSON or
    multipart as the pipeline wants it.
  - Fetches the media that the answer points to, decodes it and judges it. A picture must open at the asked size and
    not be all black,
    sound must have frames and not be silent, a video must have a track, a text must not be empty.
  - Status codes prove little here. A gateway answers 200 with an empty body, drops the connection or answers 404
    for reasons of its own,
    so each way of failing has a name in RV(failure), a sentence and a remedy.
  - Says which orchestrators could have answered, from the gateway's session pools, and compares them with the
    expected ones.
  - A request costs computing time, and money on a chain.
author: "livepeer.ai contributors (@livepeer-ai)"
extends_documentation_fragment:
  - livepeer.ai._attributes
attributes:
  check_mode:
    support: full
    details:
      - In check mode nothing is sent and nothing is written. RV(verdict) is V(unknown).
  diff_mode:
    support: N/A
    details:
      - The module changes no state.
  idempotent:
    support: full
    details:
      - The module changes no state. The files it leaves in O(dest) are evidence of the request, as a log is, and
        never count as a change.
options:
  url:
    description: Base address of the gateway, for example V(http://127.0.0.1:9935), or of the runner.
    type: str
    required: true
  target:
    description:
      - What answers at O(url).
      - A runner sends media inside its answer, a gateway sends relative addresses, and they fail in different ways.
    type: str
    choices: [gateway, runner]
    default: gateway
  pipeline:
    description: Pipeline to ask for.
    type: str
    required: true
    choices:
      - text-to-image
      - image-to-image
      - image-to-video
      - upscale
      - audio-to-text
      - image-to-text
      - segment-anything-2
      - text-to-speech
      - llm
  model_id:
    description: Model to ask for. It is always sent, because a gateway crashes without it.
    type: str
    required: true
  parameters:
    description:
      - Parameters of the request, for example C(prompt), C(width), C(height), C(seed) or C(messages). They replace
        cheap built-in ones, key by key.
      - Lists and dictionaries become JSON text where the pipeline wants that. C(null) removes a built-in parameter.
    type: dict
    default: {}
  files:
    description:
      - Input files for the pipelines that take one, C(image) or C(audio), as paths on the host where the module runs.
      - V(sample), or nothing, sends a small built-in picture or tone. A tone holds no words, so the text that comes
        back may then be empty.
    type: dict
    default: {}
  expect:
    description: What the answer must be, beyond being sound.
    type: dict
    default: {}
    suboptions:
      width:
        description: Width of each picture in pixels. The C(width) of O(parameters) if left out.
        type: int
      height:
        description: Height of each picture in pixels. The C(height) of O(parameters) if left out.
        type: int
      count:
        description: Number of pictures. The C(num_images_per_prompt) of O(parameters) if left out.
        type: int
      min_text:
        description: Least number of characters of a text.
        type: int
      contains:
        description: Words that must be in a text, whatever their case.
        type: str
      min_duration:
        description: Least length of sound or video in seconds.
        type: float
  token:
    description: Bearer token, for a runner that wants one.
    type: str
    default: ""
  timeout:
    description: Seconds that the request may take. Neither gateway nor runner has a limit of its own.
    type: float
    default: 300
  validate_certs:
    description: Whether the certificate behind an V(https) address must be trusted.
    type: bool
    default: true
  dest:
    description:
      - Existing directory on the host into which media and text are written, as
        C(<pipeline>-<model>-<number>.<format>), replacing those of earlier requests.
      - Nothing is written if left out.
    type: path
  cli_url:
    description: CLI port of the gateway, for example V(http://127.0.0.1:5935), to read the session pools from.
    type: str
    default: ""
  orchestrators:
    description: Service addresses of the orchestrators that may answer. Needs O(cli_url). Any may if left out.
    type: list
    elements: str
    default: []
  fail:
    description: Whether a failed check fails the task. With V(false) it is only reported, in RV(checks).
    type: bool
    default: true
seealso:
  - module: livepeer.ai.runner_health
  - module: livepeer.ai.node_info
"""

EXAMPLES = r"""
- name: Draw a picture through the gateway and keep it
  livepeer.ai.gateway_request:
    url: http://127.0.0.1:9935
    pipeline: text-to-image
    model_id: SG161222/RealVisXL_V4.0_Lightning
    parameters:
      prompt: a quiet harbour at dawn
      width: 1024
      height: 1024
      seed: 42
    cli_url: http://127.0.0.1:5935
    orchestrators: [https://192.0.2.21:8935]
    dest: /var/lib/livepeer/verification/media

- name: Transcribe a recording
  livepeer.ai.gateway_request:
    url: http://127.0.0.1:9935
    pipeline: audio-to-text
    model_id: openai/whisper-large-v3
    files:
      audio: /srv/samples/harbour.wav
    expect:
      contains: harbour

- name: Ask a runner directly whether it upscales
  livepeer.ai.gateway_request:
    url: http://127.0.0.1:8300
    target: runner
    pipeline: upscale
    model_id: stabilityai/stable-diffusion-x4-upscaler
"""

RETURN = r"""
verdict:
  description: V(failed) if one check failed, else V(unknown) if one is unknown, else V(passed).
  returned: always
  type: str
  sample: passed
checks:
  description:
    - The judgements, each with C(check), C(subject), C(status), C(sentence), C(seconds) and C(remedy).
    - C(gateway_request) or C(runner_request), and C(answering_orchestrator) if O(orchestrators) was given and the
      request passed.
  returned: always
  type: list
  elements: dict
  sample:
    - check: gateway_request
      subject: text-to-image SG161222/RealVisXL_V4.0_Lightning
      status: passed
      sentence: 1 picture of 1024 x 1024 came back.
      seconds: 2.4
      remedy: ""
failure:
  description:
    - Name of what is wrong, empty if nothing is.
    - For the ways of not answering V(refused), V(dns), V(unreachable), V(timeout), V(certificate), V(tls), V(not_http),
      V(closed_without_reply), V(truncated), V(too_large), V(bad_url).
    - For answers V(empty_200), V(not_found_everywhere), V(not_found), V(not_a_gateway), V(server_error_json),
      V(http_NNN).
    - For what came back V(bad_payload), V(media_not_fetched).
  returned: always
  type: str
  sample: empty_200
status_code:
  description: HTTP status code of the answer, null if there was none.
  returned: always
  type: int
  sample: 200
seconds:
  description: How long the request took, without fetching media.
  returned: always
  type: float
  sample: 2.4
media:
  description: Each decoded file with C(format), C(bytes), C(path) if it was kept, and C(width), C(height),
    C(duration), C(frames) as the format has them.
  returned: always
  type: list
  elements: dict
  sample:
    - format: png
      bytes: 483112
      width: 1024
      height: 1024
      path: /var/lib/livepeer/verification/media/text-to-image-SG161222-RealVisXL-V4.0-Lightning-1.png
files:
  description: Every file written to O(dest).
  returned: always
  type: list
  elements: str
  sample: [/var/lib/livepeer/verification/media/text-to-image-SG161222-RealVisXL-V4.0-Lightning-1.png]
text:
  description: Text that came back, at most 2000 characters.
  returned: always
  type: str
  sample: ""
orchestrators:
  description:
    - Orchestrators that could have answered (C(candidates)), those that were expected (C(expected)) and the
      C(judgement), which is
      V(expected), V(unexpected), V(mixed) if both could, or V(unknown).
  returned: always
  type: dict
  sample:
    candidates: [https://192.0.2.21:8935]
    expected: [https://192.0.2.21:8935]
    judgement: expected
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.livepeer.ai.plugins.module_utils._pipeline_request import PipelineRequest
from ansible_collections.livepeer.ai.plugins.module_utils._pipelines import PIPELINES


def main():
    expect = {
        "width": {"type": "int"},
        "height": {"type": "int"},
        "count": {"type": "int"},
        "min_text": {"type": "int"},
        "contains": {"type": "str"},
        "min_duration": {"type": "float"},
    }
    module = AnsibleModule(
        argument_spec={
            "url": {"type": "str", "required": True},
            "target": {"type": "str", "choices": ["gateway", "runner"], "default": "gateway"},
            "pipeline": {"type": "str", "required": True, "choices": list(PIPELINES)},
            "model_id": {"type": "str", "required": True},
            "parameters": {"type": "dict", "default": {}},
            "files": {"type": "dict", "default": {}},
            "expect": {"type": "dict", "default": {}, "options": expect},
            "token": {"type": "str", "default": "", "no_log": True},
            "timeout": {"type": "float", "default": 300},
            "validate_certs": {"type": "bool", "default": True},
            "dest": {"type": "path"},
            "cli_url": {"type": "str", "default": ""},
            "orchestrators": {"type": "list", "elements": "str", "default": []},
            "fail": {"type": "bool", "default": True},
        },
        supports_check_mode=True,
    )
    PipelineRequest(module).run()


if __name__ == "__main__":
    main()
