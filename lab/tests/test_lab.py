"""The lab's decisions, without Docker; and one smoke test of a running lab (marked docker)."""

from __future__ import annotations

import dataclasses
import io
import json
import re
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest
import yaml
from labkit import (
    aptconf,
    containers,
    digest,
    engine,
    fleet,
    identity,
    images,
    machine,
    paths,
    registry,
    sources,
    topology,
)
from labkit.errors import LabError

LAPTOP = machine.Machine(engine_version="27.5.1", cgroup_version=2, rootless=False, missing_capabilities=())
CI = machine.Machine(
    engine_version="20.10.24+dfsg1", cgroup_version=1, rootless=False, missing_capabilities=("SYS_RESOURCE",)
)
FULL_SET = f"{(1 << 41) - 1:016x}"


class TestMachine:
    @pytest.mark.parametrize(
        ("version", "major"), [("20.10.24+dfsg1", 20), ("26.1.5+dfsg1", 26), ("28.5.2", 28), ("dev", 0), ("", 0)]
    )
    def test_engine_major(self, version: str, major: int) -> None:
        assert machine.engine_major(version) == major

    def test_nothing_is_missing_from_a_full_set(self) -> None:
        assert machine.missing_capabilities(FULL_SET, 40) == ()

    def test_missing_capability_is_named(self) -> None:
        assert machine.missing_capabilities("000001fffeffffff", 40) == ("SYS_RESOURCE",)

    def test_capabilities_the_kernel_does_not_know_are_not_missing(self) -> None:
        older_kernel = f"{(1 << 38) - 1:016x}"
        assert machine.missing_capabilities(older_kernel, 37) == ()

    def test_laptop_runs_privileged_in_its_own_cgroup_tree(self) -> None:
        flags = machine.host_flags(LAPTOP)
        assert "--privileged" in flags
        assert flags[flags.index("--cgroupns") + 1] == "private"
        assert not any("/sys/fs/cgroup" in flag for flag in flags)

    def test_old_engine_is_given_the_capabilities_it_has(self) -> None:
        flags = " ".join(machine.host_flags(CI))
        assert "--privileged" not in flags
        assert "--cap-add ALL --cap-drop SYS_RESOURCE" in flags
        assert "systempaths=unconfined" in flags
        assert "--cgroupns host --volume /sys/fs/cgroup:/sys/fs/cgroup:rw" in flags

    def test_old_engine_is_not_told_of_capabilities_it_does_not_know(self) -> None:
        missing = ("SYS_RESOURCE", "PERFMON", "BPF", "CHECKPOINT_RESTORE")
        old = machine.privilege_flags(dataclasses.replace(CI, missing_capabilities=missing))
        newer = machine.privilege_flags(dataclasses.replace(CI, missing_capabilities=missing, engine_version="24.0.7"))
        assert ("PERFMON" in old, "PERFMON" in newer) == (False, True)

    def test_new_engine_is_privileged_although_one_is_missing(self) -> None:
        assert machine.privilege_flags(dataclasses.replace(CI, engine_version="26.1.5+dfsg1")) == ["--privileged"]

    def test_unprivileged_host_gets_a_writable_tree_on_v2_too(self) -> None:
        flags = machine.cgroup_flags(dataclasses.replace(CI, cgroup_version=2))
        assert "/sys/fs/cgroup:/sys/fs/cgroup:rw" in flags

    def test_rootless_engine_is_refused(self) -> None:
        with pytest.raises(LabError, match="rootless"):
            machine.refuse_unfit(dataclasses.replace(LAPTOP, rootless=True))

    def test_machine_without_sys_admin_is_refused_by_name(self) -> None:
        with pytest.raises(LabError, match="SYS_ADMIN"):
            machine.refuse_unfit(dataclasses.replace(CI, missing_capabilities=("SYS_ADMIN", "SYS_RESOURCE")))

    def test_machine_without_sys_resource_is_fit(self) -> None:
        machine.refuse_unfit(CI)


