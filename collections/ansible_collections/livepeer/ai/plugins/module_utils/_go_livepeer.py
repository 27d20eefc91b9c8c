# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What each supported go-livepeer release has: flags, pipelines, images, routes to a model. Private to the collection.

The one home of these facts. A new release is a new entry in RELEASES: code never asks for a version number, it asks
a release whether it has a flag, a pipeline or a path.
"""

from __future__ import annotations

import dataclasses
import difflib

# How a flag's value travels from a variable to the node.
PLAIN = "plain"  # written into the config file
SECRET = "secret"  # may hold a credential and has no file form: environment file, mode 0600
SECRET_FILE = "secret_file"  # a credential that the node reads from the path it is given
ONLY_COMMAND_LINE = "only_command_line"  # has no meaning inside a config file


class UnsupportedError(ValueError):
    """A version, pipeline or flag that the table does not know. The text is one sentence for the person who asked."""


@dataclasses.dataclass(frozen=True)
class Flag:
    """One command-line flag. `type` is Go's; `json` is a string that must parse as JSON."""

    type: str
    default: object = ""
    holds: str = PLAIN


@dataclasses.dataclass(frozen=True)
class Pipeline:
    """A managed pipeline: its capability id, the first two digits of its runners' host ports, its own image if any."""

    capability: int
    port_base: int
    image: str | None = None


@dataclasses.dataclass(frozen=True)
class Release:
    """Everything the roles need to know about one go-livepeer version."""

    version: str
    flags: dict
    pipelines: dict
    live_images: dict
    default_image: str
    # Routes to a model: builtin, custom_pipeline, byoc, live_runner.
    paths: frozenset
    # Networks the node knows by name; any other on-chain network needs a controller address.
    networks: frozenset
    # Pipelines or paths an earlier release had -> what to use instead.
    removed: dict = dataclasses.field(default_factory=dict)
    archive_url: str = (
        "https://github.com/livepeer/go-livepeer/releases/download/v{version}/livepeer-linux-{architecture}.tar.gz"
    )

    def pipeline(self, name):
        """The pipeline of that name, or UnsupportedError saying what to write instead."""
        if name in self.pipelines:
            return self.pipelines[name]
        if name in self.removed:
            raise UnsupportedError(f"go-livepeer {self.version} no longer has {name}: {self.removed[name]}")
        hint = nearest(str(name).lower().replace("_", "-").replace(" ", "-"), self.pipelines)
        raise UnsupportedError(f"go-livepeer {self.version} has no pipeline {name!r}{hint}")

    def flag(self, name):
        """The flag of that name, or UnsupportedError saying what to write instead."""
        if name in self.flags:
            return self.flags[name]
        if name in self.removed:
            raise UnsupportedError(f"go-livepeer {self.version} no longer has -{name}: {self.removed[name]}")
        hint = nearest(str(name).lstrip("-"), self.flags)
        raise UnsupportedError(f"go-livepeer {self.version} has no flag {name!r}{hint}")

    def require_path(self, path):
        """Refuse a route to a model that this release does not offer."""
        if path in self.paths:
            return
        instead = self.removed.get(path, f"use one of {', '.join(sorted(self.paths))}")
        raise UnsupportedError(f"go-livepeer {self.version} does not offer the path {path!r}: {instead}")

    def image(self, pipeline, model_id, overrides=None):
        """The image the node starts for a model, in the node's own order of preference."""
        overrides = overrides or {}
        known = self.pipeline(pipeline)
        if pipeline == LIVE_PIPELINE:
            image = (overrides.get("live") or {}).get(model_id) or self.live_images.get(model_id)
            if image:
                return image
            hint = nearest(model_id, self.live_images) or ": name one in the image overrides under live"
            raise UnsupportedError(f"no image is known for the live pipeline {model_id!r}{hint}")
        # The overrides' default does not beat the images that the node's own table names for a pipeline.
        own = (overrides.get("batch") or {}).get(pipeline) or known.image
        return own or overrides.get("default") or self.default_image

    def secret_flags(self):
        """Names of the flags that travel in the environment file."""
        return sorted(name for name, flag in self.flags.items() if flag.holds == SECRET)


def nearest(word, choices):
    """A hint ' (did you mean X?)', or nothing when no choice is near."""
    word = str(word).lower()
    lowered = {str(choice).lower(): choice for choice in choices}
    found = difflib.get_close_matches(word, lowered, n=1, cutoff=0.6)
    if not found and len(word) > 2:
        found = [choice for choice in lowered if choice.startswith(word)]
    return f" (did you mean {lowered[found[0]]}?)" if found else ""


