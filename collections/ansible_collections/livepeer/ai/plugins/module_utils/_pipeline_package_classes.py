# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The classes of a pipeline's package against ai-runner v0.14.1's interfaces. Private to the collection."""

from __future__ import annotations

import ast
import dataclasses

from ansible_collections.livepeer.ai.plugins.module_utils._pipeline_package_modules import dotted

LIVE_BASES = frozenset({"runner.live.pipelines.Pipeline", "runner.live.pipelines.interface.Pipeline"})
PARAMS_BASES = frozenset({"runner.live.pipelines.BaseParams", "runner.live.pipelines.interface.BaseParams"})
BATCH_BASES = frozenset({"runner.pipelines.base.Pipeline"})
HARMLESS_BASES = frozenset({"object", "ABC", "Generic", "Protocol"})
BASE_FIELDS = frozenset({"width", "height", "show_reloading_frame"})

FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


@dataclasses.dataclass(frozen=True)
class Method:
    """How the runner calls a method of the pipeline."""

    signature: str
    coroutine: bool = True
    positional: int = 0
    keywords: bool = False
    required: bool = True
    call: str = ""


# Every abstract method of the live interface, and stop, which has a default.
METHODS = {
    "initialize": Method("async def initialize(self, **params)", keywords=True, call="initialize(**initial_params)"),
    "put_video_frame": Method(
        "async def put_video_frame(self, frame: VideoFrame, request_id: str)",
        positional=2,
        call="put_video_frame(frame, request_id)",
    ),
    "get_processed_video_frame": Method(
        "async def get_processed_video_frame(self) -> VideoOutput", call="get_processed_video_frame()"
    ),
    "update_params": Method("async def update_params(self, **params)", keywords=True, call="update_params(**params)"),
    "prepare_models": Method(
        "@classmethod def prepare_models(cls)", coroutine=False, call="prepare_models() on the class"
    ),
    "stop": Method("async def stop(self)", required=False, call="stop()"),
}


class ClassView:
    """A class with what it inherits inside the package."""

    def __init__(self, modules, module, node):
        self.modules = modules
        self.chain = []
        self.foreign = []
        self._collect(module, node)

    def _collect(self, module, node):
        if any(known is node for _module, known in self.chain):
            return
        self.chain.append((module, node))
        for base in node.bases:
            full = self.modules.resolve(module, base)
            own, rest = self.modules.owner(full) if full else ("", "")
            found = self.modules.find(own, rest) if own and rest and "." not in rest else None
            if found and found[0]:
                self._collect(*found)
            else:
                # A re-export of something foreign counts as the foreign name.
                self.foreign.append(found[1] if found else self._plain(module, full, base))

    @staticmethod
    def _plain(module, full, base):
        return dotted(base) if full.startswith(module + ".") else full

    def derives(self, bases):
        return any(name in bases for name in self.foreign)

    def is_open(self, known):
        """Whether a base that is not known may bring methods of its own."""
        return any(name not in known and name.rpartition(".")[2] not in HARMLESS_BASES for name in self.foreign)

    def method(self, name):
        """(module, node) of the method Python would call, or None."""
        for module, node in self.chain:
            for statement in node.body:
                if isinstance(statement, FUNCTIONS) and statement.name == name:
                    return module, statement
                if self._assigned(statement) == name:
                    return module, statement
        return None

    @staticmethod
    def _assigned(statement):
        if isinstance(statement, ast.Assign) and len(statement.targets) == 1:
            return dotted(statement.targets[0])
        return dotted(statement.target) if isinstance(statement, ast.AnnAssign) and statement.value else ""

    def fields(self):
        return {
            dotted(statement.target)
            for _module, node in self.chain
            for statement in node.body
            if isinstance(statement, ast.AnnAssign)
        }


class Arguments:
    """What a function can be called with."""

    def __init__(self, function, bound=True):
        arguments = function.args
        places = [*arguments.posonlyargs, *arguments.args]
        optional = len(arguments.defaults)
        self.names = [argument.arg for argument in places][1 if bound else 0 :]
        self.needed = max(0, len(places) - optional - (1 if bound and places else 0))
        self.many = arguments.vararg is not None
        self.any_keyword = arguments.kwarg is not None
        self.keyword_only = [argument.arg for argument in arguments.kwonlyargs]
        self.needed_keywords = [
            argument.arg for argument, default in zip(arguments.kwonlyargs, arguments.kw_defaults) if default is None
        ]

    def takes(self, count):
        return self.needed <= count and (self.many or len(self.names) >= count) and not self.needed_keywords

    def required(self):
        return [*self.names[: self.needed], *self.needed_keywords]

    def keywords(self):
        return {*self.names, *self.keyword_only}


def _own_nodes(function):
    """The nodes of a function without those of functions inside it."""
    waiting = list(function.body)
    while waiting:
        node = waiting.pop()
        yield node
        if not isinstance(node, (*FUNCTIONS, ast.Lambda, ast.ClassDef)):
            waiting.extend(ast.iter_child_nodes(node))


def _yields(function):
    return any(isinstance(node, (ast.Yield, ast.YieldFrom)) for node in _own_nodes(function))


