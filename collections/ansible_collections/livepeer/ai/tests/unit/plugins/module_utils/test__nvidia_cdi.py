# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""CDI specifications as nvidia-ctk wrote them over the years, and others that are not for us to read."""

from __future__ import annotations

import json

import pytest
import yaml

from ansible_collections.livepeer.ai.plugins.module_utils._nvidia_cdi import (
    NotUnderstood,
    describe,
    driver_version,
    parse,
    read,
)
from ansible_collections.livepeer.ai.tests.unit.nvidia_machine import Machine, cdi_spec

# Before 1.14: keys sorted, sequences right below their keys, the name after its edits.
SORTED = """---
cdiVersion: 0.3.0
containerEdits:
  deviceNodes:
  - path: /dev/nvidia-modeset
  - path: /dev/nvidiactl
  hooks:
  - args:
    - nvidia-ctk
    - hook
    - update-ldcache
    - --folder
    - /usr/lib64
    hookName: createContainer
    path: /usr/bin/nvidia-ctk
  mounts:
  - containerPath: /lib/firmware/nvidia/525.147.05/gsp_ad10x.bin
    hostPath: /lib/firmware/nvidia/525.147.05/gsp_ad10x.bin
    options:
    - ro
devices:
- containerEdits:
    deviceNodes:
    - hostPath: /dev/nvidia0
      path: /dev/nvidia0
  name: "0"
- containerEdits:
    deviceNodes:
    - path: /dev/nvidia0
  name: all
kind: nvidia.com/gpu
"""
GPUS = [
    {"index": 0, "uuid": "GPU-a", "mig_enabled": False, "mig_devices": []},
    {"index": 1, "uuid": "GPU-b", "mig_enabled": True, "mig_devices": [{"uuid": "MIG-1"}, {"uuid": "MIG-2"}]},
]


@pytest.mark.parametrize(
    "text",
    [
        SORTED,
        cdi_spec("570.133.20", "0", "1", "all"),
        "kind: nvidia.com/gpu\n",
        "a:\n  b:\n    - - 1\n      - 2\n    - c: x\n      d:\n        - y\n    -\n      e: z\n  f: g\nh:\n",
        'a: "x: # y"\nb: \'it\'\'s\'\nc: []\nd: {}\ne: null\nf: ["x", "y"]\n# comment\n\n"g h": /dev/a:b\ni: [ ]\n',
        "- a: b\n  c: d\n- e\n",
        "args:\n- --link\n- libcuda.so.1::/usr/lib/libcuda.so\n- nvidia-smi::/usr/bin/nvidia-smi\n",
    ],
)
def test_read_as_yaml_reads_it(text):
    """The oracle is a real YAML library; numbers stay text here, as nothing counts with them."""

    def as_text(value):
        if isinstance(value, dict):
            return {key: as_text(inner) for key, inner in value.items()}
        if isinstance(value, list):
            return [as_text(inner) for inner in value]
        return str(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else value

    assert parse(text) == as_text(yaml.safe_load(text))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "---\n",
        "kind: &anchor nvidia.com/gpu\n",
        "devices: *all\n",
        "devices: {name: all}\n",
        "devices: [a, b]\n",
        "kind: !!str x\n",
        "text: |\n  more\n",
        "kind: 'x\n",
        "kind: nvidia.com/gpu # of this host\n",
        "kind: a: b\n",
        "kind: x\nkind: y\n",
        "a:\n    b: c\n  d: e\n",
        "a:\n\tb: c\n",
        "just words\n",
        "a: b\n- c\n",
        "kind: x\n...\n---\nkind: y\n",
        "{not json",
    ],
)
def test_not_understood(text):
    with pytest.raises(NotUnderstood):
        parse(text)


def test_json():
    document = {"cdiVersion": "0.6.0", "kind": "nvidia.com/gpu", "devices": [{"name": "0"}]}
    assert parse(json.dumps(document)) == document


