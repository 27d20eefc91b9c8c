"""Build what the services hand out: the Hub's model repositories, the node's release archive, package repositories.

Each is built by its own program when its sources changed; a stamp beside the result remembers which.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from . import digest, paths
from .command import run
from .progress import step


@dataclass(frozen=True)
class Product:
    """Something built from sources of this repository into build/."""

    name: str
    what: str
    builder: Path
    arguments: tuple[str, ...]
    sources: tuple[Path, ...]
    result: Path
    # A file that must be there for the result to count as built.
    witness: str

    @property
    def stamp(self) -> Path:
        return self.result.with_name(f".{self.result.name}.stamp")

    def sources_digest(self) -> str:
        return digest.of_paths(*self.sources)

    def is_current(self) -> bool:
        built = self.stamp.exists() and any(self.result.glob(self.witness))
        return built and self.stamp.read_text(encoding="ascii") == self.sources_digest()


MODELS = Product(
    "hub models",
    "writing the model repositories",
    paths.LAB / "hub" / "make_models.py",
    (str(paths.HUB_DATA),),
    (paths.LAB / "hub",),
    paths.HUB_DATA,
    "*/*.meta.json",
)
NODE = Product(
    "node release",
    "packing the node stand-in",
    paths.LAB / "node" / "build.py",
    ("--out", str(paths.NODE_DATA)),
    (paths.LAB / "node" / "build.py", paths.LAB / "node" / "livepeer_node"),
    paths.NODE_DATA,
    "*.tar.gz.sha256",
)
WHEELS = Product(
    "wheels",
    "fetching the wheels of the services that hosts build",
    paths.LAB / "wheels" / "build.py",
    (str(paths.WHEELS),),
    (
        paths.LAB / "wheels" / "build.py",
        paths.EMBEDDINGS / "requirements.txt",
        paths.WRAPPER / "requirements.txt",
        paths.AI_RUNNER / "requirements.txt",
        paths.AI_RUNNER / "standin_wheels.py",
        paths.AI_RUNNER / "standins",
    ),
    paths.WHEELS,
    "simple/index.html",
)
AI_RUNNER = Product(
    "ai-runner repository",
    "committing ai-runner's stand-in",
    paths.AI_RUNNER / "build.py",
    (str(paths.GIT_DATA),),
    (paths.AI_RUNNER / "build.py", paths.AI_RUNNER / "runner"),
    paths.GIT_DATA,
    "ai-runner.git/info/refs",
)


def _repository(name: str, what: str, *of: Path) -> Product:
    return Product(
        f"packages {name}",
        what,
        paths.GPU / "build.py",
        (name,),
        (paths.GPU / "build.py", paths.GPU / "aptrepo.py", *of),
        paths.PACKAGES / name,
        "**/InRelease",
    )


DRIVER = _repository("nvidia-driver", "packing the driver stand-ins", paths.GPU / "driver", paths.GPU / "driver.py")
TOOLKIT = _repository(
    "nvidia-container-toolkit",
    "packing the container toolkit's stand-ins",
    paths.GPU / "toolkit",
    paths.GPU / "toolkit.py",
)
ENGINE = _repository(
    "docker",
    "giving Debian's Docker Engine Docker's names",
    paths.GPU / "engine.py",
    # Its files are those of the host images.
    paths.IMAGES / "recipes.toml",
)
PRODUCTS = (MODELS, NODE, WHEELS, AI_RUNNER, DRIVER, TOOLKIT, ENGINE)


def ensure(product: Product) -> None:
    """Build unless current."""
    if product.is_current():
        return
    wanted = product.sources_digest()
    with step(product.name, product.what, "ready"):
        product.result.mkdir(parents=True, exist_ok=True)
        run([str(paths.PYTHON), str(product.builder), *product.arguments])
    product.stamp.write_text(wanted, encoding="ascii")
