# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether the GPUs of a host can carry what an orchestrator is to run on them. Private to the collection."""

from __future__ import annotations

import re

from ansible_collections.livepeer.ai.plugins.module_utils._go_livepeer import release
from ansible_collections.livepeer.ai.plugins.plugin_utils._cuda_require import (
    Facts,
    RequireError,
    environment_of,
    unsatisfied,
)
from ansible_collections.livepeer.ai.plugins.plugin_utils._placement import managed, placement
from ansible_collections.livepeer.ai.plugins.plugin_utils._repositories import repositories
from ansible_collections.livepeer.ai.plugins.plugin_utils._values import size_in_bytes, size_text

FALLEN_OFF_THE_BUS = 79
# From this version on, Docker tries CDI first when a container asks for GPUs (getNVIDIADeviceDrivers in moby's
# daemon/devices_nvidia_linux.go); before, nvidia-container-runtime-hook is the only way.
CDI_FIRST = (29, 2)
CDI_KIND = "nvidia.com/gpu"
# The first driver branch with each CUDA version (CUDA Toolkit release notes, Linux).
BRANCHES = {
    "12.0": 525,
    "12.1": 530,
    "12.2": 535,
    "12.3": 545,
    "12.4": 550,
    "12.5": 555,
    "12.6": 560,
    "12.7": 565,
    "12.8": 570,
    "12.9": 575,
    "13.0": 580,
}


def numbers(values):
    """`GPU 0` or `GPUs 0, 1`."""
    texts = [str(value) for value in values]
    return f"GPU{'s' if len(texts) != 1 else ''} {', '.join(texts)}"


class Host:
    """What gpu_info found, in the words of the checks."""

    def __init__(self, info):
        self.present = info["present"]
        self.driver = info["driver"]
        self.gpus = {gpu["index"]: gpu for gpu in info["gpus"]}
        self.processes = info["processes"]
        self.nvswitch = info["nvswitch"]
        self.runtimes = info["runtimes"]
        self.findings = info["findings"]
        # NVSwitches count their own errors.
        errors = [xid for xid in info["xid"] if xid["source"] == "gpu"]
        self.fallen = {xid["pci_address"] for xid in errors if xid["code"] == FALLEN_OFF_THE_BUS}
        specs = [spec for spec in info["cdi"] if spec["kind"] == CDI_KIND and not spec["error"]]
        self.cdi_devices = {name for spec in specs for name in spec["devices"]}
        # Their files are gone, and a container with them does not start.
        self.cdi_is_of_another_driver = any(
            spec["driver_version"] not in ("", self.driver["version"]) for spec in specs
        )

    def cdi_gives(self, index):
        """Whether Docker hands this GPU over by CDI when a container asks for it by number."""
        found = re.match(r"(\d+)\.(\d+)", self.runtimes["docker_version"])
        recent = bool(found) and tuple(map(int, found.groups())) >= CDI_FIRST
        return recent and self.runtimes["docker_cdi"] and str(index) in self.cdi_devices

    def docker_gives(self, index):
        return self.runtimes["hook"] or self.cdi_gives(index)

    def told_of(self, *subjects):
        """What gpu_info says is wrong about some subjects."""
        return [finding["sentence"] for finding in self.findings if finding["subject"] in subjects]

    def name(self, index):
        return f"GPU {index} ({self.gpus[index]['name']})"

    def foreign(self, index, own):
        """The processes on a GPU that are not in one of these containers, the largest first."""
        uuid = self.gpus[index]["uuid"]
        found = [one for one in self.processes if one["gpu_uuid"] == uuid and one["container_id"] not in own]
        return sorted(found, key=lambda one: -(one["memory_used"] or 0))

    def facts(self, index):
        gpu = self.gpus[index]
        return Facts(self.driver["cuda_version"], self.driver["version"], gpu["compute_capability"], gpu["brand"])


class Verdict:
    """Sentences of two kinds, each once."""

    def __init__(self):
        self.refusals, self.warnings = [], []

    def refuse(self, sentence):
        if sentence not in self.refusals:
            self.refusals.append(sentence)

    def warn(self, sentence):
        if sentence not in self.warnings:
            self.warnings.append(sentence)

    def told(self):
        return {"refusals": self.refusals, "warnings": self.warnings}


