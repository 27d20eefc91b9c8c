# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What can be wrong with a pipeline's package, and what to do about each. Private to the collection."""

from __future__ import annotations

import dataclasses

ERROR = "error"
WARNING = "warning"

# Code -> how bad it is, and what to do. An error stops the build, the runner's start, or every frame.
RULES = {
    # Reading
    "not_utf8": (ERROR, "Save the file as UTF-8."),
    "outside": (ERROR, "Keep the file itself in the package: an image's build context does not follow such a link."),
    "syntax": (ERROR, "Correct the syntax."),
    # pyproject.toml
    "pyproject_missing": (ERROR, "Create pyproject.toml beside the Dockerfile, with a [project] table."),
    "pyproject_invalid": (ERROR, "Correct the file: uv reads nothing else before it."),
    "project_table": (ERROR, "Give [project] a name and a version."),
    "not_packaged": (ERROR, "Set package = true under [tool.uv], or add a [build-system] table."),
    "package_name": (ERROR, "Rename the folder of the package and what imports it."),
    "python_bounds": (ERROR, 'Set requires-python = ">=3.10.12,<3.11", as the base image\'s libraries are used.'),
    "runner_missing": (ERROR, 'Add "ai-runner[realtime]" to [project] dependencies.'),
    "runner_extra": (ERROR, "Name exactly one of the extras: realtime for live video, batch for requests."),
    "runner_extra_cpu": (WARNING, "Use ai-runner[realtime] for the image, and realtime-dev in an optional group."),
    "runner_source": (
        ERROR,
        'Set ai-runner = { git = "https://github.com/livepeer/ai-runner.git", rev = "v0.14.1", '
        'subdirectory = "runner" } under [tool.uv.sources].',
    ),
    "runner_unpinned": (WARNING, 'Pin a release: rev = "v0.14.1".'),
    "runner_version": (WARNING, 'Move to rev = "v0.14.1" and run uv lock, or check the package by hand.'),
    "libraries_missing": (ERROR, "Add them to [project] dependencies and run uv lock."),
    "script_missing": (ERROR, 'Add <name> = "<package>.main:main" under [project.scripts].'),
    "script_target": (ERROR, "Define the function that calls start_app, or correct [project.scripts]."),
    # uv.lock
    "lock_missing": (ERROR, "Run uv lock in the package and commit uv.lock."),
    "lock_invalid": (ERROR, "Delete uv.lock and run uv lock."),
    "lock_stale": (ERROR, "Run uv lock in the package and commit uv.lock."),
    # Sources
    "spec_missing": (ERROR, "Give start_app a PipelineSpec with name, pipeline_cls and params_cls in main.py."),
    "spec_argument": (ERROR, "Pass name, pipeline_cls, params_cls and initial_params by keyword."),
    "spec_unreadable": (WARNING, "Write the value as a literal, so that it can be checked before the image is built."),
    "start_app_missing": (ERROR, "Call runner.app.start_app(pipeline=...) in main()."),
    "wire_name": (ERROR, "Use one name: PipelineSpec(name=...), MODEL_ID and model_id in aiModels.json are the same."),
    "wire_form": (WARNING, "Use lower-case words joined by hyphens, at most 40 characters, such as my-pipeline."),
    "class_path": (ERROR, 'Write it as "package.module:Class".'),
    "class_missing": (ERROR, "Correct the path in the PipelineSpec, or add the class."),
    "reexport": (ERROR, "Leave __init__.py empty and import the class from its module."),
    "params_heavy": (ERROR, "Move the import out of what the params module imports."),
    "params_base": (ERROR, "Derive the class from runner.live.pipelines.BaseParams."),
    "initial_params": (WARNING, "Declare the field in the params class, or remove it from initial_params."),
    "pipeline_base": (ERROR, "Derive the class from runner.live.pipelines.Pipeline."),
    "method_missing": (ERROR, "Add the method with the signature {signature}."),
    "method_kind": (ERROR, "Write it as {signature}."),
    "method_arguments": (ERROR, "Write it as {signature}."),
    "init_arguments": (ERROR, "Take no arguments in __init__; what the model needs arrives in initialize(**params)."),
    "output_request_id": (ERROR, "Pass the request_id that put_video_frame was given."),
    "download_argument": (WARNING, "Remove local_dir_use_symlinks."),
    "batch_method": (ERROR, "Add {signature} to the class."),
    "batch_model_id": (ERROR, "Set self.model_id = model_id in __init__."),
    # Dockerfile
    "dockerfile_missing": (ERROR, "Add a Dockerfile on livepeer/ai-runner:live-base-v0.14.1."),
    "base_missing": (ERROR, "Begin the Dockerfile with FROM livepeer/ai-runner:live-base-v0.14.1."),
    "base_image": (ERROR, "Use livepeer/ai-runner:live-base-v0.14.1."),
    "base_unpinned": (WARNING, "Pin the release: livepeer/ai-runner:live-base-v0.14.1."),
    "base_version": (WARNING, "Use the same release for the base image and for the ai-runner dependency."),
    "lock_not_copied": (ERROR, "COPY pyproject.toml uv.lock ./ before the first uv sync."),
    "lock_ignored": (ERROR, "Remove the line from .dockerignore."),
    "sync_unlocked": (WARNING, "Use uv sync --locked, so that the image holds what uv.lock names."),
    "offline_missing": (WARNING, "Add ENV HF_HUB_OFFLINE=1; only the prepare run sets it to 0."),
    "version_missing": (WARNING, 'Add ARG VERSION="undefined" and ENV VERSION="${VERSION}".'),
    "command_missing": (ERROR, 'Add CMD ["uv", "run", "--frozen", "<script>"].'),
    "command_script": (ERROR, "Name one of the [project.scripts] in CMD."),
    "command_unfrozen": (WARNING, "Use uv run --frozen, so that a start asks no package index."),
}


@dataclasses.dataclass(frozen=True)
class Finding:
    """One thing that is wrong, where, and what to do."""

    code: str
    file: str
    line: int
    message: str
    remedy: str

    @property
    def severity(self):
        return RULES[self.code][0]

    @property
    def sentence(self):
        place = f"{self.file}:{self.line}" if self.line else self.file
        return f"{place}: {self.message} {self.remedy}"

    def as_dict(self):
        return {
            "severity": self.severity,
            "code": self.code,
            "file": self.file,
            "line": self.line,
            "message": self.message,
            "remedy": self.remedy,
            "sentence": self.sentence,
        }


class Findings:
    """The list that every check adds to; each thing is said once."""

    def __init__(self):
        self._found = {}

    def add(self, code, file, line, message, signature=""):
        remedy = RULES[code][1].replace("{signature}", signature)
        finding = Finding(code, file, line or 0, message, remedy)
        self._found.setdefault((code, file, line, message), finding)

    def all(self):
        """Errors first, then by place."""
        return sorted(
            self._found.values(),
            key=lambda found: (found.severity != ERROR, found.file, found.line, found.code, found.message),
        )
