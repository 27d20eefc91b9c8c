# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""/metrics in the Prometheus text format, under the real names (facts 8): those an AI node moves, no others."""

from __future__ import annotations

import threading

from . import tables

NODE_TYPES = {"orchestrator": "orch", "gateway": "bctr", "aiworker": "aiwk"}

_COUNTER, _GAUGE = "counter", "gauge"
METRICS: dict[str, tuple[str, str]] = {
    "versions": (_GAUGE, "Version information."),
    "ai_models_requested": (_COUNTER, "Number of AI models requested over time"),
    "ai_request_latency_score": (_GAUGE, "AI request latency score, based on smallest pipeline unit"),
    "ai_request_price": (_GAUGE, "AI request price per unit, based on smallest pipeline unit"),
    "ai_request_errors": (_COUNTER, "Errors during AI request processing"),
    "ai_container_in_use": (_GAUGE, "Number of containers currently used for AI processing"),
    "ai_container_idle": (_GAUGE, "Number of containers currently available for AI processing"),
    "ai_orchestrators_available_total": (_GAUGE, "AI Live number of available orchestrators"),
    "discovery_errors_total": (_COUNTER, "Number of discover errors"),
    "current_sessions_total": (_GAUGE, "Number of currently transcoded streams"),
    "max_sessions_total": (_GAUGE, "MaxSessions"),
}


class Metrics:
    def __init__(self, node):
        self._values = {}
        self._lock = threading.Lock()
        self._own = {"node_id": node.service_uri or node.cli_addr, "node_type": NODE_TYPES[node.kind]}
        self.set("versions", 1, livepeer_version=node.version, goversion=tables.GO_RUNTIME)
        self.set("current_sessions_total", 0)

    def add(self, name, **labels):
        key = self._key(name, labels)
        with self._lock:
            self._values[key] = self._values.get(key, 0) + 1

    def set(self, name, value, **labels):
        with self._lock:
            self._values[self._key(name, labels)] = value

    def _key(self, name, labels):
        return name, tuple(sorted({**self._own, **labels}.items()))

    def render(self):
        with self._lock:
            values = sorted(self._values.items())
        lines, last = [], None
        for (name, labels), value in values:
            if name != last:
                kind, description = METRICS[name]
                lines += [f"# HELP livepeer_{name} {description}", f"# TYPE livepeer_{name} {kind}"]
                last = name
            shown = ",".join(f'{key}="{_escaped(text)}"' for key, text in labels)
            lines.append(f"livepeer_{name}{{{shown}}} {value}")
        return "\n".join(lines) + "\n"


def _escaped(text):
    return str(text).replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
