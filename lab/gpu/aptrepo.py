"""Debian packages from folders and signed apt repositories from packages, by dpkg-deb, apt-ftparchive and gpg."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

MAINTAINER = "livepeer.ai contributors <noreply@livepeer.invalid>"
# Quick to pack, and every suite's dpkg reads it.
COMPRESSION = ("-Zzstd", "-z1")
# One date for all files and signatures' subjects, so that a package depends on its sources only.
EPOCH = "1790000000"


def run(argv: Sequence[str], cwd: Path | None = None, **environment: str) -> str:
    """Standard output; what failed is told with what it said."""
    done = subprocess.run(argv, cwd=cwd, capture_output=True, text=True, check=False, env={**os.environ, **environment})
    if done.returncode != 0:
        raise SystemExit(
            f"{argv[0]} failed with status {done.returncode}:\n{done.stderr.strip() or done.stdout.strip()}"
        )
    return done.stdout


@dataclass
class Package:
    """One binary package: its control fields, files (path -> content, mode), links and maintainer scripts."""

    name: str
    version: str
    description: str
    relations: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, tuple[bytes, int]] = field(default_factory=dict)
    links: Mapping[str, str] = field(default_factory=dict)
    scripts: Mapping[str, str] = field(default_factory=dict)
    architecture: str = "amd64"
    section: str = "non-free/libs"
    # A folder with files that are there already (an unpacked package).
    tree: Path | None = None

    def control(self) -> str:
        fields = {
            "Package": self.name,
            "Version": self.version,
            "Architecture": self.architecture,
            "Maintainer": MAINTAINER,
            "Section": self.section,
            "Priority": "optional",
            **self.relations,
            "Description": self.description,
        }
        return "".join(f"{name}: {value}\n" for name, value in fields.items())

    def file_name(self) -> str:
        # An epoch is no part of a package's file name.
        return f"{self.name}_{self.version.split(':', 1)[-1]}_{self.architecture}.deb"


def pack(package: Package, scratch: Path, target: Path) -> None:
    """Write the .deb into the target folder."""
    root = package.tree or scratch / package.name
    control = root / "DEBIAN"
    control.mkdir(parents=True)
    for path, (content, mode) in package.files.items():
        file = root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
        file.chmod(mode)
    for path, destination in package.links.items():
        link = root / path
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(destination)
    for name, text in package.scripts.items():
        (control / name).write_text(text, encoding="utf-8")
        (control / name).chmod(0o755)
    configuration = sorted(f"/{file.relative_to(root)}\n" for file in (root / "etc").rglob("*") if file.is_file())
    if configuration:
        (control / "conffiles").write_text("".join(configuration), encoding="utf-8")
    (control / "control").write_text(package.control(), encoding="utf-8")
    target.mkdir(parents=True, exist_ok=True)
    run(
        ["dpkg-deb", "--root-owner-group", *COMPRESSION, "--build", str(root), str(target / package.file_name())],
        SOURCE_DATE_EPOCH=EPOCH,
    )
    shutil.rmtree(root)


@contextmanager
def keyring(home: Path, name: str) -> Iterator[tuple[str, ...]]:
    """A gpg command line with a secret key for the repository, made once; its agent ends with the block."""
    home.mkdir(parents=True, exist_ok=True)
    home.chmod(0o700)
    gpg = ("gpg", "--batch", "--quiet", "--homedir", str(home), "--pinentry-mode", "loopback", "--passphrase", "")
    try:
        if not run([*gpg, "--list-secret-keys", "--with-colons"]):
            run(
                [
                    *gpg,
                    "--quick-generate-key",
                    f"Lab repository {name} <{name}@lab.invalid>",
                    "ed25519",
                    "sign",
                    "never",
                ]
            )
        yield gpg
    finally:
        subprocess.run(["gpgconf", "--homedir", str(home), "--kill", "all"], capture_output=True, check=False)


def fingerprint(gpg: Sequence[str]) -> str:
    lines = run([*gpg, "--list-secret-keys", "--with-colons"]).splitlines()
    return next(line.split(":")[9] for line in lines if line.startswith("fpr:"))


def index(root: Path, folder: str, release: Mapping[str, str], pool: str = ".") -> None:
    """Packages and Release for what lies in the pool; paths are relative to the repository's root."""
    place = root / folder
    binary = place / release["Components"] / "binary-amd64" if "Components" in release else place
    binary.mkdir(parents=True, exist_ok=True)
    (binary / "Packages").write_text(run(["apt-ftparchive", "packages", pool], cwd=root), encoding="utf-8")
    options = [f"--option=APT::FTPArchive::Release::{name}={value}" for name, value in release.items()]
    text = run(["apt-ftparchive", *options, "release", "."], cwd=place)
    (place / "Release").write_text(text, encoding="utf-8")


def sign(gpg: Sequence[str], place: Path) -> None:
    """InRelease and Release.gpg: apt takes the first, mirrors and older tools the second."""
    for options, name in ((["--clearsign"], "InRelease"), (["--armor", "--detach-sign"], "Release.gpg")):
        run([*gpg, "--yes", "--digest-algo", "SHA512", *options, "--output", str(place / name), str(place / "Release")])


def replace_contents(folder: Path, new: Path) -> None:
    """The folder itself stays: a container may have it mounted."""
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.iterdir():
        shutil.rmtree(old) if old.is_dir() else old.unlink()
    for item in new.iterdir():
        item.rename(folder / item.name)
