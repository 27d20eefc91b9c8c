# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The service port's certificate: EC P-256, self-signed, made anew at every start (facts 4.1)."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from . import log

# One year, as upstream: 8765 hours.
_DAYS = "365"


class TlsError(Exception):
    """No certificate could be made."""


def make_certificate(data_dir: Path, host: str) -> tuple[Path, Path]:
    """Write <data_dir>/cert.pem and key.pem for `host` (a DNS name even when it is an address); return their paths."""
    if shutil.which("openssl") is None:
        raise TlsError("the `openssl` command is missing on this host; this stand-in makes its certificate with it")
    certificate, key = Path(data_dir) / "cert.pem", Path(data_dir) / "key.pem"
    log.info("Private key and cert not found. Generating")
    log.info(f"Generating cert for {host}")
    _openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", str(key))
    _openssl(
        *("req", "-x509", "-new", "-key", str(key), "-out", str(certificate), "-days", _DAYS, "-subj", "/"),
        *("-addext", f"subjectAltName=DNS:{host}", "-addext", "extendedKeyUsage=serverAuth"),
        *("-addext", "keyUsage=critical,digitalSignature,keyCertSign"),
    )
    return certificate, key


def _openssl(*arguments: str) -> None:
    done = subprocess.run(["openssl", *arguments], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise TlsError(f"openssl {arguments[0]} failed: {done.stderr.strip()}")