class GpuReadiness(Verdict):
    """The GPUs that an orchestrator is to use, before anything about it is changed."""

    def __init__(
        self,
        info,
        gpus,
        models=(),
        containers_per_gpu=1,
        own_containers=(),
        weights=(),
        bare=False,
        variable="orchestrator_gpus",
    ):
        super().__init__()
        self.variable = variable
        self.host = Host(info)
        self.wanted = [int(gpu) for gpu in gpus]
        self.models = models
        self.placement = placement(models, self.wanted, containers_per_gpu)
        self.own = set(own_containers)
        self.weights = {one["model_id"]: one["bytes"] for one in weights}
        # Whether what other roles install may still be missing.
        self.missing = self.warn if bare else self.refuse

    def judged(self):
        if self.wanted and self.check_bus():
            driver_works = self.check_driver()
            self.check_docker()
            if driver_works:
                self.check_fabric()
                self.check_cdi()
                for index in self.check_numbers():
                    self.check_gpu(index)
                self.tell_the_rest()
        return self.told()

    def check_bus(self):
        if self.host.present or self.host.gpus:
            return True
        self.refuse(
            f"{self.variable} names {numbers(self.wanted)}, but this host has no NVIDIA GPU on its PCI bus;"
            f" correct {self.variable}, or see to the card."
        )
        return False

    def check_docker(self):
        lacking = [index for index in self.wanted if not self.host.docker_gives(index)]
        if lacking:
            self.missing(
                f"Docker cannot give {numbers(lacking)} to a container: there is no nvidia-container-runtime-hook on"
                " this host, nor a CDI device that this version of Docker would use instead;"
                " run the role nvidia_container_toolkit."
            )

    def check_driver(self):
        """Whether the driver works; a mismatched library fails the next container, not those that run."""
        driver = self.host.driver
        if driver["loaded"] and driver["matches"] and self.host.gpus:
            return True
        if driver["loaded"] and driver["matches"] and "not installed" in driver["error"]:
            # Containers need no nvidia-smi on the host, only these checks do.
            self.warn(f"The GPUs cannot be looked at: {driver['error'].rstrip('.')}.")
            return False
        for sentence in self.host.told_of("driver") or ["The NVIDIA driver on this host shows no GPU."]:
            self.missing(f"{sentence} The role nvidia_driver sees to the driver.")
        return False

    def check_fabric(self):
        if self.host.nvswitch["count"] and self.host.nvswitch["fabric_manager"] != "active":
            for sentence in self.host.told_of("nvswitch"):
                self.missing(sentence)

    def check_cdi(self):
        if self.host.cdi_is_of_another_driver and any(map(self.host.cdi_gives, self.wanted)):
            for sentence in self.host.told_of("cdi"):
                self.missing(sentence)

    def check_numbers(self):
        """The wanted GPUs that exist."""
        unknown = [index for index in self.wanted if index not in self.host.gpus]
        if unknown:
            lost = self.host.told_of("gpu", "xid") or ["Correct the list, numbers begin at 0."]
            known = numbers(sorted(self.host.gpus))
            self.refuse(
                f"{self.variable} names {numbers(unknown)}, but the driver on this host shows only {known}."
                f" {' '.join(lost)}"
            )
        return [index for index in self.wanted if index in self.host.gpus]

    def check_gpu(self, index):
        gpu = self.host.gpus[index]
        if gpu["problem"]:
            self.refuse(f"{self.host.name(index)} does not answer ({gpu['problem']}); reboot this host.")
        elif gpu["pci_bus_id"] in self.host.fallen:
            self.refuse(
                f"{self.host.name(index)} has fallen off the bus since this host was booted (Xid {FALLEN_OFF_THE_BUS});"
                " reboot the host, and see to power and cooling if it happens again."
            )
        elif gpu["mig_enabled"]:
            self.warn(
                f"{self.host.name(index)} is in MIG mode. go-livepeer asks for whole GPUs by number, in which CUDA may"
                f" find no device then; switch it off (nvidia-smi -i {index} -mig 0)."
            )
        else:
            self.check_memory(index)

    def tell_the_rest(self):
        """What else is wrong is worth a look and may not keep a runner from starting; no refusal is to drown in it."""
        for sentence in self.host.told_of("driver", "gpu", "xid", "nouveau", "nvswitch", "cdi", "runfile"):
            if not self.refusals:
                self.warn(sentence)

    def check_memory(self, index):
        gpu, foreign = self.host.gpus[index], self.host.foreign(index, self.own)
        models = [model for where, model in self.placement if where == index]
        if not models or not gpu["memory_total"]:
            return
        room = gpu["memory_total"] - sum(one["memory_used"] or 0 for one in foreign)
        declared = [(model["model_id"], size_in_bytes(model["vram"]) or 0) for model in models if model.get("vram")]
        found = [(model["model_id"], self.weights_of(model)) for model in models if not model.get("vram")]
        has = f"{self.host.name(index)} has {self.room_text(gpu, room, foreign)}"
        if self.total(declared) > room:
            self.refuse(
                f"{has}, but what is declared to be warm on it takes {size_text(self.total(declared))}"
                f" ({self.listed(declared)}); correct vram in orchestrator_models, give the GPU fewer warm models,"
                " or stop what else uses it."
            )
        elif self.total(declared + found) > room:
            self.warn(
                f"{has}, but what is to be warm on it takes {size_text(self.total(declared + found))} or more, counting"
                f" weights by their size on the disk ({self.listed(declared + found)});"
                " declare vram in orchestrator_models, or give the GPU fewer warm models."
            )

    @staticmethod
    def room_text(gpu, room, foreign):
        used = [one for one in foreign if one["memory_used"]]
        if not used:
            return size_text(gpu["memory_total"])
        others = ", ".join(f"{one['name']} (pid {one['pid']}) {size_text(one['memory_used'])}" for one in used[:3])
        more = ", ..." if len(used) > 3 else ""
        return f"{size_text(max(room, 0))} left of {size_text(gpu['memory_total'])} (others: {others}{more})"

    @staticmethod
    def total(sizes):
        return sum(size for _name, size in sizes)

    @staticmethod
    def listed(sizes):
        return ", ".join(f"{name} {size_text(size)}" for name, size in sizes if size)

    def weights_of(self, model):
        return sum(self.weights.get(name, 0) for name in repositories([model]))


