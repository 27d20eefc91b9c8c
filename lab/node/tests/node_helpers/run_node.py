# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run the node as its own process with other intervals: run_node.py '{"watch": 0.1}' -orchestrator …"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from livepeer_node.__main__ import main
from livepeer_node.worker import Timing

status = main(sys.argv[2:], os.environ, Timing(**json.loads(sys.argv[1])))
sys.stdout.flush()
os._exit(status)
