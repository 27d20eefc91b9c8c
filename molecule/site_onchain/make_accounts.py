#!/usr/bin/env python3
# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ethereum accounts to throw away: DIRECTORY/<name>.json for each name, and DIRECTORY/password, which unlocks them."""

from __future__ import annotations

import argparse
import json
import os
import secrets
import sys
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[2] / "lab/node"))

from livepeer_node import crypto, eth


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("directory", type=Path)
    parser.add_argument("names", nargs="+")
    arguments = parser.parse_args()
    os.umask(0o077)
    arguments.directory.mkdir(parents=True, exist_ok=True)
    password = secrets.token_urlsafe(24)
    (arguments.directory / "password").write_text(password, encoding="utf-8")
    for name in arguments.names:
        private = (secrets.randbelow(crypto.ORDER - 1) + 1).to_bytes(32, "big")
        document = json.dumps(eth.encrypt_key(private, password))
        (arguments.directory / f"{name}.json").write_text(document, encoding="utf-8")


if __name__ == "__main__":
    main()