class TestAptConfiguration:
    def test_debian_is_recognised_by_what_its_release_says(self) -> None:
        found = aptconf.repositories(
            [
                "Docker|Docker CE|https://packages.example/docker/",
                "Debian|Debian|http://mirror.example/debian/",
                "Debian|Debian-Security|http://mirror.example/debian-security/",
                "Debian|Debian|http://second.example/debian/",
            ]
        )
        assert found == aptconf.Repositories("http://mirror.example/debian", "http://mirror.example/debian-security")

    def test_ubuntu_has_no_debian_repository(self) -> None:
        found = aptconf.repositories(["Ubuntu|Ubuntu|http://mirror.example/ubuntu/"])
        assert found == aptconf.Repositories()
        assert aptconf.source_lines(found, "trixie") == []

    def test_local_repositories_are_no_mirror_for_a_container(self) -> None:
        assert aptconf.repositories(["Debian|Debian|file:/srv/mirror/debian/"]) == aptconf.Repositories()

    def test_sources_have_updates_and_security(self) -> None:
        repos = aptconf.Repositories("http://m.example/debian", "http://m.example/sec")
        lines = aptconf.source_lines(repos, "bookworm")
        assert [line.split("] ")[1] for line in lines] == [
            "http://m.example/debian bookworm main",
            "http://m.example/debian bookworm-updates main",
            "http://m.example/sec bookworm-security main",
        ]

    def test_only_how_to_fetch_is_carried_over(self) -> None:
        dump = "\n".join(
            [
                'Acquire::Check-Valid-Until "false";',
                'Acquire::http::Proxy "http://proxy.example:3128";',
                'Acquire::https::mirror.example::Verify-Peer "false";',
                'Acquire::GzipIndexes "true";',
                'Acquire::Changelogs::URI::Origin::Debian "https://example";',
            ]
        )
        assert aptconf.carried_settings(dump, {}).splitlines() == [
            'Acquire::Check-Valid-Until "false";',
            'Acquire::http::Proxy "http://proxy.example:3128";',
            'Acquire::https::mirror.example::Verify-Peer "false";',
        ]

    def test_proxy_variable_counts_unless_apt_has_its_own(self) -> None:
        environment = {"http_proxy": "http://env.example:1"}
        assert aptconf.carried_settings("", environment) == 'Acquire::http::Proxy "http://env.example:1";\n'
        own = 'Acquire::http::Proxy "http://apt.example:2";'
        assert aptconf.carried_settings(own, environment) == f"{own}\n"

    def test_without_a_mirror_the_image_keeps_its_sources(self) -> None:
        assert aptconf.AptSetup(aptconf.Repositories()).files("trixie") == {}

    def test_credentials_are_not_readable_by_others(self, tmp_path: Path) -> None:
        secret = tmp_path / "mirror.conf"
        secret.write_text("machine mirror.example login me password secret\n", encoding="utf-8")
        setup = aptconf.AptSetup(aptconf.Repositories(), credentials=(secret,))
        assert setup.files("trixie")["etc/apt/auth.conf.d/mirror.conf"][1] == 0o600


class TestDigest:
    def test_contents_names_and_executable_bit_count(self, tmp_path: Path) -> None:
        source = tmp_path / "source"
        source.mkdir()
        file = source / "a.py"
        file.write_text("1", encoding="utf-8")
        seen = {digest.of_paths(source)}
        file.write_text("2", encoding="utf-8")
        seen.add(digest.of_paths(source))
        file.chmod(0o755)
        seen.add(digest.of_paths(source))
        file.rename(source / "b.py")
        seen.add(digest.of_paths(source))
        assert len(seen) == 4

    def test_caches_and_tests_do_not_count(self, tmp_path: Path) -> None:
        before = digest.of_paths(tmp_path)
        for folder in ("__pycache__", "tests"):
            (tmp_path / folder).mkdir()
            (tmp_path / folder / "x").write_text("x", encoding="utf-8")
        assert digest.of_paths(tmp_path) == before

    def test_order_of_keys_does_not_count(self) -> None:
        assert digest.of_value({"a": 1, "b": 2}) == digest.of_value({"b": 2, "a": 1})


