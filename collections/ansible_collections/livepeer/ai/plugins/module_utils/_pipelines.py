# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How each batch pipeline is asked, and what each way of failing means. Private to the collection."""

from __future__ import annotations

from ansible_collections.livepeer.ai.plugins.module_utils import _media as media

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