class ImageReadiness(Verdict):
    """What the runner images ask of the GPUs on which they will run."""

    def __init__(self, images, info, gpus, models, version, containers_per_gpu=1, overrides=None):
        super().__init__()
        # An image that is not there yet, as in check mode, cannot be asked.
        self.environments = {name: environment_of(found[0]["Config"]["Env"]) for name, found in images.items() if found}
        self.host = Host(info)
        self.gpus = [int(gpu) for gpu in gpus if int(gpu) in self.host.gpus]
        self.models = models
        self.placement = placement(models, gpus, containers_per_gpu)
        self.release = release(version)
        self.overrides = overrides

    def judged(self):
        for model in managed(self.models):
            name = self.release.image(model["pipeline"], model["model_id"], self.overrides)
            if name in self.environments:
                self.check(name, model)
        return self.told()

    def gpus_of(self, model):
        """A cold model may come to any GPU."""
        if not model.get("warm"):
            return self.gpus
        return [index for index in self.gpus if (index, model) in self.placement]

    def check(self, name, model):
        environment = self.environments[name]
        if model.get("warm"):
            # go-livepeer gives them to warm runners only.
            flags = model.get("optimization_flags") or {}
            texts = {key: str(value).lower() if isinstance(value, bool) else value for key, value in flags.items()}
            environment = {**environment, **texts}
        gpus = self.gpus_of(model)
        try:
            failing = [
                (index, *failed) for index in gpus for failed in unsatisfied(environment, self.host.facts(index))
            ]
        except RequireError as error:
            # With CDI nobody reads it.
            if not all(map(self.host.cdi_gives, gpus)):
                self.refuse(
                    f"{name} has a requirement that NVIDIA's container hook cannot read ({error}), so that none of its"
                    " containers would start; use another image, see orchestrator_image_overrides."
                )
            return
        for variable, requirement in dict.fromkeys(failed[1:] for failed in failing):
            self.complain(
                name, variable, requirement, [one[0] for one in failing if one[1:] == (variable, requirement)]
            )

    def complain(self, name, variable, requirement, gpus):
        driver = self.host.driver
        # The alternatives behind the first are exceptions for certain cards and drivers, dozens of them.
        first = requirement.split(" ")[0]
        why = (
            f"{name} asks for {first} ({variable}), which {', '.join(map(self.host.name, gpus))} with the driver"
            f" {driver['version']} (CUDA {driver['cuda_version']}) cannot satisfy"
        )
        remedy = f"{self.driver_text(first)} or use an older image, see orchestrator_image_overrides"
        if all(map(self.host.cdi_gives, gpus)):
            self.warn(f"{why}. Docker uses CDI here and starts it nevertheless, and CUDA may fail in it; {remedy}.")
        else:
            self.refuse(f"{why}, so its containers would not start; {remedy}.")

    @staticmethod
    def driver_text(requirement):
        branch = BRANCHES.get(requirement.partition("cuda>=")[2])
        return (
            f"install a driver of branch {branch} or later (nvidia_driver_version),"
            if branch
            else "install a newer driver,"
        )