def release(version, releases=None):
    """The table's entry for a version, or UnsupportedError naming what to use instead."""
    releases = RELEASES if releases is None else releases
    version = str(version)
    if version in releases:
        return releases[version]
    if version.lstrip("v") in releases:
        bare = version.lstrip("v")
        raise UnsupportedError(f"go-livepeer version {version!r} is written with a leading v: use {bare!r}")
    known = sorted(releases, key=_sortable)
    if _sortable(version) > _sortable(known[-1]):
        raise UnsupportedError(
            f"go-livepeer {version!r} is newer than this version of the livepeer.ai collection knows:"
            f" use {known[-1]!r} or upgrade the collection"
        )
    supported = ", ".join(known)
    raise UnsupportedError(f"go-livepeer {version!r} is not supported: use {known[-1]!r} (supported: {supported})")


def _sortable(version):
    """Versions compare as numbers; text that is no number counts as oldest."""
    return tuple(int(part) if part.isdigit() else -1 for part in version.lstrip("v").split("."))


LIVE_PIPELINE = "live-video-to-video"

_PIPELINES_WITH_BATCH = {
    "text-to-image": Pipeline(27, 80),
    "image-to-image": Pipeline(28, 81),
    "image-to-video": Pipeline(29, 82),
    "upscale": Pipeline(30, 83),
    "audio-to-text": Pipeline(31, 84, "livepeer/ai-runner:audio-to-text"),
    "segment-anything-2": Pipeline(32, 86, "livepeer/ai-runner:segment-anything-2"),
    "llm": Pipeline(33, 85, "livepeer/ai-runner:llm"),
    "image-to-text": Pipeline(34, 87),
    LIVE_PIPELINE: Pipeline(35, 89),
    "text-to-speech": Pipeline(36, 88, "livepeer/ai-runner:text-to-speech"),
}

_LIVE_IMAGES = {
    model: f"livepeer/ai-runner:live-app-{model}"
    for model in (
        "streamdiffusion",
        "streamdiffusion-sd15",
        "streamdiffusion-sd15-v2v",
        "streamdiffusion-sdxl",
        "streamdiffusion-sdxl-v2v",
        "streamdiffusion-sdxl-faceid",
        "comfyui",
        "segment_anything_2",
        "noop",
    )
}
_LIVE_IMAGES["scope"] = "daydreamlive/scope-runner"

_NETWORKS = frozenset({"offchain", "arbitrum-one-mainnet", "mainnet", "rinkeby", "arbitrum-one-rinkeby"})

