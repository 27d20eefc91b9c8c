"""Build the images the recipes describe: mmdebstrap makes a root file system, `docker import` makes an image of it.

An image carries its recipe's digest as a label and is rebuilt when the digest differs. The root file system stays in
build/cache, so an engine that lost its images gets them back in seconds.
"""

from __future__ import annotations

import io
import shlex
import shutil
import subprocess
import tarfile
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tomllib

from . import aptconf, digest, engine, paths
from .command import as_root, attempt, run, tail
from .errors import LabError
from .progress import step

# Raise to rebuild every image after a change of this file that alters what they hold.
BUILDER_GENERATION = 1
# Modes that matter in an overlay: git keeps only the executable bit.
OVERLAY_MODES = {"etc/sudoers.d": 0o440}

RUNNER_SOURCE = paths.LAB / "runner"
RUNNER_REPOSITORY = "livepeer/ai-runner"
# What own live pipelines are built on.
LIVE_BASE_SOURCE = paths.AI_RUNNER / "live-base"
LIVE_BASE_TAG = "live-base-v0.14.1"
# One stand-in under each tag go-livepeer may ask for.
RUNNER_TAGS = ("latest", "segment-anything-2", "text-to-speech", "audio-to-text", "llm")


@dataclass(frozen=True)
class Recipe:
    """One entry of recipes.toml, with what is common to all."""

    tag: str
    suite: str
    packages: tuple[str, ...]
    command: tuple[str, ...]
    path_exclude: tuple[str, ...]
    path_include: tuple[str, ...]
    environment: tuple[str, ...] = ()
    overlays: tuple[str, ...] = ()
    user: str = ""

    @property
    def overlay_dirs(self) -> list[Path]:
        return [paths.IMAGES / name for name in self.overlays]

    def digest(self) -> str:
        return digest.of_value([BUILDER_GENERATION, {**self.__dict__}, digest.of_paths(*self.overlay_dirs)])

    def rootfs(self) -> Path:
        """The cached root file system of exactly this recipe."""
        name = self.tag.split("/", 1)[1].replace(":", "-")
        return paths.CACHE / f"{name}-{self.digest()}.tar.zst"


def load_recipes(path: Path = paths.IMAGES / "recipes.toml") -> dict[str, Recipe]:
    """All recipes by image tag."""
    document = tomllib.loads(path.read_text(encoding="utf-8"))
    common = document.pop("common")
    return {tag: _recipe(tag, {**common, **entry}) for tag, entry in document.items()}


def _recipe(tag: str, entry: dict[str, Any]) -> Recipe:
    values = {key: tuple(value) if isinstance(value, list) else value for key, value in entry.items()}
    return Recipe(tag=tag, **values)


def overlay_tar(*folders: Path) -> bytes:
    """The overlays as root's files, whoever owns the checkout."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        found = [(path.relative_to(root).as_posix(), path) for root in folders for path in digest.source_files(root)]
        for name, path in found:
            member = tarfile.TarInfo(name)
            member.size = path.stat().st_size
            member.mode = OVERLAY_MODES.get(str(Path(name).parent), 0o755 if path.stat().st_mode & 0o100 else 0o644)
            with path.open("rb") as source:
                archive.addfile(member, source)
    return buffer.getvalue()


def mmdebstrap_argv(recipe: Recipe, target: Path, sources: list[str], scratch: Path) -> list[str]:
    """The command that makes the root file system; the scratch folder holds apt.conf and perhaps overlay.tar."""
    argv = ["mmdebstrap", "--variant=minbase", "--quiet", f"--include={','.join(recipe.packages)}"]
    argv += [f"--dpkgopt=path-exclude={pattern}" for pattern in recipe.path_exclude]
    argv += [f"--dpkgopt=path-include={pattern}" for pattern in recipe.path_include]
    # The tree is thrown away when interrupted, so dpkg need not sync each file to disk.
    argv += ["--dpkgopt=force-unsafe-io", f"--aptopt={scratch / 'apt.conf'}"]
    hooks = []
    if recipe.user:
        hooks.append(f'chroot "$1" useradd --create-home --shell /bin/bash {shlex.quote(recipe.user)}')
    if recipe.overlays:
        hooks.append(f"tar-in {shlex.quote(str(scratch / 'overlay.tar'))} /")
    # Each container gets its own identity and this machine's way of fetching when it is created.
    hooks.append('rm -f "$1"/etc/ssh/ssh_host_* "$1"/etc/apt/apt.conf.d/99mmdebstrap')
    hooks.append('if [ -e "$1/etc/machine-id" ]; then : > "$1/etc/machine-id"; fi')
    argv += [f"--customize-hook={hook}" for hook in hooks]
    return [*argv, recipe.suite, str(target), *sources]


def make_rootfs(recipe: Recipe, apt: aptconf.AptSetup) -> Path:
    """Run mmdebstrap unless the cache has this recipe's tree."""
    cached = recipe.rootfs()
    if cached.exists():
        return cached
    paths.CACHE.mkdir(parents=True, exist_ok=True)
    for outdated in paths.CACHE.glob(cached.name.replace(recipe.digest(), "?" * len(recipe.digest()))):
        outdated.unlink()
    with tempfile.TemporaryDirectory(prefix="livepeer-lab-") as name:
        scratch = Path(name)
        # mmdebstrap downloads as an unprivileged user, who must be able to read here.
        scratch.chmod(0o755)
        (scratch / "apt.conf").write_text(apt.settings, encoding="utf-8")
        if recipe.overlays:
            (scratch / "overlay.tar").write_bytes(overlay_tar(*recipe.overlay_dirs))
        # Only a finished tree gets the name that counts.
        partial = cached.with_name(f".partial-{cached.name}")
        run(as_root(mmdebstrap_argv(recipe, partial, aptconf.source_lines(apt.repos, recipe.suite), scratch)))
        partial.rename(cached)
    return cached


