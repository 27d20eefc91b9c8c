# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Started as `python3 -I -B DIRECTORY`, which puts this directory, and nothing of the caller's, on the module path."""

from __future__ import annotations

import sys

from byoc_registrar.command import main

sys.exit(main())
