# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to the collection: may change in any release.

"""The options of livepeer.ai.hf_snapshot, for both of its halves: the action and the module."""

from __future__ import annotations

ARGUMENT_SPEC = {
    "model_id": {"type": "str", "required": True},
    "pipeline": {"type": "str"},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    "revision": {"type": "str", "default": "main"},
    "allow_patterns": {"type": "list", "elements": "str", "default": []},
    "ignore_patterns": {"type": "list", "elements": "str", "default": []},
    "companions": {"type": "bool", "default": True},
    "models_dir": {"type": "path", "default": "/var/lib/livepeer/models"},
    "endpoint": {"type": "str", "default": "https://huggingface.co"},
    "token": {"type": "str", "no_log": True},
    "token_file": {"type": "str", "no_log": False},
    "refresh": {"type": "bool", "default": False},
    "verify": {"type": "str", "choices": ["none", "quick", "full"], "default": "quick"},
    "prune": {"type": "bool", "default": False},
    "owner": {"type": "str"},
    "group": {"type": "str"},
    "mode": {"type": "str", "default": "0644"},
    "parallel": {"type": "int", "default": 4},
    "stall_timeout": {"type": "int", "default": 30},
    "retries": {"type": "int", "default": 5},
    "max_wait": {"type": "int", "default": 600},
    "disk_margin": {"type": "int", "default": 10},
    "progress_interval": {"type": "int", "default": 20},
    # What the action tells the module, in the keys manifests, history, run and holder.
    "_controller": {"type": "dict"},
}


MUTUALLY_EXCLUSIVE = [("token", "token_file")]