@pytest.mark.parametrize(
    ("strings", "version"),
    [
        (["/usr/lib/x86_64-linux-gnu/libcuda.so.570.133.20"], "570.133.20"),
        (["/usr/lib64/libnvidia-ml.so.535.54", "/usr/lib64/libcuda.so.550.54.14"], "550.54.14"),
        (["/usr/lib64/libnvidia-ml.so.535.54"], "535.54"),
        (["--host-driver-version=999.88.77"], "999.88.77"),
        (["/lib/firmware/nvidia/525.147.05/gsp_ad10x.bin"], "525.147.05"),
        (["/usr/lib/libcuda.so.1", "/usr/lib/libcudadebugger.so.1", "/usr/lib64/libnvidia-egl-gbm.so.1.1"], ""),
        ([], ""),
    ],
)
def test_the_driver_of_a_specification(strings, version):
    assert driver_version({"containerEdits": {"mounts": [{"hostPath": string} for string in strings]}}) == version


@pytest.mark.parametrize(
    ("names", "missing"),
    [
        (["0", "1:0", "1:1", "all"], []),
        (["GPU-a", "MIG-1", "MIG-2"], []),
        (["gpu0", "mig1:0", "mig1:1"], []),
        (["0", "all"], ["GPU-b"]),
        (["1:0", "1:1"], ["GPU-a"]),
        (["all"], ["GPU-a", "GPU-b"]),
        # Written before MIG was switched on, and before it was divided anew.
        (["0", "1", "GPU-a", "GPU-b"], ["GPU-b"]),
        (["0", "1:0"], ["GPU-b"]),
        # Written before MIG was switched off.
        (["0:0", "0:1", "1:0", "1:1"], ["GPU-a"]),
    ],
)
def test_gpus_that_a_specification_lacks(names, missing):
    told = describe("/etc/cdi/nvidia.yaml", cdi_spec("570.133.20", *names), "570.133.20", GPUS)
    assert told["missing"] == missing
    assert told["stale"] == bool(missing)


def test_a_gpu_that_mig_has_not_divided_yet_has_nothing_to_offer():
    gpus = [{"index": 0, "uuid": "GPU-a", "mig_enabled": True, "mig_devices": []}]
    assert describe("/etc/cdi/nvidia.yaml", cdi_spec("1.0", "all"), "1.0", gpus)["missing"] == []


@pytest.mark.parametrize(
    ("text", "loaded", "stale"),
    [
        (SORTED, "525.147.05", False),
        (SORTED, "570.133.20", True),
        (SORTED, "", False),
        ("kind: nvidia.com/gpu\ndevices:\n- name: all\n", "570.133.20", False),
        ("kind: nvidia.com/gpu\ndevices: []\n", "570.133.20", True),
        ("kind: nvidia.com/gpu\n", "", True),
    ],
)
def test_stale(text, loaded, stale):
    assert describe("/etc/cdi/nvidia.yaml", text, loaded, [])["stale"] is stale


@pytest.mark.parametrize(
    ("text", "kind", "error"),
    [
        ("kind: nvidia.com/gpu\ndevices: {name: all}\n", "", "not understood"),
        ("kind: nvidia.com/gpu\ndevices: words\n", "", "not understood"),
        ("kind: nvidia.com/gpu\ndevices:\n- words\n", "", "not understood"),
        ("devices:\n- name: all\n", "", "not understood"),
        ('{"kind": ["nvidia.com/gpu"]}', "", "not understood"),
        ("[" * 100000, "", "not understood"),
        ("kind: k8s.device-plugin.nvidia.com/gpu\ndevices:\n- name: all\n", "k8s.device-plugin.nvidia.com/gpu", ""),
    ],
)
def test_what_is_told_of_odd_files(text, kind, error):
    told = describe("/etc/cdi/nvidia.yaml", text, "570.133.20", [])
    assert (told["kind"], told["error"]) == (kind, error)


def test_other_vendors_are_nobodys_business(tmp_path):
    machine = Machine(tmp_path)
    machine.file("/etc/cdi/intel.yaml", "kind: intel.com/gpu\ndevices:\n- name: all\n")
    machine.file("/etc/cdi/intel-odd.yaml", "kind: &x intel.com/gpu\n")
    machine.file("/etc/cdi/nvidia.yaml.bak", SORTED)
    machine.file("/var/run/cdi/nvidia.json", '{"kind": "nvidia.com/gpu", "devices": [{"name": "0"}]}')
    assert [spec["path"] for spec in read(machine.host, "", [])] == ["/var/run/cdi/nvidia.json"]
