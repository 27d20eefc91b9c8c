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

import json
import os
import re
import tempfile
import time
import urllib.parse

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.livepeer.ai.plugins.module_utils import _media as media
from ansible_collections.livepeer.ai.plugins.module_utils._checks import FAILED, PASSED, UNKNOWN, finish, make_check
from ansible_collections.livepeer.ai.plugins.module_utils._http import (
    HttpClient,
    HttpFailure,
    clause,
    join_url,
    redact,
    shorten,
)
from ansible_collections.livepeer.ai.plugins.module_utils._network import normal_uri, read_sessions, same_service

HARBOUR = "a quiet harbour at dawn"

# Each pipeline: how the body is sent, the file it needs, what comes back, and cheap parameters that still mean much.
PIPELINES = {
    "text-to-image": {
        "body": "json",
        "answer": "pictures",
        "parameters": {"prompt": HARBOUR, "width": 512, "height": 512, "num_inference_steps": 4, "seed": 42},
    },
    "image-to-image": {
        "body": "multipart",
        "file": "image",
        "answer": "pictures",
        "parameters": {"prompt": HARBOUR, "num_inference_steps": 4, "seed": 42},
    },
    "image-to-video": {
        "body": "multipart",
        "file": "image",
        "answer": "video",
        "parameters": {"width": 512, "height": 320, "fps": 6, "num_inference_steps": 2, "seed": 42},
    },
    "upscale": {
        "body": "multipart",
        "file": "image",
        "answer": "pictures",
        "parameters": {"prompt": HARBOUR, "num_inference_steps": 4, "seed": 42},
    },
    "audio-to-text": {
        "body": "multipart",
        "file": "audio",
        "answer": "transcript",
        "parameters": {"return_timestamps": "true"},
    },
    "image-to-text": {"body": "multipart", "file": "image", "answer": "caption", "parameters": {"prompt": ""}},
    "segment-anything-2": {
        "body": "multipart",
        "file": "image",
        "answer": "masks",
        "parameters": {"point_coords": [[128, 128]], "point_labels": [1]},
    },
    "text-to-speech": {"body": "json", "answer": "sound", "parameters": {"text": "A quiet harbour at dawn."}},
    "llm": {
        "body": "json",
        "answer": "chat",
        "parameters": {
            "messages": [{"role": "user", "content": "Name one harbour."}],
            "max_tokens": 16,
            "stream": False,
        },
    },
}
# A runner takes these as JSON text, whatever kind of body carries them.
JSON_TEXT = ("loras", "point_coords", "point_labels", "box", "mask_input", "metadata")
SAMPLES = {
    "image": ("sample.png", "image/png", media.sample_png),
    "audio": ("sample.wav", "audio/wav", media.sample_wav),
}
CONTENT_TYPES = {
    ".png": "image/png",
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".webp": "image/webp",
    ".wav": "audio/wav",
    ".mp3": "audio/mpeg",
    ".flac": "audio/flac",
    ".m4a": "audio/mp4",
    ".ogg": "audio/ogg",
}
LONGEST_TEXT = 2000

