# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is known of a model before any weight is fetched, from a file or from the Hub. Private to the collection.

A metadata file is JSON: what the Hub says of a repository and of its small configuration files, reduced to what a
decision needs. It names its source and date, so that a reader can judge it.
"""

from __future__ import annotations

import datetime
import json
import os
from collections.abc import Mapping

from ansible_collections.livepeer.ai.plugins.module_utils._hf_errors import HubError
from ansible_collections.livepeer.ai.plugins.module_utils._hf_rules import Want
from ansible_collections.livepeer.ai.plugins.plugin_utils._hf_resolve import TIMEOUT, Resolver, hub

FORMAT = 1
# Of config.json only what a decision reads: the rest is long and changes nothing.
CONFIG_KEYS = ("_class_name", "architectures", "model_type", "auto_map", "max_position_embeddings")
SMALL = 4 * 1024**2
# How the Hub says that a gate is closed: everybody may list a gated repository, and few may read its files.
CLOSED = ("no_token", "licence")
DEFAULTS = {
    "revision": "main",
    "commit": None,
    "date": "",
    "source": "",
    "gated": False,
    "license": "",
    "pipeline_tag": "",
    "library_name": "",
    "model_index": None,
    "config": None,
    "chat_template": None,
    "safetensors": None,
}


class MetadataError(ValueError):
    """A metadata file that cannot be used: one sentence for the person who named it."""


def read(path):
    """The metadata in a file, checked."""
    try:
        with open(path, encoding="utf-8") as source:
            data = json.load(source)
    except OSError as error:
        raise MetadataError(f"The metadata file {path} cannot be read ({error.strerror}); check the path.") from error
    except ValueError as error:
        raise MetadataError(f"The metadata file {path} is not JSON ({error}); write it anew with save_to.") from error
    return checked(data, path)


def checked(data, where):
    if not isinstance(data, Mapping) or data.get("metadata") != FORMAT:
        raise MetadataError(f"{where} is not a metadata file of format {FORMAT}; write it anew with save_to.")
    if not isinstance(data.get("model_id"), str):
        raise MetadataError(f"{where} names no model_id; write it anew with save_to.")
    files = data.get("files")
    if not isinstance(files, Mapping) or not all(isinstance(size, int) and size >= 0 for size in files.values()):
        raise MetadataError(f"{where}: files must map each path of the repository to its size in bytes.")
    for key in ("model_index", "config", "safetensors"):
        if not isinstance(data.get(key), (Mapping, type(None))):
            raise MetadataError(f"{where}: {key} must be a mapping or null.")
    return {**DEFAULTS, **data}


def file_name(model_id):
    return model_id.replace("/", "--") + ".json"


class Library:
    """Metadata by model_id: from files first, then from the Hub if that is allowed."""

    def __init__(self, path="", save_to="", describer=None):
        self.path = path
        self.save_to = save_to
        self.describer = describer
        self.known = {}

    def get(self, model_id, revision="main"):
        """The metadata, or None if no file has it and the Hub may not be asked."""
        if model_id not in self.known:
            self.known[model_id] = self._from_file(model_id) or self._from_hub(model_id, revision)
        return self.known[model_id]

    def _from_file(self, model_id):
        if not self.path:
            return None
        if not os.path.exists(self.path):
            raise MetadataError(f"metadata {self.path} does not exist on the controller; check the path.")
        if os.path.isdir(self.path):
            path = os.path.join(self.path, file_name(model_id))
            return read(path) if os.path.exists(path) else None
        found = read(self.path)
        if found["model_id"] == model_id:
            return found
        # Its neighbours may be the companions.
        beside = os.path.join(os.path.dirname(self.path), file_name(model_id))
        return read(beside) if os.path.exists(beside) else None

    def _from_hub(self, model_id, revision):
        if self.describer is None:
            return None
        found = self.describer.describe(Want(model_id, "patterns", revision))
        if self.save_to:
            self._save(found)
        return found

    def _save(self, found):
        os.makedirs(self.save_to, exist_ok=True)
        path = os.path.join(self.save_to, file_name(found["model_id"]))
        with open(path + ".new", "w", encoding="utf-8") as target:
            json.dump(found, target, indent=1, sort_keys=True)
            target.write("\n")
        os.replace(path + ".new", path)


class Describer(Resolver):
    """Asks the Hub as the resolver of weights does, for the card and the small files as well."""

    def describe(self, want):
        api = hub().HfApi(endpoint=self.endpoint, token=self.token or False)
        info = self._request(
            want, lambda: api.model_info(want.model_id, revision=want.revision, files_metadata=True, timeout=TIMEOUT)
        )
        listed = [self._file(want, sibling) for sibling in info.siblings or []]
        files = {file["path"]: file["size"] for file in listed}
        told = info.config or {}
        index = self._json(want, info, files, "model_index.json")
        config = self._json(want, info, files, "config.json")
        tokenizer = self._json(want, info, files, "tokenizer_config.json")
        if tokenizer is None:
            tokenizer = told.get("tokenizer_config")
        return {
            **DEFAULTS,
            "metadata": FORMAT,
            "model_id": want.model_id,
            "revision": want.revision,
            "commit": info.sha,
            "date": datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d"),
            "source": f"{self.endpoint}/api/models/{want.model_id}",
            "gated": info.gated or False,
            "license": licence_of(info),
            "pipeline_tag": info.pipeline_tag or "",
            "library_name": info.library_name or "",
            "model_index": index if index is not None else index_from_card(told),
            "config": reduce(config if config is not None else told),
            "chat_template": has_chat_template(files, tokenizer, told),
            "safetensors": dict(info.safetensors.parameters) if info.safetensors else None,
            "files": files,
        }

    def _json(self, want, info, files, path):
        """A small file's content; None if it is not there, is no JSON object, or the gate is closed."""
        if files.get(path, SMALL + 1) > SMALL:
            return None
        try:
            text = self._request(want, lambda: self._get("GET", want, info.sha, path)).text
            found = json.loads(text)
        except HubError as error:
            if info.gated and error.kind in CLOSED:
                return None
            raise
        except ValueError:
            return None
        return found if isinstance(found, dict) else None


def licence_of(info):
    card = info.card_data
    found = card.get("license") if card else None
    return found if isinstance(found, str) else ""


def index_from_card(told):
    """The class alone: the Hub shows it of a gated repository too."""
    name = (told.get("diffusers") or {}).get("_class_name")
    return {"_class_name": name} if name else None


def reduce(config):
    kept = {key: config[key] for key in CONFIG_KEYS if key in config}
    return kept or None


def has_chat_template(files, tokenizer, told):
    if "chat_template.jinja" in files or told.get("chat_template_jinja"):
        return True
    return bool(tokenizer.get("chat_template")) if isinstance(tokenizer, Mapping) else None
