"""What a night shift meets: each fault is made for real, and each must end in a repair or in one clear sentence."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator

import pytest
from labtest import ROOT, playbook_command, wait_until

MODELS = "/var/lib/livepeer/models"
ELSEWHERE = "/var/lib/livepeer/models-of-a-test"
REALVIS = "models--SG161222--RealVisXL_V4.0_Lightning"
TEXT_TO_IMAGE = {"pipeline": "text-to-image", "model_id": "SG161222/RealVisXL_V4.0_Lightning", "warm": True}
GATED = {"pipeline": "image-to-video", "model_id": "stabilityai/stable-video-diffusion-img2vid-xt-1-1"}


def process_of(host, unit: str = "livepeer-orchestrator") -> str:
    return host.check_output("systemctl show --property=MainPID --value %s", unit)


def runner_process(host) -> str:
    name = host.check_output("docker ps --filter label=creator=ai-worker --format '{{.Names}}'")
    return host.check_output("docker inspect --format '{{.State.Pid}}' %s", name) if name else "0"


def answers(host, url: str) -> bool:
    return host.run("curl --silent --fail --insecure --max-time 3 --output /dev/null %s", url).rc == 0


def runner_is_ready(host) -> bool:
    return '"OK"' in host.run("curl --silent --max-time 3 http://127.0.0.1:8000/health").stdout


def largest_blob(host, repository: str = REALVIS) -> str:
    return host.check_output(f"ls -S {MODELS}/{repository}/blobs/* | head -n 1")


@pytest.fixture
def elsewhere(orch_bookworm, orch_trixie) -> Iterator[str]:
    """A models directory that no node serves from."""
    yield ELSEWHERE
    for host in (orch_bookworm, orch_trixie):
        host.check_output(f"rm -rf {ELSEWHERE}")


# Processes die


def test_killed_orchestrator_comes_back_with_its_models(orch_bookworm, playbook):
    before = process_of(orch_bookworm)
    orch_bookworm.check_output("kill -9 %s", before)
    wait_until(lambda: process_of(orch_bookworm) not in ("0", before), 30, "new orchestrator process")
    wait_until(lambda: answers(orch_bookworm, "https://127.0.0.1:8935/healthz"), 60, "answer on the service port")
    run = playbook("verify")
    assert run.code == 0, run.output


def test_killed_runner_comes_back(orch_bookworm, playbook):
    before = runner_process(orch_bookworm)
    orch_bookworm.check_output("kill -9 %s", before)
    wait_until(lambda: runner_process(orch_bookworm) not in ("0", before), 60, "new runner process")
    wait_until(lambda: runner_is_ready(orch_bookworm), 60, "healthy runner")
    run = playbook("verify")
    assert run.code == 0, run.output


def test_stopped_orchestrator_is_reported_with_what_to_do(orch_trixie, playbook):
    orch_trixie.check_output("systemctl stop livepeer-orchestrator")
    try:
        run = playbook("verify", verification_runner_timeout=5)
        assert run.code != 0
        assert "image-to-text" in run.output
        assert "orch-trixie" in run.output
    finally:
        orch_trixie.check_output("systemctl start livepeer-orchestrator")
        wait_until(lambda: answers(orch_trixie, "https://127.0.0.1:8935/healthz"), 60, "answer on the service port")


# Weights are damaged


def test_truncated_weights_stop_a_restart_and_are_repaired(orch_bookworm, hub, playbook):
    blob = largest_blob(orch_bookworm)
    node = process_of(orch_bookworm)
    orch_bookworm.check_output(f"truncate --size=-100 {blob}")

    refused = playbook("builtin_pipeline", "--limit", "orch-bookworm")
    assert refused.code != 0
    assert "SG161222/RealVisXL_V4.0_Lightning" in refused.output
    assert process_of(orch_bookworm) == node, "the running node was touched"

    repaired = playbook("weights", "--limit", "orch-bookworm")
    assert repaired.code == 0, repaired.output
    assert hub.stats()["lfs"] == 1, "only the damaged file is fetched"
    assert playbook("builtin_pipeline", "--limit", "orch-bookworm").code == 0


def test_flipped_byte_is_found_by_full_verification(orch_bookworm, hub, playbook):
    blob = largest_blob(orch_bookworm)
    good = orch_bookworm.check_output(f"sha256sum < {blob}")
    # Same size and time, as a failing disk leaves it.
    orch_bookworm.check_output(
        f"cp --preserve=timestamps {blob} /tmp/times && "
        f"printf '\\377\\376\\375' | dd of={blob} bs=1 seek=5000 conv=notrunc status=none && "
        f"touch --reference=/tmp/times {blob} && rm /tmp/times"
    )
    assert orch_bookworm.check_output(f"sha256sum < {blob}") != good

    run = playbook("weights", "--limit", "orch-bookworm", model_weights_verify="full")
    assert run.code == 0, run.output
    assert hub.stats()["lfs"] == 1, "only the damaged file is fetched"
    assert orch_bookworm.check_output(f"sha256sum < {blob}") == good


# Configuration is wrong


def test_bad_model_list_never_reaches_a_running_node(orch_bookworm, playbook):
    node = process_of(orch_bookworm)
    config = orch_bookworm.file("/etc/livepeer/orchestrator/aiModels.json").content_string
    run = playbook(
        "builtin_pipeline",
        "--limit",
        "orch-bookworm",
        orchestrator_models=[{**TEXT_TO_IMAGE, "price_per_unit": "100"}],
    )
    assert run.code != 0
    assert "price_per_unit" in run.output
    assert process_of(orch_bookworm) == node
    assert orch_bookworm.file("/etc/livepeer/orchestrator/aiModels.json").content_string == config


def test_model_that_does_not_come_up_is_rolled_back(orch_bookworm, playbook):
    config = orch_bookworm.file("/etc/livepeer/orchestrator/aiModels.json").content_string
    run = playbook(
        "builtin_pipeline",
        "--limit",
        "orch-bookworm",
        orchestrator_models=[{**TEXT_TO_IMAGE, "optimization_flags": {"HEALTH_STATUS": "ERROR"}}],
        orchestrator_start_timeout=60,
    )
    assert run.code != 0
    assert "last good" in run.output
    assert orch_bookworm.file("/etc/livepeer/orchestrator/aiModels.json").content_string == config
    wait_until(lambda: answers(orch_bookworm, "https://127.0.0.1:8935/healthz"), 60, "answer on the service port")
    wait_until(lambda: runner_is_ready(orch_bookworm), 60, "healthy runner")
    after = playbook("builtin_pipeline", "--limit", "orch-bookworm")
    assert after.code == 0, after.output
    assert after.changed == 0, after.output


# The Hub refuses


def test_gated_model_without_token_is_one_sentence(orch_trixie, hub, playbook, elsewhere):
    run = playbook("weights", "--limit", "orch-trixie", model_weights_models=[GATED], model_weights_dir=elsewhere)
    assert run.code != 0
    assert "token" in run.output
    assert hub.stats()["lfs"] == 0
    assert not orch_trixie.file(f"{elsewhere}/models--stabilityai--stable-video-diffusion-img2vid-xt-1-1").exists


def test_gated_model_without_licence_names_the_page(hub, playbook, elsewhere):
    run = playbook(
        "weights",
        "--limit",
        "orch-trixie",
        model_weights_models=[GATED],
        model_weights_dir=elsewhere,
        model_weights_token="hf_lab_nolicence",
    )
    assert run.code != 0
    assert "licence" in run.output
    assert GATED["model_id"] in run.output
    assert "hf_lab_nolicence" not in run.output


def test_token_leaves_no_trace(orch_trixie, hub, playbook, elsewhere):
    token = "hf_lab_good"
    run = playbook(
        "weights",
        "-vvv",
        "--limit",
        "orch-trixie",
        model_weights_models=[GATED],
        model_weights_dir=elsewhere,
        model_weights_token=token,
    )
    assert run.code == 0, run.output
    assert token not in run.output
    found = orch_trixie.run(
        f"grep --recursive --files-with-matches {token} /etc /home /root /tmp /var /opt /run/livepeer"
    )
    assert found.stdout == ""
    assert hub.stats()["lfs_with_token"] == 0, "the token went to the content network"


# The disk is too small, the download is cut


def test_full_disk_is_refused_before_the_first_byte(orch_trixie, hub, playbook):
    orch_trixie.check_output("mkdir -p /mnt/small && mount -t tmpfs -o size=1m tmpfs /mnt/small")
    try:
        run = playbook("weights", "--limit", "orch-trixie", model_weights_dir="/mnt/small")
        assert run.code != 0
        assert "/mnt/small has" in run.output
        assert hub.stats()["lfs"] == 0
    finally:
        orch_trixie.check_output("umount /mnt/small && rmdir /mnt/small")


def test_download_that_is_killed_resumes(orch_bookworm, hub, playbook, elsewhere):
    partials = f"{elsewhere}/.livepeer/partial/{REALVIS}"
    hub.fault(match="^/lfs/.*unet", kind="slow", bytes_per_second=120_000, times=-1)

    def arrived() -> int:
        sizes = orch_bookworm.run(f"find {partials} -type f -printf '%s\\n'").stdout.split()
        return max(map(int, sizes), default=0)

    command = playbook_command("weights", "--limit", "orch-bookworm", model_weights_dir=elsewhere)
    with subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    ) as run:
        wait_until(lambda: arrived() > 500_000, 60, "partial file of half a megabyte")
        # The module's process is whoever has the partial file open.
        orch_bookworm.check_output(
            f"for fd in /proc/[0-9]*/fd/*; do case $(readlink $fd) in {partials}/*) "
            "p=${fd#/proc/}; kill -9 ${p%%/*}; esac; done; true"
        )
        assert run.wait(timeout=60) != 0
    kept = arrived()
    assert kept > 500_000
    assert not orch_bookworm.file(f"{elsewhere}/{REALVIS}/refs/main").exists, "an incomplete snapshot looks complete"

    hub.reset()
    again = playbook("weights", "--limit", "orch-bookworm", model_weights_dir=elsewhere)
    assert again.code == 0, again.output
    unet = orch_bookworm.check_output(f"stat -L -c %s {elsewhere}/{REALVIS}/snapshots/*/unet/*.safetensors")
    ranges = [line for line in hub.stats()["log"] if "/lfs/" in line and "unet" in line]
    assert ranges and all(" 206" in line for line in ranges), ranges
    assert orch_bookworm.run(f"find {elsewhere}/.livepeer/partial -type f").stdout == ""
    assert int(unet) - kept < 0.55 * int(unet)


def test_waiting_is_shown(orch_bookworm, hub, playbook, elsewhere):
    """A long download says in the normal output how far it is."""
    hub.fault(match="^/lfs/.*unet", kind="slow", bytes_per_second=150_000, times=-1)
    run = playbook(
        "weights",
        "--limit",
        "orch-bookworm",
        model_weights_dir=elsewhere,
        model_weights_progress_interval=2,
    )
    assert run.code == 0, run.output
    assert "orch-bookworm | SG161222/RealVisXL_V4.0_Lightning |" in run.output
    assert "/s |" in run.output
