# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""audio-to-text (ai-runner.md 2.1, 2.6 item 7)."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

from ..components import load_tokenizer, load_transformers_model, required_json
from ..errors import AudioConversionError, InferenceError, Refusal
from ..hubcache import HubCache
from ..schema import Field
from ..sound import NotAudioError, Recording, looks_like_media, read_wav
from .base import Pipeline

log = logging.getLogger(__name__)

MOST_BYTES = 50 * 1024 * 1024
LONGEST_FOR_WORDS = 3600
# What AutoModelForSpeechSeq2Seq takes (ai-runner.md 10.2); CTC models such as wav2vec2 are not among them.
SEQUENCE_MODELS = {
    "whisper",
    "speech_to_text",
    "speecht5",
    "seamless_m4t",
    "seamless_m4t_v2",
    "speech-encoder-decoder",
    "pop2piano",
}
# This backend ignores MODEL_DIR: its path is written into the real code.
FASTER_WHISPER_CACHE = Path("/models")


class AudioToTextPipeline(Pipeline):
    name = "audio-to-text"
    log_name = "AudioToText pipeline"
    failure = "Audio-to-text pipeline error."
    unsupported = "Unsupported audio format or malformed file."
    # The one route that runs in a worker thread.
    blocks_event_loop = False
    fields = (
        Field("audio", "file"),
        Field("model_id", "str", ""),
        Field("return_timestamps", "str", "true"),
        Field("metadata", "str", "{}"),
    )

    def load(self) -> None:
        self.can_time = True
        if self.settings.backend == "faster-whisper":
            self._load_ctranslate2()
        else:
            self._load_transformers()

    def _load_transformers(self) -> None:
        log.info("AudioToText loading '%s' on device '%s'", self.model_id, self.settings.device)
        snapshot = self.cache.snapshot(self.model_id)
        model_type = required_json(snapshot, "config.json").get("model_type")
        if model_type not in SEQUENCE_MODELS:
            raise ValueError(
                f"Unrecognized configuration class {model_type!r} for this kind of AutoModel: SpeechSeq2Seq."
            )
        _, files = load_transformers_model(snapshot, None, pickled=False)
        self.keep(files)
        required_json(snapshot, "preprocessor_config.json")
        load_tokenizer(snapshot)
        # Without this file whisper starts, and refuses every request that wants timestamps (the default does).
        self.can_time = (snapshot / "generation_config.json").is_file()

    def _load_ctranslate2(self) -> None:
        snapshot = HubCache(FASTER_WHISPER_CACHE).snapshot(self.model_id)
        required_json(snapshot, "config.json")
        required_json(snapshot, "tokenizer.json")
        if not (snapshot / "model.bin").is_file() or not (snapshot / "model.bin").stat().st_size:
            raise RuntimeError(f"Unable to open file 'model.bin' in model '{snapshot}'")
        if not any(snapshot.glob("vocabulary.*")):
            raise RuntimeError(f"Cannot load the vocabulary from the model directory '{snapshot}'")

    def prepare(self, values: dict[str, Any]) -> dict[str, Any]:
        data = values["audio"].data
        if len(data) > MOST_BYTES:
            raise Refusal(413, "File size exceeds limit.")
        try:
            duration = duration_in(values["metadata"])
            if duration is None:
                log.warning("duration not provided in request, calculating it")
                duration = read_wav(data).seconds
        except (ValueError, TypeError, AttributeError) as error:
            raise Refusal(400, "Unable to calculate duration of file") from error
        return {"data": data, "duration": duration, "timestamps": timestamps_asked(values["return_timestamps"])}

    def infer(self, job: dict[str, Any]) -> dict[str, Any]:
        recording = decode(job["data"])
        if job["timestamps"] == "word" and job["duration"] > LONGEST_FOR_WORDS:
            raise InferenceError(
                f"Word timestamps are only supported for audio files up to 60 minutes for model {self.model_id}"
            )
        if job["timestamps"] and not self.can_time:
            raise InferenceError(ValueError("timestamps need a generation_config.json, which this model lacks"))
        self.work()
        text = transcribe(recording)
        return {"text": text, "chunks": chunks_of(text, recording.seconds, job["timestamps"])}


def timestamps_asked(value: str) -> bool | str:
    word = value.lower()
    if word in {"true", "1", "sentence"}:
        return True
    return False if word in {"false", "0"} else word


def duration_in(metadata: str) -> float | None:
    value = json.loads(metadata).get("duration")
    return None if value is None else float(value)


def decode(data: bytes) -> Recording:
    """As PyAV: a file that opens but holds no sound is "unsupported"; one that does not open is an unforeseen error."""
    try:
        return read_wav(data)
    except NotAudioError as error:
        if looks_like_media(data):
            raise AudioConversionError(f"Error during audio conversion: {error}") from error
        raise RuntimeError("cannot access local variable 'input_container'") from error


def transcribe(recording: Recording) -> str:
    """What can honestly be said of a recording without a speech model: its length, form and loudness."""
    channels = {1: "one channel", 2: "two channels"}.get(recording.channels, f"{recording.channels} channels")
    loudness = "silence" if recording.loudness < 0.001 else f"a mean loudness of {recording.loudness:.3f}"
    form = f"{channels} at {recording.rate} hertz"
    return f" This recording lasts {recording.seconds:.2f} seconds, in {form}, with {loudness}."


def chunks_of(text: str, seconds: float, timestamps: bool | str) -> list[dict]:
    if not timestamps:
        return []
    if timestamps != "word":
        return [{"timestamp": [0.0, round(seconds, 2)], "text": text}]
    words = text.split()
    step = seconds / len(words)
    return [
        {"timestamp": [round(number * step, 2), round((number + 1) * step, 2)], "text": f" {word}"}
        for number, word in enumerate(words)
    ]
