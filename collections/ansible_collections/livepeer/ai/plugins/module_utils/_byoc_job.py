# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The header with which go-livepeer takes a job for a capability. Private to the collection."""

from __future__ import annotations

import base64
import json
import math
import uuid

from ansible_collections.livepeer.ai.plugins.module_utils import _byoc

HEADER = "Livepeer"


def job_header(capability, timeout, request=None, parameters=None, signed=False):
    """The value of the header. signed: with the sender and signature that an orchestrator wants and a gateway adds."""
    # Both are JSON inside of JSON, and a gateway refuses a job without either.
    request, parameters = json.dumps(request or {}), json.dumps(parameters or {})
    # The node takes whole seconds, and none means that the job is refused.
    seconds = max(1, math.ceil(timeout))
    if signed:
        # Off chain nobody holds an account, and an empty signature is a valid one.
        return _byoc.job_header(capability, uuid.uuid4().hex, seconds, request, parameters)
    job = {"request": request, "parameters": parameters, "capability": capability, "timeout_seconds": seconds}
    return base64.b64encode(json.dumps(job).encode("utf-8")).decode("ascii")


def chosen_orchestrators(parameters, include, exclude):
    """The parameters with the choice of orchestrators; without one the gateway asks them all."""
    choice = {key: value for key, value in (("include", include), ("exclude", exclude)) if value}
    return {**parameters, "orchestrators": choice} if choice else dict(parameters)
