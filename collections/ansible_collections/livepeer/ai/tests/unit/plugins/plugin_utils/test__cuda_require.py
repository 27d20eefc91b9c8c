# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Requirements of real images against cards and drivers, and the corners of the language they are written in."""

from __future__ import annotations

import pytest

from ansible_collections.livepeer.ai.plugins.plugin_utils._cuda_require import (
    Facts,
    RequireError,
    environment_of,
    holds,
    requirements,
    unsatisfied,
)


def image(cuda, brands, branches, before=()):
    """NVIDIA_REQUIRE_CUDA as the base images of NVIDIA have it."""
    alternatives = [f"brand={brand},driver>={branch},driver<{branch + 1}" for branch in branches for brand in brands]
    return " ".join([f"cuda>={cuda}", *before, *alternatives])


# As found in the Dockerfiles of nvidia/cuda:12.8.1, 12.6.3 and 12.1.1 (base, Ubuntu).
NEW_BRANDS = ["unknown", "grid", "tesla", "nvidia", "quadro", "quadrortx", "nvidiartx", "vapps", "vpc", "vcs", "vws"]
NEW_BRANDS.append("cloudgaming")
OLD_BRANDS = ["tesla", "unknown", "nvidia", "nvidiartx", "geforce", "geforcertx", "quadro", "quadrortx", "titan"]
OLD_BRANDS.append("titanrtx")
IMAGES = {
    "12.8.1": image("12.8", NEW_BRANDS, (470, 535, 550, 560, 565)),
    "12.6.3": image("12.6", NEW_BRANDS, (470, 535, 550)),
    "12.1.1": image("12.1", OLD_BRANDS, (470, 510, 515, 525), before=["brand=tesla,driver>=450,driver<451"]),
}

# The CUDA version that each driver branch has.
DRIVERS = {
    "470.256.02": "11.4",
    "510.108.03": "11.6",
    "525.147.05": "12.0",
    "535.309.01": "12.2",
    "545.29.06": "12.3",
    "550.163.01": "12.4",
    "560.35.05": "12.6",
    "565.77": "12.7",
    "570.195.03": "12.8",
    "580.95.05": "13.0",
}
CARDS = {
    "rtx-4090": {"arch": "8.9", "brand": "GeForce"},
    # NVML's newer brands are one unknown brand to libnvidia-container, which the images have foreseen.
    "h100": {"arch": "9.0", "brand": "NVIDIA"},
    "rtx-a6000": {"arch": "8.6", "brand": "NVIDIA RTX"},
    "t4": {"arch": "7.5", "brand": "Tesla"},
}
# Which drivers start which image. GeForce has no forward compatibility since the images of CUDA 12.2.
ACCEPTED = {
    ("12.8.1", "rtx-4090"): ("570", "580"),
    ("12.8.1", "h100"): ("470", "535", "550", "560", "565", "570", "580"),
    ("12.8.1", "rtx-a6000"): ("470", "535", "550", "560", "565", "570", "580"),
    ("12.8.1", "t4"): ("470", "535", "550", "560", "565", "570", "580"),
    ("12.6.3", "rtx-4090"): ("560", "565", "570", "580"),
    ("12.6.3", "h100"): ("470", "535", "550", "560", "565", "570", "580"),
    ("12.6.3", "t4"): ("470", "535", "550", "560", "565", "570", "580"),
    ("12.1.1", "rtx-4090"): ("470", "510", "525", "535", "545", "550", "560", "565", "570", "580"),
    ("12.1.1", "h100"): ("470", "510", "525", "535", "545", "550", "560", "565", "570", "580"),
}


@pytest.mark.parametrize(("name", "card"), ACCEPTED)
def test_real_images(name, card):
    accepted = [
        driver.partition(".")[0]
        for driver, cuda in DRIVERS.items()
        if holds(IMAGES[name], Facts(cuda=cuda, driver=driver, **CARDS[card]))
    ]
    assert tuple(accepted) == ACCEPTED[name, card]


def test_the_images_are_as_published():
    assert IMAGES["12.8.1"].startswith(
        "cuda>=12.8 brand=unknown,driver>=470,driver<471 brand=grid,driver>=470,driver<471"
    )
    assert IMAGES["12.8.1"].endswith(" brand=vws,driver>=565,driver<566 brand=cloudgaming,driver>=565,driver<566")
    assert IMAGES["12.1.1"].startswith(
        "cuda>=12.1 brand=tesla,driver>=450,driver<451 brand=tesla,driver>=470,driver<471"
    )


HOST = Facts(cuda="12.4", driver="550.163.01", arch="8.9", brand="GeForce")


