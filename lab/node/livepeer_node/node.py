# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The running node: what the start-up worked out, handed to the servers."""

from __future__ import annotations

import sqlite3
import threading
import time
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

from . import tables
from .settings import Settings

if TYPE_CHECKING:
    from . import live_runners
    from .aimodels import Entry
    from .worker import Worker

ORCHESTRATOR, GATEWAY, AI_WORKER = "orchestrator", "gateway", "aiworker"


@dataclass
class Node:
    """One go-livepeer node.

    settings    every flag; httpAddr, cliAddr, rtmpAddr, dataDir and ethController hold what is in force
    kind        "orchestrator", "gateway" or "aiworker" (facts 1.5)
    service_uri "https://host:port", "http://…", or "" for -serviceAddr none; "" on other kinds
    orch_secret the secret itself, read from its file where -orchSecret named one
    orch_addrs  the orchestrators of -orchAddr as URLs with scheme and port
    http_ingest whether a gateway mounts the AI and BYOC routes (facts 6.1)
    models      the entries of -aiModels, in their order
    worker      the AI worker, or None without -aiWorker
    live_runners the registry of an orchestrator that has one, or None
    eth         what eth.open_account() gave, or None offchain
    base_prices wei per pixel by gateway address ("default" for all), from -pricePerUnit and -pricePerGateway
    prices      wei per unit by (gateway address or "default", capability id, model_id)
    max_prices  a gateway's limits in wei by (capability id, model_id or "default"); max_price is -maxPricePerUnit's
    """

    settings: Settings
    kind: str
    data_dir: Path
    version: str = tables.VERSION
    service_uri: str = ""
    orch_secret: str = ""
    orch_addrs: list[str] = field(default_factory=list)
    http_ingest: bool = True
    models: list[Entry] = field(default_factory=list)
    worker: Worker | None = None
    eth: object | None = None
    live_runners: live_runners.Registry | None = None
    base_prices: dict[str, Fraction] = field(default_factory=dict)
    prices: dict[tuple[str, int, str], Fraction] = field(default_factory=dict)
    max_price: Fraction | None = None
    max_prices: dict[tuple[int, str], Fraction] = field(default_factory=dict)
    started_at: float = field(default_factory=time.time)
    stopping: threading.Event = field(default_factory=threading.Event)

    @property
    def offchain(self) -> bool:
        return self.settings["network"] == tables.OFFCHAIN

    @property
    def http_addr(self) -> str:
        return self.settings["httpAddr"]

    @property
    def cli_addr(self) -> str:
        return self.settings["cliAddr"]


class ChainMismatch(Exception):
    """The data directory belongs to another chain."""


def check_or_store_chain_id(data_dir: Path, chain_id: int) -> None:
    """Remember the chain of this data directory at its first use; refuse another one later (facts 1.8)."""
    with sqlite3.connect(data_dir / "lpdb.sqlite3", timeout=5) as database:
        database.execute("CREATE TABLE IF NOT EXISTS kv (key STRING PRIMARY KEY, value STRING, updatedAt STRING)")
        row = database.execute("SELECT value FROM kv WHERE key = 'chainID'").fetchone()
        if row is None:
            database.execute("INSERT INTO kv VALUES ('chainID', ?, datetime('now'))", (str(chain_id),))
    database.close()
    if row is not None and int(row[0]) != chain_id:
        raise ChainMismatch(
            f"expecting chainID of {row[0]}, but got {chain_id}. "
            "Did you change networks without changing network name or datadir?"
        )


def split_host_port(address: str) -> tuple[str, int]:
    """("", 8935) from ":8935"; the port is 0 (any free one) when it is left out after the colon."""
    host, _, port = address.rpartition(":")
    return host.strip("[]"), int(port) if port else 0


def default_address(address: str, host: str, port: str) -> str:
    """Fill in the host or port that an address leaves out, as the node does for every -…Addr flag."""
    if not address:
        return f"{host}:{port}"
    if address.startswith(":"):
        return host + address
    return address if ":" in address else f"{address}:{port}"
