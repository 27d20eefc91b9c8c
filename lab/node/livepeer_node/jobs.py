# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The nine batch jobs: their fields, their decoding as Go decodes them, and their answers' shapes (facts 6.2).

Gateway and orchestrator decode a job alike and pass on what they know of it, nothing else. Neither enforces
"required": both switch off the OpenAPI check of bodies, which leaves that to the runner (and to the llm handler).
"""

from __future__ import annotations

import json
import re
import secrets
from dataclasses import dataclass

JSON, MULTIPART = "json", "multipart"
STRING, INT, FLOAT, BOOL, MESSAGES, FILE = "string", "int", "float32", "bool", "[]worker.LLMMessage", "file"
MAP = "map[string]interface {}"


class BadBody(ValueError):
    """A body that cannot be decoded: status 400 with this text."""


@dataclass(frozen=True)
class Form:
    """One pipeline's request: its Go type's name, its fields in the order in which they are written on."""

    name: str
    encoding: str
    fields: dict[str, str]
    default_model: str
    model_field: str = "model_id"
    # Fields that are no pointers in Go: always sent on, empty if the client left them out.
    always: tuple[str, ...] = ()

    @property
    def file_field(self):
        return next((name for name, kind in self.fields.items() if kind == FILE), None)


_PICTURE = {"safety_check": BOOL, "seed": INT, "num_inference_steps": INT}

FORMS: dict[str, Form] = {
    "text-to-image": Form(
        "TextToImageParams",
        JSON,
        {
            "prompt": STRING, "model_id": STRING, "loras": STRING, "height": INT, "width": INT,
            "guidance_scale": FLOAT, "negative_prompt": STRING, "num_images_per_prompt": INT, **_PICTURE,
        },
        "stabilityai/sdxl-turbo",
        always=("prompt",),
    ),
    "image-to-image": Form(
        "BodyGenImageToImage",
        MULTIPART,
        {
            "image": FILE, "prompt": STRING, "model_id": STRING, "loras": STRING, "strength": FLOAT,
            "guidance_scale": FLOAT, "image_guidance_scale": FLOAT, "negative_prompt": STRING,
            "num_images_per_prompt": INT, **_PICTURE,
        },
        "stabilityai/sdxl-turbo",
        always=("image", "prompt"),
    ),
    "image-to-video": Form(
        "BodyGenImageToVideo",
        MULTIPART,
        {
            "image": FILE, "model_id": STRING, "height": INT, "width": INT, "fps": INT, "motion_bucket_id": INT,
            "noise_aug_strength": FLOAT, **_PICTURE,
        },
        "stabilityai/stable-video-diffusion-img2vid-xt",
        always=("image",),
    ),
    "upscale": Form(
        "BodyGenUpscale",
        MULTIPART,
        {"image": FILE, "prompt": STRING, "model_id": STRING, **_PICTURE},
        "stabilityai/stable-diffusion-x4-upscaler",
        always=("image", "prompt"),
    ),
    "audio-to-text": Form(
        "BodyGenAudioToText",
        MULTIPART,
        {"audio": FILE, "model_id": STRING, "return_timestamps": STRING, "metadata": STRING},
        "openai/whisper-large-v3",
        always=("audio",),
    ),
    "segment-anything-2": Form(
        "BodyGenSegmentAnything2",
        MULTIPART,
        {
            "image": FILE, "model_id": STRING, "point_coords": STRING, "point_labels": STRING, "box": STRING,
            "mask_input": STRING, "multimask_output": BOOL, "return_logits": BOOL, "normalize_coords": BOOL,
        },
        "facebook/sam2-hiera-large",
        always=("image",),
    ),
    "image-to-text": Form(
        "BodyGenImageToText",
        MULTIPART,
        {"image": FILE, "prompt": STRING, "model_id": STRING},
        "Salesforce/blip-image-captioning-large",
        always=("image",),
    ),
    "text-to-speech": Form(
        "TextToSpeechParams",
        JSON,
        {"text": STRING, "description": STRING, "model_id": STRING},
        "parler-tts/parler-tts-large-v1",
    ),
    "llm": Form(
        "LLMRequest",
        JSON,
        {
            "model": STRING, "messages": MESSAGES, "stream": BOOL, "max_tokens": INT, "temperature": FLOAT,
            "top_p": FLOAT, "top_k": INT,
        },
        "meta-llama/llama-3.1-8B-Instruct",
        model_field="model",
        always=("messages",),
    ),
}  # fmt: skip

# No batch job: a gateway has no such route, and the orchestrator only starts a stream with it.
_LIVE_FORM = Form(
    "LiveVideoToVideoParams",
    JSON,
    {
        "subscribe_url": STRING,
        "publish_url": STRING,
        "control_url": STRING,
        "events_url": STRING,
        "params": MAP,
        "model_id": STRING,
        "gateway_request_id": STRING,
        "manifest_id": STRING,
        "stream_id": STRING,
    },
    "",
)


@dataclass
class File:
    filename: str
    data: bytes


class Job:
    """A decoded request: `values` by field; what the client left out is not in it."""

    def __init__(self, pipeline, values):
        self.pipeline = pipeline
        self.form = FORMS[pipeline]
        self.values = values

    @property
    def model(self):
        """None if the client sent none, which the real node dereferences."""
        return self.values.get(self.form.model_field)

    @property
    def file(self):
        return self.values.get(self.form.file_field, File("", b"")).data

    def encode(self):
        """(body, content type) as the client libraries of gateway and orchestrator write it."""
        zero = {FILE: File("", b""), MESSAGES: None, STRING: ""}
        sent = {
            name: self.values.get(name, zero.get(kind))
            for name, kind in self.form.fields.items()
            if name in self.values or name in self.form.always
        }
        if self.form.encoding == JSON:
            return json.dumps(sent).encode(), "application/json"
        return write_multipart(sent)


def decode(pipeline, body, content_type):
    form = FORMS[pipeline]
    if form.encoding == JSON:
        return Job(pipeline, _from_json(form, body))
    return Job(pipeline, _from_multipart(form, body, content_type))


def decode_live(body):
    """The values of a request for a live stream."""
    return _from_json(_LIVE_FORM, body)


# --- JSON as encoding/json reads it ------------------------------------------------------------------------------
def _from_json(form, body):
    document = _first_value(body)
    if document is None:
        return {}
    if not isinstance(document, dict):
        raise BadBody(f"json: cannot unmarshal {_go_kind(document)} into Go value of type worker.{form.name}")
    by_folded_name = {name.lower(): name for name in form.fields}
    values = {}
    for key, value in document.items():
        name = by_folded_name.get(key.lower())
        if name is not None and value is not None:
            values[name] = _checked(form, name, value)
    return values


def _first_value(body):
    """A json.Decoder reads one value and leaves what follows unread."""
    content = body.decode("utf-8", "replace").lstrip(" \t\r\n")
    if not content:
        raise BadBody("EOF")
    try:
        return json.JSONDecoder(parse_constant=_refuse_constant).raw_decode(content)[0]
    except json.JSONDecodeError as error:
        if error.pos >= len(content.rstrip()) or "Unterminated" in error.msg:
            raise BadBody("unexpected EOF") from error
        raise BadBody(f"invalid character {content[error.pos]!r} in JSON input") from error


def _refuse_constant(text):
    raise BadBody(f"invalid character {text[0]!r} looking for beginning of value")


def _go_kind(value):
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, (int, float)):
        return "number" if isinstance(value, int) else f"number {value}"
    return {str: "string", list: "array", dict: "object"}[type(value)]


def _checked(form, name, value):
    kind = form.fields[name]
    fits = {
        STRING: isinstance(value, str),
        BOOL: isinstance(value, bool),
        INT: isinstance(value, int) and not isinstance(value, bool),
        FLOAT: isinstance(value, (int, float)) and not isinstance(value, bool),
        MESSAGES: isinstance(value, list),
        MAP: isinstance(value, dict),
    }[kind]
    if not fits:
        go_type = "int" if kind == INT else kind
        raise BadBody(
            f"json: cannot unmarshal {_go_kind(value)} into Go struct field {form.name}.{name} of type {go_type}"
        )
    return [_message(form, item) for item in value] if kind == MESSAGES else value


def _message(form, item):
    if not isinstance(item, dict):
        raise BadBody(
            f"json: cannot unmarshal {_go_kind(item)} into Go struct field {form.name}.messages "
            "of type worker.LLMMessage"
        )
    message = {"content": "", "role": ""}
    for key, value in item.items():
        if key.lower() in message and value is not None:
            if not isinstance(value, str):
                raise BadBody(
                    f"json: cannot unmarshal {_go_kind(value)} into Go struct field "
                    f"LLMMessage.messages.{key} of type string"
                )
            message[key.lower()] = value
    return message


# --- multipart ---------------------------------------------------------------------------------------------------
def _from_multipart(form, body, content_type):
    texts, files = read_multipart(body, content_type)
    values = {}
    for name, kind in form.fields.items():
        if kind == FILE:
            if name in files:
                values[name] = files[name]
        elif name in texts:
            values[name] = _bound(kind, texts[name])
    return values


def _bound(kind, value):
    """One form value as the binder of oapi-codegen converts it."""
    if kind == STRING:
        return value
    if kind == INT:
        if re.fullmatch(r"[+-]?\d+", value):
            return int(value)
        raise BadBody(f"error binding string parameter: strconv.ParseInt: parsing {json.dumps(value)}: invalid syntax")
    if kind == BOOL:
        if value in ("1", "t", "T", "TRUE", "true", "True"):
            return True
        if value in ("0", "f", "F", "FALSE", "false", "False"):
            return False
        raise BadBody(f"error binding string parameter: strconv.ParseBool: parsing {json.dumps(value)}: invalid syntax")
    try:
        return float(value)
    except ValueError as error:
        raise BadBody(
            f"error binding string parameter: strconv.ParseFloat: parsing {json.dumps(value)}: invalid syntax"
        ) from error


def read_multipart(body, content_type):
    """(texts, files) by name, the first of each name; a part without a file name is a text."""
    media_type, _, parameters = content_type.partition(";")
    boundary = re.search(r'boundary="?([^";]+)"?', parameters)
    if media_type.strip().lower() not in ("multipart/form-data", "multipart/mixed"):
        raise BadBody("request Content-Type isn't multipart/form-data")
    if not boundary:
        raise BadBody("no multipart boundary param in Content-Type")
    delimiter = b"\r\n--" + boundary.group(1).strip().encode()
    pieces = (b"\r\n" + body).split(delimiter)
    if len(pieces) < 2 or not pieces[-1].startswith(b"--"):
        raise BadBody("multipart: NextPart: EOF")
    texts, files = {}, {}
    for piece in pieces[1:-1]:
        head, _, data = piece.partition(b"\r\n\r\n")
        name, filename = _disposition(head.decode("utf-8", "replace"))
        if filename:
            files.setdefault(name, File(filename, data))
        else:
            texts.setdefault(name, data.decode("utf-8", "replace"))
    return texts, files


def _disposition(head):
    line = re.search(r"^content-disposition:(.*)$", head, re.IGNORECASE | re.MULTILINE)
    found = dict(re.findall(r'\b(name|filename)="((?:[^"\\]|\\.)*)"', line.group(1) if line else ""))
    return found.get("name", ""), found.get("filename", "")


def write_multipart(values):
    """(body, content type); files first in the order given, floats with six digits, as Go's %f has them."""
    boundary = secrets.token_hex(30)
    out = bytearray()
    for name, value in values.items():
        out += f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"'.encode()
        if isinstance(value, File):
            out += f'; filename="{value.filename}"\r\nContent-Type: application/octet-stream\r\n\r\n'.encode()
            out += value.data
        else:
            out += b"\r\n\r\n" + _go_text(value).encode()
        out += b"\r\n"
    out += f"--{boundary}--\r\n".encode()
    return bytes(out), f"multipart/form-data; boundary={boundary}"


