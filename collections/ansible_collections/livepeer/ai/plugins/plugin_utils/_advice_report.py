# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An advice as text for people, and as lines for an inventory. Private to the collection."""

from __future__ import annotations

import re
import textwrap

import yaml

from ansible_collections.livepeer.ai.plugins.module_utils._go_livepeer import LIVE_PIPELINE
from ansible_collections.livepeer.ai.plugins.module_utils._hf_errors import amount
from ansible_collections.livepeer.ai.plugins.plugin_utils import _advice
from ansible_collections.livepeer.ai.plugins.plugin_utils._advice_rules import GIB
from ansible_collections.livepeer.ai.plugins.plugin_utils._values import size_text

WIDTH = 118
TITLES = {
    _advice.BUILTIN: "built-in pipeline",
    _advice.WARNED: "built-in pipeline, with warnings",
    _advice.CUSTOM: "custom live pipeline",
    _advice.BYOC: "BYOC: a container of your own",
    _advice.LIVE_RUNNER: "live runner: a container of your own",
}
LONGEST_NAME = 40
# Parts below this are not worth a line.
SMALL = 50 * 1000**2
PRICE = "# On a chain each model needs a price: price_per_unit in wei for pixels_per_unit pixels."
SERVICE_PORT = 8600
# Lists that exist once in an inventory: the comment tells where a snippet goes.
WHERE = "# Into the host's variables; if the list is there already, add the entry."


class _Dumper(yaml.SafeDumper):
    """Sequences indented under their keys, as the inventories have them."""

    def increase_indent(self, flow=False, indentless=False):
        return super().increase_indent(flow, False)


# Ansible's own text carries where it came from, and is dumped as what it says.
_Dumper.add_multi_representer(str, _Dumper.represent_str)


def to_yaml(data):
    return yaml.dump(data, Dumper=_Dumper, sort_keys=False, default_flow_style=False, width=WIDTH)


# The inventory


def snippet(advice, model=None):
    """Lines to paste into an inventory."""
    if advice["decision"] == _advice.CUSTOM:
        data, notes = custom(advice), [PRICE]
    elif advice["decision"] in (_advice.BYOC, _advice.LIVE_RUNNER):
        data, notes = service(advice), []
    else:
        data, notes = {"orchestrator_models": [entry(advice, model)]}, [PRICE]
    if advice["gated"] and advice["decision"] != _advice.CUSTOM:
        data["model_weights_token_file"] = "{{ inventory_dir }}/files/token"
    elif advice["gated"]:
        data["custom_pipeline_hf_token"] = "{{ lookup('ansible.builtin.file', inventory_dir + '/files/token') }}"
    return "\n".join([WHERE, *notes, to_yaml(data)]).rstrip() + "\n"


def entry(advice, model):
    found = {"pipeline": advice["pipeline"], "model_id": advice["model_id"], "warm": True}
    card = advice["vram"]["card"]
    if card:
        # Half a GiB more rather than less: the planner takes it at its word.
        found["vram"] = f"{(card * 2 // GIB + 1) / 2:g}GiB"
    longest = _advice.max_length(model) if model and advice["pipeline"] == "llm" else None
    if longest:
        found["optimization_flags"] = {"MAX_MODEL_LEN": str(longest)}
    return found


def custom(advice):
    name = slug(advice["model_id"])
    return {
        "custom_pipelines": [{"name": name, "path": f"{{{{ playbook_dir }}}}/../pipelines/{name}", "gpus": [0]}],
        "orchestrator_image_overrides": "{{ {'live': custom_pipelines | livepeer.ai.pipeline_images(playbook_dir)} }}",
        "orchestrator_models": [{"pipeline": LIVE_PIPELINE, "model_id": name, "warm": True}],
    }


def service(advice):
    name = slug(advice["model_id"])
    found = {
        "livepeer_services": [
            {
                "name": name,
                "route": advice["decision"],
                "source": "template",
                "path": f"{{{{ inventory_dir }}}}/files/{name}",
                "port": SERVICE_PORT,
                "gpus": [0],
                "models": [
                    {
                        "model_id": _advice.repository(advice["model_id"]),
                        "allow_patterns": advice["download"]["patterns"],
                    }
                ],
            }
        ]
    }
    if advice["decision"] == _advice.LIVE_RUNNER:
        found["orchestrator_live_runners"] = True
    return found


