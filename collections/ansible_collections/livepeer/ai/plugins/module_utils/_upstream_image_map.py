# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a custom live pipeline changes in go-livepeer's ai/worker/docker.go. Private to the collection."""

from __future__ import annotations

import re

from ansible_collections.livepeer.ai.plugins.module_utils._upstream_text import NotRecognised, closing, insert, only

PATH = "ai/worker/docker.go"


class ImageMap:
    """The same shape as DownloadScript, with one place."""

    def __init__(self, names, image):
        self.wire = names["wire"]
        self.image = image

    def places(self):
        return [("livePipelineToImage", self.entry)]

    def entry(self, lines, place):
        opening = r"(var )?\s*livePipelineToImage\s*=\s*map\[string\]string\{"
        start = only(lines, opening, place, "the map[string]string of that name")
        end = closing(lines, r"\}", start, place, "the map")
        images = {}
        for line in lines[start + 1 : end]:
            match = re.fullmatch(r'\s*"([^"]+)":\s*"([^"]+)",(\s*//.*)?', line)
            if match:
                images[match.group(1)] = match.group(2)
            elif line.strip() and not line.lstrip().startswith("//"):
                raise NotRecognised(place, f"{line.strip()} is no entry with a name and an image")
        if not images:
            raise NotRecognised(place, "the map is empty")
        if self.wire in images:
            if images[self.wire] != self.image:
                raise NotRecognised(place, f"{self.wire} is there already, with the image {images[self.wire]}")
            return lines
        # gofmt lines up neighbours; after a comment it starts anew, so that no other line changes.
        comment = f"\t// {self.wire} image is published by the pipeline's authors"
        return insert(lines, end, comment, f'\t"{self.wire}": "{self.image}",')
