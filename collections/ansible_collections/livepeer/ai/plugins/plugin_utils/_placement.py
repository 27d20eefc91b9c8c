# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where go-livepeer puts the runners of a list of models. Private to the collection."""

from __future__ import annotations


def managed(models):
    """The models whose runners go-livepeer starts itself."""
    return [model for model in models if not model.get("url")]


def warm_runners(models):
    """The model of each container that a node keeps running, in the order in which it starts them."""
    return [model for model in managed(models) if model.get("warm") for _number in range(int(model.get("capacity", 1)))]


def slots(gpus, containers_per_gpu):
    """(place on the GPU, GPU) in the order in which they are filled: every GPU once, then every GPU again."""
    return [(place, int(gpu)) for place in range(int(containers_per_gpu)) for gpu in gpus]


def host_port(base, place, gpu):
    """Where a runner is published: two digits for its pipeline, one for its place on the GPU, one for the GPU."""
    return base * 100 + place * 10 + gpu


def placement(models, gpus, containers_per_gpu):
    """(GPU, model) of each warm runner."""
    return [(gpu, model) for (_place, gpu), model in zip(slots(gpus, containers_per_gpu), warm_runners(models))]