# What a failure means, which depends on who answered: {failure: {target: (sentence, remedy)}}.
# {said} is the server's own text.
MEANINGS = {
    "closed_without_reply": {
        "gateway": (
            (
                "The gateway closed the connection without a reply: it has no orchestrator that offers the model, or "
                "none of them has a free runner that works."
            ),
            (
                "Check that an orchestrator the gateway is pinned to serves this pipeline and model, spelt exactly so, "
                "and that its runner is healthy and free. A damaged input file ends like this, too."
            ),
        ),
        "runner": (
            "The runner closed the connection without a reply: it ended while it worked.",
            "Read the container's log for its last words; too little GPU memory is the usual cause.",
        ),
    },
    "empty_200": {
        "gateway": (
            (
                "The gateway answered 200 with an empty body, which is a failure: the request broke a rule of its "
                "API, or every orchestrator failed."
            ),
            (
                "Compare the parameters with the pipeline's API and read the gateway's log; the answer itself says "
                "nothing."
            ),
        ),
        "runner": (
            "The runner answered 200 with an empty body.",
            "Check that the address is a runner's and not another server's.",
        ),
    },
    "not_found_everywhere": {
        "gateway": (
            "The gateway answers 404 to every AI route while /healthz is well: its HTTP ingest is off.",
            "Start the gateway with -httpIngest; it is off by itself when -httpAddr is not a loopback address.",
        ),
    },
    "not_a_gateway": {
        "gateway": (
            "The address answers 404, to /healthz as well: it is no gateway's HTTP port.",
            "Use the gateway's HTTP address; its CLI port is another.",
        ),
    },
    "not_found": {
        "gateway": (
            "The gateway has no route for this pipeline, though it has others.",
            "Use a pipeline that this version of go-livepeer has.",
        ),
        "runner": (
            "The runner has no route for this pipeline.",
            "Ask the runner that serves it: a runner has the route of its own pipeline only.",
        ),
    },
    "server_error_json": {
        "gateway": (
            "The gateway failed with 500 ({said}).",
            "Read the gateway's log and then the orchestrator's: the answer never tells the cause.",
        ),
        "runner": (
            "The runner failed with 500 ({said}).",
            "Read the container's log; too little GPU memory is reported so.",
        ),
    },
    "http_400": {
        "gateway": (
            "The gateway refused the request: {said}",
            "Correct the parameters. A model that does not fit its pipeline is refused like this, too.",
        ),
        "runner": (
            "The runner refused the request: {said}",
            "Correct the parameters. A model that does not fit its pipeline is refused like this, too.",
        ),
    },
    "http_401": {
        "runner": (
            "The runner wants another bearer token.",
            "Set the token that the runner was started with (AUTH_TOKEN).",
        ),
    },
    "http_403": {
        "gateway": (
            "The address refused the request with 403 ({said}).",
            (
                "Ask a gateway: an orchestrator's service address takes signed jobs only, and a proxy may want to "
                "know you."
            ),
        ),
    },
    "http_422": {
        "gateway": ("A field of the request is not valid: {said}", "Correct the parameter that is named."),
        "runner": ("A field of the request is not valid: {said}", "Correct the parameter that is named."),
    },
    "http_503": {
        "gateway": (
            "The gateway found no orchestrator that would take the job (503).",
            (
                "Check that its orchestrators are reachable, have the model and a free slot, and ask no more than "
                "the gateway will pay."
            ),
        ),
    },
    "bad_payload": {
        "gateway": (
            "What came back through the gateway is not sound: {said}.",
            "Ask the runner directly to see whether it or the way to it is at fault.",
        ),
        "runner": (
            "What the runner sent is not sound: {said}.",
            "Check that the image, the model and the pipeline belong together, and read the container's log.",
        ),
    },
    "media_not_fetched": {
        "gateway": (
            "The answer points to media that cannot be fetched: {said}.",
            (
                "Fetch promptly: a gateway keeps the last files of a session in memory only. Behind a proxy, pass "
                "/stream/ on as well."
            ),
        ),
        "runner": (
            "The answer points to media that cannot be fetched: {said}.",
            "A runner sends its media inside the answer; check that the address is one.",
        ),
    },
}


class RequestFailure(Exception):
    """The request has no good answer; name and said choose the sentence."""

    def __init__(self, name, said="", remedy=""):
        super().__init__(said)
        self.name = name
        self.said = said
        self.remedy = remedy


