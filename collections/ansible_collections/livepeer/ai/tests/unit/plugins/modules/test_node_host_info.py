# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A host as /proc, the resolver and the Docker Engine show it."""

from __future__ import annotations

import socket

import pytest

from ansible_collections.livepeer.ai.plugins.modules import node_host_info
from ansible_collections.livepeer.ai.plugins.modules.node_host_info import HostInfo
from ansible_collections.livepeer.ai.tests.unit.liars import reply, run_module, serve_docker

# As the kernel prints them: 127.0.0.1:8935 and [::]:8000 listen, 10.0.0.1:8935 is an open connection.
TCP = """  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:22E7 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1111 1 0 100 0 0 10 0
   1: 0100000A:22E7 0200000A:1F90 01 00000000:00000000 00:00000000 00000000     0        0 2222 1 0 100 0 0 10 0
"""
TCP6 = """  sl  local_address                         remote_address                        st tx_queue ...
   0: 00000000000000000000000000000000:1F40 00000000000000000000000000000000:0000 0A 0:0 00:0 0 0 0 3333 1 0
"""


@pytest.fixture
def proc(tmp_path):
    """A /proc with two listening processes."""
    (tmp_path / "net").mkdir()
    (tmp_path / "net/tcp").write_text(TCP)
    (tmp_path / "net/tcp6").write_text(TCP6)
    for pid, name, inode, cgroup in (
        ("41", "livepeer", "1111", "0::/system.slice/livepeer-gateway.service\n"),
        ("42", "docker-proxy", "3333", "3:cpu:/docker/abc\n1:name=systemd:/docker/abc/system.slice/docker.service\n"),
    ):
        (tmp_path / pid / "fd").mkdir(parents=True)
        (tmp_path / pid / "fd/7").symlink_to(f"socket:[{inode}]")
        (tmp_path / pid / "fd/8").symlink_to("/dev/null")
        (tmp_path / pid / "comm").write_text(f"{name}\n")
        (tmp_path / pid / "cgroup").write_text(cgroup)
    return tmp_path


def ask(proc, **params):
    defaults = {"ports": [], "names": [], "docker": False, "docker_socket": "/nonexistent.sock", "node_configs": []}
    return HostInfo({**defaults, **params}, str(proc)).answer()


def container(status="running"):
    return {
        "Id": "abc",
        "Name": "/llm_a-b_8000",
        "State": {"Status": status},
        "Config": {
            "Image": "livepeer/ai-runner:llm",
            "Labels": {"creator": "ai-worker", "creator_id": "gpu1:8935"},
            "Env": ["PIPELINE=llm", "MODEL_ID=a/b"],
        },
        "HostConfig": {"PortBindings": {"8000/tcp": [{"HostIp": "127.0.0.1", "HostPort": "8000"}]}},
    }


def engine(tmp_path, one):
    answers = {
        "/version": reply(body={"Version": "26.1.5"}),
        "/containers/json": reply(body=[{"Id": "abc"}]),
        "/containers/abc/json": reply(body=one),
    }
    return serve_docker(tmp_path / "docker.sock", answers)


def test_listeners_and_who_they_are(proc):
    listeners = ask(proc, ports=[8935, 8000, 7935])["listeners"]
    assert listeners == [
        {
            "port": 8000,
            "address": "::",
            "process": "docker-proxy (pid 42)",
            "unit": "docker.service",
            "container": "",
            "creator_id": "",
        },
        {
            "port": 8935,
            "address": "127.0.0.1",
            "process": "livepeer (pid 41)",
            "unit": "livepeer-gateway.service",
            "container": "",
            "creator_id": "",
        },
    ]


def test_other_ports_are_nobodys_business(proc):
    assert ask(proc, ports=[1])["listeners"] == []


def test_the_container_behind_dockers_proxy(proc):
    with engine(proc, container()):
        told = ask(proc, ports=[8000], docker=True, docker_socket=str(proc / "docker.sock"))
    assert told["docker"] == {"reachable": True, "version": "26.1.5", "error": ""}
    assert (told["listeners"][0]["container"], told["listeners"][0]["creator_id"]) == ("llm_a-b_8000", "gpu1:8935")
    assert told["runners"] == [
        {
            "id": "abc",
            "name": "llm_a-b_8000",
            "creator_id": "gpu1:8935",
            "pipeline": "llm",
            "model_id": "a/b",
            "image": "livepeer/ai-runner:llm",
            "state": "running",
        }
    ]


def test_a_published_port_without_a_proxy(proc):
    (proc / "net/tcp6").write_text("")
    with engine(proc, container()):
        told = ask(proc, ports=[8000], docker=True, docker_socket=str(proc / "docker.sock"))
    assert [(one["port"], one["container"]) for one in told["listeners"]] == [(8000, "llm_a-b_8000")]


def test_a_stopped_container_holds_no_port(proc):
    (proc / "net/tcp6").write_text("")
    with engine(proc, container("exited")):
        told = ask(proc, ports=[8000], docker=True, docker_socket=str(proc / "docker.sock"))
    assert told["listeners"] == []


def test_docker_that_is_not_there(proc):
    told = ask(proc, docker=True)
    assert not told["docker"]["reachable"]
    assert "/nonexistent.sock does not answer" in told["docker"]["error"]
    assert told["runners"] == []


def test_names(proc, monkeypatch):
    def getaddrinfo(name, *_arguments, **_options):
        if name != "gpu1":
            raise socket.gaierror(-2, "Name or service not known")
        return [(2, 1, 6, "", ("192.0.2.7", 0))]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    assert ask(proc, names=["gpu1", "nowhere"])["addresses"] == {"gpu1": ["192.0.2.7"], "nowhere": []}


def test_other_nodes_are_told_without_their_credentials(proc):
    (proc / "livepeer.conf").write_text(
        "# x\n\norchestrator\nserviceAddr gpu1:8935\ndataDir  /data\nethUrl https://KEY\n"
    )
    assert ask(proc, node_configs=[f"{proc}/*.conf"])["nodes"] == [
        {"path": f"{proc}/livepeer.conf", "settings": {"dataDir": "/data", "serviceAddr": "gpu1:8935"}}
    ]


def test_as_a_module():
    told = run_module(node_host_info, check_mode=True)
    assert not told["changed"]
    assert told["listeners"] == []
