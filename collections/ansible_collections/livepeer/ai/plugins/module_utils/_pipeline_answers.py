# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a pipeline sent the picture, sound, video or text that was asked for. Private to the collection."""

from __future__ import annotations

import json
import os
import re
import tempfile
import urllib.parse

from ansible_collections.livepeer.ai.plugins.module_utils import _media as media
from ansible_collections.livepeer.ai.plugins.module_utils._http import HttpFailure, clause, join_url, redact, shorten
from ansible_collections.livepeer.ai.plugins.module_utils._request import RequestFailure, counted, quote

LONGEST_TEXT = 2000


class PipelineAnswers:
    """The half of a pipeline's request that looks at what came back: each judge gives the sentence, or fails."""

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
            counted(len(found), "picture"),
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
            raise RequestFailure("bad_payload", "a video needs more than {}".format(counted(len(frames), "frame")))
        return "{} of {} x {} came back.".format(counted(len(frames), "frame"), frames[0]["width"], frames[0]["height"])

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
                else "the text has {}, expected were {}".format(counted(len(text), "character"), least),
            )
        words = self.expect.get("contains") or ""
        if words.lower() not in text.lower():
            raise RequestFailure("bad_payload", f"the text does not hold {words!r} (it says: {shorten(text, 80)})")
        self.save("txt", text.encode("utf-8"))
        return "A text of {} came back: {}".format(counted(len(text), "character"), quote(text))

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
            counted(shapes["masks"][0], "mask"), " x ".join(str(size) for size in shapes["masks"][1:])
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


def _list_of(value, key):
    items = value.get(key) if isinstance(value, dict) else None
    if not isinstance(items, list) or not items:
        raise RequestFailure("bad_payload", f"the answer holds no {key}")
    return items