class GatewayRequest:
    """Sends the request, follows the answer to its media and judges them."""

    def __init__(self, module):
        params = module.params
        self.module = module
        self.url, self.target = params["url"], params["target"]
        self.pipeline, self.model_id = params["pipeline"], params["model_id"]
        self.kind = PIPELINES[self.pipeline]
        self.parameters = {
            key: value
            for key, value in {**self.kind["parameters"], **params["parameters"]}.items()
            if value is not None
        }
        self.files = params["files"]
        self.expect = {key: value for key, value in (params["expect"] or {}).items() if value is not None}
        self.dest = params["dest"]
        self.cli_url, self.expected = params["cli_url"], params["orchestrators"]
        self.client = HttpClient(params["timeout"], params["validate_certs"], params["token"])
        # Media and session pools are not behind the runner's token.
        self.plain_client = HttpClient(min(params["timeout"], 60), params["validate_certs"])
        self.result = {"failure": "", "status_code": None, "seconds": 0.0, "media": [], "text": "", "files": []}
        self.result["orchestrators"] = {
            "candidates": [],
            "expected": [normal_uri(one) for one in self.expected],
            "judgement": "unknown",
        }

    def run(self):
        self.refuse_nonsense()
        upload = self.upload()
        if self.module.check_mode:
            sentence, remedy = "Nothing was sent, because this is a check run.", "Run without --check."
            finish(self.module, self.result, [self.check(UNKNOWN, sentence, remedy)])
        try:
            checks = [self.check(PASSED, self.judge(self.send(upload)))]
        except RequestFailure as failure:
            checks = [self.failed(failure)]
        self.read_candidates()
        if self.expected and checks[0]["status"] == PASSED:
            checks.append(self.judge_orchestrators())
        finish(self.module, self.result, checks)

    # --- the request ---

    def refuse_nonsense(self):
        wanted = self.kind.get("file")
        for name in self.files:
            if name != wanted:
                wants = f"takes {wanted}" if wanted else "takes no file"
                self.module.fail_json(msg=f"files has {name}, but the pipeline {self.pipeline} {wants}.")
        if self.expected and not self.cli_url:
            self.module.fail_json(
                msg="orchestrators is given without cli_url: only the gateway's CLI port knows who could have answered."
            )
        if self.dest and not self.module.check_mode and not os.path.isdir(self.dest):
            self.module.fail_json(msg=f"dest is {self.dest}, which is not a directory; create it first.")

    def upload(self):
        """(file name, content type, bytes) of the input file, None if the pipeline takes none."""
        name = self.kind.get("file")
        if name is None:
            return None
        path = self.files.get(name) or "sample"
        if path == "sample":
            file_name, content_type, make = SAMPLES[name]
            return file_name, content_type, make()
        try:
            with open(path, "rb") as stream:
                content = stream.read()
        except OSError as error:
            self.module.fail_json(msg=f"files.{name} is {path}, which cannot be read on this host: {error.strerror}.")
        return (
            os.path.basename(path),
            CONTENT_TYPES.get(os.path.splitext(path)[1].lower(), "application/octet-stream"),
            content,
        )

    def is_sample(self):
        return (self.files.get(self.kind.get("file")) or "sample") == "sample"

    def send(self, upload):
        """The answer with a body that says 200 and is one; RequestFailure for anything else."""
        url = join_url(self.url, self.pipeline)
        started = time.monotonic()
        try:
            if self.kind["body"] == "json":
                answer = self.client.post_json(url, self.json_body())
            else:
                answer = self.client.post_multipart(url, self.form_fields(), {self.kind["file"]: upload})
        except HttpFailure as failure:
            raise RequestFailure(failure.name, clause(failure.sentence), failure.remedy) from failure
        finally:
            self.result["seconds"] = round(time.monotonic() - started, 3)
        self.result["status_code"] = answer.status
        if answer.status != 200:
            raise self.refusal(answer)
        if not answer.body.strip():
            raise RequestFailure("empty_200")
        return answer

    def json_body(self):
        body = {key: _json_text(value) if key in JSON_TEXT else value for key, value in self.parameters.items()}
        body["model" if self.pipeline == "llm" else "model_id"] = self.model_id
        return body

    def form_fields(self):
        fields = {
            key: _json_text(value) if not isinstance(value, str) else value for key, value in self.parameters.items()
        }
        fields["model_id"] = self.model_id
        return fields

    def refusal(self, answer):
        """The failure behind a status code other than 200."""
        # A gateway puts a colon before the words of a runner, and nothing before it.
        said = answer.error_text().lstrip(": ") or "without a word"
        if answer.status == 404:
            return RequestFailure(self.why_not_found(), said)
        if answer.status == 500 and answer.is_json:
            return RequestFailure("server_error_json", said)
        return RequestFailure(f"http_{answer.status}", said)

    def why_not_found(self):
        """One missing route, all of them, or the wrong server: two more questions tell."""
        if self.target == "runner":
            return "not_found"
        other = "text-to-image" if self.pipeline != "text-to-image" else "image-to-image"
        try:
            # With ingest on, a GET to an AI route breaks a rule of the API and is answered with an empty 200.
            if self.plain_client.get(join_url(self.url, other)).status != 404:
                return "not_found"
            healthy = self.plain_client.get(join_url(self.url, "healthz")).status == 200
        except HttpFailure:
            healthy = False
        return "not_found_everywhere" if healthy else "not_a_gateway"

    # --- the answer ---

    def judge(self, answer):
        """The sentence for a sound answer; RequestFailure("bad_payload") for any other."""
        judges = {
            "pictures": self.judge_pictures,
            "video": self.judge_video,
            "sound": self.judge_sound,
            "transcript": self.judge_transcript,
            "caption": self.judge_caption,
            "masks": self.judge_masks,
            "chat": self.judge_chat,
        }
        return judges[self.kind["answer"]](answer)

    def object_of(self, answer):
        try:
            value = answer.json()
        except ValueError as error:
            raise RequestFailure("bad_payload", f"the answer is not JSON ({shorten(answer.text, 80)})") from error
        if not isinstance(value, dict):
            raise RequestFailure("bad_payload", f"the answer is not a JSON object ({shorten(answer.text, 80)})")
        return value

    def judge_pictures(self, answer):
        images = _list_of(self.object_of(answer), "images")
        count = self.expect.get("count") or int(self.parameters.get("num_images_per_prompt") or 1)
        if len(images) != count:
            raise RequestFailure("bad_payload", f"it holds {len(images)} pictures, asked were {count}")
        found = [self.picture(image) for image in images]
        note = (
            ", marked as not safe for work"
            if any(isinstance(image, dict) and image.get("nsfw") for image in images)
            else ""
        )
        return "{} of {} x {} came back{}.".format(
            _count(len(found), "picture"),
            found[0]["width"],
            found[0]["height"],
            note,
        )

    def picture(self, item):
        facts = self.media_of(item, "png")
        for key in ("width", "height"):
            asked = self.expect.get(key) or self.parameters.get(key)
            if asked and int(asked) != facts[key]:
                raise RequestFailure(
                    "bad_payload", f"the picture is {facts['width']} x {facts['height']}, asked was a {key} of {asked}"
                )
        if facts["black"]:
            why = (
                "the runner's safety checker blackened it"
                if item.get("nsfw")
                else "a model that computes nothing but zeros, or a safety checker, does that"
            )
            raise RequestFailure("bad_payload", f"the picture opens, but every pixel of it is black ({why})")
        return facts

    def judge_video(self, answer):
        """A runner sends frames, a gateway makes one video of them and sends it in the shape of a picture."""
        value = self.object_of(answer)
        if "frames" not in value:
            facts = self.media_of(_list_of(value, "images")[0], "mp4")
            self.judge_duration(facts)
            return "A video of {:g} s came back.".format(facts["duration"])
        batches = _list_of(value, "frames")
        frames = [self.picture(frame) for batch in batches for frame in (batch if isinstance(batch, list) else [batch])]
        if len(frames) < 2:
            raise RequestFailure("bad_payload", "a video needs more than {}".format(_count(len(frames), "frame")))
        return "{} of {} x {} came back.".format(_count(len(frames), "frame"), frames[0]["width"], frames[0]["height"])

    def judge_sound(self, answer):
        facts = self.media_of(self.object_of(answer).get("audio"), "wav")
        if facts["silent"]:
            raise RequestFailure("bad_payload", "the sound opens, but it is silent from beginning to end")
        self.judge_duration(facts)
        return "Sound of {:g} s came back, {} frames.".format(facts["duration"], facts["frames"])

    def judge_duration(self, facts):
        least = self.expect.get("min_duration") or 0
        if facts["duration"] < least:
            raise RequestFailure(
                "bad_payload", "it lasts {:g} s, expected were at least {:g}".format(facts["duration"], least)
            )

    def judge_transcript(self, answer):
        value = self.object_of(answer)
        if not isinstance(value.get("chunks"), list):
            raise RequestFailure("bad_payload", "the transcript has no list of chunks")
        if self.is_sample() and isinstance(value.get("text"), str) and not value["text"].strip() and not self.expect:
            return "A transcript came back, rightly without words: the built-in tone has none."
        return self.judge_text(value.get("text"))

    def judge_caption(self, answer):
        return self.judge_text(self.object_of(answer).get("text"))

    def judge_text(self, text):
        if not isinstance(text, str):
            raise RequestFailure("bad_payload", "the answer holds no text")
        text = text.strip()
        self.result["text"] = redact(text[:LONGEST_TEXT])
        least = max(1, self.expect.get("min_text") or 1)
        if len(text) < least:
            raise RequestFailure(
                "bad_payload",
                "the text is empty"
                if not text
                else "the text has {}, expected were {}".format(_count(len(text), "character"), least),
            )
        words = self.expect.get("contains") or ""
        if words.lower() not in text.lower():
            raise RequestFailure("bad_payload", f"the text does not hold {words!r} (it says: {shorten(text, 80)})")
        self.save("txt", text.encode("utf-8"))
        return "A text of {} came back: {}".format(_count(len(text), "character"), _quote(text))

    def judge_masks(self, answer):
        value = self.object_of(answer)
        shapes = {}
        for key in ("masks", "scores", "logits"):
            if not isinstance(value.get(key), str):
                raise RequestFailure("bad_payload", f"the answer holds no {key}")
            try:
                shapes[key] = media.decode_array(value[key])
            except media.MediaError as error:
                raise RequestFailure("bad_payload", f"{key}: {error}") from error
        if len({shape[0] for shape in shapes.values()}) != 1:
            raise RequestFailure(
                "bad_payload",
                "masks, scores and logits differ in number ({})".format(
                    ", ".join(f"{k} {s[0]}" for k, s in shapes.items())
                ),
            )
        return "{} came back, each of {}.".format(
            _count(shapes["masks"][0], "mask"), " x ".join(str(size) for size in shapes["masks"][1:])
        )

    def judge_chat(self, answer):
        if self.parameters.get("stream"):
            return self.judge_text(self.text_of_stream(answer))
        choices = _list_of(self.object_of(answer), "choices")
        message = choices[0].get("message") if isinstance(choices[0], dict) else None
        return self.judge_text(message.get("content") if isinstance(message, dict) else None)

    def text_of_stream(self, answer):
        """The text of server-sent events. A gateway ends after finish_reason, a runner adds [DONE]."""
        text, finished = "", False
        for line in answer.text.splitlines():
            payload = line[5:].strip() if line.startswith("data:") else ""
            if not payload or payload == "[DONE]":
                continue
            try:
                event = json.loads(payload)
            except ValueError as error:
                raise RequestFailure(
                    "bad_payload", f"an event of the stream is not JSON ({shorten(payload, 80)})"
                ) from error
            if isinstance(event, dict) and event.get("error"):
                raise RequestFailure(
                    "bad_payload", "the stream reports an error ({})".format(shorten(str(event["error"]), 120))
                )
            choice = _list_of(event, "choices")[0]
            text += (choice.get("delta") or {}).get("content") or ""
            finished = finished or bool(choice.get("finish_reason"))
        if not finished:
            raise RequestFailure("bad_payload", "the stream ended without a finish_reason")
        return text

    # --- media ---

    def media_of(self, item, wanted):
        """Fetch, decode and keep what an item of the answer points to."""
        url = item.get("url") if isinstance(item, dict) else None
        if not isinstance(url, str) or not url:
            raise RequestFailure("bad_payload", "the answer points to no media")
        try:
            data = media.decode_data_url(url) if url.startswith("data:") else self.fetch(url)
            facts = media.decode(data)
        except media.MediaError as error:
            raise RequestFailure("bad_payload", f"the media cannot be opened: {error}") from error
        if facts["format"] != wanted:
            raise RequestFailure(
                "bad_payload", "the media is {} where {} belongs".format(facts["format"].upper(), wanted.upper())
            )
        facts["bytes"] = len(data)
        path = self.save(facts["format"], data)
        if path:
            facts["path"] = path
        self.result["media"].append(facts)
        return facts

    def fetch(self, url):
        # A gateway gives addresses relative to itself.
        address = urllib.parse.urljoin(join_url(self.url, self.pipeline), url)
        try:
            answer = self.plain_client.get(address)
        except HttpFailure as failure:
            raise RequestFailure("media_not_fetched", clause(failure.sentence)) from failure
        if answer.status != 200:
            raise RequestFailure("media_not_fetched", f"{shorten(address, 120)} answers {answer.status}")
        return answer.body

    def save(self, suffix, data):
        """Write whole or not at all, so that nobody ever opens half a picture."""
        if not self.dest:
            return ""
        name = "{}-{}-{}.{}".format(
            self.pipeline,
            re.sub(r"[^A-Za-z0-9.]+", "-", self.model_id),
            len(self.result["files"]) + 1,
            suffix,
        )
        path = os.path.join(self.dest, name)
        handle, temporary = tempfile.mkstemp(dir=self.module.tmpdir)
        with os.fdopen(handle, "wb") as stream:
            stream.write(data)
        self.module.atomic_move(temporary, path)
        self.module.set_mode_if_different(path, "0644", False)
        self.result["files"].append(path)
        return path

    # --- who answered ---

    def read_candidates(self):
        """Everyone whom the gateway knows for this model; which of them took the job it does not tell."""
        if not self.cli_url:
            return
        try:
            sessions = read_sessions(self.plain_client.get(join_url(self.cli_url, "getAISessionPoolsInfo")).json())
        except (HttpFailure, ValueError, AttributeError, TypeError):
            return
        found = {
            one["service_uri"]
            for one in sessions
            if (one["pipeline"], one["model_id"]) == (self.pipeline, self.model_id)
        }
        self.result["orchestrators"]["candidates"] = sorted(found)

    def judge_orchestrators(self):
        info = self.result["orchestrators"]
        good = [one for one in info["candidates"] if any(same_service(one, other) for other in info["expected"])]
        others = [one for one in info["candidates"] if one not in good]
        if not info["candidates"]:
            sentence, status = "The gateway's session pools do not tell who could have answered.", UNKNOWN
            remedy = "Check cli_url; the pools are read right after the request."
        elif not others:
            info["judgement"] = "expected"
            sentence, status, remedy = "Only {} could have answered.".format(", ".join(good)), PASSED, ""
        elif not good:
            info["judgement"] = "unexpected"
            sentence, status = (
                "The answer came from {}, expected was {}.".format(" or ".join(others), " or ".join(info["expected"])),
                FAILED,
            )
            remedy = "Pin the gateway to the orchestrators it should use (-orchAddr)."
        else:
            info["judgement"] = "mixed"
            sentence, status = (
                "The answer came from {} or from {}; the gateway does not tell.".format(
                    " or ".join(good), " or ".join(others)
                ),
                UNKNOWN,
            )
            remedy = "Pin a gateway to the expected orchestrators alone to be sure."
        return make_check("answering_orchestrator", self.subject(), status, sentence, remedy=remedy)

    # --- words ---

    def subject(self):
        return f"{self.pipeline} {self.model_id}"

    def check(self, status, sentence, remedy=""):
        return make_check(f"{self.target}_request", self.subject(), status, sentence, self.result["seconds"], remedy)

    def failed(self, failure):
        self.result["failure"] = failure.name
        who = "The gateway" if self.target == "gateway" else "The runner"
        sentence, remedy = MEANINGS.get(failure.name, {}).get(self.target) or (
            f"{who} gives no answer: {{said}}."
            if failure.remedy
            else f"{who} answered with status {failure.name[5:]} ({{said}}).",
            failure.remedy or f"Read the log of what answers at {redact(self.url)}.",
        )
        sentence = sentence.replace("{said}", failure.said)
        return self.check(FAILED, sentence if sentence.endswith((".", "…")) else sentence + ".", remedy)


def _json_text(value):
    return value if isinstance(value, str) else json.dumps(value)


def _list_of(value, key):
    items = value.get(key) if isinstance(value, dict) else None
    if not isinstance(items, list) or not items:
        raise RequestFailure("bad_payload", f"the answer holds no {key}")
    return items


def _count(number, word):
    return "{} {}{}".format(number, word, "" if number == 1 else "s")


def _quote(text):
    return f'"{shorten(text, 60)}".'


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
    GatewayRequest(module).run()


if __name__ == "__main__":
    main()
