# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The container of a service: what it is told, when it is made again, and the compose file that says the same."""

from __future__ import annotations

import pytest

from ansible_collections.livepeer.ai.plugins.filter.compose_document import FilterModule as ComposeFilters
from ansible_collections.livepeer.ai.plugins.filter.service_container import FilterModule as ContainerFilters
from ansible_collections.livepeer.ai.plugins.filter.service_declarations import service_declarations

service_container = ContainerFilters().filters()["service_container"]
compose_document = ComposeFilters().filters()["compose_document"]

COMMIT = "c" * 40
BASE = {"name": "chat", "source": "image", "image": "registry.example/chat:1", "port": 8601}
MODELS = [{"model_id": "a/b"}, {"model_id": "c/d"}]
FULL = {
    **BASE,
    "token": "sesame-open",
    "models": MODELS,
    "gpus": [0, 1],
    "env": {"PATTERN": "^a$"},
    "command": ["serve", "$HOME"],
    "memory": "4g",
    "cpus": 1.5,
    "shm_size": "1g",
    "network": "inner",
    "user": "1000:1000",
    "hardened": True,
}


def container(entry=None, **changes):
    (complete,) = service_declarations([entry or BASE], "byoc_services")
    where = {"models_dir": "/srv/models", "token_path": "/etc/livepeer/services/chat/bearer_token"}
    return service_container(complete, "registry.example/chat:1", **{"image_id": "sha256:1", **where, **changes})


def digest(changes=None, **arguments):
    return container({**BASE, **(changes or {})}, **arguments)["digest"]


def test_a_plain_service():
    found = container()
    options = found["options"]
    assert options["name"] == "livepeer-service-chat"
    assert options["published_ports"] == ["127.0.0.1:8601:8000"]
    assert options["env"] == {"PORT": "8000", "MAX_CONCURRENCY": "1"}
    assert options["labels"] == {"ai.livepeer.service": "chat", "ai.livepeer.config": found["digest"]}
    assert options["mounts"] == []
    assert options["log_options"] == {"max-size": "10m", "max-file": "3"}
    assert not {"device_requests", "read_only", "networks", "command", "memory"} & set(options)


def test_weights_are_mounted_read_only_and_named():
    found = container({**BASE, "models": MODELS}, commits={"a/b": COMMIT, "x/y": "0"})
    options = found["options"]
    assert options["mounts"] == [{"type": "bind", "source": "/srv/models", "target": "/models", "read_only": True}]
    assert options["env"] == {
        "PORT": "8000",
        "MAX_CONCURRENCY": "1",
        "MODEL_DIR": "/models",
        "HF_HUB_CACHE": "/models",
        "HF_HUB_OFFLINE": "1",
        "MODEL_ID": "a/b",
        "MODEL_REVISION": COMMIT,
    }
    assert options["labels"]["ai.livepeer.weights"] == f"a/b@{COMMIT} c/d@"
    assert found["commits"] == {"a/b": COMMIT, "c/d": ""}


def test_the_token_is_a_file_and_shows_nowhere():
    found = container({**BASE, "token": "sesame-open"})
    assert found["options"]["env"]["BEARER_TOKEN_FILE"] == "/run/secrets/bearer_token"
    assert found["options"]["mounts"][0]["source"] == "/etc/livepeer/services/chat/bearer_token"
    assert "sesame" not in str(found)


@pytest.mark.parametrize(
    ("change", "image_user", "owner"),
    [({}, "", "0"), ({}, "app", "0"), ({}, "65532:65532", "65532"), ({"user": "1000:1000"}, "app", "1000")],
)
def test_the_token_belongs_to_who_reads_it(change, image_user, owner):
    assert container({**BASE, **change}, image_user=image_user)["token_owner"] == owner


def test_templates_are_hardened_and_have_a_user_of_their_own():
    entry = {"name": "chat", "source": "template", "path": "x", "port": 8601}
    found = container(entry)
    options = found["options"]
    assert (options["read_only"], options["tmpfs"], options["cap_drop"]) == (True, ["/tmp"], ["ALL"])
    assert options["security_opts"] == ["no-new-privileges"]
    assert options["env"]["HF_HUB_OFFLINE"] == "1"
    assert found["token_owner"] == "10001"