def _go_text(value):
    if isinstance(value, bool):
        return "true" if value else "false"
    return f"{value:f}" if isinstance(value, float) else str(value)


# --- answers -----------------------------------------------------------------------------------------------------
def _media(item):
    return {"nsfw": bool(item.get("nsfw")), "seed": int(item.get("seed") or 0), "url": item.get("url") or ""}


def _images(answer):
    images = answer.get("images")
    return {"images": images if images is None else [_media(item) for item in images]}


def _texts(*names):
    return lambda answer: {name: answer.get(name) or "" for name in names}


def _transcript(answer):
    chunks = answer.get("chunks")
    if chunks is not None:
        chunks = [{"text": c.get("text") or "", "timestamp": c.get("timestamp")} for c in chunks]
    return {"chunks": chunks, "text": answer.get("text") or ""}


def _choice(item):
    kept = {"index": int(item.get("index") or 0)}
    for name in ("delta", "message"):
        if item.get(name) is not None:
            kept[name] = _texts("content", "role")(item[name])
    if item.get("finish_reason") is not None:
        kept["finish_reason"] = item["finish_reason"]
    return kept


def llm_answer(answer):
    usage = answer.get("usage") or {}
    return {
        "choices": [_choice(item) for item in answer.get("choices") or []],
        "created": int(answer.get("created") or 0),
        "id": answer.get("id") or "",
        "model": answer.get("model") or "",
        "usage": {n: int(usage.get(n) or 0) for n in ("completion_tokens", "prompt_tokens", "total_tokens")},
    }


SHAPES = {
    "text-to-image": _images,
    "image-to-image": _images,
    "image-to-video": _images,
    "upscale": _images,
    "audio-to-text": _transcript,
    "segment-anything-2": _texts("logits", "masks", "scores"),
    "image-to-text": _texts("text"),
    "text-to-speech": lambda answer: {"audio": _texts("url")(answer.get("audio") or {})},
    "llm": llm_answer,
}


def shaped(pipeline, answer):
    """An answer as Go's structs keep it: unknown keys dropped, missing ones zero; `null` gives all zeros."""
    if answer is not None and not isinstance(answer, dict):
        raise BadBody(f"json: cannot unmarshal {_go_kind(answer)} into Go value")
    return SHAPES[pipeline](answer or {})
