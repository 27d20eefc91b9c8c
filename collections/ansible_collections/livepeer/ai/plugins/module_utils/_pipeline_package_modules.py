# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The modules of a pipeline's package as Python would import them, without importing. Private to the collection."""

from __future__ import annotations

import ast


def dotted(node):
    """The text of a name such as a.b.c, or an empty text."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        front = dotted(node.value)
        return f"{front}.{node.attr}" if front else ""
    return ""


def top_level(body):
    """The statements that run when the module is imported, those inside if and try too."""
    for node in body:
        if isinstance(node, ast.If) and dotted(node.test).rpartition(".")[2] == "TYPE_CHECKING":
            yield from top_level(node.orelse)
            continue
        yield node
        for field in ("body", "orelse", "finalbody"):
            if not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and hasattr(node, field):
                yield from top_level(getattr(node, field))
        for handler in getattr(node, "handlers", []):
            yield from top_level(handler.body)


class Modules:
    """Names looked up over the modules of one package."""

    def __init__(self, files):
        self.files = files
        self.paths = files.modules()
        self._bindings = {}

    def tree(self, module):
        return self.files.tree(self.paths[module]) if module in self.paths else None

    def is_package(self, module):
        path = self.paths.get(module, "")
        return path.endswith("/__init__.py") or path == "__init__.py"

    def absolute(self, module, node):
        """The module that a from-import names, seen from the module it stands in."""
        if not node.level:
            return node.module or ""
        parts = module.split(".")
        dropped = node.level - 1 if self.is_package(module) else node.level
        return ".".join([*parts[: len(parts) - dropped], *([node.module] if node.module else [])])

    def imports(self, module):
        """(line, full name) of everything that importing the module imports itself."""
        tree = self.tree(module)
        for node in top_level(tree.body) if tree else ():
            if isinstance(node, ast.Import):
                for alias in node.names:
                    yield node.lineno, alias.name
            elif isinstance(node, ast.ImportFrom):
                source = self.absolute(module, node)
                for alias in node.names:
                    yield node.lineno, f"{source}.{alias.name}"

    def bindings(self, module):
        """Local name -> full name of what the module imports."""
        if module not in self._bindings:
            self._bindings[module] = self._bind(module)
        return self._bindings[module]

    def _bind(self, module):
        bound = {}
        tree = self.tree(module)
        for node in top_level(tree.body) if tree else ():
            if isinstance(node, ast.Import):
                for alias in node.names:
                    bound[alias.asname or alias.name.partition(".")[0]] = (
                        alias.name if alias.asname else alias.name.partition(".")[0]
                    )
            elif isinstance(node, ast.ImportFrom):
                source = self.absolute(module, node)
                for alias in node.names:
                    bound[alias.asname or alias.name] = f"{source}.{alias.name}"
        return bound

    def resolve(self, module, node):
        """The full name of an expression such as Pipeline, interface.Pipeline or List[Pipeline]'s front."""
        text = dotted(node.value if isinstance(node, ast.Subscript) else node)
        front, _dot, rest = text.partition(".")
        if not front:
            return ""
        full = self.bindings(module).get(front)
        if full is None:
            full = f"{module}.{front}"
        return f"{full}.{rest}" if rest else full

    def owner(self, full):
        """(module, rest) of a full name: the longest front that is a module here."""
        parts = full.split(".")
        for count in range(len(parts), 0, -1):
            if ".".join(parts[:count]) in self.paths:
                return ".".join(parts[:count]), ".".join(parts[count:])
        return "", full

    def find(self, module, name, kinds=(ast.ClassDef,), hops=8):
        """(module, node) of a definition, through re-exports; (None, name) if it leads out of the package."""
        tree = self.tree(module)
        if tree is None:
            return None
        for node in top_level(tree.body):
            if isinstance(node, kinds) and node.name == name:
                return module, node
        full = self.bindings(module).get(name)
        if full is None or not hops:
            return None
        source, rest = self.owner(full)
        if not source:
            # A module of this package that is not there is no foreign one.
            return None if full.partition(".")[0] == module.partition(".")[0] else (None, full)
        return self.find(source, rest, kinds, hops - 1) if rest else None

    def constant(self, module, node):
        """The value of a literal, or of a name that the module sets to one; raises ValueError otherwise."""
        if isinstance(node, ast.Name):
            tree = self.tree(module)
            values = [
                statement.value
                for statement in (tree.body if tree else ())
                if isinstance(statement, (ast.Assign, ast.AnnAssign))
                and statement.value is not None
                and any(
                    dotted(target) == node.id for target in getattr(statement, "targets", None) or [statement.target]
                )
            ]
            if len(values) != 1:
                raise ValueError(node.id)
            node = values[0]
        return ast.literal_eval(node)

    def closure(self, module):
        """(importing module, line, full name) of all that importing the module brings, the package's own followed."""
        seen, waiting = set(), [module]
        while waiting:
            current = waiting.pop()
            parts = current.split(".")
            # Python imports every parent before the module.
            for name in (".".join(parts[:count]) for count in range(1, len(parts) + 1)):
                if name in seen or name not in self.paths:
                    continue
                seen.add(name)
                for line, full in self.imports(name):
                    yield name, line, full
                    own, _rest = self.owner(full)
                    if own:
                        waiting.append(own)
