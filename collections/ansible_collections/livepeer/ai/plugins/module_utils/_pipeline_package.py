# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A pipeline's package, looked at as a whole. Private to the collection."""

from __future__ import annotations

from ansible_collections.livepeer.ai.plugins.module_utils._pipeline_package_docker import Dockerfile
from ansible_collections.livepeer.ai.plugins.module_utils._pipeline_package_files import PackageFiles
from ansible_collections.livepeer.ai.plugins.module_utils._pipeline_package_findings import Findings
from ansible_collections.livepeer.ai.plugins.module_utils._pipeline_package_modules import Modules
from ansible_collections.livepeer.ai.plugins.module_utils._pipeline_package_project import Project
from ansible_collections.livepeer.ai.plugins.module_utils._pipeline_package_source import Source


def examine(path, name=""):
    """(facts, findings) of the package in the folder; PackageError if there is no such folder."""
    findings = Findings()
    files = PackageFiles(path, findings)
    modules = Modules(files)
    project = Project(files, findings)
    dockerfile = Dockerfile(files, findings)
    dockerfile.read()
    project.check(modules.paths, dockerfile.extras)
    source = Source(modules, findings)
    if modules.paths or project.document:
        source.check(project.scripts, name)
    dockerfile.check(project, source.kind)
    return _facts(project, source, dockerfile), findings.all()


def _facts(project, source, dockerfile):
    spec = source.spec
    return {
        "kind": source.kind,
        "name": str(spec.get("name") or ""),
        "distribution": project.name,
        "version": project.version,
        "package": source.package,
        "scripts": sorted(project.scripts),
        "pipeline_cls": str(spec.get("pipeline_cls") or ""),
        "params_cls": str(spec.get("params_cls") or ""),
        "requires_python": project.python,
        "runner_git": project.runner_url,
        "runner_revision": project.runner_revision,
        "base_image": dockerfile.base_image,
        "has_lock": project.has_lock,
        "lock_consistent": project.lock_consistent,
    }
