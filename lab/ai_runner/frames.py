#!/usr/bin/env python3
# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pass pictures through a running live runner of the lab: one stream, with this program as its trickle server.

frames.py http://127.0.0.1:8900 --host 172.17.0.1     as JSON: size and mean colour of what went in and came out

Standard library only, so that it runs on a host as well. `--host` is where the runner reaches this program.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import threading
import time
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

HEADER = re.compile(rb"P6\s+(\d+)\s+(\d+)\s+255\s")


@dataclass(frozen=True)
class Picture:
    """Red, green and blue, a byte each, row by row."""

    width: int
    height: int
    pixels: bytes

    def ppm(self) -> bytes:
        return b"P6\n%d %d\n255\n" % (self.width, self.height) + self.pixels

    @classmethod
    def of_ppm(cls, data: bytes) -> Picture:
        found = HEADER.match(data)
        if not found:
            raise ValueError("What came out is no portable pixmap.")
        picture = cls(int(found[1]), int(found[2]), data[found.end() :])
        if len(picture.pixels) != picture.width * picture.height * 3:
            raise ValueError("What came out is cut short.")
        return picture

    def mean(self) -> list[float]:
        count = self.width * self.height
        return [round(sum(self.pixels[channel::3]) / count, 2) for channel in range(3)]

    def summary(self) -> dict[str, Any]:
        return {"width": self.width, "height": self.height, "mean": self.mean()}


def gradient(width: int = 512, height: int = 512, blue: int = 40) -> Picture:
    """Every value of red from left to right, of green from top to bottom."""
    rows = []
    for y in range(height):
        green = y * 255 // (height - 1)
        rows.append(b"".join(bytes((x * 255 // (width - 1), green, blue)) for x in range(width)))
    return Picture(width, height, b"".join(rows))


@dataclass
class Channels:
    """Both channels of one stream."""

    going: list[bytes]
    came: list[bytes] = field(default_factory=list)
    changed: threading.Condition = field(default_factory=threading.Condition)
    closed: bool = False

    def take(self, content: bytes) -> None:
        with self.changed:
            if content:
                self.came.append(content)
            self.changed.notify_all()

    def close(self) -> None:
        with self.changed:
            self.closed = True
            self.changed.notify_all()

    def segment(self, index: int) -> bytes | None:
        """A segment, when its turn comes: after what was sent before has come back. None: the channel is closed."""
        with self.changed:
            self.changed.wait_for(lambda: self.closed or len(self.came) >= index)
            return None if self.closed or index >= len(self.going) else self.going[index]


def handler(channels: Channels) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_arguments: Any) -> None:
            return None

        def answer(self, content: bytes = b"", **headers: Any) -> None:
            self.send_response(200)
            for name, value in {**headers, "Content-Length": len(content)}.items():
                self.send_header(name.replace("_", "-"), str(value))
            self.end_headers()
            self.wfile.write(content)

        def do_GET(self) -> None:
            # A negative number asks for the newest: nothing was sent before the first.
            index = max(0, int(self.path.rpartition("/")[2]))
            content = channels.segment(index)
            if content is None:
                self.answer(Lp_Trickle_Seq=index, Lp_Trickle_Closed="terminated")
            else:
                self.answer(content, Lp_Trickle_Seq=index)

        def do_POST(self) -> None:
            content = self.body()
            if self.path.startswith("/out/"):
                channels.take(content)
            self.answer()

        def do_DELETE(self) -> None:
            self.answer()

        def body(self) -> bytes:
            if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
                return self.rfile.read(int(self.headers.get("Content-Length", "0")))
            content = b""
            while size := int(self.rfile.readline().split(b";")[0], 16):
                content += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
            return content

    return Handler


def ask(url: str, payload: dict[str, Any], token: str) -> None:
    headers = {"Content-Type": "application/json", **({"Authorization": f"Bearer {token}"} if token else {})}
    request = urllib.request.Request(url, json.dumps(payload).encode(), headers)
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            answer.read()
    except urllib.error.HTTPError as error:
        raise RuntimeError(f"{url} answers {error.code}: {error.read().decode(errors='replace')}") from error


def pass_frames(
    runner: str,
    pictures: list[Picture],
    host: str = "127.0.0.1",
    params: dict[str, Any] | None = None,
    model_id: str = "",
    timeout: float = 30,
    token: str = "",
) -> list[Picture]:
    """Send each picture once the one before has come back, and give back what came: one for each."""
    channels = Channels([picture.ppm() for picture in pictures])
    server = ThreadingHTTPServer(("127.0.0.1" if host == "127.0.0.1" else "0.0.0.0", 0), handler(channels))
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    base = f"http://{host}:{server.server_address[1]}"
    size = {"width": pictures[0].width, "height": pictures[0].height}
    payload = {
        "subscribe_url": f"{base}/in",
        "publish_url": f"{base}/out",
        "model_id": model_id,
        "params": {**size, **(params or {})},
        "gateway_request_id": f"frames-{time.time_ns()}",
    }
    try:
        ask(f"{runner.rstrip('/')}/live-video-to-video", payload, token)
        with channels.changed:
            done = channels.changed.wait_for(lambda: len(channels.came) >= len(pictures), timeout)
            came = list(channels.came)
        if not done:
            raise TimeoutError(f"{len(came)} of {len(pictures)} pictures came back within {timeout:g} s.")
        return [Picture.of_ppm(content) for content in came]
    finally:
        channels.close()
        server.shutdown()
        server.server_close()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runner", metavar="URL")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--model-id", default="")
    parser.add_argument("--params", type=json.loads, default={}, metavar="JSON")
    parser.add_argument("--timeout", type=float, default=30)
    parser.add_argument("--count", type=int, default=1)
    chosen = parser.parse_args()
    size = {key: chosen.params[key] for key in ("width", "height") if key in chosen.params}
    sent = [gradient(**size) for _ in range(chosen.count)]
    try:
        came = pass_frames(chosen.runner, sent, chosen.host, chosen.params, chosen.model_id, chosen.timeout)
    except (OSError, RuntimeError, ValueError) as error:
        print(f"frames: {error}", file=sys.stderr)
        return 1
    print(json.dumps({"sent": [one.summary() for one in sent], "came": [one.summary() for one in came]}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