def slug(model_id):
    """A name for containers and pipelines: lower-case letters, digits and single hyphens, a letter first."""
    name = re.sub("[^a-z0-9]+", "-", model_id.rpartition("/")[2].lower()).strip("-")
    name = name if name[:1].isalpha() else f"model-{name}"
    return name[:LONGEST_NAME].rstrip("-")


# The terminal


def report(advice, inventory):
    """The lines of the report."""
    lines = [advice["model_id"], "=" * len(advice["model_id"]), ""]
    lines += row("Decision", TITLES[advice["decision"]] + (f" ({advice['pipeline']})" if advice["pipeline"] else ""))
    lines += row("Because", sentence(advice["reason"]))
    if advice["also"]:
        lines += row("Also", f"fits {', '.join(advice['also'])}: name it as pipeline to see that instead.")
    for number, one in enumerate(advice["warnings"]):
        lines += row("" if number else "Warnings", f"{one['code']}: {one['sentence']}", mark="! ")
    lines += row("Download", downloaded(advice["download"]))
    for one in advice["download"]["repositories"]:
        lines += row("", repository_line(one), mark="- ")
    lines += row("GPU memory", remembered(advice["vram"]))
    for part in (part for part in advice["vram"]["parts"] if part["bytes"] > SMALL):
        lines += row("", f"{size_text(part['bytes'])}  {part['what']}: {part['source']}", mark="- ")
    lines += row("Licence", advice["licence"] or "none is named")
    lines += row("Gate", {False: "open"}.get(advice["gated"], f"gated ({advice['gated']})"))
    lines += row("Known from", known_from(advice["metadata"]))
    lines += ["", "Questions"]
    for one in advice["questions"]:
        text = f"{one['question']} {one['answer'].upper()}: {sentence(one['reason'])}"
        lines += wrapped(text, "  ", " " * 6)
    return [*lines, "", "Inventory", *("  " + line for line in inventory.splitlines())]


def row(title, text, mark=""):
    head = f"{title:<12}{mark}"
    return wrapped(text, head, " " * len(head)) or [head.rstrip()]


def wrapped(text, first, others):
    """Names of models are full of hyphens, and are copied from here: they stay whole."""
    return textwrap.wrap(text, WIDTH, initial_indent=first, subsequent_indent=others, break_on_hyphens=False)


def sentence(text):
    text = text.rstrip(".")
    return text[:1].upper() + text[1:] + "."


def downloaded(download):
    if download["bytes"] is None:
        return f"unknown: {download['source']}"
    least = "" if download["complete"] else "at least "
    return f"{least}{amount(download['bytes'])} ({download['source']})"


def repository_line(one):
    if one["bytes"] is None:
        return f"{one['model_id']}: {one['note']}"
    variant = ", fp16" if one["fp16"] else ""
    note = f" ({one['note']})" if one["note"] else ""
    files = f"{one['files']} file{'' if one['files'] == 1 else 's'}"
    return f"{one['model_id']}: {amount(one['bytes'])} in {files}{variant}{note}"


def remembered(vram):
    documented = ""
    if vram.get("documented"):
        documented = (
            f"; upstream's page asks for a card of {vram['documented'] // 1000**3} GB ({vram['documented_source']})"
        )
    if not vram["parts"] and vram["card"]:
        return f"a card of {size_text(vram['card'])}, says its maker"
    if not vram["card"]:
        return f"unknown{documented}" if documented else "unknown: nobody states it, or it depends on your code"
    share = ", of which vLLM takes 85 %" if vram["documented_source"].endswith("/llm") else ""
    least = f"{size_text(vram['bytes'])} to " if sum(part["at_most"] for part in vram["parts"]) > vram["bytes"] else ""
    return f"a card of about {least}{size_text(vram['card'])}{share} (estimate){documented}"


def known_from(metadata):
    parts = [metadata["source"] or "a metadata file without a source", metadata["date"]]
    if metadata["commit"]:
        parts.append(f"commit {metadata['commit']}")
    return ", ".join(part for part in parts if part)
