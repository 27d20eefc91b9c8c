# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""llm (ai-runner.md 2.1, 2.6 item 10, 7.2)."""

from __future__ import annotations

import json
import logging
import os
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ..components import load_tokenizer, load_weights, required_json
from ..hubcache import folder_name
from ..schema import Field
from ..weights import read_json, read_sharded, read_weights
from .base import Pipeline

log = logging.getLogger(__name__)

WEIGHT_SUFFIXES = (".bin", ".safetensors")
ROLES = ("system", "user", "assistant")
GPUS = 1
# The keys under which configurations state the longest context.
CONTEXT_KEYS = ("max_position_embeddings", "n_positions", "max_seq_len", "seq_length", "model_max_length")


class LLMPipeline(Pipeline):
    name = "llm"
    takes_form = False
    log_name = "LLM"
    failure = "Internal server error during LLM processing."
    bearer_message = "Invalid bearer token"
    mismatch_end = ""
    model_field = "model"
    # The engine works beside the event loop.
    blocks_event_loop = False
    fields = (
        Field("messages", "messages"),
        Field("model", "str", ""),
        Field("temperature", "float", 0.7),
        Field("max_tokens", "int", 256),
        Field("top_p", "float", 1.0),
        Field("top_k", "int", -1),
        Field("stream", "bool", False),
    )

    def load(self) -> None:
        self.folder = find_model_folder(self.settings.model_dir / folder_name(self.model_id))
        if self.folder is None:
            raise ValueError(f"Could not find model files for {self.model_id}")
        config = required_json(self.folder, "config.json")
        self._check_parallelism(config)
        self._check_context(config)
        self._load_weights()
        load_tokenizer(self.folder)
        log.info("Model loaded: %s", self.model_id)

    def _check_parallelism(self, config: dict) -> None:
        tensor, layers = self.settings.tensor_parallel_size, self.settings.pipeline_parallel_size
        if config["num_attention_heads"] % tensor:
            raise ValueError(
                f"Total number of attention heads ({config['num_attention_heads']}) must be divisible by tensor "
                f"parallel size ({tensor})."
            )
        if config["num_hidden_layers"] < layers:
            raise ValueError(
                f"Pipeline parallel size ({layers}) cannot be larger than number of layers "
                f"({config['num_hidden_layers']})."
            )
        if tensor * layers > GPUS:
            raise ValueError(f"Total GPUs needed ({tensor * layers}) exceeds available GPUs ({GPUS}).")

    def _check_context(self, config: dict) -> None:
        limits = [config[key] for key in CONTEXT_KEYS if isinstance(config.get(key), int)]
        if limits and self.settings.max_model_len > min(limits):
            raise ValueError(
                f"User-specified max_model_len ({self.settings.max_model_len}) is greater than the derived "
                f"max_model_len ({min(limits)}); set MAX_MODEL_LEN to a smaller value."
            )

    def _load_weights(self) -> None:
        index = self.folder / "model.safetensors.index.json"
        if index.is_file():
            self.keep(read_sharded(index))
        elif any(self.folder.glob("*.safetensors")):
            self.keep(read_weights(path) for path in sorted(self.folder.glob("*.safetensors")))
        else:
            self.keep(load_weights(self.folder, ("model", "pytorch_model"), None, pickled=True))

    def infer(self, job: dict[str, Any]) -> Iterator[dict] | dict:
        chunks = self.generate(job)
        return chunks if job["stream"] else whole_answer(list(chunks))

    def generate(self, job: dict[str, Any]) -> Iterator[dict]:
        """The answer word by word, then an empty chunk that says "stop"."""
        check_request(job)
        self._require_chat_template()
        prompt_tokens = sum(len(message["content"].split()) + 4 for message in job["messages"])
        if prompt_tokens > self.settings.max_model_len:
            raise ValueError(
                f"Input sequence length ({prompt_tokens}) exceeds maximum allowed ({self.settings.max_model_len})"
            )
        self.work()
        words = answer_words(self.model_id, job["messages"])[: job["max_tokens"]]
        common = {"id": f"chatcmpl-{uuid.uuid4()}", "model": self.model_id, "created": int(time.time())}
        for number, word in enumerate(words):
            yield common | chunk(word if number == 0 else f" {word}", "", prompt_tokens, number + 1)
        yield common | chunk("", "stop", prompt_tokens, len(words))

    def _require_chat_template(self) -> None:
        config = self.folder / "tokenizer_config.json"
        in_config = config.is_file() and "chat_template" in read_json(config)
        if not in_config and not (self.folder / "chat_template.jinja").is_file():
            raise ValueError("Cannot use chat template functions because tokenizer.chat_template is not set")


def find_model_folder(base: Path) -> Path | None:
    """The first folder below `base` that holds a weight file; FileNotFoundError without `base`.

    Found by walking, not by refs/main: with two snapshots in the cache it is anyone's guess which one serves.
    """
    if any(name.endswith(WEIGHT_SUFFIXES) for name in os.listdir(base)):
        return base
    for root, _, names in os.walk(base):
        if any(name.endswith(WEIGHT_SUFFIXES) for name in names):
            return Path(root)
    return None


def check_request(job: dict[str, Any]) -> None:
    if not job["messages"]:
        raise ValueError("Messages cannot be empty")
    for message in job["messages"]:
        if message["role"] not in ROLES:
            raise ValueError(f"Invalid role in message: {message['role']}")
    if not 0 <= job["temperature"] <= 2:
        raise ValueError("Temperature must be between 0 and 2")
    if not 0 <= job["top_p"] <= 1:
        raise ValueError("Top_p must be between 0 and 1")
    if job["max_tokens"] < 1:
        raise ValueError("Max_tokens must be positive")


def answer_words(model_id: str, messages: list[dict]) -> list[str]:
    """An answer that depends on the question, and says that no language model wrote it."""
    asked = messages[-1]["content"].split()
    return [*f"The stand-in for {model_id} read {len(asked)} words in {len(messages)} messages:".split(), *asked]


def chunk(text: str, finish_reason: str, prompt_tokens: int, completion_tokens: int) -> dict:
    return {
        "usage": {
            "prompt_tokens": prompt_tokens,
            "completion_tokens": completion_tokens,
            "total_tokens": prompt_tokens + completion_tokens,
        },
        "choices": [
            {
                "index": 0,
                "finish_reason": finish_reason,
                "delta": {"role": "assistant", "content": text},
                "message": None,
            }
        ],
    }


def whole_answer(chunks: list[dict]) -> dict:
    text = "".join(part["choices"][0]["delta"]["content"] for part in chunks)
    choice = {
        "index": 0,
        "finish_reason": "stop",
        "delta": None,
        "message": {"role": "assistant", "content": text},
    }
    return chunks[-1] | {"choices": [choice]}


def server_sent_events(chunks: Iterator[dict]) -> Iterator[bytes]:
    """The status line is out before the first word, so a failure can only be told inside the stream."""
    try:
        for part in chunks:
            yield f"data: {json.dumps(part, ensure_ascii=False, separators=(',', ':'))}\n\n".encode()
    except Exception as error:
        log.error("Streaming error: %s", error)
        yield f"data: {json.dumps({'error': str(error)})}\n\n".encode()
        return
    yield b"data: [DONE]\n\n"
