# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The registrar's code where the role has it, as it lies beside the protocol on a host."""

from __future__ import annotations

import sys
from pathlib import Path

COLLECTION = Path(__file__).resolve().parents[3]

# On a host both are in one directory, which Python puts on the path by itself.
for directory in ("plugins/module_utils", "roles/byoc/files/registrar"):
    sys.path.append(str(COLLECTION / directory))
