# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the registrar shows: status.json for people and playbooks, and metrics for Prometheus."""

from __future__ import annotations

PREFIX = "livepeer_byoc"

# Per capability: name, type, help, and how to read it from the entry of status.json.
CAPABILITY_METRICS = (
    ("capability_registered", "gauge", "Whether the capability is registered.", lambda one: int(one["registered"])),
    ("capability_healthy", "gauge", "Whether the last health check succeeded.", lambda one: int(one["healthy"])),
    (
        "capability_available_capacity",
        "gauge",
        "Free slots as the orchestrator offers them.",
        lambda one: one["available_capacity"],
    ),
    (
        "capability_state_since_timestamp_seconds",
        "gauge",
        "When the capability entered its state.",
        lambda one: one["since"],
    ),
    (
        "capability_last_outage_seconds",
        "gauge",
        "How long the capability was away the last time.",
        lambda one: one["last_outage_seconds"] or 0,
    ),
    (
        "capability_registrations_total",
        "counter",
        "Registrations since the registrar started.",
        lambda one: one["registrations"],
    ),
    (
        "capability_unregistrations_total",
        "counter",
        "Unregistrations since the registrar started.",
        lambda one: one["unregistrations"],
    ),
    (
        "capability_orchestrator_restarts_total",
        "counter",
        "Restarts of the orchestrator that the capability was registered again after.",
        lambda one: one["orchestrator_restarts"],
    ),
)


def label(text):
    """A label's value as the text format wants it."""
    return text.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')


def metrics(status):
    """The text that node_exporter's textfile collector reads."""
    lines = []
    capabilities = status["capabilities"]
    for name, kind, explanation, value in CAPABILITY_METRICS:
        lines += _head(name, kind, explanation)
        lines += [f'{PREFIX}_{name}{{capability="{label(one)}"}} {value(capabilities[one])}' for one in capabilities]
    lines += _head("capability_failures_total", "counter", "Requests that the orchestrator did not fulfil, by failure.")
    for one, entry in capabilities.items():
        for failure, count in sorted(entry["failures"].items()):
            lines.append(
                f'{PREFIX}_capability_failures_total{{capability="{label(one)}",failure="{label(failure)}"}} {count}'
            )
    lines += _head("registrar_start_timestamp_seconds", "gauge", "When the registrar started.")
    lines.append(f"{PREFIX}_registrar_start_timestamp_seconds {status['started']}")
    lines += _head("registrar_updated_timestamp_seconds", "gauge", "When these metrics were written.")
    lines.append(f"{PREFIX}_registrar_updated_timestamp_seconds {status['updated']}")
    lines += _head("registrar_config_valid", "gauge", "Whether the configuration on disk is the one in use.")
    lines.append(f"{PREFIX}_registrar_config_valid {int(not status['config_error'])}")
    return "\n".join(lines) + "\n"


def _head(name, kind, explanation):
    return [f"# HELP {PREFIX}_{name} {explanation}", f"# TYPE {PREFIX}_{name} {kind}"]


def summary(status):
    """One line for `systemctl status`."""
    entries = status["capabilities"]
    there = [name for name, one in entries.items() if one["registered"]]
    text = f"{len(there)} of {len(entries)} capabilities registered"
    missing = [f"{name} {one['state']}" for name, one in entries.items() if not one["registered"]]
    return f"{text}; {', '.join(missing)}" if missing else text