def import_argv(recipe: Recipe) -> list[str]:
    changes = [f"CMD [{', '.join(f'{chr(34)}{word}{chr(34)}' for word in recipe.command)}]"]
    changes += [f"ENV {setting}" for setting in recipe.environment]
    changes += [f"LABEL {engine.RECIPE_LABEL}={recipe.digest()}"]
    argv = ["import"]
    for change in changes:
        argv += ["--change", change]
    return engine.docker_argv(*argv, "-", recipe.tag)


def import_rootfs(recipe: Recipe, rootfs: Path) -> None:
    """Unpack the cached tree into an image; both ends of the pipe are checked."""
    unpack = subprocess.Popen(["zstd", "-dcq", str(rootfs)], stdout=subprocess.PIPE)
    load = subprocess.run(import_argv(recipe), stdin=unpack.stdout, capture_output=True, check=False)
    if unpack.wait() != 0:
        rootfs.unlink(missing_ok=True)
        raise LabError(f"The cached {rootfs.name} is damaged and was removed; run the same command again.")
    if load.returncode != 0:
        raise LabError(f"docker import of {recipe.tag} failed: {tail(load.stderr.decode(errors='replace'))}")


def current(tag: str, recipe_digest: str) -> bool:
    """Whether the engine has this image from this recipe."""
    item = engine.inspect("image", tag).get(tag)
    return bool(item) and engine.labels(item).get(engine.RECIPE_LABEL) == recipe_digest


def ensure(recipe: Recipe, apt: aptconf.AptSetup) -> None:
    """Build the image if it is missing or its recipe changed."""
    if current(recipe.tag, recipe.digest()):
        return
    how = "unpacking from build/cache" if recipe.rootfs().exists() else f"building from Debian {recipe.suite} packages"
    with step(f"image {short(recipe.tag)}", how, "ready"):
        import_rootfs(recipe, make_rootfs(recipe, apt))


def short(tag: str) -> str:
    return tag.removeprefix("livepeer-lab/")


def runner_digest(base: Recipe) -> str:
    return digest.of_value([base.digest(), digest.of_paths(RUNNER_SOURCE)])


def ensure_runner(base: Recipe) -> None:
    """Build the runner stand-in and give it every tag."""
    wanted = runner_digest(base)
    tags = [f"{RUNNER_REPOSITORY}:{tag}" for tag in RUNNER_TAGS]
    if all(current(tag, wanted) for tag in tags):
        return
    with step("image ai-runner", "building the runner stand-in", "ready"):
        names = [flag for tag in tags for flag in ("--tag", tag)]
        argv = ["build", "--quiet", "--label", f"{engine.RECIPE_LABEL}={wanted}", *names, str(RUNNER_SOURCE)]
        answer = attempt(engine.docker_argv(*argv))
        if answer.returncode != 0:
            raise LabError(f"docker build of lab/runner failed:\n{tail(answer.stderr)}")


def uv() -> Path:
    """The program of the version that live-base has, out of its wheel from this machine's package index."""
    wanted = LIVE_BASE_SOURCE / "requirements.txt"
    cached = paths.CACHE / f"uv-{digest.of_paths(wanted)}"
    if cached.exists():
        return cached
    paths.CACHE.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="livepeer-lab-") as name:
        argv = ["-m", "pip", "download", "--quiet", "--require-hashes", "--no-deps", "--only-binary", ":all:"]
        run([str(paths.PYTHON), *argv, "--dest", name, "--requirement", str(wanted)])
        (wheel,) = Path(name).glob("*.whl")
        with zipfile.ZipFile(wheel) as archive:
            (member,) = (entry for entry in archive.namelist() if entry.endswith(".data/scripts/uv"))
            content = archive.read(member)
    partial = cached.with_name(f".partial-{cached.name}")
    partial.write_bytes(content)
    partial.chmod(0o755)
    return partial.rename(cached)


def live_base_digest(base: Recipe) -> str:
    return digest.of_value([base.digest(), digest.of_paths(LIVE_BASE_SOURCE)])


def ensure_live_base(base: Recipe) -> None:
    """Build the stand-in for the image that own live pipelines begin with."""
    wanted, tag = live_base_digest(base), f"{RUNNER_REPOSITORY}:{LIVE_BASE_TAG}"
    if current(tag, wanted):
        return
    with (
        step("image live-base", "building the base of own live pipelines", "ready"),
        tempfile.TemporaryDirectory() as name,
    ):
        context = Path(name)
        shutil.copyfile(LIVE_BASE_SOURCE / "Dockerfile", context / "Dockerfile")
        shutil.copy(uv(), context / "uv")
        argv = ["build", "--quiet", "--label", f"{engine.RECIPE_LABEL}={wanted}", "--tag", tag, str(context)]
        answer = attempt(engine.docker_argv(*argv))
        if answer.returncode != 0:
            raise LabError(f"docker build of lab/ai_runner/live-base failed:\n{tail(answer.stderr)}")
