# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The image's HEALTHCHECK: exit 0 when the service is ready. Standard library only, started alone (`python -I`)."""

from __future__ import annotations

import os
import sys
import urllib.error
import urllib.request

TIMEOUT = 4


def main() -> int:
    url = f"http://127.0.0.1:{os.environ.get('PORT') or 8000}/health"
    # A proxy of the environment is not for this address.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(url, timeout=TIMEOUT) as answer:
            print(answer.read().decode())
            return 0
    except urllib.error.HTTPError as error:
        print(error.read().decode())
    except OSError as error:
        print(error)
    return 1


if __name__ == "__main__":
    sys.exit(main())