_FLAGS_0_9_1 = {
    # Help and log
    "config": Flag("string", "", ONLY_COMMAND_LINE),
    "j": Flag("bool", False, ONLY_COMMAND_LINE),
    "v": Flag("string", "3"),
    "version": Flag("bool", False, ONLY_COMMAND_LINE),
    # Network and addresses
    "cliAddr": Flag("string"),
    "httpAddr": Flag("string"),
    "httpIngest": Flag("bool", True),
    "localVerify": Flag("bool", True),
    "network": Flag("string", "offchain"),
    "nodes": Flag("string"),
    "rtmpAddr": Flag("string"),
    "serviceAddr": Flag("string"),
    "verifierPath": Flag("string"),
    "verifierUrl": Flag("string"),
    # How a gateway finds and chooses orchestrators
    "discoveryTimeout": Flag("duration", "500ms"),
    "extraNodes": Flag("int", 0),
    "gatewayHost": Flag("string"),
    "ignoreMaxPriceIfNeeded": Flag("bool", False),
    "maxPricePerCapability": Flag("string"),
    "maxPricePerUnit": Flag("string", "0"),
    "minPerfScore": Flag("float", 0.0),
    "orchAddr": Flag("string"),
    "orchBlocklist": Flag("string"),
    "orchMinLivepeerVersion": Flag("string"),
    "orchPerfStatsUrl": Flag("string"),
    "orchWebhookUrl": Flag("string"),
    "region": Flag("string"),
    "selectPriceExpFactor": Flag("float", 100.0),
    "selectPriceWeight": Flag("float", 0.0),
    "selectRandFreq": Flag("float", 0.3),
    "selectStakeWeight": Flag("float", 0.7),
    # Node type and transcoding
    "broadcaster": Flag("bool", False),
    "currentManifest": Flag("bool", False),
    "gateway": Flag("bool", False),
    "hevcDecoding": Flag("bool", False),
    "maxAttempts": Flag("int", 3),
    "maxSessions": Flag("string", "10"),
    "netint": Flag("string"),
    "nvidia": Flag("string"),
    "orchSecret": Flag("string", "", SECRET_FILE),
    "orchestrator": Flag("bool", False),
    "testTranscoder": Flag("bool", True),
    "transcoder": Flag("bool", False),
    "transcodingOptions": Flag("string", "P240p30fps16x9,P360p30fps16x9"),
    # AI
    "aiMinRunnerVersion": Flag("json", "[]"),
    "aiModels": Flag("string"),
    "aiModelsDir": Flag("string"),
    "aiProcessingRetryTimeout": Flag("duration", "2s"),
    "aiRunnerContainersPerGPU": Flag("int", 1),
    "aiRunnerImage": Flag("string", "livepeer/ai-runner:latest"),
    "aiRunnerImageOverrides": Flag("json"),
    "aiServerless": Flag("bool", False),
    "aiServiceRegistry": Flag("bool", False),
    "aiVerboseLogs": Flag("bool", False),
    "aiWorker": Flag("bool", False),
    "liveRunnerConfig": Flag("string"),
    "liveRunnerProxyUrl": Flag("string"),
    "useLiveRunners": Flag("bool", False),
    # Live AI
    "liveAIAuthApiKey": Flag("string", "", SECRET),
    "liveAIAuthWebhookUrl": Flag("string", "", SECRET),
    "liveAICapRefreshModels": Flag("string"),
    "liveAICapReportInterval": Flag("duration", "25m"),
    "liveAIHeartbeatHeaders": Flag("string", "", SECRET),
    "liveAIHeartbeatInterval": Flag("duration", "5s"),
    "liveAIHeartbeatURL": Flag("string"),
    "liveAISaveNSegments": Flag("int", 10),
    "liveAITrickleHostForRunner": Flag("string"),
    "liveOutSegmentTimeout": Flag("duration", "0s"),
    "livePaymentInterval": Flag("duration", "5s"),
    "liveRunnerAddr": Flag("string"),
    "mediaMTXApiPassword": Flag("string", "", SECRET),
    # On-chain
    "autoAdjustPrice": Flag("bool", True),
    "blockPollingInterval": Flag("int", 5),
    "depositMultiplier": Flag("int", 1),
    "ethAcctAddr": Flag("string"),
    "ethController": Flag("string"),
    "ethKeystorePath": Flag("string"),
    "ethOrchAddr": Flag("string"),
    "ethPassword": Flag("string", "", SECRET_FILE),
    "ethUrl": Flag("string", "", SECRET),
    "gasLimit": Flag("int", 0),
    "initializeRound": Flag("bool", False),
    "initializeRoundMaxDelay": Flag("duration", "30s"),
    "maxFaceValue": Flag("string", "0"),
    "maxGasPrice": Flag("int", 0),
    "maxTicketEV": Flag("string", "3000000000000"),
    "maxTotalEV": Flag("string", "20000000000000"),
    "maxTransactionReplacements": Flag("int", 1),
    "minGasPrice": Flag("int", 0),
    "pixelsPerUnit": Flag("string", "1"),
    "priceFeedAddr": Flag("string", "0x639Fe6ab55C921f74e7fac1ee960C0B6293ba612"),
    "pricePerBroadcaster": Flag("string"),
    "pricePerGateway": Flag("string"),
    "pricePerUnit": Flag("string", "0"),
    "redeemer": Flag("bool", False),
    "redeemerAddr": Flag("string"),
    "reward": Flag("bool", False),
    "ticketEV": Flag("string", "8000000000"),
    "transactionTimeout": Flag("duration", "5m"),
    # Metrics and logging
    "kafkaBootstrapServers": Flag("string"),
    "kafkaGatewayTopic": Flag("string"),
    "kafkaPassword": Flag("string", "", SECRET),
    "kafkaUser": Flag("string"),
    "metadataAmqpExchange": Flag("string", "lp_golivepeer_metadata"),
    "metadataPublishTimeout": Flag("duration", "1s"),
    "metadataQueueUri": Flag("string", "", SECRET),
    "metricsClientIP": Flag("bool", False),
    "metricsPerStream": Flag("bool", False),
    "monitor": Flag("bool", False),
    # Storage
    "dataDir": Flag("string"),
    "datadir": Flag("string"),
    "objectStore": Flag("string", "", SECRET),
    "recordStore": Flag("string", "", SECRET),
    "FVfailGsbucket": Flag("string"),
    "FVfailGskey": Flag("string", "", SECRET),
    # Access, availability, remote signer
    "authWebhookUrl": Flag("string", "", SECRET),
    "remoteDiscovery": Flag("bool", False),
    "remoteSigner": Flag("bool", False),
    "remoteSignerAllowNoAuth": Flag("bool", False),
    "remoteSignerHeaders": Flag("string", "", SECRET),
    "remoteSignerUrl": Flag("string"),
    "remoteSignerWebhookHeaders": Flag("string", "", SECRET),
    "remoteSignerWebhookUrl": Flag("string", "", SECRET),
    "startupAvailabilityCheck": Flag("bool", True),
}

RELEASES = {
    "0.9.1": Release(
        version="0.9.1",
        flags=_FLAGS_0_9_1,
        pipelines=_PIPELINES_WITH_BATCH,
        live_images=_LIVE_IMAGES,
        default_image="livepeer/ai-runner:latest",
        paths=frozenset({"builtin", "custom_pipeline", "byoc", "live_runner"}),
        networks=_NETWORKS,
    ),
}