class LiveClass:
    """The class that pipeline_cls names."""

    def __init__(self, view, findings, paths):
        self.view = view
        self.findings = findings
        self.paths = paths
        self.module, self.node = view.chain[0]

    def add(self, code, module, line, message, signature=""):
        self.findings.add(code, self.paths[module], line, message, signature)

    def check(self, initial_params):
        name = self.node.name
        if self.view.derives(BATCH_BASES):
            message = f"{name} derives from the base of batch pipelines, which takes no frames."
            self.add("pipeline_base", self.module, self.node.lineno, message)
            return
        unknown = self.view.is_open(LIVE_BASES)
        if not self.view.derives(LIVE_BASES) and not unknown:
            message = f"{name} does not derive from the runner's Pipeline."
            self.add("pipeline_base", self.module, self.node.lineno, message)
        for method, wanted in METHODS.items():
            found = self.view.method(method)
            if found:
                self._check_method(*found, wanted, initial_params)
            elif wanted.required and not unknown:
                message = f"{name} has no {method}, which is abstract: the runner cannot make an instance."
                self.add("method_missing", self.module, self.node.lineno, message, wanted.signature)
        self._check_init()
        self._check_outputs()

    def _check_method(self, module, function, wanted, initial_params):
        decorators = [dotted(node) for node in getattr(function, "decorator_list", ())]
        # Only plain functions can be judged: a decorator or an assignment may give anything.
        if not isinstance(function, FUNCTIONS) or not set(decorators) <= {"classmethod", "staticmethod", "override"}:
            return
        kind = self._kind(function, wanted, decorators)
        if kind:
            message = f"{function.name} {kind}."
            self.add("method_kind", module, function.lineno, message, wanted.signature)
            return
        arguments = Arguments(function, bound="staticmethod" not in decorators)
        wrong = (
            self._keywords(arguments, wanted, initial_params) if wanted.keywords else self._places(arguments, wanted)
        )
        if wrong:
            message = f"{function.name} {wrong}, but the runner calls {wanted.call}."
            self.add("method_arguments", module, function.lineno, message, wanted.signature)

    @staticmethod
    def _kind(function, wanted, decorators):
        coroutine = isinstance(function, ast.AsyncFunctionDef)
        if wanted.coroutine and not coroutine:
            return "is not async, but the runner awaits it"
        if wanted.coroutine and _yields(function):
            return "holds yield, which makes it a generator, but the runner awaits one result"
        if not wanted.coroutine and coroutine:
            return "is async, but the runner does not await it: nothing would be prepared"
        if not wanted.coroutine and not {"classmethod", "staticmethod"} & set(decorators):
            return "is no classmethod, but the runner calls it on the class"
        return ""

    @staticmethod
    def _places(arguments, wanted):
        if arguments.takes(wanted.positional):
            return ""
        taken = f"takes ({', '.join(arguments.names)})" if arguments.names else "takes no arguments"
        needed = f" and needs {', '.join(arguments.needed_keywords)}" if arguments.needed_keywords else ""
        return taken + needed

    @staticmethod
    def _keywords(arguments, wanted, initial_params):
        # initialize is tried again with no parameters at all when it fails with the initial ones.
        if arguments.required():
            return f"requires {', '.join(arguments.required())}"
        if arguments.any_keyword:
            return ""
        refused = sorted(set(initial_params or ()) - arguments.keywords())
        if wanted.signature == METHODS["update_params"].signature:
            refused = sorted({*refused, *(BASE_FIELDS - arguments.keywords())})
        return f"does not take {', '.join(refused)}" if refused else ""

    def _check_init(self):
        found = self.view.method("__init__")
        if not found or not isinstance(found[1], FUNCTIONS):
            return
        required = Arguments(found[1]).required()
        if required:
            message = f"__init__ requires {', '.join(required)}, but the runner calls {self.node.name}()."
            self.add("init_arguments", found[0], found[1].lineno, message)

    def _check_outputs(self):
        for module in dict.fromkeys(module for module, _node in self.view.chain):
            for call in self._calls(module, "VideoOutput"):
                given = call.args[1] if len(call.args) > 1 else None
                given = next((word.value for word in call.keywords if word.arg in ("request_id", None)), given)
                starred = any(isinstance(argument, ast.Starred) for argument in call.args)
                empty = isinstance(given, ast.Constant) and given.value == ""
                if (given is None and not starred) or empty:
                    message = "VideoOutput without the request_id: the runner drops the frame."
                    self.add("output_request_id", module, call.lineno, message)

    def _calls(self, module, name):
        for node in ast.walk(self.view.modules.tree(module)):
            full = self.view.modules.resolve(module, node.func) if isinstance(node, ast.Call) else ""
            if full.startswith("runner.live.") and full.endswith(f".{name}"):
                yield node


class BatchClass:
    """A class that answers requests: one of go-livepeer's ten routes, implemented anew."""

    NEEDED = {
        "name": "the property name",
        "__init__": "def __init__(self, model_id, model_dir)",
        "__call__": "def __call__(self, **kwargs)",
        "router": "the property router, which returns a fastapi.APIRouter",
    }

    def __init__(self, view, findings, paths):
        self.view = view
        self.findings = findings
        self.paths = paths
        self.module, self.node = view.chain[0]

    def check(self):
        path, name = self.paths[self.module], self.node.name
        if self.view.is_open(BATCH_BASES):
            return
        for method, signature in self.NEEDED.items():
            if not self.view.method(method):
                message = f"{name} has no {method}: the runner cannot serve it."
                self.findings.add("batch_method", path, self.node.lineno, message, signature)
        found = self.view.method("__init__")
        if found and not any(
            isinstance(node, ast.Attribute) and dotted(node) == "self.model_id" and isinstance(node.ctx, ast.Store)
            for node in ast.walk(found[1])
        ):
            message = "__init__ does not set self.model_id, which the runner reports."
            self.findings.add("batch_model_id", self.paths[found[0]], found[1].lineno, message)
