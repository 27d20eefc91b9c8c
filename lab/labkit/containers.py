"""Bring single containers to the state the topology describes: created from the right spec, running, answering."""

from __future__ import annotations

import functools
import http.client
import socket
import time
from pathlib import Path
from typing import Any

from . import aptconf, digest, engine, identity, sources
from .command import attempt, tail
from .errors import LabError
from .machine import Machine, host_flags
from .progress import say
from .topology import Host, Lab, Place, Service

HOST_TIMEOUT = 90
SERVICE_TIMEOUT = 30

# Run in a host, with the units it must have as arguments: wait for the end of the boot (the bus is not there at first),
# trust the machine's certificates, start what somebody stopped, and say what failed. A host under test may rightly hold
# a failed unit, so that is a note.
HOST_READY = """
deadline=$(( $(date +%s) + 80 ))
until state=$(systemctl is-system-running 2>/dev/null); [ "$state" = running ] || [ "$state" = degraded ]; do
    [ "$(date +%s)" -lt "$deadline" ] || { echo "systemd is still '$state'" >&2; exit 1; }
    sleep 0.2
done
for certificate in /usr/local/share/ca-certificates/*.crt; do
    [ -e "$certificate" ] || continue
    name=$(basename "$certificate" .crt)
    [ -e "/etc/ssl/certs/$name.pem" ] || { update-ca-certificates >/dev/null 2>&1; break; }
done
systemctl is-active --quiet "$@" || systemctl start "$@" || exit 1
case " $* " in *" docker "*) docker info >/dev/null || exit 1 ;; esac
systemctl list-units --failed --plain --no-legend | cut -d ' ' -f 1
"""


@functools.cache
def _content_digest(path: Path) -> str:
    return digest.of_paths(path)


def source_digest(path: Path) -> str:
    """Digest of what a service serves or runs; built products are known by the sources they were built from."""
    for product in sources.PRODUCTS:
        if path == product.result:
            # A bind mount follows the folder, not its name: one that was made anew needs a new container.
            return digest.of_value([product.sources_digest(), path.stat().st_ino])
    return _content_digest(path)


def common_flags(lab: Lab, place: Place) -> list[str]:
    """Network identity and the marks by which `down` finds its own."""
    return [
        "--name",
        lab.container(place),
        "--hostname",
        place.name,
        "--domainname",
        "lab",
        "--network",
        lab.network,
        "--ip",
        lab.address(place),
        "--network-alias",
        f"{place.name}.lab",
        "--label",
        f"{engine.LAB_LABEL}={lab.name}",
        "--log-opt",
        "max-size=10m",
    ]


def service_argv(lab: Lab, service: Service) -> list[str]:
    """Flags, image and command of a service's container."""
    # Services keep no state in memory that a clean stop would save.
    flags = [*common_flags(lab, service), "--stop-signal", "SIGKILL"]
    for here, there in service.mounts:
        flags += ["--volume", f"{here}:{there}:ro"]
    if service.data:
        flags += ["--volume", f"{lab.volume(service)}:{service.data}"]
    if service.published:
        flags += ["--publish", f"127.0.0.1::{service.port}"]
    return [*flags, service.image, *service.command]


def host_argv(lab: Lab, host: Host, machine: Machine) -> list[str]:
    """Flags and image of a target host's container."""
    docker_data = f"{lab.volume(host)}:/var/lib/docker"
    flags = [*common_flags(lab, host), *host_flags(machine), "--volume", docker_data]
    if host.hardware:
        # `reboot` in the host ends its systemd with a signal, and the engine starts it again.
        flags += ["--restart", "on-failure"]
    return [*flags, host.image]


def service_spec(lab: Lab, service: Service, image_id: str) -> str:
    sources_of_it = [source_digest(here) for here, _there in service.mounts]
    return digest.of_value([image_id, service_argv(lab, service), sources_of_it])


def host_spec(lab: Lab, host: Host, machine: Machine, image_id: str, apt: aptconf.AptSetup) -> str:
    files = {path: [content.hex(), mode] for path, (content, mode, _uid) in identity.host_files(lab, host, apt).items()}
    return digest.of_value([image_id, host_argv(lab, host, machine), files])


def remove(lab: Lab, place: Place, with_data: bool) -> None:
    """Remove the container, and its volume when the next one should start bare."""
    attempt(engine.docker_argv("rm", "--force", "--volumes", lab.container(place)))
    if with_data:
        attempt(engine.docker_argv("volume", "rm", "--force", lab.volume(place)))


