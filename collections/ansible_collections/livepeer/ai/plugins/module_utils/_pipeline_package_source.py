# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The sources of a pipeline's package: entry, specification, classes. Private to the collection."""

from __future__ import annotations

import ast
import re

from ansible_collections.livepeer.ai.plugins.module_utils._pipeline_package_classes import (
    BASE_FIELDS,
    BATCH_BASES,
    FUNCTIONS,
    PARAMS_BASES,
    BatchClass,
    ClassView,
    LiveClass,
)
from ansible_collections.livepeer.ai.plugins.module_utils._pipeline_package_modules import dotted

SPECS = frozenset({"runner.live.pipelines.PipelineSpec", "runner.live.pipelines.spec.PipelineSpec"})
SPEC_KEYS = ("name", "pipeline_cls", "params_cls", "initial_params")
WIRE = re.compile(r"^[a-z][a-z0-9]*(-[a-z0-9]+)*$")
LONGEST_WIRE = 40
# The runner's guard names the first three; the others take longer than the half second that it allows.
HEAVY = ("torch", "streamdiffusion", "comfystream", "diffusers", "transformers", "tensorrt", "tensorflow", "jax")


class Source:
    """What main.py starts, and whether the runner can load it."""

    def __init__(self, modules, findings):
        self.modules = modules
        self.findings = findings
        self.kind = ""
        self.spec = {}
        self.package = ""

    def add(self, code, module, line, message, signature=""):
        self.findings.add(code, self.modules.paths[module], line, message, signature)

    def check(self, scripts, name):
        for module in self.modules.paths:
            self.modules.tree(module)
        self._check_scripts(scripts)
        calls = list(self._calls(SPECS))
        batch = list(self._batch_classes())
        entry = self._entry(scripts)
        if calls:
            self.kind = "live"
            # The script's own module speaks before any other, such as an example beside it.
            module, call = next((found for found in calls if found[0] in entry), calls[0])
            self._check_spec(module, call, name)
        elif batch:
            self.kind = "batch"
            for view in batch:
                BatchClass(view, self.findings, self.modules.paths).check()
        else:
            self._say("spec_missing", entry, "no PipelineSpec is made anywhere, so the runner has nothing to load.")
        if not any(True for _found in self._calls({"runner.app.start_app"})):
            self._say("start_app_missing", entry, "start_app is never called, so the script would end at once.")
        self._check_downloads()

    def _say(self, code, entry, message):
        place = next((module for module in entry if module in self.modules.paths), None)
        self.findings.add(code, self.modules.paths[place] if place else "pyproject.toml", 0, message)

    def _entry(self, scripts):
        return [target.partition(":")[0] for target in scripts.values()]

    def _check_scripts(self, scripts):
        for script, target in sorted(scripts.items()):
            module, _colon, function = target.partition(":")
            if module not in self.modules.paths:
                message = f"the script {script} starts {target}, but there is no module {module}."
                self.findings.add("script_target", "pyproject.toml", 0, message)
                continue
            self.package = self.package or module.partition(".")[0]
            tree = self.modules.tree(module)
            if tree and not self.modules.find(module, function, FUNCTIONS) and not self._assigned(tree, function):
                message = f"has no {function}(), which the script {script} calls."
                self.add("script_target", module, 0, message)

    @staticmethod
    def _assigned(tree, name):
        return any(
            isinstance(node, ast.Assign) and any(dotted(target) == name for target in node.targets)
            for node in tree.body
        )

    def _calls(self, names):
        """(module, call) of every call of what has one of the full names."""
        for module in self.modules.paths:
            tree = self.modules.tree(module)
            for node in ast.walk(tree) if tree else ():
                if isinstance(node, ast.Call) and self._called(module, tree, node) in names:
                    yield module, node

    def _called(self, module, tree, call):
        full = self.modules.resolve(module, call.func)
        # An import inside a function binds the name there.
        text = dotted(call.func)
        for node in ast.walk(tree) if text and full == f"{module}.{text}" else ():
            if isinstance(node, ast.ImportFrom):
                for alias in node.names:
                    if (alias.asname or alias.name) == text:
                        return f"{self.modules.absolute(module, node)}.{alias.name}"
        return full

    def _batch_classes(self):
        for module in self.modules.paths:
            tree = self.modules.tree(module)
            for node in tree.body if tree else ():
                if isinstance(node, ast.ClassDef):
                    view = ClassView(self.modules, module, node)
                    if view.derives(BATCH_BASES):
                        yield view

    def _check_spec(self, module, call, name):
        self.package = self.package or module.partition(".")[0]
        if call.args:
            self.add("spec_argument", module, call.lineno, "PipelineSpec takes no positional arguments.")
            return
        for word in call.keywords:
            if word.arg is None or word.arg not in SPEC_KEYS:
                continue
            try:
                self.spec[word.arg] = self.modules.constant(module, word.value)
            except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
                self.add("spec_unreadable", module, word.value.lineno, f"{word.arg} is computed when the program runs.")
        given = {word.arg for word in call.keywords}
        if "pipeline_cls" not in given and None not in given:
            self.add("spec_argument", module, call.lineno, "PipelineSpec is given no pipeline_cls.")
        # An unreadable name is no name that could be derived.
        if self.spec.get("name") or "name" not in given:
            self._check_name(module, call, name)
        pipeline = self._class_of(module, call, "pipeline_cls")
        params = self._class_of(module, call, "params_cls") if self.spec.get("params_cls") is not None else None
        initial = self.spec.get("initial_params")
        initial = initial if isinstance(initial, dict) else {}
        if pipeline:
            LiveClass(ClassView(self.modules, *pipeline), self.findings, self.modules.paths).check(initial)
        if params:
            self._check_params(params, initial, module, call)
            self._check_imports(pipeline)

    def _check_name(self, module, call, wanted):
        told = self.spec.get("name")
        if not told:
            class_name = str(self.spec.get("pipeline_cls", "")).rpartition(":")[2].lower()
            told = class_name[: -len("pipeline")] if class_name.endswith("pipeline") else class_name
            self.spec["name"] = told
        if not isinstance(told, str) or not told:
            return
        if wanted and told != wanted:
            message = f"the PipelineSpec is named {told!r}, but the pipeline is declared as {wanted!r}."
            self.add("wire_name", module, call.lineno, message)
        if not WIRE.match(told) or len(told) > LONGEST_WIRE:
            message = f"the name {told!r} cannot serve as the name of images, files and models alike."
            self.add("wire_form", module, call.lineno, message)

    def _class_of(self, module, call, key):
        """(module, class) that the specification names, or None after saying why not."""
        path = self.spec.get(key)
        if path is None:
            return None
        source, colon, name = str(path).rpartition(":")
        if not colon or not source or not name.isidentifier():
            self.add("class_path", module, call.lineno, f"{key} {path!r} names no module and class.")
            return None
        if source not in self.modules.paths:
            own = source.partition(".")[0] in {known.partition(".")[0] for known in self.modules.paths}
            if own:
                self.add("class_missing", module, call.lineno, f"{key} {path!r}: there is no module {source}.")
            return None
        if self.modules.tree(source) is None:
            return None
        found = self.modules.find(source, name)
        if found is None:
            self.add("class_missing", module, call.lineno, f"{key} {path!r}: {source} has no class {name}.")
            return None
        return found if found[0] else None

    def _check_params(self, params, initial, module, call):
        view = ClassView(self.modules, *params)
        known = view.derives(PARAMS_BASES)
        if not known and not view.is_open(PARAMS_BASES | {"BaseModel", "pydantic.BaseModel"}):
            message = f"{params[1].name} does not derive from the runner's BaseParams, whose size the runner asks for."
            self.add("params_base", params[0], params[1].lineno, message)
        if known and not view.is_open(PARAMS_BASES):
            for field in sorted(set(map(str, initial)) - view.fields() - BASE_FIELDS):
                message = f"initial_params names {field!r}, which {params[1].name} does not have and would ignore."
                self.add("initial_params", module, call.lineno, message)

    def _check_imports(self, pipeline):
        """What importing the params class brings: it must be fast and bring no torch."""
        start = str(self.spec["params_cls"]).rpartition(":")[0]
        heavy = pipeline[0] if pipeline and pipeline[0] != start else None
        for importing, line, full in self.modules.closure(start):
            own, _rest = self.modules.owner(full)
            if heavy and own == heavy and self.modules.is_package(importing):
                message = f"imports {heavy}, so that loading the params class loads the whole pipeline."
                self.add("reexport", importing, line, message)
            elif full.partition(".")[0] in HEAVY:
                message = (
                    f"imports {full.partition('.')[0]} when the params class is loaded, for which the runner allows "
                    "half a second and no torch, streamdiffusion or comfystream."
                )
                if not self._explained(importing, heavy):
                    self.add("params_heavy", importing, line, message)

    def _explained(self, importing, heavy):
        """Whether the re-export of the pipeline, which is a finding of its own, brings this import."""
        if heavy is None:
            return False
        reexported = any(
            self.modules.owner(full)[0] == heavy and self.modules.is_package(module)
            for module, _line, full in self.modules.closure(str(self.spec["params_cls"]).rpartition(":")[0])
        )
        return reexported and importing in {heavy, *(found[0] for found in self.modules.closure(heavy))}

    def _check_downloads(self):
        for module in self.modules.paths:
            tree = self.modules.tree(module)
            for node in ast.walk(tree) if tree else ():
                if isinstance(node, ast.keyword) and node.arg == "local_dir_use_symlinks":
                    message = "local_dir_use_symlinks is no argument of newer huggingface_hub."
                    self.add("download_argument", module, node.value.lineno, message)
