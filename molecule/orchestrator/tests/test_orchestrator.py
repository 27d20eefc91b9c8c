"""A node that serves its models, seen from its processes, sockets, files and containers, and from other hosts."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
import requests
from labtest import (
    ROOT,
    SUBNET,
    answers,
    arguments_of,
    assert_confined,
    lab_host,
    listeners_of,
    process_of,
    status_code,
    status_of,
    wait_until,
)

UNIT = "livepeer-orchestrator"
CONFIG = "/etc/livepeer/orchestrator"
DATA = "/var/lib/livepeer/orchestrator"
CLEAN_UP = "/usr/local/libexec/livepeer/remove_own_runners"
IMAGE = "livepeer/ai-runner"


@dataclass(frozen=True)
class Served:
    """What a host serves, and where go-livepeer puts the runner for it."""

    pipeline: str
    model_id: str
    container: str
    port: int
    address: str


SERVED = {
    "orch-bookworm": Served(
        "text-to-image",
        "SG161222/RealVisXL_V4.0_Lightning",
        "text-to-image_SG161222-RealVisXL-V4.0-Lightning_8000",
        8000,
        f"{SUBNET}.21:8935",
    ),
    "orch-trixie": Served(
        "image-to-text",
        "Salesforce/blip-image-captioning-large",
        "image-to-text_Salesforce-blip-image-captioning-large_8700",
        8700,
        f"{SUBNET}.22:8935",
    ),
}


@pytest.fixture(params=SERVED)
def name(request) -> str:
    return request.param


@pytest.fixture
def host(name):
    return lab_host(name)


@pytest.fixture
def served(name) -> Served:
    return SERVED[name]


def inspect(host, container: str) -> dict:
    return json.loads(host.check_output("docker container inspect %s", container))[0]


def runner_answers(host, served: Served) -> bool:
    return '"OK"' in host.run(f"curl --silent --max-time 3 http://127.0.0.1:{served.port}/health").stdout


def wait_until_serving(host, served: Served) -> None:
    wait_until(lambda: answers(host, f"https://{served.address}/healthz"), 60, "answer on the service port")
    wait_until(lambda: runner_answers(host, served), 60, "healthy runner")


# The process


def test_unit_is_up_now_and_after_a_reboot(host):
    assert host.service(UNIT).is_running
    assert host.service(UNIT).is_enabled
    assert host.check_output("systemctl show --property=NRestarts --value %s", UNIT) == "0", (
        "it came up at the first try"
    )


def test_runs_as_a_user_that_nobody_can_be(host):
    user = host.user("livepeer")
    assert user.shell == "/usr/sbin/nologin"
    assert user.uid < 1000
    status = status_of(host, process_of(host, UNIT))
    assert set(status["Uid"].split()) == {str(user.uid)}
    assert str(host.group("docker").gid) in status["Groups"].split()


def test_process_is_confined(host):
    assert_confined(host, UNIT, DATA)


def test_secret_is_in_its_file_only(host):
    secret = host.file(f"{CONFIG}/orch_secret").content_string.strip()
    assert len(secret) >= 32
    process = process_of(host, UNIT)
    assert arguments_of(host, process)[-2:] == ["-config", f"{CONFIG}/livepeer.conf"]
    everybody = host.run(f"cat /proc/[0-9]*/cmdline /proc/{process}/environ").stdout
    assert f"{CONFIG}/livepeer.conf" in everybody
    assert secret not in everybody
    holders = host.run(f"grep --recursive --files-with-matches --fixed-strings {secret} /etc /opt /run/systemd {DATA}")
    assert holders.stdout.split() == [f"{CONFIG}/orch_secret"]
    assert secret not in host.check_output("journalctl --unit %s --output cat", UNIT)


def test_each_node_has_a_secret_of_its_own(orch_bookworm, orch_trixie):
    bookworm, trixie = (node.file(f"{CONFIG}/orch_secret").content for node in (orch_bookworm, orch_trixie))
    assert bookworm != trixie


def test_who_may_read_the_configuration(host):
    found = {
        path: access
        for access, path in (
            line.split(maxsplit=1)
            for line in host.check_output(f"find {CONFIG} {DATA} -printf '%m-%u-%g %p\\n'").splitlines()
        )
    }
    assert found[CONFIG] == "750-root-livepeer"
    assert found[f"{CONFIG}/livepeer.conf"] == "640-root-livepeer"
    assert found[f"{CONFIG}/aiModels.json"] == "640-root-livepeer"
    assert found[f"{CONFIG}/orch_secret"] == "600-livepeer-livepeer"
    assert found[f"{CONFIG}/secrets.env"] == "600-root-root"
    assert found[f"{CONFIG}/last_good"] == "700-root-root"
    assert f"{CONFIG}/candidate" not in found
    assert found[DATA] == "750-livepeer-livepeer"
    assert [
        path for path, access in found.items() if access.partition("-")[0][-1] != "0" and "/last_good/" not in path
    ] == []


def test_models_file_is_what_go_livepeer_reads(host, served):
    assert json.loads(host.file(f"{CONFIG}/aiModels.json").content_string) == [
        {"pipeline": served.pipeline, "model_id": served.model_id, "warm": True}
    ]


def test_binary_is_the_release(host):
    process = process_of(host, UNIT)
    digest = (ROOT / "build/node/livepeer-linux-amd64.tar.gz.sha256").read_text(encoding="utf-8").split()[0]
    binary = f"/opt/livepeer/go-livepeer-0.9.1-{digest[:12]}/livepeer"
    assert binary in arguments_of(host, process)
    file = host.file(binary)
    assert (file.user, file.group, file.mode) == ("root", "root", 0o755)
    assert host.file(f"{binary.rpartition('/')[0]}").listdir() == ["livepeer"]


# The ports


def test_service_is_open_and_the_cli_is_not(host, served):
    assert listeners_of(host, process_of(host, UNIT)) == {"0.0.0.0:8935", "127.0.0.1:7935"}
    stranger = lab_host("gateway")
    address = served.address.partition(":")[0]
    assert status_code(stranger, f"https://{served.address}/healthz") == "200"
    assert status_code(stranger, f"http://{address}:7935/status") == "000"
    assert status_code(stranger, f"http://{address}:{served.port}/health") == "000"


def test_status_is_this_versions(host):
    assert json.loads(host.check_output("curl --silent http://127.0.0.1:7935/status"))["Version"] == "0.9.1"


# The runner


def test_runner_container_is_the_nodes(host, served):
    assert host.check_output("docker ps --all --format '{{.Names}}'") == served.container
    container = inspect(host, served.container)
    labels = container["Config"]["Labels"]
    assert (labels["creator"], labels["creator_id"]) == ("ai-worker", served.address)
    assert container["HostConfig"]["PortBindings"] == {
        "8000/tcp": [{"HostIp": "127.0.0.1", "HostPort": str(served.port)}]
    }
    mounts = {mount["Destination"]: mount["Source"] for mount in container["Mounts"]}
    assert mounts == {"/models": "/var/lib/livepeer/models"}
    assert {f"PIPELINE={served.pipeline}", f"MODEL_ID={served.model_id}"} <= set(container["Config"]["Env"])
    assert container["HostConfig"]["RestartPolicy"] == {"Name": "on-failure", "MaximumRetryCount": 3}
    assert container["RestartCount"] == 0


def test_runner_serves_the_model(host, served):
    assert runner_answers(host, served)
    told = json.loads(host.check_output(f"curl --silent http://127.0.0.1:{served.port}/version"))
    assert (told["pipeline"], told["model_id"]) == (served.pipeline, served.model_id)


def test_image_is_the_registrys(host, served):
    answer = requests.head(
        f"http://{SUBNET}.11:5000/v2/{IMAGE}/manifests/latest",
        headers={"Accept": "application/vnd.docker.distribution.manifest.v2+json"},
        timeout=10,
    )
    digest = answer.headers["Docker-Content-Digest"]
    image = json.loads(host.check_output("docker image inspect %s", f"{IMAGE}:latest"))[0]
    assert f"{IMAGE}@{digest}" in image["RepoDigests"]
    assert inspect(host, served.container)["Image"] == image["Id"]


# What it lives through. On one host each, because a start takes its seconds.


def test_clean_exit_is_no_reason_to_stay_away(orch_bookworm):
    """Most failed starts of go-livepeer end with status 0, which other restart policies take for success."""
    served = SERVED["orch-bookworm"]
    before = process_of(orch_bookworm, UNIT)
    orch_bookworm.check_output("kill -TERM %s", before)
    wait_until(lambda: process_of(orch_bookworm, UNIT) not in ("0", before), 60, "new process")
    ended = orch_bookworm.check_output("journalctl --unit %s --output cat --lines 100", UNIT)
    assert "Deactivated successfully" in ended, "the test is about an exit with status 0"
    wait_until_serving(orch_bookworm, served)
    # The counter of restarts, which another test reads, begins anew.
    orch_bookworm.check_output("systemctl reset-failed %s", UNIT)


@pytest.fixture
def bystanders(orch_trixie) -> Iterator[set[str]]:
    """Containers of another node and of somebody else."""
    labels = {"of-another-node": "creator_id=192.0.2.1:8935", "of-somebody": "purpose=other"}
    orch_trixie.check_output(
        f"docker run --detach --name of-another-node --label creator=ai-worker --label {labels['of-another-node']} "
        f"--entrypoint sleep {IMAGE}:latest 600 && "
        f"docker run --detach --name of-somebody --label {labels['of-somebody']} --entrypoint sleep {IMAGE}:latest 600"
    )
    yield set(labels)
    orch_trixie.check_output("docker rm --force %s %s left-behind", *labels)
    orch_trixie.check_output("systemctl start %s", UNIT)


def test_restart_removes_its_own_leftovers_only(orch_trixie, bystanders):
    served = SERVED["orch-trixie"]
    orch_trixie.check_output("systemctl stop %s", UNIT)
    assert set(orch_trixie.check_output("docker ps --format '{{.Names}}'").split()) == bystanders
    orch_trixie.check_output(
        f"docker run --detach --name left-behind --label creator=ai-worker --label creator_id={served.address} "
        f"--publish 127.0.0.1:{served.port}:8000 --entrypoint sleep {IMAGE}:latest 600"
    )
    since = orch_trixie.check_output("date +%s")
    orch_trixie.check_output("systemctl start %s", UNIT)
    wait_until_serving(orch_trixie, served)
    running = set(orch_trixie.check_output("docker ps --format '{{.Names}}'").split())
    assert running == bystanders | {served.container}
    # The clean-up did it, before the node, which would have removed containers without a creator_id as well.
    journal = orch_trixie.check_output("journalctl --unit %s --output cat --since @%s", UNIT, since)
    assert "Removing left-behind" in journal


def test_clean_up_belongs_to_root(host):
    file = host.file(CLEAN_UP)
    assert (file.user, file.group, file.mode) == ("root", "root", 0o644)


# What it says


def test_change_is_foretold_and_its_secrets_are_not_shown(playbook, orch_trixie):
    before = process_of(orch_trixie, UNIT)
    run = playbook(
        "builtin_pipeline",
        "--check",
        "--diff",
        "-vvv",
        "--limit",
        "orch-trixie",
        orchestrator_verbosity="5",
        orchestrator_secret="a-secret-of-the-test",
        orchestrator_models=[
            {
                "pipeline": "llm",
                "model_id": "example/external",
                "warm": True,
                "url": "http://192.0.2.9:8000",
                "token": "a-token-of-the-test",
            }
        ],
    )
    assert run.code == 0, run.output
    assert run.changed >= 1
    assert "+v 5" in run.output
    assert "a-secret-of-the-test" not in run.output
    assert "a-token-of-the-test" not in run.output
    assert process_of(orch_trixie, UNIT) == before
    assert "v 3" in orch_trixie.file(f"{CONFIG}/livepeer.conf").content_string


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        ({"orchestrator_service_addr": "127.0.0.1:8935"}, "orchestrator_service_addr is 127.0.0.1:8935"),
        ({"orchestrator_cli_addr": "0.0.0.0:7935"}, "orchestrator_cli_addr is 0.0.0.0:7935"),
        ({"orchestrator_network": "arbitrum-one"}, "does not know the network 'arbitrum-one'"),
        ({"orchestrator_extra_flags": {"serviceAddr": "x:1"}}, "orchestrator_extra_flags sets serviceAddr"),
        ({"orchestrator_extra_flags": {"maxSession": 3}}, "maxSession"),
        ({"orchestrator_version": "0.8.0"}, "0.8.0"),
    ],
    ids=["loopback service", "public CLI", "unknown network", "doubled flag", "unknown flag", "unknown version"],
)
def test_refusal_names_what_is_wrong_and_touches_nothing(playbook, orch_trixie, variables, words):
    before = process_of(orch_trixie, UNIT)
    run = playbook("builtin_pipeline", "--limit", "orch-trixie", **variables)
    assert run.code != 0
    assert words in " ".join(run.output.split())
    assert run.changed == 0
    assert process_of(orch_trixie, UNIT) == before