def ensure_volume(lab: Lab, place: Place) -> None:
    engine.docker("volume", "create", "--label", f"{engine.LAB_LABEL}={lab.name}", lab.volume(place))


def ensure_service(lab: Lab, service: Service, found: dict[str, Any] | None, image_id: str) -> None:
    """The service runs from the present sources and answers."""
    spec = service_spec(lab, service, image_id)
    if not _is_current(found, spec):
        if found:
            say(service.name, "its sources changed: a new container")
        remove(lab, service, with_data=False)
        if service.data:
            ensure_volume(lab, service)
        engine.docker("create", "--label", f"{engine.SPEC_LABEL}={spec}", *service_argv(lab, service))
        found = None
    _start(lab, service, found)
    _await_service(lab, service)


def ensure_host(
    lab: Lab, host: Host, machine: Machine, found: dict[str, Any] | None, image_id: str, apt: aptconf.AptSetup
) -> None:
    """The host runs from the present image and identity, and answers over SSH."""
    begin = time.monotonic()
    spec = host_spec(lab, host, machine, image_id, apt)
    fresh = not _is_current(found, spec)
    if fresh:
        if found:
            say(host.name, "its image or identity changed: a new host")
        remove(lab, host, with_data=True)
        ensure_volume(lab, host)
        engine.docker("create", "--label", f"{engine.SPEC_LABEL}={spec}", *host_argv(lab, host, machine))
        engine.docker("cp", "-", f"{lab.container(host)}:/", data=identity.host_tar(lab, host, apt))
        found = None
    started = _start(lab, host, found)
    failed_units = _await_host(lab, host)
    if fresh or started:
        say(host.name, f"answers at {lab.address(host)} ({time.monotonic() - begin:.1f}s)")
    if failed_units:
        say(host.name, f"note: failed units: {', '.join(failed_units)}")


def _is_current(found: dict[str, Any] | None, spec: str) -> bool:
    return bool(found) and engine.labels(found).get(engine.SPEC_LABEL) == spec


def _start(lab: Lab, place: Place, found: dict[str, Any] | None) -> bool:
    """Start what is not running; return whether there was something to do."""
    if found and found["State"]["Running"]:
        return False
    engine.docker("start", lab.container(place))
    return True


def _await_service(lab: Lab, service: Service) -> None:
    deadline = time.monotonic() + SERVICE_TIMEOUT
    while not service_answers(lab, service):
        item = engine.inspect("container", lab.container(service)).get(lab.container(service))
        if not item or not item["State"]["Running"] or time.monotonic() > deadline:
            logs = attempt(engine.docker_argv("logs", "--tail", "15", lab.container(service)))
            raise LabError(f"{service.name} does not answer on port {service.port}:\n{tail(logs.stdout + logs.stderr)}")
        time.sleep(0.2)


def service_answers(lab: Lab, service: Service) -> bool:
    """Whether the service serves: an HTTP answer below 500, or an open port where there is no page to ask for."""
    try:
        if not service.ready_path:
            socket.create_connection((lab.address(service), service.port), timeout=2).close()
            return True
        connection = http.client.HTTPConnection(lab.address(service), service.port, timeout=2)
        connection.request("GET", service.ready_path)
        return connection.getresponse().status < 500
    except (OSError, http.client.HTTPException):
        return False


def _await_host(lab: Lab, host: Host) -> list[str]:
    """Wait for boot, the host's units and SSH; return the names of failed units."""
    ready = ("sh", "-c", HOST_READY, "sh", *host.units)
    answer = attempt(engine.docker_argv("exec", lab.container(host), *ready), timeout=HOST_TIMEOUT)
    if answer.returncode != 0:
        raise LabError(
            f"{host.name} did not come up: {tail(answer.stderr)}\n"
            f"Look inside with: docker exec -it {lab.container(host)} journalctl -b"
        )
    if not ssh_answers(lab, host):
        raise LabError(f"{host.name} is up but SSH at {lab.address(host)}:22 does not answer from this machine.")
    return answer.stdout.split()


def ssh_answers(lab: Lab, host: Host, patience: float = 10) -> bool:
    """Whether an SSH server greets us at the host's address."""
    deadline = time.monotonic() + patience
    while True:
        try:
            with socket.create_connection((lab.address(host), 22), timeout=2) as connection:
                if connection.recv(4) == b"SSH-":
                    return True
        except OSError:
            pass
        if time.monotonic() > deadline:
            return False
        time.sleep(0.2)
