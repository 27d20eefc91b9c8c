# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From what a user declares to what is to be checked. Private to the collection."""

from __future__ import annotations

import hashlib
import os

from ansible_collections.livepeer.ai.plugins.module_utils._network import normal_uri, same_service

LIVE = ("live-video-to-video", "byoc")
PRICE_KEYS = ("price_per_unit", "pixels_per_unit", "currency")


def is_true(value):
    return value is True or str(value).lower() in ("true", "yes", "on", "1")


def serving_models(models):
    """The models with a running container: warm ones and those of external runners. Repeated entries count once."""
    serving = []
    for model in models:
        entry = {
            "pipeline": model["pipeline"],
            "model_id": model["model_id"],
            "url": model.get("url") or "",
            "batch": model["pipeline"] not in LIVE,
        }
        if (is_true(model.get("warm")) or entry["url"]) and entry not in serving:
            serving.append(entry)
    return serving


def runner_token(models, serving):
    """The token of an external runner, kept out of the list of things to check so that it shows nowhere."""
    for model in models:
        if serving["url"] and all((model.get(key) or "") == serving[key] for key in ("url", "pipeline", "model_id")):
            return model.get("token") or ""
    return ""


def declared_models(hosts, only=None):
    """What orchestrators must advertise, from their variables; only those with the given addresses, if any."""
    expected = []
    for variables in hosts:
        service = variables.get("orchestrator_service_addr") or ""
        if not service or (only and not any(same_service(service, one) for one in only)):
            continue
        for model in variables.get("orchestrator_models") or []:
            entry = {
                "service_uri": normal_uri(service),
                "pipeline": model["pipeline"],
                "model_id": model["model_id"],
                "warm": is_true(model.get("warm")),
            }
            # A price for one gateway alone is not what everybody sees.
            if not model.get("gateway"):
                entry.update({key: model[key] for key in PRICE_KEYS if model.get(key) is not None})
            if entry not in expected:
                expected.append(entry)
    return expected


def complete_requests(requests, expected, inputs_dir):
    """Every key filled in, input files at their place on the host; without requests, one for each expected model."""
    return [_complete(request, inputs_dir) for request in requests or _requests_for(expected)]


def _requests_for(expected):
    by_model = {}
    for entry in expected:
        if entry["pipeline"] not in LIVE:
            services = by_model.setdefault((entry["pipeline"], entry["model_id"]), [])
            if entry.get("service_uri") and entry["service_uri"] not in services:
                services.append(entry["service_uri"])
    return [
        {"pipeline": pipeline, "model_id": model_id, "orchestrators": services}
        for (pipeline, model_id), services in by_model.items()
    ]


def _complete(request, inputs_dir):
    files, uploads = {}, []
    for name, source in (request.get("files") or {}).items():
        files[name] = source
        if source and source != "sample":
            # Two files of one name from two directories must not become one.
            digest = hashlib.sha256(source.encode()).hexdigest()[:8]
            files[name] = os.path.join(inputs_dir, f"{digest}-{os.path.basename(source)}")
            uploads.append({"src": source, "dest": files[name]})
    return {
        "pipeline": request["pipeline"],
        "model_id": request["model_id"],
        "parameters": request.get("parameters") or {},
        "files": files,
        "uploads": uploads,
        "expect": request.get("expect") or {},
        "orchestrators": request.get("orchestrators") or [],
        "timeout": request.get("timeout") or 0,
    }