class TestRecipes:
    recipes = images.load_recipes()

    def test_every_image_of_the_topology_has_a_recipe(self) -> None:
        wanted = {place.image for place in (*topology.SERVICES, *topology.HOSTS)} | {topology.PYTHON_IMAGE}
        assert wanted <= set(self.recipes)

    @pytest.mark.parametrize("change", [{"packages": ("curl",)}, {"command": ("sh",)}, {"suite": "sid"}, {"user": "x"}])
    def test_any_change_of_a_recipe_changes_its_digest(self, change: dict[str, object]) -> None:
        recipe = self.recipes["livepeer-lab/host:trixie"]
        assert dataclasses.replace(recipe, **change).digest() != recipe.digest()

    def test_overlay_belongs_to_the_digest(self) -> None:
        recipe = self.recipes["livepeer-lab/host:trixie"]
        assert dataclasses.replace(recipe, overlays=("services",)).digest() != recipe.digest()

    def test_recipes_name_no_mirror(self) -> None:
        for path in [paths.IMAGES / "recipes.toml", *(paths.LAB / "labkit").glob("*.py"), paths.LAB / "bootstrap.sh"]:
            text = path.read_text(encoding="utf-8")
            assert not re.search(r"(deb|security|archive)\.(debian|ubuntu)\.(org|com)", text)

    def test_overlay_belongs_to_root_and_sudoers_is_read_only(self) -> None:
        with tarfile.open(
            fileobj=io.BytesIO(images.overlay_tar(paths.IMAGES / "server", paths.IMAGES / "docker"))
        ) as archive:
            members = {member.name: member for member in archive.getmembers()}
        assert {member.uid for member in members.values()} == {0}
        assert members["etc/sudoers.d/ops"].mode == 0o440

    def test_hosts_take_images_from_the_labs_registry(self) -> None:
        settings = json.loads((paths.IMAGES / "docker/etc/docker/daemon.json").read_text(encoding="utf-8"))
        assert settings["registry-mirrors"] == ["http://registry.lab:5000"]

    def test_mmdebstrap_leaves_no_identity_behind(self, tmp_path: Path) -> None:
        recipe = self.recipes["livepeer-lab/host:bookworm"]
        argv = images.mmdebstrap_argv(recipe, tmp_path / "x.tar.zst", ["deb A"], tmp_path)
        hooks = " ".join(argument for argument in argv if argument.startswith("--customize-hook="))
        assert "ssh_host_*" in hooks
        assert "machine-id" in hooks
        assert argv[-3:] == ["bookworm", str(tmp_path / "x.tar.zst"), "deb A"]


class TestTopology:
    demo, test = topology.lab("demo", {}), topology.lab("test", {})

    def test_the_two_labs_share_no_name_and_no_address(self) -> None:
        for place in (*topology.SERVICES, *topology.HOSTS):
            assert self.demo.container(place) != self.test.container(place)
            assert self.demo.address(place) != self.test.address(place)
        assert self.demo.network != self.test.network

    def test_addresses_are_distinct(self) -> None:
        octets = [place.octet for place in (*topology.SERVICES, *topology.HOSTS)]
        assert len(set(octets)) == len(octets)

    def test_each_lab_moves_by_its_own_variable(self) -> None:
        moved = {"LAB_SUBNET_PREFIX": "10.99.10"}
        assert topology.lab("demo", moved).subnet == "10.99.10.0/24"
        assert topology.lab("test", moved).subnet == self.test.subnet

    def test_inventories_and_topology_agree(self) -> None:
        octets = {
            name: int(values["ansible_host"].rsplit(".", 1)[1])
            for inventory in ("inventories/lab", "molecule/inventory")
            for group in yaml.safe_load((paths.ROOT / inventory / "hosts.yml").read_text(encoding="utf-8")).values()
            for name, values in (group or {}).get("hosts", {}).items()
            if values
        }
        assert octets == {host.name: host.octet for host in topology.HOSTS}

    def test_demo_has_no_gpu_hosts_and_nothing_that_only_they_need(self) -> None:
        assert [host.name for host in self.demo.hosts] == ["orch-bookworm", "orch-trixie", "gateway"]
        assert "packages" not in {service.name for service in self.demo.services}
        assert {host.name for host in self.test.hosts if host.hardware} == {
            "gpu-bookworm",
            "gpu-trixie",
            "gpu-4090",
            "gpu-h100",
        }

    def test_inventory_and_node_version_agree(self) -> None:
        text = (paths.ROOT / "inventories/lab/group_vars/lab.yml").read_text(encoding="utf-8")
        assert f"/download/v{topology.NODE_VERSION}/" in text


class TestContainers:
    demo = topology.lab("demo", {})
    registry = next(service for service in topology.SERVICES if service.name == "registry")

    def test_registry_is_published_on_loopback_only(self) -> None:
        argv = containers.service_argv(self.demo, self.registry)
        assert argv[argv.index("--publish") + 1].startswith("127.0.0.1:")
        others = [service for service in topology.SERVICES if service is not self.registry]
        assert not any("--publish" in containers.service_argv(self.demo, service) for service in others)

    def test_sources_are_mounted_read_only(self) -> None:
        for service in topology.SERVICES:
            argv = containers.service_argv(self.demo, service)
            volumes = [argv[i + 1] for i, flag in enumerate(argv) if flag == "--volume"]
            assert all(volume.endswith(":ro") or volume.startswith("livepeer-demo-") for volume in volumes)

    def test_only_a_host_that_may_reboot_is_started_again(self) -> None:
        test = topology.lab("test", {})
        again = {host.name for host in test.hosts if "--restart" in containers.host_argv(test, host, CI)}
        assert again == {host.name for host in test.hosts if host.hardware}

    def test_another_image_means_another_container(self) -> None:
        specs = {containers.service_spec(self.demo, self.registry, image) for image in ("sha256:a", "sha256:b")}
        assert len(specs) == 2

    def test_host_keeps_docker_data_on_a_volume(self) -> None:
        argv = containers.host_argv(self.demo, topology.HOSTS[0], CI)
        assert "livepeer-demo-orch-bookworm-data:/var/lib/docker" in argv


