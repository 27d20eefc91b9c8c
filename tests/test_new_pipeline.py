"""playbooks/new_pipeline.yml as an engineer starts it: the package is right, and hers from then on."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import tomllib
import yaml

ROOT = Path(__file__).resolve().parent.parent
TOOLS = Path(sys.executable).parent
# What a package imports, in place of an installed ai-runner.
RUNNER = [ROOT / "lab/ai_runner/runner/src", ROOT / "lab/ai_runner/standins"]
# image-to-image is upscale without its one line more.
BATCH_ROUTES = ("text-to-image", "upscale", "image-to-text")


def new_pipeline(dest: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """As typed in the directory above, with a destination that is relative to it."""
    here = dest.parent
    command = [TOOLS / "ansible-playbook", ROOT / "playbooks/new_pipeline.yml", *arguments, "-e", f"dest={dest.name}"]
    for name, value in variables.items():
        command += ["-e", f"{name}={value}"]
    environment = {
        **os.environ,
        "PWD": str(here),
        "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
        "ANSIBLE_NOCOLOR": "1",
    }
    return subprocess.run(command, cwd=here, env=environment, capture_output=True, text=True)


def written(dest: Path, **variables: str) -> Path:
    result = new_pipeline(dest, **variables)
    assert result.returncode == 0, result.stdout + result.stderr
    (package,) = dest.iterdir()
    return package


def contents(folder: Path) -> dict[str, str]:
    return {str(path.relative_to(folder)): path.read_text() for path in folder.rglob("*") if path.is_file()}


def ruff_finds_nothing(package: Path) -> None:
    for arguments in (["check"], ["format", "--check"]):
        result = subprocess.run(
            [TOOLS / "ruff", *arguments, "--no-cache", "."], cwd=package, capture_output=True, text=True
        )
        assert result.returncode == 0, result.stdout + result.stderr


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return written(tmp_path_factory.mktemp("live"), name="my-pipeline")


def test_a_live_package_passes_its_own_tests(live: Path) -> None:
    result = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"],
        cwd=live,
        env={
            **os.environ,
            "PYTHONPATH": os.pathsep.join(map(str, [live / "src", *RUNNER])),
            "PYTHONDONTWRITEBYTECODE": "1",
        },
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    assert "9 passed" in result.stdout


def test_a_live_package_is_clean_and_complete(live: Path) -> None:
    ruff_finds_nothing(live)
    project = tomllib.loads((live / "pyproject.toml").read_text())
    assert project["project"]["requires-python"] == ">=3.10.12,<3.11"
    assert project["project"]["optional-dependencies"]["gpu"][0] == "ai-runner[realtime]"
    assert project["tool"]["uv"]["sources"]["ai-runner"]["rev"] == "v0.14.1"
    assert yaml.safe_load((live / ".github/workflows/ci.yml").read_text())["jobs"].keys() == {"test", "image"}
    assert (live / "Dockerfile").read_text().startswith("ARG BASE_IMAGE=livepeer/ai-runner:live-base-v0.14.1\n")
    assert os.access(live / "version.sh", os.X_OK)
    for path in ("src/my_pipeline/__init__.py", "src/my_pipeline/pipeline/__init__.py"):
        assert (live / path).read_text() == ""


def test_no_mark_of_the_template_is_left(live: Path) -> None:
    assert [path for path, text in contents(live).items() if "<<" in text or "<%" in text or "%>" in text] == []


# With a description that has quotes, which any package may have.
@pytest.fixture(scope="module", params=BATCH_ROUTES)
def batch(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path]:
    variables = {"custom_pipeline_variant": "batch", "custom_pipeline_batch_route": request.param}
    description = "'Brown \"and\" grey'"
    dest = tmp_path_factory.mktemp("batch")
    return request.param, written(dest, name="my-batch", custom_pipeline_description=description, **variables)


def test_a_batch_package_is_clean(batch: tuple[str, Path]) -> None:
    route, package = batch
    ruff_finds_nothing(package)
    assert f'return "{route}"' in (package / "src/my_batch/pipeline.py").read_text()
    assert not (package / "src/my_batch/pipeline").exists()
    assert tomllib.loads((package / "pyproject.toml").read_text())["project"]["description"] == 'Brown "and" grey'


def test_a_look_at_a_new_package_finds_the_missing_lock_and_nothing_else(live: Path, batch: tuple[str, Path]) -> None:
    for package, kind in ((live, "live"), (batch[1], "batch")):
        arguments = f"path={package} name={package.name}"
        command = [TOOLS / "ansible", "localhost", "-m", "livepeer.ai.pipeline_package_info", "-a", arguments]
        environment = {
            **os.environ,
            "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
            "ANSIBLE_LOAD_CALLBACK_PLUGINS": "1",
            "ANSIBLE_STDOUT_CALLBACK": "ansible.posix.json",
        }
        said = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True).stdout
        told = json.loads(said)["plays"][0]["tasks"][0]["hosts"]["localhost"]
        assert [finding["code"] for finding in told["findings"]] == ["lock_missing"], told["sentences"]
        assert told["package"]["kind"] == kind


def test_the_second_run_changes_nothing_and_shows_what_differs(tmp_path: Path, live: Path) -> None:
    package = Path(shutil.copytree(live, tmp_path / live.name))
    (package / "README.md").write_text("# My own words\n")
    (package / "version.sh").chmod(0o700)
    (package / "Dockerfile").unlink()
    before = contents(package)

    checked = new_pipeline(tmp_path, "--check", name="my-pipeline")
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert contents(package) == before

    again = new_pipeline(tmp_path, name="my-pipeline")
    assert again.returncode == 0, again.stdout + again.stderr
    assert "-# My own words" in again.stdout
    after = contents(package)
    # What is missing is written; what is there is left as it is, its mode included.
    assert set(after) - set(before) == {"Dockerfile"}
    assert {path: after[path] for path in before} == before
    assert (package / "version.sh").stat().st_mode & 0o777 == 0o700

    third = new_pipeline(tmp_path, name="my-pipeline")
    assert "changed=0" in third.stdout


def test_a_check_of_a_new_package_writes_nothing(tmp_path: Path) -> None:
    """With the longest name that there is."""
    result = new_pipeline(tmp_path, "--check", name="x" * 40)
    assert result.returncode == 0, result.stdout + result.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("variables", "sentence"),
    [
        ({"name": "Torch"}, "cannot be a model_id"),
        ({"name": "torch"}, "choose another, such as my-torch"),
        ({"name": "ok", "custom_pipeline_variant": "both"}, "custom_pipeline_variant must be one of"),
        (
            {"name": "ok", "custom_pipeline_variant": "batch", "custom_pipeline_batch_route": "llm"},
            'custom_pipeline_batch_route "llm" is none',
        ),
    ],
)
def test_a_refusal_writes_nothing(tmp_path: Path, variables: dict[str, str], sentence: str) -> None:
    result = new_pipeline(tmp_path, **variables)
    assert result.returncode != 0
    assert sentence in " ".join((result.stdout + result.stderr).split())
    assert list(tmp_path.iterdir()) == []
