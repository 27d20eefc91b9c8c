"""The rules of the house that no linter knows: where things live, and that documentation equals what runs."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parent.parent
COLLECTION = ROOT / "collections/ansible_collections/livepeer/ai"
COLLECTION_ROLES = sorted(path for path in (COLLECTION / "roles").iterdir() if path.is_dir())
SITE_ROLES = sorted(path for path in (ROOT / "roles").iterdir() if path.is_dir())
PLAYBOOKS = sorted((ROOT / "playbooks").glob("*.yml"))
MODULES = sorted((COLLECTION / "plugins/modules").glob("*.py"))
FILTERS = sorted((COLLECTION / "plugins/filter").glob("*.yml"))


def tracked_files() -> list[Path]:
    """Files git would publish: tracked, or new and not ignored."""
    listing = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    return [ROOT / line for line in listing.splitlines()]


def text_of(path: Path) -> str:
    return path.read_text(encoding="utf-8", errors="replace")


def load(path: Path):
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def name_of(path: Path) -> str:
    return path.name


@pytest.mark.parametrize("role", COLLECTION_ROLES + SITE_ROLES, ids=name_of)
def test_argument_specs_equal_defaults(role: Path) -> None:
    """An option that is documented but has no default, or the other way round, is a lie to one reader."""
    entry_points = load(role / "meta/argument_specs.yml")["argument_specs"].values()
    options = {name: spec for entry in entry_points for name, spec in (entry.get("options") or {}).items()}
    defaults_file = role / "defaults/main.yml"
    defaults = (load(defaults_file) or {}) if defaults_file.exists() else {}
    documented = {name: spec["default"] for name, spec in options.items() if "default" in spec}
    # A default that is computed from other variables cannot be repeated literally in the specification.
    computed = {name for name, value in defaults.items() if isinstance(value, str) and "{{" in value}

    without_default = {name for name, spec in options.items() if "default" not in spec and not spec.get("required")}
    assert without_default <= computed, "optional but without a default"
    assert set(options) - {name for name, spec in options.items() if spec.get("required")} == set(defaults)
    assert documented == {name: value for name, value in defaults.items() if name not in computed}


@pytest.mark.parametrize("role", COLLECTION_ROLES + SITE_ROLES, ids=name_of)
def test_every_role_states_its_promises(role: Path) -> None:
    entry = load(role / "meta/argument_specs.yml")["argument_specs"]["main"]
    assert {"check_mode", "diff_mode", "idempotent"} <= set(entry["attributes"])
    for name, spec in entry.get("options", {}).items():
        assert spec.get("description"), f"{name} is not described"


@pytest.mark.parametrize("role", COLLECTION_ROLES + SITE_ROLES, ids=name_of)
def test_public_variables_begin_with_the_role(role: Path) -> None:
    defaults_file = role / "defaults/main.yml"
    defaults = (load(defaults_file) or {}) if defaults_file.exists() else {}
    assert [name for name in defaults if not name.startswith(f"{role.name}_")] == []


def test_collection_never_names_an_inventory_group() -> None:
    """A role in the collection does one thing to one host; procedures over the fleet live in roles/."""
    pattern = re.compile(r"\bgroups\[|\bgroups\.|\bgroup_names\b")
    offenders = [
        str(path.relative_to(ROOT))
        for path in COLLECTION.rglob("*")
        if path.suffix in {".py", ".yml", ".j2"} and "tests" not in path.parts and pattern.search(text_of(path))
    ]
    assert offenders == []


@pytest.mark.parametrize("role", [role for role in COLLECTION_ROLES if not role.name.startswith("_")], ids=name_of)
def test_every_role_has_a_scenario(role: Path) -> None:
    scenario = ROOT / "molecule" / role.name
    assert (scenario / "molecule.yml").is_file()
    assert list((scenario / "tests").glob("test_*.py")), "nothing looks at the host"


@pytest.mark.parametrize("module", MODULES, ids=name_of)
def test_every_module_has_unit_tests(module: Path) -> None:
    assert list((COLLECTION / "tests/unit/plugins").rglob(f"test_{module.stem}*.py"))


@pytest.mark.parametrize("playbook", PLAYBOOKS, ids=name_of)
def test_playbooks_are_short(playbook: Path) -> None:
    """A playbook names hosts and roles; anything longer belongs in a role."""
    lines = [line for line in text_of(playbook).splitlines() if line.strip() and not line.lstrip().startswith("#")]
    assert len(lines) <= 25


def test_playbooks_parse() -> None:
    """Each playbook against the production template, as a user would start it."""
    ansible_playbook = Path(sys.executable).parent / "ansible-playbook"
    inventory = ROOT / "inventories/example"
    command = [ansible_playbook, "--syntax-check", "-i", inventory, *PLAYBOOKS]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert result.returncode == 0, result.stdout + result.stderr


def test_every_plugin_and_role_is_documented() -> None:
    """ansible-doc reads what sanity does not: roles, and that nothing is left out of the listing."""
    ansible_doc = Path(sys.executable).parent / "ansible-doc"

    def names(kind: str) -> set[str]:
        command = [ansible_doc, "-t", kind, "-l", "livepeer.ai", "--json"]
        result = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
        return set(json.loads(result.stdout))

    assert names("module") == {f"livepeer.ai.{path.stem}" for path in MODULES}
    assert names("filter") == {f"livepeer.ai.{path.stem}" for path in FILTERS}
    assert names("role") == {f"livepeer.ai.{path.name}" for path in COLLECTION_ROLES}


def test_requirements_pin_what_pyproject_names() -> None:
    import tomllib

    wanted = tomllib.loads(text_of(ROOT / "pyproject.toml"))["project"]["dependencies"]
    pinned = dict(re.findall(r"^([A-Za-z0-9._-]+)==([^ \\]+)", text_of(ROOT / "requirements.txt"), re.M))
    pinned = {name.lower().replace("_", "-"): version for name, version in pinned.items()}
    for dependency in wanted:
        name, operator, version = re.match(r"([A-Za-z0-9._-]+)(==|>=)([^,]+)", dependency).groups()
        name = name.lower().replace("_", "-")
        assert name in pinned, f"{name} is missing: run `make requirements`"
        if operator == "==":
            assert pinned[name] == version, f"{name}: run `make requirements`"


def test_requirements_name_no_package_index() -> None:
    """The index is the machine's business; an address in the file would bind every reader to one."""
    text = text_of(ROOT / "requirements.txt")
    assert "://" not in text
    assert "--index" not in text


def test_tree_has_no_symbolic_links() -> None:
    """ansible-test refuses links to directories, and two names for one thing are one too many."""
    assert [str(path.relative_to(ROOT)) for path in tracked_files() if path.is_symlink()] == []