@pytest.mark.parametrize(
    ("requirement", "verdict"),
    [
        ("cuda>=12.4", True),
        ("cuda>=12.4.0", True),
        ("cuda>=12.4.1", False),
        ("cuda>12.4", False),
        ("cuda>12.3.9", True),
        ("cuda<=12.4", True),
        ("cuda<12.4.0", False),
        ("cuda<12.10", True),
        ("cuda=12.4.0", True),
        ("cuda!=12.4", False),
        # Taken for != by the real one.
        ("cuda!12.5", True),
        ("CUDA>=12.4", True),
        ("driver>=550,driver<551", True),
        ("driver>=470,driver<471", False),
        ("driver>=550.163.01", True),
        ("driver>=550.163.1", True),
        ("arch>=8.0", True),
        ("arch>=9.0", False),
        ("brand=geforce", True),
        ("brand=GeForce", True),
        ("brand!=geforce", False),
        ("brand=tesla", False),
        ("brand=unknown", False),
        # A space is "or", a comma "and".
        ("cuda>=13 driver>=550", True),
        ("cuda>=13,driver>=550", False),
        ("cuda>=13  driver>=600", False),
        ("cuda>=12.4,,driver>=550,", True),
        # Nothing is no demand, but does not make up for one either.
        ("", True),
        (" ", True),
        ("cuda>=13 ,", False),
        # What comes after the first alternative that holds is never looked at.
        ("cuda>=12.4 nonsense", True),
    ],
)
def test_language(requirement, verdict):
    assert holds(requirement, HOST) is verdict


@pytest.mark.parametrize(
    ("requirement", "why"),
    [
        ("nonsense", "'nonsense' is no condition"),
        ("cuda>=", "'cuda>=' is no condition"),
        (">=12", "'>=12' is no condition"),
        ("cuda=>12", "'cuda=>12' is no condition"),
        ("memory>=12", "'memory>=12' is no condition"),
        ("cuda>=12.x", "'cuda>=12.x' holds no version"),
        ("cuda>=...", "'cuda>=...' holds no version"),
        ("brand>=tesla", "'brand>=tesla' compares a brand by size"),
        ("cuda>=13 arch=8.9,5.2", "'5.2' is no condition"),
    ],
)
def test_what_the_hook_cannot_read(requirement, why):
    with pytest.raises(RequireError) as caught:
        holds(requirement, HOST)
    assert str(caught.value) == why


def test_what_nobody_could_tell_is_taken_for_good():
    assert holds("cuda>=99,driver>=999,arch>=99,brand=tesla", Facts())


def test_brands_that_the_hook_knows():
    for brand, known in (("Quadro", "quadro"), ("Titan", "titan"), ("Quadro RTX", "unknown"), ("NVIDIA", "unknown")):
        assert holds(f"brand={known}", Facts(brand=brand))


def test_all_requirements_of_an_image_are_judged():
    environment = environment_of(["PATH=/bin", "NVIDIA_REQUIRE_CUDA=cuda>=12.8", "NVIDIA_REQUIRE_ARCH=arch>=9.0", "X"])
    assert unsatisfied(environment, HOST) == [
        ("NVIDIA_REQUIRE_ARCH", "arch>=9.0"),
        ("NVIDIA_REQUIRE_CUDA", "cuda>=12.8"),
    ]
    assert unsatisfied({**environment, "NVIDIA_REQUIRE_ARCH": "arch>=7.5"}, HOST) == [
        ("NVIDIA_REQUIRE_CUDA", "cuda>=12.8")
    ]


@pytest.mark.parametrize(
    ("value", "judged"), [("1", False), ("true", False), ("True", False), ("yes", True), ("0", True)]
)
def test_an_image_can_switch_the_judgement_off(value, judged):
    environment = {"NVIDIA_REQUIRE_CUDA": "cuda>=99", "NVIDIA_DISABLE_REQUIRE": value}
    assert bool(unsatisfied(environment, HOST)) is judged


def test_jetson_boards_are_another_matter():
    assert requirements({"NVIDIA_REQUIRE_JETPACK": "csv-mounts=all", "NVIDIA_REQUIRE_JETPACK_HOST_MOUNTS": "x"}) == []


@pytest.mark.parametrize(
    ("version", "requirement"), [("9.0.176", "cuda>=9.0"), ("12.8.1", "cuda>=12.8"), ("11", "cuda>=11.0")]
)
def test_old_images_say_their_version_only(version, requirement):
    assert requirements({"CUDA_VERSION": version}) == [("CUDA_VERSION", requirement)]
    assert requirements({"CUDA_VERSION": version, "NVIDIA_REQUIRE_CUDA": "cuda>=8"}) == [
        ("NVIDIA_REQUIRE_CUDA", "cuda>=8")
    ]


def test_a_version_that_is_none():
    with pytest.raises(RequireError, match="CUDA_VERSION is 'latest', which is no version"):
        requirements({"CUDA_VERSION": "latest"})


def test_an_image_that_asks_for_nothing():
    assert requirements(environment_of(None)) == []
