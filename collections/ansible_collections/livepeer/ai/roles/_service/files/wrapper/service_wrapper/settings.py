# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The settings, all of them environment variables; what cannot be right is said in one sentence."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from .errors import SettingsError


@dataclass(frozen=True)
class Settings:
    """What the container was started with."""

    service_dir: Path
    model_dir: str
    model_id: str
    model_revision: str
    host: str
    port: int
    # Requests that are computed at a time, and those that may wait besides.
    max_concurrency: int
    max_queue: int
    max_body_bytes: int
    # Seconds that running requests get after SIGTERM.
    stop_timeout: int
    # Empty: everybody who reaches the port may ask.
    token: bytes


def read(environment: Mapping[str, str]) -> Settings:
    """The settings of a process with this environment."""
    concurrency = _number(environment, "MAX_CONCURRENCY", 1, 1)
    return Settings(
        service_dir=Path(environment.get("SERVICE_DIR") or "/opt/service"),
        model_dir=environment.get("MODEL_DIR") or "/models",
        model_id=environment.get("MODEL_ID", ""),
        model_revision=environment.get("MODEL_REVISION") or "main",
        host=environment.get("HOST") or "0.0.0.0",
        port=_number(environment, "PORT", 8000, 1, 65535),
        max_concurrency=concurrency,
        max_queue=_number(environment, "MAX_QUEUE", 4 * concurrency, 0),
        max_body_bytes=_number(environment, "MAX_BODY_BYTES", 64 << 20, 1),
        stop_timeout=_number(environment, "STOP_TIMEOUT", 300, 1),
        token=_token(environment.get("BEARER_TOKEN_FILE", "")),
    )


def _number(environment: Mapping[str, str], name: str, default: int, least: int, most: int | None = None) -> int:
    text = environment.get(name, "").strip()
    if not text:
        return default
    if not text.isdecimal() or int(text) < least or (most is not None and int(text) > most):
        limits = f"of at least {least}" if most is None else f"from {least} to {most}"
        raise SettingsError(f"{name} is '{text}': it must be a whole number {limits}.")
    return int(text)


def _token(path: str) -> bytes:
    """The token in the file; a file that is named but holds none would open the service to everybody."""
    if not path:
        return b""
    try:
        token = Path(path).read_bytes().strip()
    except OSError as error:
        raise SettingsError(f"BEARER_TOKEN_FILE: {path} cannot be read ({error.strerror}).") from error
    if not token:
        raise SettingsError(f"BEARER_TOKEN_FILE: {path} is empty; unset the variable for a service without a token.")
    return token
