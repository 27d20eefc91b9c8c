# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a custom live pipeline changes in ai-runner's dl_checkpoints.sh. Private to the collection."""

from __future__ import annotations

import fnmatch
import re

from ansible_collections.livepeer.ai.plugins.module_utils._upstream_text import (
    NotRecognised,
    closing,
    insert,
    only,
    replace,
)

PATH = "runner/dl_checkpoints.sh"


class DownloadScript:
    """Each method takes the lines and returns them with its own change made, or as they are when it is there."""

    def __init__(self, names, image):
        self.wire = names["wire"]
        self.title = names["title"]
        self.models = names["models"]
        self.image = image
        self.variable = f"AI_RUNNER_{names['package'].upper()}_IMAGE"
        self.function = f"prepare_{names['package']}_models"

    def places(self):
        """Name and change, in the order of the file."""
        return [
            ("the image variables", self.image_variable),
            ("display_help", self.help_text),
            ("download_live_models", self.download_case),
            ("run_pipeline_prepare", self.retag_branch),
            ("build_tensorrt_models", self.tensorrt_case),
            ("the prepare functions", self.prepare_function),
            ("the mkdir list", self.directories),
        ]

    def image_variable(self, lines, place):
        wanted = f"{self.variable}=${{{self.variable}:-{self.image}}}"
        own = [line for line in lines if line.startswith(f"{self.variable}=")]
        if own:
            if own != [wanted]:
                raise NotRecognised(place, f"{self.variable} is there already, but not as {wanted}")
            return lines
        end = only(lines, r"PIPELINE=\$\{PIPELINE:-\w+\}", place, "the line PIPELINE=${PIPELINE:-all}")
        others = [index for index in range(end) if re.match(r"(AI_RUNNER_\w+_IMAGE)=\$\{\1:-", lines[index])]
        if not others:
            raise NotRecognised(place, "no line AI_RUNNER_..._IMAGE=${AI_RUNNER_..._IMAGE:-...} comes before PIPELINE=")
        return insert(lines, others[-1] + 1, wanted)

    def help_text(self, lines, place):
        start, end = self._function("display_help", lines, place)
        indent = r'( *echo "\s*)'
        option = only(lines, indent + r"- 'all'.*", place, "the line of PIPELINE's option 'all'", start, end)
        if not any(f"- '{self.wire}'" in line for line in lines[start:end]):
            margin = re.match(indent, lines[option]).group(1)
            lines = insert(lines, option, f"{margin}- '{self.wire}': {self.title}\"")
            end += 1
        if any(f"{self.variable} " in line for line in lines[start:end]):
            return lines
        variable = only(lines, indent + r"PIPELINE  .*", place, "the line of PIPELINE", start, end)
        margin = re.match(indent, lines[variable]).group(1)
        text = f'{margin}{self.variable}  {self.title} Docker image (default: {self.image})"'
        return insert(lines, variable, text)

    def download_case(self, lines, place):
        lines = self._arm(
            lines, "download_live_models", place, f"Preparing {self.title} live models only", self.function
        )
        lines = self._valid_values(lines, "download_live_models", place)
        start, end = self._switch("download_live_models", lines, place)
        every = only(lines, r'\s*"all"\)', place, 'the branch "all"', start, end)
        last = closing(lines, r"\s*;;", every, place, 'the branch "all"', end)
        if self.function in (line.strip() for line in lines[every:last]):
            return lines
        margin = re.match(r"\s*", lines[last]).group()
        return insert(lines, last, f"{margin}{self.function}")

    def retag_branch(self, lines, place):
        start, end = self._function("run_pipeline_prepare", lines, place)
        test = re.escape('[ "$pipeline" = "') + r"([a-z0-9-]+)" + re.escape('" ]; then')
        opening = only(lines, r"\s*if " + test, place, "the branch on $pipeline that tags the image", start, end)
        margin = re.match(r"\s*", lines[opening]).group()
        last = closing(lines, margin + "fi", opening, place, "the branch on $pipeline", end)
        tag = f'{margin}  docker image tag "$image" "{tagged(self.image)}"'
        own = [
            index
            for index in range(opening, last)
            if (match := re.fullmatch(r"\s*(?:el)?if " + test, lines[index])) and match.group(1) == self.wire
        ]
        if own:
            until = closing(lines, margin + r"(else|elif .*|fi)", own[0], place, f"the branch of {self.wire}", end)
            if tag not in lines[own[0] : until]:
                raise NotRecognised(place, f"{self.wire} is there already, but does not tag {tagged(self.image)}")
            return lines
        otherwise = only(lines, margin + "else", place, "the else of the branch on $pipeline", opening, last)
        comment = f"{margin}  # go-livepeer looks for the image under the name that its authors publish"
        return insert(lines, otherwise, f'{margin}elif [ "$pipeline" = "{self.wire}" ]; then', comment, tag)

    def tensorrt_case(self, lines, place):
        lines = self._arm(lines, "build_tensorrt_models", place, f"{self.title} models already built on prepare")
        return self._valid_values(lines, "build_tensorrt_models", place)

    def prepare_function(self, lines, place):
        call = f'  run_pipeline_prepare "{self.wire}" "${self.variable}"'
        if any(re.match(rf"(function )?{self.function}\(\)", line) for line in lines):
            start, end = self._function(self.function, lines, place)
            if call not in lines[start:end]:
                raise NotRecognised(
                    place, f"{self.function} is there already, but does not prepare with {self.variable}"
                )
            return lines
        others = [
            index for index, line in enumerate(lines) if re.fullmatch(r"function prepare_\w+_models\(\) \{", line)
        ]
        if not others:
            raise NotRecognised(place, "there is no function prepare_..._models to put another after")
        end = closing(lines, r"\}", others[-1], place, lines[others[-1]])
        printed = f'  printf "\\nPreparing {self.title} models...\\n"'
        return insert(lines, end + 1, "", f"function {self.function}() {{", printed, call, "}")

    def directories(self, lines, place):
        index = only(lines, r"mkdir -p models/.*--models.*", place, "the mkdir of the directories of models")
        wanted = f"models/{self.models}"
        return lines if wanted in lines[index].split() else replace(lines, index, f"{lines[index]} {wanted}")

    def _function(self, name, lines, place):
        start = only(lines, rf"(function )?{name}\(\) \{{", place, f"the function {name}")
        return start, closing(lines, r"\}", start, place, f"the function {name}")

    def _switch(self, function, lines, place):
        start, end = self._function(function, lines, place)
        case = only(lines, r'\s*case "?\$\{?PIPELINE\}?"? in', place, "the case on $PIPELINE", start, end)
        return case, closing(lines, r"\s*esac", case, place, "the case on $PIPELINE", end)

    def _arm(self, lines, function, place, message, *commands):
        """A branch of the pipeline's own, before the one for all."""
        start, end = self._switch(function, lines, place)
        every = only(lines, r'\s*"all"\)', place, 'the branch "all"', start, end)
        margin = re.match(r"\s*", lines[every]).group()
        for index in range(start + 1, every):
            match = re.fullmatch(re.escape(margin) + r"(\S+)\)", lines[index])
            patterns = match.group(1).replace('"', "").split("|") if match else []
            if self.wire in patterns:
                last = closing(lines, r"\s*;;", index, place, f"the branch {self.wire}", end)
                missing = set(commands) - {line.strip() for line in lines[index:last]}
                if missing:
                    raise NotRecognised(place, f"{self.wire} is there already, but does not call {missing.pop()}")
                return lines
            taken = [pattern for pattern in patterns if fnmatch.fnmatchcase(self.wire, pattern)]
            if taken:
                raise NotRecognised(place, f"the branch {taken[0]} takes {self.wire} first, so choose another name")
        inner = [f"{margin}  {text}" for text in (f'printf "\\n{message}...\\n"', *commands, ";;")]
        return insert(lines, every, f'{margin}"{self.wire}")', *inner)

    def _valid_values(self, lines, function, place):
        start, end = self._switch(function, lines, place)
        pattern = r'(\s*printf "Valid values: )(.+)(, all\\n")'
        index = only(lines, pattern, place, "the list of valid values", start, end)
        before, values, after = re.fullmatch(pattern, lines[index]).groups()
        if self.wire in values.split(", "):
            return lines
        return replace(lines, index, f"{before}{values}, {self.wire}{after}")


def tagged(image):
    """The image with the tag that Docker adds itself."""
    return image if ":" in image.rpartition("/")[2] else f"{image}:latest"
