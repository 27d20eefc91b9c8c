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
  - With O(api=byoc) it sends a job for a capability of one's own, through a gateway or, off chain, straight to an
    orchestrator. With O(api=live_runner) it is a client of a live runner.
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
    description:
      - Base address of the gateway, for example V(http://127.0.0.1:9935), of the runner, or of the orchestrator, for
        example V(https://127.0.0.1:8935).
    type: str
    required: true
  api:
    description: What is asked for, which is a pipeline, a BYOC capability or a live runner.
    type: str
    choices: [pipeline, byoc, live_runner]
    default: pipeline
  target:
    description:
      - What answers at O(url).
      - A runner sends media inside its answer, a gateway sends relative addresses, and they fail in different ways.
      - V(orchestrator) is for O(api=byoc) off chain, where a gateway's jobs are refused for their empty signature and
        a job sent straight to the orchestrator is taken. The client of a live runner always asks the orchestrator,
        whatever this says.
      - The certificate of an orchestrator is not verified. It is self-signed, and new at every start.
    type: str
    choices: [gateway, runner, orchestrator]
    default: gateway
  pipeline:
    description: Pipeline to ask for. Required with O(api=pipeline).
    type: str
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
    description:
      - Model to ask for. It is always sent, because a gateway crashes without it. Required with O(api=pipeline).
    type: str
  capability:
    description: Name of the capability, or label of the live runner. Required unless O(api=pipeline).
    type: str
  path:
    description: Route of the service behind it, for example V(v1/infer). Needed unless O(api=pipeline).
    type: str
    default: ""
  body:
    description: What is posted to the service, as JSON.
    type: dict
    default: {}
  stream:
    description:
      - Whether the service answers with server-sent events. They must end with a line that holds C([DONE]).
      - A note of the balance that an orchestrator adds is no event.
    type: bool
    default: false
  mode:
    description:
      - Mode of the live runner. For a persistent one a session is opened, used for this request and stopped.
    type: str
    choices: [single-shot, persistent]
    default: single-shot
  request:
    description: The C(request) of a BYOC job's header, for services that want one.
    type: dict
    default: {}
  include:
    description:
      - Orchestrators that a gateway may send the BYOC job to, spelt as in its own list. Any if left out.
    type: list
    elements: str
    default: []
  exclude:
    description: Orchestrators that it must not send the job to.
    type: list
    elements: str
    default: []
  parameters:
    description:
      - Parameters of the request, for example C(prompt), C(width), C(height), C(seed) or C(messages). They replace
        cheap built-in ones, key by key.
      - Lists and dictionaries become JSON text where the pipeline wants that. C(null) removes a built-in parameter.
      - With O(api=byoc) the C(parameters) of the job's header, besides the choice of orchestrators.
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
        description: Words that must be in a text, or in the answer of a service, whatever their case.
        type: str
      min_duration:
        description: Least length of sound or video in seconds.
        type: float
      status:
        description:
          - Status that a service answers with, V(200) if left out. A refusal of the node itself never counts as the
            expected one.
        type: int
      keys:
        description:
          - Keys that the JSON of a service has, or that at least one event of a stream has. A dot steps into it, as in
            V(data.0.vector).
        type: list
        elements: str
      min_items:
        description: Least length of lists in the JSON of a service, by the key of the list.
        type: dict
      events:
        description: Least number of events of a stream. One if left out.
        type: int
  token:
    description: Bearer token, for a runner that wants one.
    type: str
    default: ""
  timeout:
    description:
      - Seconds that the request may take. Neither gateway nor runner has a limit of its own.
      - With O(api=byoc) the seconds that the service may take, in the job's C(timeout_seconds). The answer of the node
        is waited for 10 seconds longer, because it says what was too slow.
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
    description:
      - CLI port of the gateway, for example V(http://127.0.0.1:5935), to read the session pools from.
      - With O(api=byoc) it tells a gateway that is off chain, and so cannot send such jobs, from one that finds nobody.
    type: str
    default: ""
  orchestrators:
    description:
      - Service addresses of the orchestrators that may answer. Any may if left out.
      - Needs O(cli_url) with O(api=pipeline). With O(api=byoc) the answer itself names its orchestrator, and
        O(include) is what is expected if this is left out.
    type: list
    elements: str
    default: []
  occasion:
    description: Words behind the subject of the checks, for example V(after a restart).
    type: str
    default: ""
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

- name: Send a BYOC job through a gateway on a chain, to one orchestrator
  livepeer.ai.gateway_request:
    api: byoc
    url: http://127.0.0.1:9935
    capability: sentence-embeddings
    path: v1/infer
    body:
      texts: [a quiet harbour at dawn]
    include: [https://192.0.2.21:8935]
    expect:
      keys: [vectors]
      min_items: {vectors: 1}

- name: Send the same job straight to an orchestrator off chain, as a stream
  livepeer.ai.gateway_request:
    api: byoc
    target: orchestrator
    url: https://127.0.0.1:8935
    capability: sentence-embeddings
    path: v1/infer/stream
    body:
      texts: [a quiet harbour at dawn]
    stream: true

- name: Ask the live runner of the same service
  livepeer.ai.gateway_request:
    api: live_runner
    url: https://127.0.0.1:8935
    capability: sentence-embeddings
    path: v1/infer
    body:
      texts: [a quiet harbour at dawn]

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
      request passed. C(service_request) instead of them unless O(api=pipeline).
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
    - For what came back V(bad_payload), V(media_not_fetched), V(other_status), V(stream_not_ended).
    - For BYOC V(no_orchestrators), V(offchain_gateway), V(wrong_orchestrator), V(no_orchestrator_url),
      V(bad_credentials), V(bad_job), V(insufficient_balance), V(not_registered), V(not_a_node), V(is_a_gateway).
    - For live runners V(live_runners_off), V(runner_not_found), V(no_capacity), V(payment_required), V(wrong_mode),
      V(session_exists), V(session_not_stopped).
    - For the service behind either V(worker_refused), V(worker_error), V(worker_busy), V(worker_unauthorized),
      V(worker_timeout), V(worker_unreachable).
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
answer:
  description: The JSON of a service, null if it is larger than 1 MiB, no JSON or a stream.
  returned: unless O(api=pipeline)
  type: raw
  sample:
    vectors: [[0.12, -0.03]]
events:
  description: Number of events of a stream.
  returned: unless O(api=pipeline)
  type: int
  sample: 4
balance:
  description: What the node says is left of the sender's balance (C(Livepeer-Balance)), empty if it says nothing.
  returned: unless O(api=pipeline)
  type: str
  sample: "0.000"
text:
  description: Text that came back, at most 2000 characters.
  returned: always
  type: str
  sample: ""
orchestrators:
  description:
    - Orchestrators that could have answered, or did (C(candidates)), those that were expected (C(expected)) and the
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
from ansible_collections.livepeer.ai.plugins.module_utils._service_request import ByocRequest, LiveRunnerRequest

REQUESTS = {"pipeline": PipelineRequest, "byoc": ByocRequest, "live_runner": LiveRunnerRequest}


def main():
    expect = {
        "width": {"type": "int"},
        "height": {"type": "int"},
        "count": {"type": "int"},
        "min_text": {"type": "int"},
        "contains": {"type": "str"},
        "min_duration": {"type": "float"},
        "status": {"type": "int"},
        "keys": {"type": "list", "elements": "str", "no_log": False},
        "min_items": {"type": "dict"},
        "events": {"type": "int"},
    }
    module = AnsibleModule(
        argument_spec={
            "url": {"type": "str", "required": True},
            "api": {"type": "str", "choices": list(REQUESTS), "default": "pipeline"},
            "target": {"type": "str", "choices": ["gateway", "runner", "orchestrator"], "default": "gateway"},
            "pipeline": {"type": "str", "choices": list(PIPELINES)},
            "model_id": {"type": "str"},
            "capability": {"type": "str"},
            "path": {"type": "str", "default": ""},
            "body": {"type": "dict", "default": {}},
            "stream": {"type": "bool", "default": False},
            "mode": {"type": "str", "choices": ["single-shot", "persistent"], "default": "single-shot"},
            "request": {"type": "dict", "default": {}},
            "include": {"type": "list", "elements": "str", "default": []},
            "exclude": {"type": "list", "elements": "str", "default": []},
            "parameters": {"type": "dict", "default": {}},
            "files": {"type": "dict", "default": {}},
            "expect": {"type": "dict", "default": {}, "options": expect},
            "token": {"type": "str", "default": "", "no_log": True},
            "timeout": {"type": "float", "default": 300},
            "validate_certs": {"type": "bool", "default": True},
            "dest": {"type": "path"},
            "cli_url": {"type": "str", "default": ""},
            "orchestrators": {"type": "list", "elements": "str", "default": []},
            "occasion": {"type": "str", "default": ""},
            "fail": {"type": "bool", "default": True},
        },
        required_if=[
            ("api", "pipeline", ("pipeline", "model_id")),
            ("api", "byoc", ("capability",)),
            ("api", "live_runner", ("capability",)),
        ],
        supports_check_mode=True,
    )
    REQUESTS[module.params["api"]](module).run()


if __name__ == "__main__":
    main()