class TestIdentity:
    @pytest.fixture()
    def lab(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> topology.Lab:
        monkeypatch.setattr(paths, "BUILD", tmp_path)
        lab = topology.lab("demo", {})
        identity.ensure_keys(lab)
        return lab

    def test_keys_survive_and_known_hosts_is_complete(self, lab: topology.Lab) -> None:
        before = identity.host_key(lab, topology.HOSTS[0]).read_bytes()
        identity.ensure_keys(lab)
        assert identity.host_key(lab, topology.HOSTS[0]).read_bytes() == before
        known = (lab.directory / "known_hosts").read_text(encoding="ascii").splitlines()
        assert [line.split(",")[0] for line in known] == [lab.address(host) for host in lab.hosts]

    def test_hosts_differ_in_machine_id(self, lab: topology.Lab) -> None:
        labs = [topology.lab(name, {}) for name in topology.SUBNETS]
        ids = {identity.machine_id(lab, host) for lab in labs for host in topology.HOSTS}
        assert len(ids) == 2 * len(topology.HOSTS)

    def test_private_files_are_private_and_the_package_index_is_old(self, lab: topology.Lab) -> None:
        stream = identity.host_tar(lab, topology.HOSTS[0], aptconf.AptSetup(aptconf.Repositories()))
        with tarfile.open(fileobj=io.BytesIO(stream)) as archive:
            members = {member.name: member for member in archive.getmembers()}
        assert members["etc/ssh/ssh_host_ed25519_key"].mode == 0o600
        assert members["home/ops/.ssh/authorized_keys"].uid == identity.OPS_UID
        assert members["var/lib/apt/lists"].mtime == 0


class TestProducts:
    def product(self, root: Path) -> sources.Product:
        builder = root / "make.py"
        builder.write_text(
            "import pathlib, sys\n"
            "target = pathlib.Path(sys.argv[1])\n"
            "target.joinpath('made').write_text(str(len(list(target.iterdir()))))\n",
            encoding="utf-8",
        )
        return sources.Product("thing", "making", builder, (str(root / "out"),), (builder,), root / "out", "made")

    def test_built_once_and_again_when_the_sources_change(self, tmp_path: Path) -> None:
        product = self.product(tmp_path)
        sources.ensure(product)
        assert product.is_current()
        product.builder.write_text(product.builder.read_text(encoding="utf-8") + "\n# changed\n", encoding="utf-8")
        assert not product.is_current()
        sources.ensure(product)
        assert product.is_current()

    def test_lost_result_is_built_again(self, tmp_path: Path) -> None:
        product = self.product(tmp_path)
        sources.ensure(product)
        (tmp_path / "out/made").unlink()
        assert not product.is_current()


class TestFleet:
    def built_for(self, name: str, monkeypatch: pytest.MonkeyPatch) -> set[str]:
        built: set[str] = set()
        monkeypatch.setattr(images, "ensure", lambda recipe, _apt: built.add(recipe.tag))
        monkeypatch.setattr(images, "ensure_runner", lambda _base: None)
        monkeypatch.setattr(sources, "ensure", lambda product: built.add(product.name))
        fleet.build(topology.lab(name, {}), aptconf.AptSetup(aptconf.Repositories()))
        return built

    def test_a_lab_builds_what_it_needs(self, monkeypatch: pytest.MonkeyPatch) -> None:
        demo, test = self.built_for("demo", monkeypatch), self.built_for("test", monkeypatch)
        assert test - demo == {
            "livepeer-lab/bare:bookworm",
            "livepeer-lab/bare:trixie",
            "packages nvidia-driver",
            "packages nvidia-container-toolkit",
            "packages docker",
        }
        assert {"hub models", "node release", topology.PYTHON_IMAGE, topology.SERVICES_IMAGE} <= demo
        assert {"wheels", topology.SERVICE_BASE_IMAGE} <= demo

    def test_all_failures_are_told_at_once(self) -> None:
        def fail(text: str) -> None:
            raise LabError(text)

        with pytest.raises(LabError, match="(?s)one.*two"):
            fleet.together([lambda: fail("one"), lambda: None, lambda: fail("two")], 3)

    def test_bugs_are_not_dressed_up(self) -> None:
        with pytest.raises(ZeroDivisionError):
            fleet.together([lambda: 1 / 0], 1)


class TestRegistry:
    @pytest.fixture
    def pushed(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[str]:
        """What was pushed to a registry that keeps it, of images that the engine calls `first`."""
        monkeypatch.setattr(paths, "BUILD", tmp_path)
        (tmp_path / "lab/test").mkdir(parents=True)
        tags: dict[str, set[str]] = {}
        done: list[str] = []

        def push(_lab: topology.Lab, image: str) -> None:
            repository, _, tag = image.partition(":")
            tags.setdefault(repository, set()).add(tag)
            done.append(image)

        monkeypatch.setattr(engine, "inspect", lambda _kind, image: {image: {"Id": "first"}})
        monkeypatch.setattr(registry, "_push", push)
        monkeypatch.setattr(registry, "_copy_tag", lambda _lab, repository, _source, tag: tags[repository].add(tag))
        monkeypatch.setattr(registry, "tags_there", lambda _lab, repository: tags.get(repository, set()))
        return done

    def test_runner_and_base_are_pushed_once(self, pushed: list[str]) -> None:
        for _time in range(2):
            registry.ensure_runner(topology.lab("test", {}))
            registry.ensure_base(topology.lab("test", {}))
        assert pushed == ["livepeer/ai-runner:latest", topology.SERVICE_BASE_IMAGE]

    def test_another_image_is_pushed_again(self, pushed: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
        registry.ensure_base(topology.lab("test", {}))
        monkeypatch.setattr(engine, "inspect", lambda _kind, image: {image: {"Id": "second"}})
        registry.ensure_base(topology.lab("test", {}))
        assert pushed == [topology.SERVICE_BASE_IMAGE] * 2

    def test_a_registry_that_lost_its_volume_is_filled_again(self, pushed: list[str]) -> None:
        lab = topology.lab("test", {})
        registry.ensure_base(lab)
        registry.forget(lab)
        registry.ensure_base(lab)
        assert pushed == [topology.SERVICE_BASE_IMAGE] * 2


# What a role may rely on in a host; each line fails the script when it does not hold.
HOST_PROBE = """
set -eu
sudo -n true
[ "$(systemctl is-system-running)" = running ]
sudo docker info --format '{{.Driver}}' | grep -qx overlay2
sudo docker info --format '{{json .RegistryConfig.Mirrors}}' | grep -q registry.lab
curl -fsS http://registry.lab:5000/v2/livepeer-lab/python-pip/tags/list | grep -q trixie
curl -fsS http://releases.lab:8000/pypi/simple/numpy/ | grep -q cp313
[ "$(stat -c %Y /var/lib/apt/lists)" = 0 ] || [ -n "$(ls /var/lib/apt/lists)" ]
sudo systemd-run --quiet --wait --property=ProtectSystem=strict sh -c '! touch /etc/forbidden 2>/dev/null'
sudo systemd-run --quiet --wait --property=PrivateTmp=yes --property=NoNewPrivileges=yes true
sudo journalctl --quiet --lines 1 --output cat | grep -q .
"""


# The same of a bare server, of which a role may meanwhile have made more: a kernel, its initramfs, a boot of its own.
GPU_HOST_PROBE = """
set -eu
sudo -n true
systemctl is-active --quiet lab-hardware
ls /boot/vmlinuz-* /boot/initrd.img-* >/dev/null
[ "$(cat /proc/sys/kernel/random/boot_id)" = "$(cat /run/lab/boot_id)" ]
sudo journalctl --quiet --boot --lines 1 --output cat | grep -q .
"""


@pytest.mark.docker
def test_a_running_lab_holds_what_roles_rely_on() -> None:
    """Brings up the lab `test` (or finds it up), then looks into every host over SSH."""
    program = str(paths.LAB / "lab.py")
    subprocess.run([sys.executable, program, "up", "--lab", "test"], check=True)
    subprocess.run([sys.executable, program, "status", "--lab", "test"], check=True)
    for host in topology.lab("test").hosts:
        subprocess.run(
            [sys.executable, program, "ssh", "--lab", "test", host.name, "bash -s"],
            input=(GPU_HOST_PROBE if host.hardware else HOST_PROBE).encode(),
            check=True,
        )
