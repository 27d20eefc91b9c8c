"""The lab as a whole: up, down, status."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

from . import aptconf, containers, engine, identity, images, machine, paths, registry, sources
from .command import attempt, tail
from .errors import LabError
from .progress import say
from .topology import LIVE_OS_IMAGE, PYTHON_IMAGE, SERVICE_BASE_IMAGE, Host, Lab, Place, Service

# Building images is work for the processor and for dpkg's disk writes by turns.
BUILD_WORKERS = max(3, os.cpu_count() or 1)


@contextmanager
def only_one() -> Iterator[None]:
    """Two commands at once would build the same image twice: the second waits."""
    paths.BUILD.mkdir(exist_ok=True)
    with (paths.BUILD / "lab.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("lab", "another lab.py is at work; waiting for it")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def together(jobs: Sequence[Callable[[], object]], workers: int) -> None:
    """Run all jobs, then raise what failed, all of it in one message."""
    with ThreadPoolExecutor(workers) as pool:
        futures = [pool.submit(job) for job in jobs]
    errors = [error for future in futures if (error := future.exception())]
    for error in errors:
        if not isinstance(error, LabError):
            raise error
    if errors:
        raise LabError("\n".join(str(error) for error in errors))


def build(lab: Lab, apt: aptconf.AptSetup) -> None:
    """The lab's images and what its services hand out, as far as they are not current."""
    places = (*lab.services, *lab.hosts)
    tags = {PYTHON_IMAGE, SERVICE_BASE_IMAGE, LIVE_OS_IMAGE, *(place.image for place in places)}
    recipes = {tag: images.load_recipes()[tag] for tag in tags}
    base, live_os = recipes[PYTHON_IMAGE], recipes[LIVE_OS_IMAGE]

    def base_and_runner() -> None:
        images.ensure(base, apt)
        images.ensure_runner(base)

    def live_base() -> None:
        images.ensure(live_os, apt)
        images.ensure_live_base(live_os)

    jobs: list[Callable[[], object]] = [base_and_runner, live_base]
    # The largest first: what starts last decides when it is over.
    for recipe in sorted(recipes.values(), key=lambda recipe: -len(recipe.packages)):
        if recipe not in (base, live_os):
            jobs.append(lambda recipe=recipe: images.ensure(recipe, apt))
    mounted = {here for service in lab.services for here, _there in service.mounts}
    products = [product for product in sources.PRODUCTS if product.result in mounted]
    early = [product for product in products if product is not sources.ENGINE]
    together(jobs + [lambda product=product: sources.ensure(product) for product in early], BUILD_WORKERS)
    if sources.ENGINE in products:
        # It takes its files from an image.
        sources.ensure(sources.ENGINE)


def ensure_network(lab: Lab) -> None:
    """The lab's own bridge with its fixed subnet."""
    found = engine.inspect("network", lab.network).get(lab.network)
    if found:
        subnets = [entry.get("Subnet") for entry in found["IPAM"]["Config"] or []]
        if subnets == [lab.subnet] and engine.labels(found).get(engine.LAB_LABEL) == lab.name:
            return
        raise LabError(
            f"The Docker network {lab.network} exists with {', '.join(map(str, subnets))} instead of {lab.subnet}: "
            f"remove it with 'lab/lab.py down --lab {lab.name}' (or 'docker network rm {lab.network}') first."
        )
    label = f"{engine.LAB_LABEL}={lab.name}"
    answer = attempt(engine.docker_argv("network", "create", "--label", label, "--subnet", lab.subnet, lab.network))
    if answer.returncode != 0:
        raise LabError(
            f"The network {lab.subnet} cannot be made ({tail(answer.stderr, 1)}): choose a free one with "
            f"LAB_SUBNET_PREFIX (demo) or LAB_TEST_SUBNET_PREFIX (test), e.g. 10.99.10."
        )


def up(lab: Lab, fresh: bool = False) -> None:
    """Everything there and answering; what already is stays as it is."""
    begin = time.monotonic()
    with only_one():
        here = machine.look()
        machine.refuse_unfit(here)
        apt = aptconf.look()
        build(lab, apt)
        identity.ensure_keys(lab)
        ensure_network(lab)
        if fresh:
            say("hosts", "thrown away, to start bare")
            together([lambda host=host: containers.remove(lab, host, True) for host in lab.hosts], len(lab.hosts))
        _ensure_containers(lab, here, apt)
        # What a changed recipe replaced, unless something still runs from it.
        engine.docker("image", "prune", "--force", "--filter", f"label={engine.RECIPE_LABEL}")
    hosts = ", ".join(f"{host.name} {lab.address(host)}" for host in lab.hosts)
    say(f"lab {lab.name}", f"is up: {hosts} ({time.monotonic() - begin:.1f}s)")


def _ensure_containers(lab: Lab, here: machine.Machine, apt: aptconf.AptSetup) -> None:
    places: list[Place] = [*lab.services, *lab.hosts]
    found = engine.inspect("container", *(lab.container(place) for place in places))
    ids = {tag: item["Id"] for tag, item in engine.inspect("image", *{place.image for place in places}).items()}

    def bring(place: Place) -> None:
        item = found.get(lab.container(place))
        if isinstance(place, Host):
            containers.ensure_host(lab, place, here, item, ids[place.image], apt)
        elif isinstance(place, Service):
            containers.ensure_service(lab, place, item, ids[place.image])
            if place is registry.REGISTRY:
                # While the hosts boot.
                registry.ensure_runner(lab)
                registry.ensure_base(lab)
                registry.ensure_live_base(lab)

    together([lambda place=place: bring(place) for place in places], len(places))


def down(lab: Lab) -> None:
    """Remove what this lab made, found by its label: containers, volumes, network."""
    begin = time.monotonic()
    if not engine.answers():
        say(f"lab {lab.name}", "is not up: no Docker daemon answers")
        return
    with only_one():
        names = engine.names_of_lab("container", lab.name)
        # Hosts stop in order first, so that the containers inside them leave nothing behind in the cgroup tree.
        hosts = [lab.container(host) for host in lab.hosts if lab.container(host) in names]
        if hosts:
            attempt(engine.docker_argv("stop", "--time", "15", *hosts))
        if names:
            engine.docker("rm", "--force", "--volumes", *names)
        for kind in ("volume", "network"):
            things = engine.names_of_lab(kind, lab.name)
            if things:
                engine.docker(kind, "rm", *things)
        registry.forget(lab)
    say(f"lab {lab.name}", f"is gone ({time.monotonic() - begin:.1f}s)")


def status(lab: Lab) -> bool:
    """Print a line for each container; True when all are up and answer."""
    places: list[Place] = [*lab.services, *lab.hosts]
    found = engine.inspect("container", *(lab.container(place) for place in places))
    healthy = True
    for place in places:
        state = _state(lab, place, bool(found.get(lab.container(place), {}).get("State", {}).get("Running")))
        healthy = healthy and state == "up"
        print(f"{place.name:<16}{lab.address(place):<16}{state:<12}{lab.container(place)}")
    return healthy


def _state(lab: Lab, place: Place, running: bool) -> str:
    if not running:
        return "down"
    answers = (
        containers.service_answers(lab, place)
        if isinstance(place, Service)
        else isinstance(place, Host) and containers.ssh_answers(lab, place, patience=0)
    )
    return "up" if answers else "no answer"