def test_gpus_by_runtime_or_cdi():
    assert container({**BASE, "gpus": [0, 2]})["options"]["device_requests"] == [
        {"driver": "nvidia", "count": 0, "device_ids": ["0", "2"], "capabilities": [["gpu"]]}
    ]
    assert container({**BASE, "gpus": [0, 2], "gpu_mode": "cdi"})["options"]["device_requests"] == [
        {"driver": "cdi", "count": 0, "device_ids": ["nvidia.com/gpu=0", "nvidia.com/gpu=2"]}
    ]


def test_a_limit_of_memory_is_not_evaded_by_swapping():
    options = container({**BASE, "memory": "4GiB"})["options"]
    assert (options["memory"], options["memory_swap"]) == ("4g", "4g")


def test_the_published_port_is_not_on_the_internal_network():
    assert container({**BASE, "network": "inner"})["options"]["networks"] == [{"name": "bridge"}, {"name": "inner"}]


@pytest.mark.parametrize(
    "change",
    [
        {"route": "live_runner"},
        {"price_per_unit": 7},
        {"price_scaling": 3},
        {"currency": "eth"},
        {"price": {"price": 1}},
        {"description": "x"},
        {"health_path": "/ready"},
        {"start_timeout": 5},
        {"metadata": "x"},
        {"checks": [{}]},
    ],
)
def test_what_the_container_does_not_depend_on_leaves_it_alone(change):
    assert digest(change) == digest()


@pytest.mark.parametrize(
    "change",
    [
        {"port": 8602},
        {"container_port": 9000},
        {"capacity": 2},
        {"env": {"A": "1"}},
        {"command": ["x"]},
        {"memory": "1g"},
        {"gpus": [0]},
        {"user": "1000"},
        {"hardened": True},
        {"network": "inner"},
        {"token": "sesame-open"},
        {"models": MODELS},
        {"restart_policy": "always"},
    ],
)
def test_what_the_container_depends_on_makes_it_again(change):
    assert digest(change) != digest()


def test_another_token_image_or_commit_makes_it_again():
    assert digest({"token": "sesame-open"}) != digest({"token": "sesame-close"})
    assert digest(image_id="sha256:2") != digest()
    models = {"models": MODELS}
    assert digest(models, commits={"c/d": COMMIT}) != digest(models)
    assert digest(models, commits={"x/y": COMMIT}) == digest(models)


def test_secrets_in_the_environment_are_noticed():
    assert container({**BASE, "env": {"API_KEY": "x"}})["secret"] is True
    assert container({**BASE, "env": {"WORKERS": "x"}})["secret"] is False


def test_the_compose_file_says_the_same():
    options = container(FULL, commits={"a/b": COMMIT})["options"]
    document = compose_document(options)
    service = document["services"]["service"]
    assert document["name"] == "livepeer-service-chat"
    assert service["container_name"] == "livepeer-service-chat"
    assert service["ports"] == ["127.0.0.1:8601:8000"]
    assert service["labels"] == options["labels"]
    assert service["stop_grace_period"] == "30s"
    assert service["logging"] == {"driver": "json-file", "options": {"max-size": "10m", "max-file": "3"}}
    assert (service["mem_limit"], service["memswap_limit"], service["cpus"]) == ("4g", "4g", 1.5)
    assert (service["read_only"], service["cap_drop"], service["user"]) == (True, ["ALL"], "1000:1000")
    assert [volume["target"] for volume in service["volumes"]] == ["/models", "/run/secrets/bearer_token"]
    assert all(volume["bind"] == {"create_host_path": False} for volume in service["volumes"])
    assert service["deploy"]["resources"]["reservations"]["devices"] == [
        {"driver": "nvidia", "device_ids": ["0", "1"], "capabilities": ["gpu"]}
    ]
    assert service["networks"] == ["default", "inner"]
    assert document["networks"] == {"inner": {"external": True}}
    assert "network_mode" not in service


def test_the_compose_file_replaces_no_variables():
    service = compose_document(container(FULL)["options"])["services"]["service"]
    assert service["environment"]["PATTERN"] == "^a$$"
    assert service["command"] == ["serve", "$$HOME"]


def test_the_compose_file_without_a_network_of_its_own():
    document = compose_document(container()["options"])
    assert document["services"]["service"]["network_mode"] == "bridge"
    assert "networks" not in document


def test_the_compose_file_leaves_nothing_out():
    with pytest.raises(ValueError, match="sysctls of livepeer-service-chat has no counterpart"):
        compose_document({**container()["options"], "sysctls": {}})
